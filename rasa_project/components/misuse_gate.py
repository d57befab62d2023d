"""NLU component `MisuseGate`: is this an attempt to use the assistant for something else?

It joins a calibrated classifier (`safety_branch`) with patterns for the plainest cases
(`data/safety/misuse.yml`) and writes `misuse` on the message: `{"category", "score"}`, category
None below the operating point. Risk wins: the safety policy answers a person in risk as such,
whatever this says. Categories: docs/safety/misuse.md.

What it does not know: earlier messages; a request split over several is judged piece by piece.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Dict, List, Mapping, Pattern, Tuple

import numpy as np
import yaml
from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.shared.exceptions import InvalidConfigException
from rasa.shared.nlu.constants import TEXT
from rasa.shared.nlu.training_data.message import Message

from components.payloads import is_payload, keep_gates_on_payloads
from components.safety_branch import Classifier, Verdict, shared_classifier
from components.sentence_features import readable

MISUSE = "misuse"
MISUSE_FILE = Path(__file__).resolve().parents[2] / "data" / "safety" / "misuse.yml"
CATEGORIES = (
    "jailbreak", "harmful_request", "sexual", "illegal", "diagnosis_or_dosage",
    "general_assistant", "abuse",
)  # fmt: skip


class MisusePatterns:
    """Compiled patterns per category, each with a score."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        """Compiles.

        Raises:
            InvalidConfigException: unknown category, bad score or pattern; the message names it.
        """
        self._rules: List[Tuple[str, float, Pattern[str]]] = []
        for category, rules in (content.get("categories") or {}).items():
            if category not in CATEGORIES:
                raise InvalidConfigException(f"misuse.yml: unknown category '{category}'")
            for rule in rules:
                score = float(rule.get("score", 0.9))
                if not 0 < score <= 1:
                    raise InvalidConfigException(f"misuse.yml: {category}: score {score}")
                try:
                    pattern = re.compile(rule["pattern"], re.IGNORECASE)
                except (re.error, KeyError) as error:
                    raise InvalidConfigException(f"misuse.yml: {category}: {error}") from error
                self._rules.append((category, score, pattern))
        self._exceptions = [re.compile(p, re.IGNORECASE) for p in content.get("exceptions") or []]

    @classmethod
    def from_file(cls, path: Path = MISUSE_FILE) -> MisusePatterns:
        """Reads the YAML file."""
        return cls(yaml.safe_load(path.read_text(encoding="utf-8")) or {})

    def judge(self, text: str) -> Dict[str, Any]:
        """The `misuse` of one text: the strongest category, or None with score 0."""
        plain = " ".join(text.replace("\u2019", "'").split())
        for exception in self._exceptions:
            plain = exception.sub(" ", plain)
        best: Tuple[float, Any] = (0.0, None)
        for category, score, pattern in self._rules:
            if score > best[0] and pattern.search(plain):
                best = (score, category)
        return {"category": best[1], "score": best[0]}


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER, is_trainable=False)
class MisuseGate(GraphComponent):
    """Writes `misuse` on every message."""

    @classmethod
    def create(
        cls,
        config: Dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> MisuseGate:
        """See `GraphComponent.create`."""
        keep_gates_on_payloads()
        return cls(config, shared_classifier(), MisusePatterns.from_file())

    def __init__(
        self, config: Dict[str, Any], classifier: Classifier, patterns: MisusePatterns
    ) -> None:
        config = {**self.get_default_config(), **config}
        for key in ("threshold", "jailbreak_threshold"):
            if config[key] is not None and not 0 < config[key] < 1:
                raise InvalidConfigException(f"MisuseGate: {key} must be in (0, 1): {config[key]}")
        self._classifier = classifier
        self._patterns = patterns
        card = classifier.card
        self._threshold = config["threshold"] or card["misuse_threshold"]
        self._jailbreak_threshold = config["jailbreak_threshold"] or card["jailbreak_threshold"]

    @staticmethod
    def get_default_config() -> Dict[str, Any]:
        """Operating points on the calibrated score; None: the one in `safety.json`.

        `threshold`: from here on it is misuse. `jailbreak_threshold`: the same where the likeliest
        category is `jailbreak`, which hardly any ordinary message resembles.
        """
        return {"threshold": None, "jailbreak_threshold": None}

    def process(self, messages: List[Message]) -> List[Message]:
        """Judges each message; empty ones and buttons' payloads are no misuse."""
        for message in messages:
            text = message.get(TEXT) or ""
            if not text.strip() or is_payload(text):
                misuse: Dict[str, Any] = {"category": None, "score": 0.0}
            else:
                misuse = self.judge(text, self._classifier.of_message(message, text))
            message.set(MISUSE, misuse, add_to_output=True)
        return messages

    def judge(self, text: str, verdict: Verdict) -> Dict[str, Any]:
        """The `misuse` of one text with the classifier's verdict on it."""
        matched = self._patterns.judge(readable(text))
        score = max(verdict.wrong, matched["score"])
        category = None
        likeliest = self._classifier.card["misuse"][1 + int(np.argmax(verdict.misuse[1:]))]
        enough = self._jailbreak_threshold if likeliest == "jailbreak" else self._threshold
        if matched["category"] and matched["score"] >= verdict.wrong:
            category = matched["category"]
        elif verdict.wrong >= enough:
            category = likeliest
        return {"category": category, "score": round(score, 4)}
