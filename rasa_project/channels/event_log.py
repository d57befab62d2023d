"""The events of one conversation, numbered and kept for a while, so that a reader can resume."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

DONE = "done"


@dataclass(frozen=True)
class Event:
    """One event as a client sees it.

    Attributes:
        id: Grows by one within a log.
        name: ``message``, ``stream_start``, ``stream_chunk``, ``stream_end``, ``done``, ``error``.
        data: JSON-serialisable body.
        turn_id: The turn that the event belongs to; not sent.
        at: Monotonic seconds when it was added; not sent.
    """

    id: int
    name: str
    data: dict[str, Any]
    turn_id: str
    at: float


class EventLog:
    """A bounded log of events that any number of readers can follow.

    Ids start at the wall clock in milliseconds, so that they keep growing for a client whose
    log was lost in a restart.

    Args:
        max_events: Events kept.
        max_age_s: Seconds that an event is kept.
    """

    def __init__(self, max_events: int, max_age_s: float) -> None:
        self._events: deque[Event] = deque()
        self._max_events = max_events
        self._max_age_s = max_age_s
        self.first_id = int(time.time() * 1000)
        self.last_id = self.first_id
        self.closed = False
        self._changed = asyncio.Event()

    def append(self, name: str, data: dict[str, Any], turn_id: str) -> Event:
        """Add an event and wake every reader."""
        self.last_id += 1
        event = Event(self.last_id, name, data, turn_id, time.monotonic())
        self._events.append(event)
        self._expire()
        self._wake()
        return event

    def after(self, event_id: int, turn_id: str | None = None) -> list[Event]:
        """Return the kept events newer than ``event_id``, of one turn or of all."""
        self._expire()
        return [
            event
            for event in self._events
            if event.id > event_id and (turn_id is None or event.turn_id == turn_id)
        ]

    def has_gap_after(self, event_id: int) -> bool:
        """Tell whether events newer than ``event_id`` were dropped, or lost in a restart."""
        if event_id == 0:
            return False
        self._expire()
        oldest = self._events[0].id if self._events else self.last_id + 1
        return event_id < self.first_id or event_id + 1 < oldest

    async def follow(
        self,
        after: int,
        heartbeat_s: float,
        turn_id: str | None = None,
        idle_s: float | None = None,
    ) -> AsyncIterator[Event | None]:
        """Yield events newer than ``after`` as they come, and ``None`` where a heartbeat is due.

        Ends after the turn's ``done`` if ``turn_id`` is given, after ``idle_s`` without an
        event, or when the log is closed.
        """
        cursor = after
        sent_at = heard_at = time.monotonic()
        while True:
            changed = self._changed
            for event in self.after(cursor, turn_id):
                cursor = event.id
                sent_at = heard_at = time.monotonic()
                yield event
                if turn_id is not None and event.name == DONE:
                    return
            now = time.monotonic()
            if self.closed or (idle_s is not None and now - heard_at >= idle_s):
                return
            if now - sent_at >= heartbeat_s:
                sent_at = now
                yield None
            try:
                await asyncio.wait_for(changed.wait(), sent_at + heartbeat_s - time.monotonic())
            except asyncio.TimeoutError:
                continue

    def close(self) -> None:
        """End every reader; nothing more will be added."""
        self.closed = True
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _expire(self) -> None:
        oldest_kept = time.monotonic() - self._max_age_s
        while self._events and (
            len(self._events) > self._max_events or self._events[0].at < oldest_kept
        ):
            self._events.popleft()
