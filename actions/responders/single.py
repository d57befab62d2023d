"""One model, one completion: stream it, check each sentence, fall back to the reply bank."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from actions.guardrails.output import OutputGuardrail
from actions.guardrails.verdict import Candidate
from actions.history import PromptLayout, chat_messages
from actions.llm_client import LLMClient
from actions.reply_bank import ReplyBank
from actions.responders.base import OpenTurn, Reply
from actions.sentence_feed import SentenceFeed, Stopped
from actions.turns import Turn

_QUESTION_WORDS = 4


@dataclass(frozen=True)
class Limits:
    """Time limits in seconds from the start of the turn, and the size of a reply.

    Attributes:
        first_sentence_s: until the first allowed sentence.
        sentence_gap_s: between two sentences.
        total_s: for the whole reply.
        max_sentences: after this many the reply is complete.
        max_chars: no sentence is begun to be added beyond this length.
    """

    first_sentence_s: float = 4.0
    sentence_gap_s: float = 6.0
    total_s: float = 30.0
    max_sentences: int = 6
    max_chars: int = 700


class SingleResponder:
    """The default responder."""

    def __init__(
        self,
        *,
        llm: LLMClient,
        guardrail: OutputGuardrail,
        bank: ReplyBank,
        layout: PromptLayout,
        limits: Limits | None = None,
    ) -> None:
        self._llm = llm
        self._guardrail = guardrail
        self._bank = bank
        self._layout = layout
        self._limits = limits or Limits()

    async def reply(self, turn: OpenTurn, stream: Turn) -> Reply:
        """Answer a turn; see :class:`actions.responders.base.Responder`."""
        started = asyncio.get_running_loop().time()
        if stream.cancelled.is_set():
            return Reply(None, "reply_bank", "cancelled")
        if turn.is_held:
            held = self._bank.choose(turn, function="risk_hold")
            return Reply(held.text, "reply_bank", "ok", {"reply_id": held.id})

        said: list[str] = []
        facts: dict[str, Any] = {}
        reason: str | None = None
        try:
            async for sentence in self._allowed_sentences(turn, stream, said, started):
                if not said:
                    facts["first_sentence_ms"] = _ms_since(started)
                    facts["model"] = self._llm.model
                self._publish(sentence, said, stream)
        except Stopped as stop:
            reason = str(stop)
        return self._finished(turn, stream, said, facts=facts, reason=reason, started=started)

    def _finished(
        self,
        turn: OpenTurn,
        stream: Turn,
        said: list[str],
        *,
        facts: dict[str, Any],
        reason: str | None,
        started: float,
    ) -> Reply:
        """Turn what was said, and why it stopped, into the reply."""
        facts["total_ms"] = _ms_since(started)
        if reason == "":
            text = " ".join(said) if said else None
            facts["cancelled"] = True
            return Reply(text, "llm" if said else "reply_bank", "cancelled", facts)
        if reason is None and not said:
            reason = "empty"
        if reason is None:
            return Reply(" ".join(said), "llm", "ok", facts)

        facts["fallback_reason"] = reason
        if not said:
            entry = self._bank.choose_instead(turn, reason)
            return Reply(entry.text, "reply_bank", "fallback", {**facts, "reply_id": entry.id})
        if not reason.startswith("refused:"):
            return Reply(" ".join(said), "llm", "ok", facts)
        closing = self._bank.choose(turn, function="closing")
        self._publish(closing.text, said, stream)
        return Reply(" ".join(said), "llm", "fallback", {**facts, "reply_id": closing.id})

    @staticmethod
    def _publish(sentence: str, said: list[str], stream: Turn) -> None:
        stream.publish(f" {sentence}" if said else sentence)
        said.append(sentence)

    async def _allowed_sentences(
        self, turn: OpenTurn, stream: Turn, said: list[str], started: float
    ) -> AsyncIterator[str]:
        """Yield sentences that passed the guardrail until the reply is complete.

        Raises:
            Stopped: on a refusal, a passed deadline, an LLM error, or a cancel.
        """
        clock = asyncio.get_running_loop().time
        limits = self._limits
        said_before = tuple(item.text for item in turn.said if item.role == "assistant")
        heard = tuple(item.text for item in turn.said if item.role == "user")
        messages = chat_messages(turn.said, turn.text, self._layout)
        deadline = started + min(limits.first_sentence_s, limits.total_s)
        chunks = self._llm.stream(messages, person=turn.sender_id)
        with SentenceFeed(chunks, stream.cancelled) as feed:
            while (sentence := await feed.next(deadline - clock())) is not None:
                verdict = self._guardrail.check_sentence(
                    Candidate(sentence, turn.text, tuple(said), said_before, heard)
                )
                if not verdict.allowed:
                    raise Stopped(f"refused:{verdict.reason}")
                if said and sum(map(len, said)) + len(sentence) > limits.max_chars:
                    return
                yield sentence
                if len(said) >= limits.max_sentences or _asks(sentence):
                    return
                deadline = min(clock() + limits.sentence_gap_s, started + limits.total_s)


def _asks(sentence: str) -> bool:
    """Whether the sentence is the one open question after which Stillpoint waits."""
    return sentence.rstrip("\"'”’)").endswith("?") and len(sentence.split()) >= _QUESTION_WORDS


def _ms_since(started: float) -> int:
    return max(1, round((asyncio.get_running_loop().time() - started) * 1000))
