"""The tables of the analytics store.

Every row made from one Rasa event carries the natural key (``person_id``, ``event_id``):
the pseudonym and the event's ``id`` in the tracker store. Such rows are only ever inserted, or
replaced when the tracker store itself says something else. Times named ``at`` or ``…_at`` are
Unix seconds (float), durations ``…_ms`` are milliseconds.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

SCHEMA_VERSION = "1"

Label = sa.String(128)


class Base(DeclarativeBase):
    """Declarative base with the store's column types."""

    type_annotation_map = {
        float: sa.Double(),
        int: sa.BigInteger(),
        str: Label,
        bool: sa.Boolean(),
        dict[str, Any]: sa.JSON(),
    }


class FromEvent(Base):
    """Columns of every table whose rows come from one event.

    ``session_id`` and ``turn_id`` are the ids of the events that opened them; ``turn_id`` is
    null for what happens before a session's first message.
    """

    __abstract__ = True

    person_id: Mapped[str] = mapped_column(sa.String(16), primary_key=True)
    event_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    session_id: Mapped[int]
    turn_id: Mapped[int | None]
    at: Mapped[float]


class Event(FromEvent):
    """The ledger: every event that was understood, whatever its type.

    ``name`` is the intent, action or slot; ``row_at`` is the tracker store's own ``timestamp``
    column, which tells whether an id still means the same event.
    """

    __tablename__ = "event"
    __table_args__ = (sa.Index("ix_event_event_id", "event_id"),)

    type: Mapped[str]
    name: Mapped[str | None]
    row_at: Mapped[float | None]


class Session(Base):
    """A conversation session; ``session_id`` is the event that opened it."""

    __tablename__ = "session"

    person_id: Mapped[str] = mapped_column(sa.String(16), primary_key=True)
    session_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    started_at: Mapped[float]


class Turn(Base):
    """A user message and what followed; ``turn_id`` is the user event."""

    __tablename__ = "turn"

    person_id: Mapped[str] = mapped_column(sa.String(16), primary_key=True)
    turn_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    session_id: Mapped[int]
    started_at: Mapped[float]


class UserMessage(FromEvent):
    """A user event as the NLU understood it; ``text`` only with ``ANALYTICS_STORE_TEXT=1``."""

    __tablename__ = "user_message"

    intent: Mapped[str | None]
    intent_confidence: Mapped[float | None]
    channel: Mapped[str | None]
    message_id: Mapped[str | None]
    characters: Mapped[int]
    risk_level: Mapped[str | None]
    risk_kind: Mapped[str | None]
    risk_about: Mapped[str | None]
    risk_score: Mapped[float | None]
    misuse: Mapped[str | None]
    misuse_score: Mapped[float | None]
    text: Mapped[str | None] = mapped_column(sa.Text())


class BotMessage(FromEvent):
    """A bot event; ``source`` is ``scripted``, ``llm``, ``reply_bank`` or null if unmarked."""

    __tablename__ = "bot_message"

    source: Mapped[str | None]
    flow: Mapped[str | None]
    utter_action: Mapped[str | None]
    stream_id: Mapped[str | None]
    reply_id: Mapped[str | None]
    model: Mapped[str | None]
    fallback_reason: Mapped[str | None]
    cancelled: Mapped[bool]
    characters: Mapped[int]
    text: Mapped[str | None] = mapped_column(sa.Text())


class Action(FromEvent):
    """An executed action and the policy that chose it (null where no policy did)."""

    __tablename__ = "action"

    name: Mapped[str | None]
    policy: Mapped[str | None]
    confidence: Mapped[float | None]


class Slot(FromEvent):
    """A slot that was set. ``value`` is JSON text.

    A text, list or mapping may hold what a person wrote: it is kept (``value_kept``) only if it
    is a single name in a slot listed in ``ANALYTICS_SLOT_VALUES``, or with
    ``ANALYTICS_STORE_TEXT=1``.
    """

    __tablename__ = "slot"

    name: Mapped[str]
    value: Mapped[str | None] = mapped_column(sa.Text())
    value_kept: Mapped[bool]


class RiskEvent(FromEvent):
    """A message at level moderate or above, or a change of the conversation's level.

    ``origin`` is ``message`` (the risk gate's verdict on one message) or ``slot`` (the slot
    ``risk_level`` changed from ``previous_level`` to ``level``).
    """

    __tablename__ = "risk_event"

    origin: Mapped[str]
    level: Mapped[str]
    previous_level: Mapped[str | None]
    kind: Mapped[str | None]
    about: Mapped[str | None]
    score: Mapped[float | None]


class Latency(FromEvent):
    """How long a bot message took.

    ``answer_ms`` is its timestamp less the user message's; ``is_first`` marks the first bot
    message of its turn. The other two are what the action server measured.
    """

    __tablename__ = "latency"

    source: Mapped[str | None]
    is_first: Mapped[bool]
    answer_ms: Mapped[float | None]
    first_sentence_ms: Mapped[float | None]
    total_ms: Mapped[float | None]


class ReplyRating(Base):
    """What somebody said of one bot message on the page; a later word replaces the earlier."""

    __tablename__ = "reply_rating"

    person_id: Mapped[str] = mapped_column(sa.String(16), primary_key=True)
    message_id: Mapped[str] = mapped_column(primary_key=True)
    helpful: Mapped[bool]
    rated_at: Mapped[float]
    comment: Mapped[str | None] = mapped_column(sa.Text())


class BadEvent(Base):
    """A source row that could not be understood, wholly (``dropped``) or in part.

    ``source`` is ``tracker`` or ``feedback`` and ``row_id`` the row's id there.
    ``characters`` is the length of its data; the data itself stays where it is.
    """

    __tablename__ = "bad_event"

    source: Mapped[str] = mapped_column(primary_key=True)
    row_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    person_id: Mapped[str | None] = mapped_column(sa.String(16))
    type: Mapped[str | None]
    row_at: Mapped[float | None]
    reason: Mapped[str] = mapped_column(sa.String(300))
    dropped: Mapped[bool]
    characters: Mapped[int | None]
    noticed_at: Mapped[float]


class Person(Base):
    """A person, as a pseudonym.

    ``position`` is where the projection of their events stands. ``revision`` counts changes;
    ``written_revision`` is the one that ``people/<pseudonym>.txt`` shows.
    """

    __tablename__ = "person"

    person_id: Mapped[str] = mapped_column(sa.String(16), primary_key=True)
    last_event_id: Mapped[int]
    position: Mapped[dict[str, Any]]
    revision: Mapped[int]
    written_revision: Mapped[int]


class Watermark(Base):
    """How far ingest has read: the highest row id taken from ``source``."""

    __tablename__ = "watermark"

    source: Mapped[str] = mapped_column(primary_key=True)
    event_id: Mapped[int]
    updated_at: Mapped[float]


class StoreInfo(Base):
    """Facts about the store itself: ``schema_version`` and ``pseudonym_key`` (fingerprint)."""

    __tablename__ = "store_info"

    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]


PROJECTED: tuple[type[FromEvent], ...] = (
    Event,
    UserMessage,
    BotMessage,
    Action,
    Slot,
    RiskEvent,
    Latency,
)


def table(model: type[Base]) -> sa.Table:
    """The Core table of a model."""
    found = model.__table__
    assert isinstance(found, sa.Table)
    return found
