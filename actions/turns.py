"""The side stream of a turn: what the action publishes while it runs, and how to cancel it.

Rasa receives an action's message only after the action returns. The web channel therefore
opens the stream of the turn's ``message_id`` and reads sentences while they are being written.
One process, one event loop: several workers would each see only their own turns.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Literal

Source = Literal["llm", "reply_bank"]
Stage = Literal["awaited", "running", "ended"]


@dataclass(frozen=True)
class StreamEvent:
    """One event of the side stream.

    ``chunk`` carries a text delta that has passed the guardrail, ``end`` the final source,
    ``heartbeat`` nothing.
    """

    kind: Literal["chunk", "end", "heartbeat"]
    text: str = ""
    source: Source | None = None


class Turn:
    """One open-ended turn: published text so far, its end, and whether it was cancelled."""

    def __init__(self, message_id: str) -> None:
        self.message_id = message_id
        self.stage: Stage = "awaited"
        self.cancelled = asyncio.Event()
        self._events: list[StreamEvent] = []
        self._news = asyncio.Event()

    def publish(self, text: str) -> None:
        """Append a delta for every present and future subscriber."""
        self._append(StreamEvent("chunk", text=text))

    def end(self, source: Source | None) -> None:
        """Close the stream; a second call changes nothing."""
        if self.stage != "ended":
            self.stage = "ended"
            self._append(StreamEvent("end", source=source))

    def _append(self, event: StreamEvent) -> None:
        self._events.append(event)
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def events(self, *, wait_s: float, heartbeat_s: float) -> AsyncIterator[StreamEvent]:
        """Yield everything from the start, then what follows, up to and including ``end``.

        Args:
            wait_s: how long an action that has not started yet is waited for; after that the
                stream just ends, without an ``end`` event.
            heartbeat_s: a heartbeat is yielded after this long without news.
        """
        clock = asyncio.get_running_loop().time
        give_up_at = clock() + wait_s
        position = 0
        while True:
            news = self._news
            while position < len(self._events):
                event = self._events[position]
                position += 1
                yield event
                if event.kind == "end":
                    return
            if news.is_set():
                continue
            pause = heartbeat_s
            if self.stage == "awaited":
                pause = min(pause, give_up_at - clock())
                if pause <= 0:
                    return
            try:
                await asyncio.wait_for(news.wait(), pause)
            except TimeoutError:
                if self.stage != "awaited" or clock() < give_up_at:
                    yield StreamEvent("heartbeat")


class TurnRegistry:
    """The turns that are awaited, running, or ended within the last ``keep_s`` seconds.

    Holds at most ``max_turns``; when full, ended turns go first, then awaited ones, oldest
    first. A running turn is never dropped: with only running turns a new one is not listed,
    so it works but cannot be streamed or cancelled.
    """

    def __init__(self, *, max_turns: int, keep_s: float = 60.0) -> None:
        self._turns: dict[str, Turn] = {}
        self._max_turns = max_turns
        self._keep_s = keep_s

    def __len__(self) -> int:
        return len(self._turns)

    def start(self, message_id: str) -> Turn:
        """The action's entry: the awaited turn of this id, or a new one, now running.

        A message id whose turn already ran gets a fresh turn.
        """
        turn = self._turns.get(message_id)
        if turn is None or turn.stage != "awaited":
            self._turns.pop(message_id, None)
            turn = self._listed(message_id)
        turn.stage = "running"
        return turn

    def finish(self, turn: Turn, source: Source | None) -> None:
        """End a turn's stream and forget it after ``keep_s``."""
        turn.end(source)
        self._forget_later(turn)

    def awaited(self, message_id: str) -> Turn:
        """A subscriber's entry: the turn of this id, listed as awaited if it is unknown."""
        turn = self._turns.get(message_id)
        if turn is None:
            turn = self._listed(message_id)
            self._forget_later(turn)
        return turn

    def cancel(self, message_id: str) -> bool:
        """Cancel a turn; a cancel that comes before the action starts is remembered.

        Returns:
            True if an awaited or running turn was cancelled; False if none was known or it
            had ended.
        """
        turn = self._turns.get(message_id)
        if turn is None:
            self.awaited(message_id).cancelled.set()
            return False
        if turn.stage == "ended":
            return False
        turn.cancelled.set()
        return True

    def cancel_all(self) -> None:
        """Cancel every running turn and end every stream (shutdown)."""
        for turn in list(self._turns.values()):
            turn.cancelled.set()
            if turn.stage == "awaited":
                turn.end(None)

    def _listed(self, message_id: str) -> Turn:
        if len(self._turns) >= self._max_turns:
            self._make_room()
        turn = Turn(message_id)
        if len(self._turns) < self._max_turns:
            self._turns[message_id] = turn
        return turn

    def _make_room(self) -> None:
        for stage in ("ended", "awaited"):
            for message_id, turn in self._turns.items():
                if turn.stage == stage:
                    turn.end(None)
                    del self._turns[message_id]
                    return

    def _forget_later(self, turn: Turn) -> None:
        asyncio.get_running_loop().call_later(self._keep_s, self._forget, turn)

    def _forget(self, turn: Turn) -> None:
        if turn.stage != "running" and self._turns.get(turn.message_id) is turn:
            turn.end(None)
            del self._turns[turn.message_id]
