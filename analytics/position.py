"""Where the reading of a person's events stands: which session, which turn, which risk level.

A position is folded over events in the order of their ids, and depends on nothing but a few
facts of each. It can therefore be kept with the person, or folded anew from the ledger.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Self

SESSION_START_ACTION = "action_session_start"
SESSION_METADATA_SLOT = "session_started_metadata"
"""Rasa sets it before the first session of a conversation starts, if the message has metadata."""
SLOTS_CLEARED = ("restart", "reset_slots")
NO_RISK = "none"


@dataclass(frozen=True, slots=True)
class Step:
    """What of an event moves a position; ``risk_level`` only if it sets that slot."""

    event_id: int
    type: str
    name: str | None
    at: float
    risk_level: str | None = None


@dataclass(frozen=True, slots=True)
class Move:
    """What one step did. ``previous_level`` is set only if the conversation's level changed."""

    opened_session: bool
    opened_turn: bool
    previous_level: str | None


@dataclass(slots=True)
class Position:
    """Session, turn and risk level after the events folded so far.

    ``carried_level`` is the level before the session began: Rasa sets the slots it carries over
    once more, which is no change. ``replies`` counts the turn's bot messages.
    """

    session_id: int = 0
    is_opening: bool = False
    turn_id: int | None = None
    turn_at: float | None = None
    replies: int = 0
    risk_level: str = NO_RISK
    carried_level: str | None = None

    def advance(self, step: Step) -> Move:
        """Take one more event."""
        opened_session = self._opens_session(step)
        if opened_session:
            self.session_id = step.event_id
            self.turn_id, self.turn_at, self.replies = None, None, 0
        starts = step.type == "action" and step.name == SESSION_START_ACTION
        announced = step.type == "slot" and step.name == SESSION_METADATA_SLOT
        self.is_opening = starts or (opened_session and announced)
        opened_turn = step.type == "user"
        previous_level = None
        if opened_turn:
            self.turn_id, self.turn_at, self.replies = step.event_id, step.at, 0
            self.carried_level = None
        elif step.type == "bot":
            self.replies += 1
        elif step.type == "session_started":
            self.carried_level, self.risk_level = self.risk_level, NO_RISK
        elif step.type in SLOTS_CLEARED:
            self.carried_level, self.risk_level = None, NO_RISK
        elif step.risk_level is not None:
            if step.risk_level not in (self.risk_level, self.carried_level):
                previous_level = self.risk_level
            self.risk_level = step.risk_level
        return Move(opened_session, opened_turn, previous_level)

    def as_dict(self) -> dict[str, Any]:
        """As it is kept with the person."""
        return asdict(self)

    @classmethod
    def from_dict(cls, kept: dict[str, Any]) -> Self:
        """From what :meth:`as_dict` gave."""
        return cls(**kept)

    def _opens_session(self, step: Step) -> bool:
        if not self.session_id:
            return True
        starts = step.type == "action" and step.name == SESSION_START_ACTION
        return (starts or step.type == "session_started") and not self.is_opening
