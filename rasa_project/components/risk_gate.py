"""NLU component `RiskGate`: how dangerous is what this message says?

It joins a calibrated classifier (`safety_branch`) with a lexicon that understands negation, idiom,
tense and person, and writes `risk` on the message: `{"level", "kind", "about", "score"}`, where
`score` is the calibrated probability of level >= moderate. From moderate on it also sets the intent
`crisis`. It stands after `FallbackClassifier`, which would rewrite the intent. Levels:
docs/safety/risk-levels.md.

What it does not know: earlier messages. Risk over several turns is the safety policy's.
"""

from __future__ import annotations

import re
from typing import Any, Dict, List, Optional

import numpy as np
from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.shared.exceptions import InvalidConfigException
from rasa.shared.nlu.constants import INTENT, INTENT_NAME_KEY, PREDICTED_CONFIDENCE_KEY, TEXT
from rasa.shared.nlu.training_data.message import Message

from components.lexicon import LEVELS, Lexicon, Match
from components.payloads import is_payload, keep_gates_on_payloads
from components.safety_branch import Classifier, Verdict, shared_classifier
from components.sentence_features import readable

RISK = "risk"
CRISIS_INTENT = "crisis"
MODERATE = LEVELS.index("moderate")
NO_RISK = {"level": "none", "kind": "none", "about": "self", "score": 0.0}
LEXICON_SCORE = {"low": 0.0, "moderate": 0.9, "high": 0.97, "imminent": 0.99}


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
        return cls(config, shared_classifier(), Lexicon.from_file())

    def __init__(self, config: Dict[str, Any], classifier: Classifier, lexicon: Lexicon) -> None:
        config = {**self.get_default_config(), **config}
        for key in ("threshold", "other_threshold", "high_threshold", "sure"):
            if config[key] is not None and not 0 < config[key] < 1:
                raise InvalidConfigException(f"RiskGate: {key} must be in (0, 1): {config[key]}")
        self._classifier = classifier
        self._lexicon = lexicon
        card = classifier.card
        self._threshold = config["threshold"] or card["threshold"]
        self._other_threshold = config["other_threshold"] or card["other_threshold"]
        self._high_threshold = config["high_threshold"] or card["high_threshold"]
        self._sure = config["sure"]

    @staticmethod
    def get_default_config() -> Dict[str, Any]:
        """Operating points on the calibrated scores; None: the one in `safety.json`.

        `threshold`: from here on self-harm counts as moderate or above. `other_threshold`: the
        same for the other kinds, whose replies presume more. `high_threshold`: from here on the
        probability of high or above alone suffices. `sure`: below it the level is moderate at
        most.
        """
        return {"threshold": None, "other_threshold": None, "high_threshold": None, "sure": 0.5}

    def process(self, messages: List[Message]) -> List[Message]:
        """Judges each message; one without text gets level none."""
        for message in messages:
            text = message.get(TEXT) or ""
            if not text.strip():
                risk = dict(NO_RISK)
            elif is_payload(text):
                risk = payload_risk(text)
            else:
                risk = self.judge(text, self._classifier.of_message(message, text))
            message.set(RISK, risk, add_to_output=True)
            if LEVELS.index(risk["level"]) >= MODERATE:
                message.set(
                    INTENT,
                    {INTENT_NAME_KEY: CRISIS_INTENT, PREDICTED_CONFIDENCE_KEY: 1.0},
                    add_to_output=True,
                )
        return messages

    def judge(self, text: str, verdict: Verdict) -> Dict[str, Any]:
        """The `risk` of one text with the classifier's verdict on it."""
        # What an idiom says ("i could murder a curry") does not count against anybody.
        rest = self._lexicon.without_idioms(readable(text))
        if rest is not None:
            without = self._classifier.of_text(rest)
            verdict = without if without.risk < verdict.risk else verdict
        card, score = self._classifier.card, verdict.risk
        probable = card["kinds"][1 + int(np.argmax(verdict.kind[1:]))]
        enough = self._threshold if probable == "self_harm" else self._other_threshold
        kind, about = "none", "self"
        if score >= enough or verdict.high >= self._high_threshold:
            level = LEVELS[MODERATE + int(np.argmax(verdict.level[MODERATE:]))]
            # What is uncertain is asked about, not answered as an emergency.
            level = level if score >= self._sure else "moderate"
            level = "high" if level == "imminent" and is_of_the_past(text) else level
        else:
            level = LEVELS[int(np.argmax(verdict.level[:MODERATE]))]
        if level != "none":
            kind = probable
            about = card["about"][int(np.argmax(verdict.about))]
        match = _strongest(self._lexicon.find(readable(text)))
        if match and LEVELS.index(match.level) >= LEVELS.index(level):
            level, kind, about = match.level, match.kind, match.about
            score = max(score, LEXICON_SCORE.get(level, 0.0))
        return {"level": level, "kind": kind, "about": about, "score": round(score, 4)}


_ACTED = re.compile(
    r"\b(?:took|taken|swallowed|overdosed|od'?d|tried|attempted|cut|did it|jumped)\b"
)
_DATED = re.compile(
    r"\b(?:\d+|two|three|four|five|six|seven|eight|nine|ten|few|several|some|couple(?: of)?)"
    r" (?:weeks|months|years) (?:ago|back)\b"
    r"|\ba (?:month|year) ago\b"
    r"|\blast (?:month|year|spring|summer|autumn|fall|winter)\b"
    r"|\b(?:in|last) (?:january|february|march|april|may|june|july|august|september|october)\b"
    r"|\b(?:in|last) (?:november|december)\b"
)
"""Two weeks ago or more: something taken days ago can still kill, and stays `imminent`."""
_OF_NOW = re.compile(
    r"\b(?:tonight|today|again|still|soon|going to|gonna|about to"
    r"|this (?:morning|evening|afternoon)"
    r"|(?<!ok )(?<!okay )(?<!fine )(?<!better )(?<!safe )now)\b"
)


def is_of_the_past(text: str) -> bool:
    """Whether every act it names was weeks ago or more, and nothing in it speaks of now.

    Such a message is `high` at most ("I took something three weeks ago, I'm ok now"): an attempt
    within three months (docs/safety/risk-levels.md), and no reason to call an ambulance.
    """
    said = text.lower().replace("’", "'")
    acts = [part for part in re.split(r"[.!?;\n]| but ", said) if _ACTED.search(part)]
    return bool(acts) and all(map(_DATED.search, acts)) and not _OF_NOW.search(said)


def _strongest(matches: List[Match]) -> Optional[Match]:
    return max(matches, key=lambda match: LEVELS.index(match.level), default=None)


def payload_risk(text: str) -> Dict[str, Any]:
    """A payload says what its button says: only `/crisis` carries risk."""
    if text.strip().lstrip("/").split("{")[0] == CRISIS_INTENT:
        return {"level": "high", "kind": "self_harm", "about": "self", "score": 1.0}
    return dict(NO_RISK)
