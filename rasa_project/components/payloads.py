"""Lets the gates' verdicts survive slash payloads.

Rasa's `RegexMessageHandler` runs after the whole pipeline and replaces a message such as
`/affirm` (or `/greet and then any text`) by a new one without extra properties. The default
recipe fixes that node, so its `process` is wrapped once, when a gate is created: verdicts are
carried over, and a text in which the risk gate sees risk stays the text it is.
"""

from __future__ import annotations

from functools import wraps
from typing import Any, List, Optional

from rasa.nlu.classifiers.regex_message_handler import RegexMessageHandler
from rasa.shared.core.domain import Domain
from rasa.shared.nlu.constants import INTENT, INTENT_NAME_KEY
from rasa.shared.nlu.training_data.message import Message

CARRIED = ("risk", "misuse", "language")
_MARK = "_stillpoint_keeps_gates"


def is_payload(text: str) -> bool:
    """Whether `text` is a button's payload (`/intent` or `/intent{...}`), nothing more."""
    stripped = text.strip()
    name, brace, rest = stripped[1:].partition("{")
    plain = name.replace("_", "").isalnum() and name.isascii()
    return stripped.startswith("/") and plain and (not brace or rest.endswith("}"))


def keep_gates_on_payloads() -> None:
    """Wraps `RegexMessageHandler.process`; calling it again changes nothing."""
    original = RegexMessageHandler.process
    if getattr(original, _MARK, False):
        return

    @wraps(original)
    def process(
        self: RegexMessageHandler, messages: List[Message], domain: Optional[Domain] = None
    ) -> List[Message]:
        return [
            _merge(before, after)
            for before, after in zip(messages, original(self, list(messages), domain))
        ]

    setattr(process, _MARK, True)
    RegexMessageHandler.process = process


def _merge(before: Message, after: Message) -> Message:
    if after is before:
        return before
    intent: Any = before.get(INTENT) or {}
    if intent.get(INTENT_NAME_KEY) == "crisis":
        return before
    for key in CARRIED:
        if before.get(key) is not None:
            after.set(key, before.get(key), add_to_output=True)
    return after
