"""NLU component `RiskGate`: how dangerous is what this message says?

It joins a classifier (a tuned branch on the sentence encoder's trunk, calibrated) with a lexicon
that understands negation, idiom, tense and person, and writes `risk` on the message:
`{"level", "kind", "about", "score"}`, where `score` is the calibrated probability of
level >= moderate. From moderate on it also sets the intent `crisis`. It stands after
`FallbackClassifier`, which would rewrite the intent. Levels: docs/safety/risk-levels.md.

What it does not know: earlier messages. Risk over several turns is the safety policy's.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import numpy as np
from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.shared.exceptions import InvalidConfigException
from rasa.shared.nlu.constants import INTENT, INTENT_NAME_KEY, PREDICTED_CONFIDENCE_KEY, TEXT
from rasa.shared.nlu.training_data.message import Message

from components.encoder import SentenceEncoder, shared_encoder
from components.lexicon import LEVELS, Lexicon, Match
from components.payloads import keep_gates_on_payloads
from components.sentence_features import TRUNK, readable

logger = logging.getLogger(__name__)

RISK = "risk"
CRISIS_INTENT = "crisis"
GATE_FOLDER = Path(__file__).parent / "gates"
MODERATE = LEVELS.index("moderate")
LEXICON_SCORE = {"low": 0.0, "moderate": 0.9, "high": 0.97, "imminent": 0.99}


class RiskClassifier:
    """The exported branch: trunk states -> level, kind, about and calibrated risk."""

    def __init__(self, folder: Path = GATE_FOLDER) -> None:
        """Loads `risk.onnx` and `risk.json`.

        Raises:
            InvalidConfigException: a file is missing.
        """
        import onnxruntime

        for name in ("risk.onnx", "risk.json"):
            if not (folder / name).is_file():
                raise InvalidConfigException(f"{folder / name} is missing; run `make gates`.")
        card = json.loads((folder / "risk.json").read_text(encoding="utf-8"))
        self.levels: List[str] = card["levels"]
        self.kinds: List[str] = card["kinds"]
        self.about: List[str] = card["about"]
        self.threshold = float(card["threshold"])
        self._slope, self._intercept = float(card["slope"]), float(card["intercept"])
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            str(folder / "risk.onnx"), options, providers=["CPUExecutionProvider"]
        )

    def __call__(self, trunk: np.ndarray) -> Tuple[np.ndarray, np.ndarray, np.ndarray, float]:
        """Probabilities of level (5,), kind (7,), about (2,) and the calibrated risk score."""
        states = trunk[None, :, :].astype(np.float32)
        mask = np.ones(states.shape[:2], dtype=np.int64)
        level, kind, about = self._session.run(None, {"trunk": states, "attention_mask": mask})
        risky = float(np.clip(level[0][MODERATE:].sum(), 1e-6, 1 - 1e-6))
        logit = float(np.log(risky / (1 - risky)))
        score = 1 / (1 + np.exp(-(self._slope * logit + self._intercept)))
        return level[0], kind[0], about[0], float(score)


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER, is_trainable=False)
class RiskGate(GraphComponent):
    """Writes `risk` on every message and the intent `crisis` from moderate on."""

    @classmethod
    def create(
        cls,
        config: Dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> RiskGate:
        """See `GraphComponent.create`."""
        keep_gates_on_payloads()
        return cls(config, RiskClassifier(), Lexicon.from_file(), shared_encoder())

    def __init__(
        self,
        config: Dict[str, Any],
        classifier: RiskClassifier,
        lexicon: Lexicon,
        encoder: SentenceEncoder,
    ) -> None:
        config = {**self.get_default_config(), **config}
        for key in ("threshold", "other_threshold", "sure"):
            if config[key] is not None and not 0 < config[key] < 1:
                raise InvalidConfigException(f"RiskGate: {key} must be in (0, 1): {config[key]}")
        threshold = config["threshold"]
        self._classifier = classifier
        self._lexicon = lexicon
        self._encoder = encoder
        self._threshold = classifier.threshold if threshold is None else threshold
        self._other_threshold = config["other_threshold"]
        self._sure = config["sure"]

    @staticmethod
    def get_default_config() -> Dict[str, Any]:
        """Operating points on the calibrated score.

        `threshold`: from here on self-harm counts as moderate or above; None: the one in
        `risk.json`. `other_threshold`: the same for the other kinds, whose replies presume more.
        `sure`: below it the level is moderate at most.
        """
        return {"threshold": None, "other_threshold": 0.3, "sure": 0.5}

    def process(self, messages: List[Message]) -> List[Message]:
        """Judges each message; one without text gets level none."""
        for message in messages:
            risk = self.judge(message.get(TEXT) or "", message.get(TRUNK))
            message.set(RISK, risk, add_to_output=True)
            if LEVELS.index(risk["level"]) >= MODERATE:
                message.set(
                    INTENT,
                    {INTENT_NAME_KEY: CRISIS_INTENT, PREDICTED_CONFIDENCE_KEY: 1.0},
                    add_to_output=True,
                )
        return messages

    def judge(self, text: str, trunk: Optional[np.ndarray]) -> Dict[str, Any]:
        """The `risk` of one text with its trunk states, shape (tokens, 384)."""
        if not text.strip() or trunk is None:
            return {"level": "none", "kind": "none", "about": "self", "score": 0.0}
        if is_payload(text):
            return payload_risk(text)
        level_p, kind_p, about_p, score = self._classifier(trunk)
        # What an idiom says ("i could murder a curry") does not count against anybody.
        rest = self._lexicon.without_idioms(readable(text))
        if rest is not None:
            judged = self._classifier(self._encoder.encode_with_trunk(rest)[1])
            if judged[3] < score:
                level_p, kind_p, about_p, score = judged
        matches = self._lexicon.find(readable(text))
        probable = self._classifier.kinds[1 + int(np.argmax(kind_p[1:]))]
        own = probable == "self_harm"
        kind, about = "none", "self"
        if score >= (self._threshold if own else self._other_threshold):
            level = LEVELS[MODERATE + int(np.argmax(level_p[MODERATE:]))]
            # What is uncertain is asked about, not answered as an emergency.
            level = level if score >= self._sure else "moderate"
        else:
            level = LEVELS[int(np.argmax(level_p[:MODERATE]))]
        if level != "none":
            kind = probable
            about = self._classifier.about[int(np.argmax(about_p))]
        strongest = _strongest(matches)
        if strongest and LEVELS.index(strongest.level) >= LEVELS.index(level):
            level, kind, about = strongest.level, strongest.kind, strongest.about
            score = max(score, LEXICON_SCORE.get(level, 0.0))
        return {"level": level, "kind": kind, "about": about, "score": round(score, 4)}


def _strongest(matches: List[Match]) -> Optional[Match]:
    return max(matches, key=lambda match: LEVELS.index(match.level), default=None)


def is_payload(text: str) -> bool:
    """Whether `text` is a button's payload (`/intent` or `/intent{...}`), nothing more."""
    stripped = text.strip()
    name, brace, rest = stripped[1:].partition("{")
    plain = name.replace("_", "").isalnum() and name.isascii()
    return stripped.startswith("/") and plain and (not brace or rest.endswith("}"))


def payload_risk(text: str) -> Dict[str, Any]:
    """A payload says what its button says: only `/crisis` carries risk."""
    if text.strip().lstrip("/").split("{")[0] == CRISIS_INTENT:
        return {"level": "high", "kind": "self_harm", "about": "self", "score": 1.0}
    return {"level": "none", "kind": "none", "about": "self", "score": 0.0}
