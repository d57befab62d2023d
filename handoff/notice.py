"""Which events of the tracker store an on-call person is told of.

Two: a conversation's level rises to high or imminent (slot `risk_level`), and the person agrees
that somebody is told (slot `handoff_consent` becomes "yes"). What a new session carries over from
the last one is neither: Rasa writes all its slots again, and nothing has happened.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from handoff.pseudonym import Pseudonyms
from handoff.tracker_store import Row, TrackerStore

LEVEL_SLOT = "risk_level"
STATE_SLOT = "crisis_state"
CONSENT_SLOT = "handoff_consent"
WATCHED_SLOTS = (LEVEL_SLOT, CONSENT_SLOT)

LEVELS = ("none", "low", "moderate", "high", "imminent")
TOLD_LEVELS = ("high", "imminent")
KINDS = ("self_harm", "harm_to_others", "abuse", "medical", "psychosis", "eating", "none")
UNKNOWN = "unknown"

RISK_RAISED = "risk_raised"
HUMAN_REQUESTED = "human_requested"
RESETS = ("restart", "reset_slots")


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to tell: the natural key is (`person_id`, `event_id`); `row_at` tells an event
    from another that was given the same id anew. Times are Unix seconds."""

    person_id: str
    event_id: int
    row_at: float
    event: str
    level: str
    kind: str


class Judge:
    """Says whether a slot event is worth a notice.

    Args:
        tracker: Where the events are.
        pseudonyms: Who is who.
    """

    def __init__(self, tracker: TrackerStore, pseudonyms: Pseudonyms) -> None:
        self._tracker = tracker
        self._pseudonyms = pseudonyms

    def notice(self, row: Row) -> Notice | None:
        """The notice that a slot event gives rise to, None if it gives none."""
        value = row.data.get("value")
        if row.name == LEVEL_SLOT and value in TOLD_LEVELS:
            event = RISK_RAISED
            before = self._value_before(row, LEVEL_SLOT)
            is_news = _rank(before) < _rank(value)
        elif row.name == CONSENT_SLOT and value == "yes":
            event = HUMAN_REQUESTED
            is_news = self._value_before(row, CONSENT_SLOT) != "yes"
        else:
            return None
        if not is_news or is_carried_over(self._tracker, row):
            return None
        level = value if event == RISK_RAISED else self._value_before(row, LEVEL_SLOT)
        return Notice(
            person_id=self._pseudonyms.of(row.sender_id),
            event_id=row.id,
            row_at=row.at,
            event=event,
            level=str(level) if level in LEVELS else "none",
            kind=self._kind(row),
        )

    def _value_before(self, row: Row, slot: str) -> object:
        last = self._tracker.last_before(row.sender_id, row.id, RESETS, (slot,))
        return None if last is None or last.type in RESETS else last.data.get("value")

    def _kind(self, row: Row) -> str:
        """The crisis flow's kind, or else the gate's verdict on the latest message."""
        state = self._tracker.last_before(row.sender_id, row.id, RESETS, (STATE_SLOT,))
        held = state.data.get("value") if state is not None else None
        if isinstance(held, Mapping) and held.get("kind") in KINDS:
            return str(held["kind"])
        said = self._tracker.last_before(row.sender_id, row.id, ("user",))
        parsed = said.data.get("parse_data") if said is not None else None
        risk = parsed.get("risk") if isinstance(parsed, Mapping) else None
        kind = risk.get("kind") if isinstance(risk, Mapping) else None
        return str(kind) if kind in KINDS else UNKNOWN


def is_carried_over(tracker: TrackerStore, row: Row) -> bool:
    """Whether a slot event is one that a new session repeats: no message came since it began."""
    last = tracker.last_before(row.sender_id, row.id, ("user", "session_started", *RESETS))
    return last is not None and last.type != "user"


def _rank(level: object) -> int:
    return LEVELS.index(level) if level in LEVELS else 0
