"""The sessions of a channel that live in this process."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from channels.event_log import EventLog
from channels.turns import Turn

MAX_OFFERED = 200
MAX_SENT = 500
MAX_REMEMBERED_TURNS = 200

Fingerprint = tuple[str, str]


@dataclass
class Session:
    """What one person's open page is known by, beyond the tracker.

    Attributes:
        sender_id: Whose conversation.
        log: Its events.
        country: ISO 3166 alpha-2 code, if the page told us.
        language: BCP 47 tag, if the page told us.
        offered: Payloads of the buttons shown.
        sent: Ids of the bot messages sent.
        turns: Turns by ``client_message_id``, with a fingerprint of what was asked.
        streams: Open event streams.
    """

    sender_id: str
    log: EventLog
    country: str | None = None
    language: str | None = None
    offered: OrderedDict[str, None] = field(default_factory=OrderedDict)
    sent: OrderedDict[str, None] = field(default_factory=OrderedDict)
    turns: OrderedDict[str, tuple[Fingerprint, Turn]] = field(default_factory=OrderedDict)
    streams: int = 0

    @property
    def metadata(self) -> dict[str, Any] | None:
        """What is stored with each message of this session, or ``None``."""
        known = {"country": self.country, "language": self.language}
        return {key: value for key, value in known.items() if value} or None

    def emit(self, turn_id: str) -> Callable[[str, dict[str, Any]], None]:
        """Return a function that adds an event of one turn to the log."""

        def add(name: str, data: dict[str, Any]) -> None:
            self.note(name, data)
            self.log.append(name, data, turn_id)

        return add

    def note(self, name: str, data: dict[str, Any]) -> None:
        """Remember the id and the buttons of a bot message that is about to be sent."""
        if name not in ("message", "stream_end"):
            return
        _remember(self.sent, data["id"], None, MAX_SENT)
        for button in data.get("buttons", ()):
            if "payload" in button:
                _remember(self.offered, button["payload"], None, MAX_OFFERED)

    def remember_turn(self, client_message_id: str, fingerprint: Fingerprint, turn: Turn) -> None:
        """Keep a turn so that a repeated request replays it."""
        _remember(self.turns, client_message_id, (fingerprint, turn), MAX_REMEMBERED_TURNS)


class Sessions:
    """Sessions by sender id; of too many, the one unused for longest is forgotten.

    Args:
        max_sessions: Sessions kept.
        new_log: Makes the event log of a new session.
        is_busy: Tells whether a sender has a turn running; such a session is kept.
    """

    def __init__(
        self,
        max_sessions: int,
        new_log: Callable[[], EventLog],
        is_busy: Callable[[str], bool],
    ) -> None:
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._max_sessions = max_sessions
        self._new_log = new_log
        self._is_busy = is_busy

    def get(self, sender_id: str) -> Session | None:
        """Return a session if it lives in this process."""
        return self._sessions.get(sender_id)

    def open(self, sender_id: str) -> Session:
        """Return the session of a sender, made anew if this process does not know it."""
        session = self._sessions.get(sender_id)
        if session is None:
            session = self._sessions[sender_id] = Session(sender_id, self._new_log())
            self._forget_oldest()
        self._sessions.move_to_end(sender_id)
        return session

    def close(self) -> None:
        """End every event stream."""
        for session in self._sessions.values():
            session.log.close()

    def _forget_oldest(self) -> None:
        surplus = len(self._sessions) - self._max_sessions
        for sender_id in list(self._sessions)[: max(0, surplus) * 2]:
            if surplus <= 0:
                return
            if not self._is_busy(sender_id) and not self._sessions[sender_id].streams:
                del self._sessions[sender_id]
                surplus -= 1


def _remember(store: OrderedDict[str, Any], key: str, value: Any, limit: int) -> None:
    store.pop(key, None)
    store[key] = value
    while len(store) > limit:
        store.popitem(last=False)
