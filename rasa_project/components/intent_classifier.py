"""NLU component `EmbeddingIntentClassifier`: a tuned branch on the shared trunk, and n-grams.

The branch (`intents/branch.onnx`) is tuned by `make intents`; the head over its embedding and over
n-grams (`intent_head`) is fitted inside `rasa train`, so that a new example counts without tuning.
`intents/README.md` is the card, decision 0011 (`docs/adr`) says why this one.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any, Dict, List, Optional, Type

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

from components import intent_head
from components.encoder import session, shared_encoder
from components.intent_head import HeadError, IntentHead, TunedHead
from components.sentence_features import SentenceFeatures, readable, trunk_states

DEFAULT_FOLDER = Path(__file__).parent / "intents"
BRANCH = "branch.onnx"
TUNED = "head.npz"
FITTED = "fitted.npz"
FITTED_TO = "branch.sha256"
RANKING_KEY = "intent_ranking"


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER, is_trainable=True)
class EmbeddingIntentClassifier(GraphComponent):
    """Linear models over a tuned sentence embedding and over n-grams."""

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
        if config["pull"] < 0:
            raise InvalidConfigException(
                f"EmbeddingIntentClassifier: pull must be >= 0, not {config['pull']}"
            )
        self._config = config
        self._model_storage = model_storage
        self._resource = resource
        self._folder = Path(config["folder"] or DEFAULT_FOLDER)
        self._head: Optional[IntentHead] = None

    @staticmethod
    def get_default_config() -> Dict[str, Any]:
        """Settings.

        `folder`: where `branch.onnx` and `head.npz` are (None: the committed ones); `pull`: how
        strongly the head is held to the tuned one when it is fitted (`intent_head.fit`);
        `ranking_length`: intents reported per message, 0 for all; `cautious`: intents whose replies
        would turn a person away if they were wrong, with the probability they need; below it the
        message counts as not understood, and is listened to.
        """
        return {"folder": None, "pull": 10.0, "ranking_length": 10, "cautious": {}}

    @classmethod
    def required_components(cls) -> List[Type]:
        """The trunk's states must exist first."""
        return [SentenceFeatures]

    def train(self, training_data: TrainingData) -> Resource:
        """Fits the head on all examples with an intent and persists it.

        Raises:
            InvalidConfigException: fewer than two intents, or the branch's files are not there.
        """
        rows = [m for m in training_data.intent_examples if m.get(TEXT)]
        texts = [readable(m.get(TEXT)) for m in rows]
        try:
            tuned = TunedHead.load(self._folder / TUNED)
            vectors = shared_encoder().through(shared_branch(self._folder), texts)
            intents = [str(m.get(INTENT)) for m in rows]
            head = intent_head.fit(vectors, texts, intents, tuned, self._config["pull"])
        except HeadError as error:
            raise InvalidConfigException(f"EmbeddingIntentClassifier: {error}") from error
        with self._model_storage.write_to(self._resource) as folder:
            head.save(folder / FITTED)
            (folder / FITTED_TO).write_text(_digest(self._folder), encoding="ascii")
        self._head = head
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
        """Reads the head back.

        Raises:
            InvalidConfigException: it was fitted to another branch than the one that is there.
        """
        classifier = cls(config, model_storage, resource)
        with model_storage.read_from(resource) as folder:
            if (folder / FITTED_TO).read_text(encoding="ascii") != _digest(classifier._folder):
                raise InvalidConfigException(
                    f"{classifier._folder / BRANCH} is not the one the model was trained with;"
                    " run `make train`."
                )
            classifier._head = IntentHead.load(folder / FITTED)
        return classifier

    def process(self, messages: List[Message]) -> List[Message]:
        """Sets `intent` and `intent_ranking`; a message without text gets no intent."""
        for message in messages:
            states = trunk_states(message)
            if states is None or self._head is None:
                message.set(
                    INTENT,
                    {INTENT_NAME_KEY: None, PREDICTED_CONFIDENCE_KEY: 0.0},
                    add_to_output=True,
                )
                message.set(RANKING_KEY, [], add_to_output=True)
                continue
            mask = np.ones((1, len(states)), dtype=np.int64)
            inputs = {"trunk": states[None], "attention_mask": mask}
            vector = shared_branch(self._folder).run(["embedding"], inputs)[0]
            text = readable(message.get(TEXT))
            probabilities = self._head.probabilities(vector, [text])[0]
            ranking = [
                {
                    INTENT_NAME_KEY: self._head.labels[i],
                    PREDICTED_CONFIDENCE_KEY: float(probabilities[i]),
                }
                for i in np.argsort(-probabilities)[: self._config["ranking_length"] or None]
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


def _digest(folder: Path) -> str:
    return hashlib.sha256(_present(folder).read_bytes()).hexdigest()


def _present(folder: Path) -> Path:
    path = folder / BRANCH
    if not path.is_file():
        raise InvalidConfigException(f"{path} is missing; run `make intents`.")
    return path


@lru_cache(maxsize=2)
def shared_branch(folder: Path) -> Any:
    """The branch's session, loaded once a process.

    Raises:
        InvalidConfigException: the file is absent; the message names it.
    """
    return session(_present(folder))
