"""People in figures: one summary each, counted from the store's tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import sqlalchemy as sa

from analytics.models import (
    Base,
    BotMessage,
    Person,
    ReplyRating,
    RiskEvent,
    Session,
    UserMessage,
    table,
)
from analytics.rasa_event import SERIOUS_LEVELS

PEOPLE_PER_QUERY = 500
AnySelect: TypeAlias = "sa.Select[*tuple[Any, ...]]"
SOURCES = ("llm", "reply_bank", "scripted")


@dataclass(slots=True)
class PersonSummary:
    """Counts for one person; not a diagnosis.

    ``last_contact_at`` is the last user message, ``risk_events`` are turns at moderate or
    above, ``conversation_level`` is the slot ``risk_level`` as it stands. Times are Unix seconds.
    """

    person_id: str
    sessions: int = 0
    messages: int = 0
    last_contact_at: float | None = None
    risk_events: int = 0
    last_risk_level: str | None = None
    last_risk_kind: str | None = None
    last_risk_at: float | None = None
    conversation_level: str = "none"
    replies: int = 0
    llm: int = 0
    reply_bank: int = 0
    scripted: int = 0
    helped: int = 0
    not_helped: int = 0

    def share(self, source: str) -> float | None:
        """The share (0 to 1) of bot messages from ``llm``, ``reply_bank`` or ``scripted``."""
        return getattr(self, source) / self.replies if self.replies else None


def summarize(
    connection: sa.Connection, person_ids: Sequence[str] | None = None
) -> list[PersonSummary]:
    """Summaries of everybody, or of these people, latest contact first."""
    if person_ids is None:
        found = _summaries(connection, None)
    else:
        found = []
        for start in range(0, len(person_ids), PEOPLE_PER_QUERY):
            found += _summaries(connection, person_ids[start : start + PEOPLE_PER_QUERY])
    return sorted(found, key=lambda one: (-(one.last_contact_at or 0.0), one.person_id))


def _summaries(connection: sa.Connection, person_ids: Sequence[str] | None) -> list[PersonSummary]:
    def rows(query: AnySelect, model: type[Base]) -> Sequence[Any]:
        chosen = query
        if person_ids is not None:
            chosen = query.where(table(model).c.person_id.in_(person_ids))
        return connection.execute(chosen).all()

    def counts(model: type[Base], *of: Any, where: Any = None) -> Sequence[Any]:
        grouped = (table(model).c.person_id, *of)
        query = sa.select(*grouped, sa.func.count()).group_by(*grouped)
        return rows(query if where is None else query.where(where), model)

    people = {
        person_id: PersonSummary(person_id, conversation_level=position["risk_level"])
        for person_id, position in rows(sa.select(Person.person_id, Person.position), Person)
    }
    for person_id, count in counts(Session):
        people[person_id].sessions = count
    for person_id, count in counts(UserMessage):
        people[person_id].messages = count
    last_at = sa.select(UserMessage.person_id, sa.func.max(UserMessage.at))
    for person_id, at in rows(last_at.group_by(UserMessage.person_id), UserMessage):
        people[person_id].last_contact_at = at
    for person_id, source, count in counts(BotMessage, BotMessage.source):
        people[person_id].replies += count
        if source in SOURCES:
            setattr(people[person_id], source, count)
    # A message at risk and the change of the slot that follows it are one event to a reader.
    turn = sa.func.coalesce(RiskEvent.turn_id, RiskEvent.event_id)
    at_risk = sa.select(RiskEvent.person_id, sa.func.count(turn.distinct()))
    serious = at_risk.where(RiskEvent.level.in_(SERIOUS_LEVELS)).group_by(RiskEvent.person_id)
    for person_id, count in rows(serious, RiskEvent):
        people[person_id].risk_events = count
    for person_id, level, kind, at in rows(_last_risks(), RiskEvent):
        person = people[person_id]
        person.last_risk_level, person.last_risk_kind, person.last_risk_at = level, kind, at
    for person_id, helpful, count in counts(ReplyRating, ReplyRating.helpful):
        if person_id in people:
            setattr(people[person_id], "helped" if helpful else "not_helped", count)
    return list(people.values())


def _last_risks() -> AnySelect:
    """Each person's newest risk event at moderate or above."""
    risk = table(RiskEvent)
    newest = (
        sa.select(risk.c.person_id, sa.func.max(risk.c.event_id).label("event_id"))
        .where(risk.c.level.in_(SERIOUS_LEVELS))
        .group_by(risk.c.person_id)
        .subquery()
    )
    same = sa.and_(newest.c.person_id == risk.c.person_id, newest.c.event_id == risk.c.event_id)
    return sa.select(risk.c.person_id, risk.c.level, risk.c.kind, risk.c.at).join(newest, same)
