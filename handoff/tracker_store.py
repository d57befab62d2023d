"""Reading Rasa's tracker store: its ``events`` table is the outbox from which notices are made.

Read only. The column ``action_name`` holds a slot event's slot name. A row may hold anything, so
every value is looked at before it is believed.
"""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from handoff.errors import TrackerStoreAbsent

EVENTS = sa.table(
    "events",
    *(
        sa.column(name)
        for name in ("id", "sender_id", "type_name", "timestamp", "action_name", "data")
    ),
)
BUSY_S = 2.0


@dataclass(frozen=True, slots=True)
class Row:
    """One event: ``at`` is Unix seconds, ``data`` Rasa's own dictionary ({} if unreadable)."""

    id: int
    sender_id: str
    type: str
    name: str | None
    at: float
    data: Mapping[str, Any]


class TrackerStore:
    """Rasa's tracker store.

    Every method raises ``sqlalchemy.exc.DBAPIError`` if the database fails.

    Args:
        url: The SQLAlchemy URL.
    """

    def __init__(self, url: sa.URL) -> None:
        self._url = url
        self._engine = _read_only_engine(url)

    def require(self) -> None:
        """Check that there is something to read.

        Raises:
            TrackerStoreAbsent: no such file or database, or no ``events`` table in it.
        """
        is_file = self._url.get_backend_name() == "sqlite"
        there = not is_file or Path(str(self._url.database)).exists()
        try:
            if there and sa.inspect(self._engine).has_table("events"):
                return
        except sa.exc.OperationalError:
            pass
        raise TrackerStoreAbsent("the tracker store is not there yet")

    def top(self) -> int:
        """The highest id, 0 if there is no row."""
        with self._engine.connect() as connection:
            return int(connection.execute(sa.select(sa.func.max(EVENTS.c.id))).scalar() or 0)

    def top_before(self, at: float) -> int:
        """The highest id of an event older than ``at`` (Unix seconds), 0 if there is none."""
        query = sa.select(sa.func.max(EVENTS.c.id)).where(EVENTS.c.timestamp < at)
        with self._engine.connect() as connection:
            return int(connection.execute(query).scalar() or 0)

    def slots(self, names: Sequence[str], after: int, limit: int) -> list[Row]:
        """Up to ``limit`` slot events of these slots after an id, by id."""
        query = (
            sa.select(EVENTS)
            .where(
                EVENTS.c.id > after,
                EVENTS.c.type_name == "slot",
                EVENTS.c.action_name.in_(names),
            )
            .order_by(EVENTS.c.id)
            .limit(limit)
        )
        return self._rows(query)

    def one(self, event_id: int) -> Row | None:
        """The event with this id, None if it is gone."""
        return next(iter(self._rows(sa.select(EVENTS).where(EVENTS.c.id == event_id))), None)

    def last_before(
        self, sender_id: str, event_id: int, types: Sequence[str], slots: Sequence[str] = ()
    ) -> Row | None:
        """A sender's latest event before an id that is of one of the types, or sets such a slot."""
        wanted = _of_types_or_slots(types, slots)
        query = (
            sa.select(EVENTS)
            .where(EVENTS.c.sender_id == sender_id, EVENTS.c.id < event_id, wanted)
            .order_by(EVENTS.c.id.desc())
            .limit(1)
        )
        return next(iter(self._rows(query)), None)

    def since(
        self, sender_id: str, after: int, types: Sequence[str], slots: Sequence[str]
    ) -> list[Row]:
        """A sender's events after an id that are of one of the types or set such a slot, by id."""
        wanted = _of_types_or_slots(types, slots)
        query = (
            sa.select(EVENTS)
            .where(EVENTS.c.sender_id == sender_id, EVENTS.c.id > after, wanted)
            .order_by(EVENTS.c.id)
        )
        return self._rows(query)

    def close(self) -> None:
        """Give back the connections."""
        self._engine.dispose()

    def _rows(self, query: sa.Select[Any]) -> list[Row]:
        with self._engine.connect() as connection:
            found = [_row(row) for row in connection.execute(query)]
        return [row for row in found if row is not None]


def _of_types_or_slots(types: Sequence[str], slots: Sequence[str]) -> sa.ColumnElement[bool]:
    sets = sa.and_(EVENTS.c.type_name == "slot", EVENTS.c.action_name.in_(slots))
    return sa.or_(EVENTS.c.type_name.in_(types), sets)


def _row(row: sa.Row[Any]) -> Row | None:
    if not isinstance(row.sender_id, str) or not row.sender_id:
        return None
    at = row.timestamp
    if isinstance(at, bool) or not isinstance(at, int | float) or not math.isfinite(at):
        at = 0.0
    name = row.action_name if isinstance(row.action_name, str) else None
    return Row(int(row.id), row.sender_id, str(row.type_name), name, float(at), _json(row.data))


def _json(data: object) -> Mapping[str, Any]:
    if not isinstance(data, str):
        return {}
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _read_only_engine(url: sa.URL) -> sa.Engine:
    """An engine whose connections refuse to write (SQLite, PostgreSQL)."""
    if url.get_backend_name() == "sqlite":
        path = Path(str(url.database)).absolute()
        return sa.create_engine(
            "sqlite://",
            creator=lambda: _open_sqlite(path),
            poolclass=NullPool,
            hide_parameters=True,
        )
    engine = sa.create_engine(url, hide_parameters=True, pool_pre_ping=True)
    return engine.execution_options(postgresql_readonly=True)


def _open_sqlite(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"file:{quote(str(path))}?mode=ro", uri=True, timeout=BUSY_S, check_same_thread=False
    )
    connection.text_factory = lambda raw: bytes(raw).decode("utf-8", "surrogateescape")
    connection.execute("PRAGMA query_only=1")
    return connection
