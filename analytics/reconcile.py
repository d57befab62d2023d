"""Comparing the analytics store with the tracker store, row by row.

Every sender's events are projected anew, in memory, and compared with what the store holds.
Columns whose content depends on a setting (texts, slot values) are not compared. What lies after
the watermark and is younger than ``GRACE_S`` is on its way and no difference.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import sqlalchemy as sa

from analytics.errors import UnreadableEvent
from analytics.feedback_ingest import FeedbackIngest
from analytics.models import PROJECTED, BadEvent, Base, Person, ReplyRating, Session, Turn, table
from analytics.position import Position
from analytics.projection import Projection
from analytics.pseudonym import Pseudonyms
from analytics.rasa_event import number, parse
from analytics.store import TRACKER, Store
from analytics.tracker_store import Row, TrackerStore

GRACE_S = 10.0
UNCOMPARED = frozenset({"text", "comment", "value", "value_kept"})

Kind = Literal["missing", "extra", "different"]
Key = tuple[str, Any]


@dataclass(frozen=True, slots=True, order=True)
class Difference:
    """One row that the two stores tell differently; ``key`` is an event or message id."""

    person_id: str
    table: str
    key: str
    kind: Kind


@dataclass(slots=True)
class Comparison:
    """What was compared: numbers of rows on either side, and every difference."""

    tracker_rows: int = 0
    store_events: int = 0
    bad_events: int = 0
    in_flight: int = 0
    differences: list[Difference] = field(default_factory=list)


class Reconciler:
    """Compares the stores.

    Args:
        tracker: The truth.
        feedback: The truth about ratings.
        store: What ingest made of it.
        pseudonyms: Who is who.
        projection: What should have been made of an event.
    """

    def __init__(
        self,
        tracker: TrackerStore,
        feedback: FeedbackIngest,
        store: Store,
        pseudonyms: Pseudonyms,
        projection: Projection,
    ) -> None:
        self._tracker = tracker
        self._feedback = feedback
        self._store = store
        self._pseudonyms = pseudonyms
        self._projection = projection

    def compare(self, now: float | None = None) -> Comparison:
        """Compare everything; ``now`` (Unix seconds) decides what is on its way.

        Raises:
            sqlalchemy.exc.DBAPIError: a database fails.
        """
        now = time.time() if now is None else now
        watermark = self._store.watermark(TRACKER)
        result = Comparison()
        seen: set[str] = set()
        nameless: list[Row] = []
        for sender_id in list(self._tracker.senders()):
            if not isinstance(sender_id, str) or not sender_id:
                nameless.extend(self._nameless_rows() if not nameless else [])
                continue
            person_id = self._pseudonyms.of(sender_id)
            seen.add(person_id)
            rows = self._tracker.rows_of(sender_id, 0)
            self._compare_person(person_id, rows, watermark, now, result)
        for person_id in self._known_people() - seen:
            self._compare_person(person_id, [], watermark, now, result)
        self._compare_nameless(nameless, result)
        self._compare_ratings(now, result)
        result.differences.sort()
        return result

    def _compare_person(
        self, person_id: str, rows: list[Row], watermark: int, now: float, result: Comparison
    ) -> None:
        expected = self._expected(person_id, rows)
        found = self._found(person_id)
        on_its_way = {
            row.id
            for row in rows
            if row.id > watermark and now - (number(row.timestamp) or 0.0) < GRACE_S
        }
        result.tracker_rows += len(rows)
        result.store_events += sum(1 for name, _ in found if name == "event")
        result.bad_events += sum(1 for name, _ in found if name == "bad_event")
        for name, key in expected.keys() | found.keys():
            if key in on_its_way:
                result.in_flight += name == "event"
                continue
            kind = _kind(expected.get((name, key)), found.get((name, key)))
            if kind is not None:
                result.differences.append(Difference(person_id, name, str(key), kind))

    def _expected(self, person_id: str, rows: list[Row]) -> dict[Key, dict[str, Any]]:
        made: dict[Key, dict[str, Any]] = {}
        position = Position()
        for row in rows:
            problems: list[str] = []
            try:
                projected = self._projection.project(person_id, parse(row), position)
            except UnreadableEvent as error:
                made["bad_event", row.id] = {"reason": str(error), "dropped": True}
                continue
            for model, values in projected.rows:
                made[model.__tablename__, row.id] = _comparable(values)
            problems = projected.problems
            if problems:
                made["bad_event", row.id] = {"reason": "; ".join(problems), "dropped": False}
        return made

    def _found(self, person_id: str) -> dict[Key, dict[str, Any]]:
        models: tuple[tuple[type[Base], str], ...] = (
            *((model, "event_id") for model in PROJECTED),
            (Session, "session_id"),
            (Turn, "turn_id"),
        )
        held: dict[Key, dict[str, Any]] = {}
        with self._store.reading() as connection:
            for model, key in models:
                query = sa.select(table(model)).where(table(model).c.person_id == person_id)
                for row in connection.execute(query).mappings():
                    held[model.__tablename__, row[key]] = _comparable(dict(row))
            bad = sa.select(BadEvent.row_id, BadEvent.reason, BadEvent.dropped).where(
                BadEvent.source == TRACKER, BadEvent.person_id == person_id
            )
            for row_id, reason, dropped in connection.execute(bad):
                held["bad_event", row_id] = {"reason": reason, "dropped": dropped}
        return held

    def _known_people(self) -> set[str]:
        with self._store.reading() as connection:
            return set(connection.execute(sa.select(Person.person_id)).scalars())

    def _nameless_rows(self) -> Iterator[Row]:
        after = 0
        while heads := self._tracker.heads(after, 5000):
            after = heads[-1].id
            ids = [
                head.id
                for head in heads
                if not isinstance(head.sender_id, str) or not head.sender_id
            ]
            yield from self._tracker.rows(ids)

    def _compare_nameless(self, rows: list[Row], result: Comparison) -> None:
        query = sa.select(BadEvent.row_id).where(
            BadEvent.source == TRACKER, BadEvent.person_id.is_(None)
        )
        with self._store.reading() as connection:
            held = set(connection.execute(query).scalars())
        expected = {row.id for row in rows}
        result.tracker_rows += len(rows)
        result.bad_events += len(held)
        for row_id in expected ^ held:
            kind: Kind = "missing" if row_id in expected else "extra"
            result.differences.append(Difference("-", "bad_event", str(row_id), kind))

    def _compare_ratings(self, now: float, result: Comparison) -> None:
        expected: dict[tuple[str, str], dict[str, Any]] = defaultdict(dict)
        for row in self._feedback.read() or []:
            values, _ = self._feedback.rating(row)
            if values is not None:
                expected[values["person_id"], values["message_id"]] = values
        with self._store.reading() as connection:
            query = sa.select(table(ReplyRating))
            held = {
                (row["person_id"], row["message_id"]): dict(row)
                for row in connection.execute(query).mappings()
            }
        for person_id, message_id in expected.keys() | held.keys():
            key = person_id, message_id
            values = expected.get(key)
            if values is not None and key not in held and now - values["rated_at"] < GRACE_S:
                result.in_flight += 1
                continue
            found = held.get(key)
            kind = _kind(
                None if values is None else _comparable(values),
                None if found is None else _comparable(found),
            )
            if kind is not None:
                result.differences.append(Difference(person_id, "reply_rating", message_id, kind))


def _comparable(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key not in UNCOMPARED}


def _kind(expected: dict[str, Any] | None, found: dict[str, Any] | None) -> Kind | None:
    if expected == found:
        return None
    if found is None:
        return "missing"
    return "extra" if expected is None else "different"
