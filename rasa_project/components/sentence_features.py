"""NLU component `SentenceFeatures`: one MiniLM embedding per message, as a dense feature.

Everything after it in the pipeline (intent classifier, gates) reads the same vector with
`sentence_embedding(message)`; nothing is computed twice.
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


def sentence_embedding(message: Message) -> np.ndarray | None:
    """The message's embedding, shape (384,), or None if it has no text."""
    for feature in message.features:
        if (
            feature.origin == ORIGIN
            and feature.attribute == TEXT
            and feature.type == FEATURE_TYPE_SENTENCE
        ):
            return np.asarray(feature.features)[0]
    return None


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.MESSAGE_FEATURIZER, is_trainable=False)
class SentenceFeatures(GraphComponent):
    """Adds the MiniLM sentence embedding to each message."""

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
        return cls(shared_encoder(folder, config["threads"]), config["batch_size"])

    def __init__(self, encoder: SentenceEncoder, batch_size: int) -> None:
        self._encoder = encoder
        self._batch_size = batch_size

    @staticmethod
    def get_default_config() -> Dict[str, Any]:
        """`folder` (None: the committed files), `threads`, `batch_size` for training."""
        return {"folder": None, "threads": 1, "batch_size": 32}

    @classmethod
    def required_components(cls) -> List[Type]:
        """None: the encoder brings its own tokenizer."""
        return []

    def process_training_data(self, training_data: TrainingData) -> TrainingData:
        """Embeds all training examples in batches."""
        messages = [m for m in training_data.training_examples if m.get(TEXT)]
        texts = [readable(m.get(TEXT)) for m in messages]
        for message, vector in zip(messages, self._encoder.encode(texts, self._batch_size)):
            _add(message, vector)
        return training_data

    def process(self, messages: List[Message]) -> List[Message]:
        """Adds the embedding as a feature of shape (1, 384), and the trunk states for the gates."""
        for message in messages:
            if not message.get(TEXT):
                continue
            embedding, trunk = self._encoder.encode_with_trunk(readable(message.get(TEXT)))
            _add(message, embedding)
            message.set(TRUNK, trunk)
        return messages


def _add(message: Message, vector: np.ndarray) -> None:
    message.add_features(Features(vector[None, :], FEATURE_TYPE_SENTENCE, TEXT, ORIGIN))


def readable(text: str) -> str:
    """`text` without a leading slash, so that the gates judge what a typed payload says."""
    return text.lstrip().lstrip("/").strip() or text
