"""NLU component `SentenceFeatures`: MiniLM's trunk once a message, and its embedding if wanted.

The intent classifier and the gates go on from the same trunk states with tuned branches of their
own (`trunk_states(message)`); nothing is computed twice. With `embedding: true` the message also
gets MiniLM's own sentence embedding as a dense feature, for classifiers such as DIET.
"""

from __future__ import annotations

from typing import Any, Dict, List, Type

import numpy as np
from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.shared.nlu.constants import FEATURE_TYPE_SENTENCE, TEXT
from rasa.shared.nlu.training_data.features import Features
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from components.encoder import DEFAULT_FOLDER, SentenceEncoder, shared_encoder

ORIGIN = "SentenceFeatures"
TRUNK = "sentence_trunk_states"


def trunk_states(message: Message) -> np.ndarray | None:
    """The trunk's states of a message, shape (tokens, 384), or None if it has no text."""
    states: np.ndarray | None = message.get(TRUNK)
    return states


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.MESSAGE_FEATURIZER, is_trainable=False)
class SentenceFeatures(GraphComponent):
    """Adds the trunk's states, and where it is set the sentence embedding, to each message."""

    @classmethod
    def create(
        cls,
        config: Dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> SentenceFeatures:
        """See `GraphComponent.create`."""
        folder = config["folder"] or str(DEFAULT_FOLDER)
        encoder = shared_encoder(folder, config["threads"])
        return cls(encoder, config["embedding"], config["batch_size"])

    def __init__(self, encoder: SentenceEncoder, embedding: bool, batch_size: int) -> None:
        self._encoder = encoder
        self._embedding = embedding
        self._batch_size = batch_size

    @staticmethod
    def get_default_config() -> Dict[str, Any]:
        """Settings.

        `folder`: the encoder's files (None: the committed ones); `threads`; `embedding`: whether
        MiniLM's own embedding is added; `batch_size` for training.
        """
        return {"folder": None, "threads": 1, "embedding": True, "batch_size": 32}

    @classmethod
    def required_components(cls) -> List[Type]:
        """None: the encoder brings its own tokenizer."""
        return []

    def process_training_data(self, training_data: TrainingData) -> TrainingData:
        """Embeds all training examples in batches, if embeddings are wanted."""
        if not self._embedding:
            return training_data
        messages = [m for m in training_data.training_examples if m.get(TEXT)]
        texts = [readable(m.get(TEXT)) for m in messages]
        for message, vector in zip(messages, self._encoder.encode(texts, self._batch_size)):
            _add(message, vector)
        return training_data

    def process(self, messages: List[Message]) -> List[Message]:
        """Adds trunk states (tokens, 384) and, if wanted, the embedding as a feature (1, 384)."""
        for message in messages:
            if not message.get(TEXT):
                continue
            states = self._encoder.trunk(readable(message.get(TEXT)))
            message.set(TRUNK, states)
            if self._embedding:
                _add(message, self._encoder.embedding(states))
        return messages


def _add(message: Message, vector: np.ndarray) -> None:
    message.add_features(Features(vector[None, :], FEATURE_TYPE_SENTENCE, TEXT, ORIGIN))


def readable(text: str) -> str:
    """`text` without a leading slash, so that the gates judge what a typed payload says."""
    return text.lstrip().lstrip("/").strip() or text
