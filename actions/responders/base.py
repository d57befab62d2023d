"""The interface of whoever writes a reply, and what goes in and comes out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from actions.history import Said
from actions.turns import Source, Turn

Outcome = Literal["ok", "fallback", "cancelled"]


@dataclass(frozen=True)
class OpenTurn:
    """An open-ended turn to be answered.

    Attributes:
        sender_id: whose conversation it is; used to vary the choice of bank replies, and as
            a number to share the LLM server fairly.
        message_id: the id of the person's message and of the side stream.
        text: the message; may be empty.
        said: the conversation so far, oldest first.
        is_held: the risk state forbids the LLM to speak.
        topic: what the intent says it is about (:data:`actions.topics.INTENT_TOPICS`), if anything.
    """

    sender_id: str
    message_id: str
    text: str
    said: tuple[Said, ...] = ()
    is_held: bool = False
    topic: str | None = None


@dataclass(frozen=True)
class Reply:
    """The reply of a turn.

    Attributes:
        text: what is said; None if the turn was cancelled before anything was.
        source: who wrote it; "llm" as soon as one sentence of the model reached the person.
        outcome: for the slot ``turn_outcome``; "fallback" when a bank text had to step in.
        facts: further bot-message metadata (``reply_id``, ``model``, ``first_sentence_ms``,
            ``total_ms``, ``fallback_reason``, ``cancelled``).
    """

    text: str | None
    source: Source
    outcome: Outcome
    facts: dict[str, Any] = field(default_factory=dict)


class Responder(Protocol):
    """Writes the reply of one turn, publishing allowed sentences to the side stream."""

    async def reply(self, turn: OpenTurn, stream: Turn) -> Reply:
        """Answer within the responder's time limits, or within 200 ms of a cancel.

        Never raises for anything the LLM does; ends with a bank reply instead.
        """
        ...
