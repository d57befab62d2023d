"""NLU component `EmbeddingIntentClassifier`: logistic regression on the MiniLM embedding.

Trained inside `rasa train`; stored as plain arrays (no pickle).
"""

from __future__ import annotations

import json
from typing import Any, Dict, List, Type

import numpy as np
from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.shared.constants import DEFAULT_NLU_FALLBACK_INTENT_NAME
from rasa.shared.exceptions import InvalidConfigException
from rasa.shared.nlu.constants import INTENT, INTENT_NAME_KEY, PREDICTED_CONFIDENCE_KEY, TEXT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from components.sentence_features import SentenceFeatures, sentence_embedding

RANKING_KEY = "intent_ranking"


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER, is_trainable=True)
class EmbeddingIntentClassifier(GraphComponent):
    """Multinomial logistic regression over sentence embeddings."""

    @classmethod
    def create(
        cls,
        config: Dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> EmbeddingIntentClassifier:
        """See `GraphComponent.create`."""
        return cls(config, model_storage, resource)

    def __init__(
        self, config: Dict[str, Any], model_storage: ModelStorage, resource: Resource
    ) -> None:
        if config["C"] <= 0:
            raise InvalidConfigException(
                f"EmbeddingIntentClassifier: C must be > 0, not {config['C']}"
            )
        self._config = config
        self._model_storage = model_storage
        self._resource = resource
        self._labels: List[str] = []
        self._weights = np.zeros((0, 0), dtype=np.float32)
        self._bias = np.zeros(0, dtype=np.float32)

    @staticmethod
    def get_default_config() -> Dict[str, Any]:
        """Settings.

        `C`: inverse regularisation; `ranking_length`: intents reported per message; `cautious`:
        intents whose replies would turn a person away if they were wrong, with the probability
        they need; below it the message counts as not understood, and is listened to.
        """
        return {"C": 20.0, "ranking_length": 10, "max_iter": 300, "cautious": {}}

    @classmethod
    def required_components(cls) -> List[Type]:
        """The embedding must exist first."""
        return [SentenceFeatures]

    def train(self, training_data: TrainingData) -> Resource:
        """Fits on all examples with an intent and persists the arrays."""
        from sklearn.linear_model import LogisticRegression

        rows = [
            (sentence_embedding(m), m.get(INTENT))
            for m in training_data.intent_examples
            if m.get(TEXT)
        ]
        vectors = np.stack([vector for vector, _ in rows if vector is not None])
        intents = [intent for vector, intent in rows if vector is not None]
        if len(set(intents)) < 2:
            raise InvalidConfigException("EmbeddingIntentClassifier needs at least two intents.")
        model = LogisticRegression(
            C=self._config["C"], max_iter=self._config["max_iter"], class_weight="balanced"
        )
        model.fit(vectors, intents)
        self._labels = [str(label) for label in model.classes_]
        weights, bias = model.coef_, model.intercept_
        if len(self._labels) == 2:
            weights, bias = np.vstack([-weights, weights]), np.array([-bias[0], bias[0]])
        self._weights, self._bias = weights.astype(np.float32), bias.astype(np.float32)
        with self._model_storage.write_to(self._resource) as folder:
            np.savez(folder / "weights.npz", weights=self._weights, bias=self._bias)
            (folder / "labels.json").write_text(json.dumps(self._labels), encoding="utf-8")
        return self._resource

    @classmethod
    def load(
        cls,
        config: Dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
        **kwargs: Any,
    ) -> EmbeddingIntentClassifier:
        """Reads the arrays back."""
        classifier = cls(config, model_storage, resource)
        with model_storage.read_from(resource) as folder:
            classifier._labels = json.loads((folder / "labels.json").read_text(encoding="utf-8"))
            with np.load(folder / "weights.npz", allow_pickle=False) as arrays:
                classifier._weights = arrays["weights"]
                classifier._bias = arrays["bias"]
        return classifier

    def process(self, messages: List[Message]) -> List[Message]:
        """Sets `intent` and `intent_ranking`; a message without text gets no intent."""
        for message in messages:
            vector = sentence_embedding(message)
            if vector is None or not self._labels:
                message.set(
                    INTENT,
                    {INTENT_NAME_KEY: None, PREDICTED_CONFIDENCE_KEY: 0.0},
                    add_to_output=True,
                )
                message.set(RANKING_KEY, [], add_to_output=True)
                continue
            logits = self._weights @ vector + self._bias
            odds = np.exp(logits - logits.max())
            probabilities = odds / odds.sum()
            best = np.argsort(-probabilities)[: self._config["ranking_length"]]
            ranking = [
                {
                    INTENT_NAME_KEY: self._labels[i],
                    PREDICTED_CONFIDENCE_KEY: float(probabilities[i]),
                }
                for i in best
            ]
            message.set(INTENT, self._chosen(ranking), add_to_output=True)
            message.set(RANKING_KEY, ranking, add_to_output=True)
        return messages

    def _chosen(self, ranking: List[Dict[str, Any]]) -> Dict[str, Any]:
        best = ranking[0]
        needed = self._config["cautious"].get(best[INTENT_NAME_KEY], 0.0)
        if best[PREDICTED_CONFIDENCE_KEY] >= needed:
            return best
        return {**best, INTENT_NAME_KEY: DEFAULT_NLU_FALLBACK_INTENT_NAME}
