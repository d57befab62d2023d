"""Reading Rasa's tracker store: the ``events`` table, in the order of its ids.

Values are handed on as the database holds them; judging them is :mod:`analytics.rasa_event`'s
work, because a damaged row may hold anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from analytics.errors import TrackerStoreAbsent
from analytics.read_only import is_there, read_only_engine

EVENTS = sa.table(
    "events",
    *(sa.column(name) for name in ("id", "sender_id", "type_name", "timestamp", "data")),
)
IDS_PER_QUERY = 500


@dataclass(frozen=True, slots=True)
class Head:
    """What tells a row from another without its data."""

    id: int
    sender_id: object
    type_name: object
    timestamp: object


@dataclass(frozen=True, slots=True)
class Row(Head):
    """A whole row; ``data`` should be the JSON text of a Rasa event."""

    data: object


@dataclass(frozen=True, slots=True)
class Span:
    """What lies after an id: the highest id (0 if nothing), how many rows, their times' sum."""

    top: int
    rows: int
    times: float


class TrackerStore:
    """Rasa's tracker store, read only.

    Every method raises ``sqlalchemy.exc.DBAPIError`` if the database fails.

    Args:
        url: The SQLAlchemy URL.
    """

    def __init__(self, url: sa.URL) -> None:
        self._url = url
        self._engine = read_only_engine(url)

    def require(self) -> None:
        """Check that there is something to read.

        Raises:
            TrackerStoreAbsent: no such file or database, or no ``events`` table in it.
        """
        if not is_there(self._engine, self._url, "events"):
            raise TrackerStoreAbsent("the tracker store is not there yet")

    def span(self, after: int) -> Span:
        """What lies after ``after``; it stays equal as long as no row comes, goes or changes."""
        times = sa.func.sum(EVENTS.c.timestamp)
        query = sa.select(sa.func.max(EVENTS.c.id), sa.func.count(), times)
        with self._engine.connect() as connection:
            top, rows, total = connection.execute(query.where(EVENTS.c.id > after)).one()
        return Span(int(top or 0), int(rows), float(total or 0.0))

    def top(self) -> int:
        """The highest id, 0 if there is no row."""
        with self._engine.connect() as connection:
            return int(connection.execute(sa.select(sa.func.max(EVENTS.c.id))).scalar() or 0)

    def heads(self, after: int, limit: int) -> list[Head]:
        """Up to ``limit`` rows after ``after``, without their data, by id."""
        columns = EVENTS.c.id, EVENTS.c.sender_id, EVENTS.c.type_name, EVENTS.c.timestamp
        query = sa.select(*columns).where(EVENTS.c.id > after).order_by(EVENTS.c.id).limit(limit)
        with self._engine.connect() as connection:
            return [Head(*row) for row in connection.execute(query)]

    def rows(self, ids: Sequence[int]) -> list[Row]:
        """The rows with these ids, by id; one that has been deleted is left out."""
        found: list[Row] = []
        with self._engine.connect() as connection:
            for start in range(0, len(ids), IDS_PER_QUERY):
                some = ids[start : start + IDS_PER_QUERY]
                query = sa.select(EVENTS).where(EVENTS.c.id.in_(some)).order_by(EVENTS.c.id)
                found.extend(Row(*row) for row in connection.execute(query))
        return found

    def rows_of(self, sender_id: str, from_id: int) -> list[Row]:
        """A sender's rows from ``from_id`` on, by id."""
        query = (
            sa.select(EVENTS)
            .where(EVENTS.c.sender_id == sender_id, EVENTS.c.id >= from_id)
            .order_by(EVENTS.c.id)
        )
        with self._engine.connect() as connection:
            return [Row(*row) for row in connection.execute(query)]

    def senders(self) -> Iterator[object]:
        """Every sender id, once."""
        with self._engine.connect() as connection:
            yield from connection.execute(sa.select(EVENTS.c.sender_id).distinct()).scalars()

    def close(self) -> None:
        """Give back the connections."""
        self._engine.dispose()
