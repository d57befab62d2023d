"""NLU component `MisuseGate`: is this an attempt to use the assistant for something else?

A first version that works from patterns (`data/safety/misuse.yml`) and writes `misuse` on the
message: `{"category", "score"}`, category None when nothing matches. Risk wins: the safety
policy answers a person in risk as such, whatever this says.

What it does not know: paraphrases that no pattern covers.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Dict, List, Mapping, Pattern, Tuple

import yaml
from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.shared.exceptions import InvalidConfigException
from rasa.shared.nlu.constants import TEXT
from rasa.shared.nlu.training_data.message import Message

from components.payloads import keep_gates_on_payloads
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
        return cls(MisusePatterns.from_file())

    def __init__(self, patterns: MisusePatterns) -> None:
        self._patterns = patterns

    def process(self, messages: List[Message]) -> List[Message]:
        """Judges each message."""
        for message in messages:
            verdict = self._patterns.judge(readable(message.get(TEXT) or ""))
            message.set(MISUSE, verdict, add_to_output=True)
        return messages
