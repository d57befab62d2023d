"""Taking a page of the tracker store's rows into the analytics store, in one transaction.

The tracker store is the truth. A row is taken unless the ledger already has its id for the same
person, type and time; an id that has come to mean another event replaces the old rows. Events
that arrive behind ones already taken (PostgreSQL commits out of order) make the person's later
rows be derived again, so that the result depends on the events alone and not on their arrival.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from analytics.errors import UnreadableEvent
from analytics.models import PROJECTED, BadEvent, Base, Event, Person, Session, Slot, Turn, table
from analytics.position import Position, Step
from analytics.projection import RISK_SLOT, Projection
from analytics.pseudonym import Pseudonyms
from analytics.rasa_event import LEVELS, identity, parse
from analytics.store import TRACKER, Store, set_watermark
from analytics.tracker_store import Head, Row, TrackerStore

log = logging.getLogger(__name__)

MAX_REASON_CHARS = 300
KEYS_PER_QUERY = 500

Key = tuple[str | None, str | None, float | None]
Work = defaultdict[type[Base], list[dict[str, Any]]]


class EventIngest:
    """Projects pages of tracker rows.

    Args:
        tracker: Where the rows are.
        store: Where they go.
        pseudonyms: Who is who.
        projection: What becomes of an event.
    """

    def __init__(
        self, tracker: TrackerStore, store: Store, pseudonyms: Pseudonyms, projection: Projection
    ) -> None:
        self._tracker = tracker
        self._store = store
        self._pseudonyms = pseudonyms
        self._projection = projection
        self._refused: dict[int, str] = {}

    def take(self, heads: Sequence[Head]) -> int:
        """Take what of a page (by id, without gaps in the listing) is not in the store yet.

        Returns:
            How many rows were new.
        """
        try:
            return self._take(heads)
        except (sa.exc.DataError, sa.exc.IntegrityError, sa.exc.StatementError) as error:
            if isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError):
                raise
            # The database refuses some row. Find it by halves and put it aside alone.
            if len(heads) == 1:
                self._refused[heads[0].id] = type(error).__name__
                return self._take(heads)
            middle = len(heads) // 2
            return self.take(heads[:middle]) + self.take(heads[middle:])

    def _take(self, heads: Sequence[Head]) -> int:
        with self._store.writing(TRACKER) as (connection, watermark):
            known = self._known(connection, heads[0].id, heads[-1].id)
            keys = {head.id: self._key(head) for head in heads}
            fresh = [head.id for head in heads if keys[head.id] not in known[head.id]]
            work: Work = defaultdict(list)
            stale = {head.id: known[head.id] - {keys[head.id]} for head in heads}
            rewinds = self._drop_replaced(connection, stale)
            by_person: defaultdict[str | None, list[Row]] = defaultdict(list)
            for row in self._tracker.rows(fresh):
                by_person[self._person_of(row)].append(row)
            people = self._people(connection, by_person.keys() | rewinds.keys())
            for person_id in by_person.keys() | rewinds.keys():
                rows = by_person.get(person_id, [])
                if person_id is None:
                    for row in rows:
                        self._put_aside(work, row, None, "sender_id is not a text")
                    continue
                person = people.get(person_id)
                from_id = rewinds.get(person_id)
                if person is not None and rows and rows[0].id <= person.last_event_id:
                    from_id = min(rows[0].id, from_id or rows[0].id)
                if from_id is not None:
                    rows = self._rewind(connection, person_id, from_id, rows)
                    position = self._position_before(connection, person_id, from_id)
                    last_id = self._last_before(connection, person_id, from_id)
                elif person is not None:
                    position = Position.from_dict(person.position)
                    last_id = person.last_event_id
                else:
                    position, last_id = Position(), 0
                self._project(work, person_id, rows, position)
                last_id = max([last_id, *(row.id for row in rows)])
                self._keep_person(connection, work, person_id, person, last_id, position)
            for model, values in work.items():
                connection.execute(sa.insert(table(model)), values)
            if heads[-1].id > watermark:
                set_watermark(connection, TRACKER, heads[-1].id)
        return len(fresh)

    def _project(self, work: Work, person_id: str, rows: Iterable[Row], position: Position) -> None:
        for row in rows:
            if row.id in self._refused:
                reason = f"the store refused it: {self._refused[row.id]}"
                self._put_aside(work, row, person_id, reason)
                continue
            before = position.as_dict()
            try:
                event = parse(row)
                projected = self._projection.project(person_id, event, position)
            except UnreadableEvent as error:
                self._put_aside(work, row, person_id, str(error))
                continue
            except Exception as error:
                _restore(position, before)
                log.exception("projection_failed", extra={"facts": {"event_id": row.id}})
                reason = f"projection failed: {type(error).__name__}"
                self._put_aside(work, row, person_id, reason)
                continue
            for model, values in projected.rows:
                work[model].append(values)
            if projected.problems:
                reason = "; ".join(projected.problems)
                self._put_aside(work, row, person_id, reason, dropped=False)

    def _put_aside(
        self, work: Work, row: Row, person_id: str | None, reason: str, dropped: bool = True
    ) -> None:
        type_name, row_at = identity(row)
        work[BadEvent].append(
            {
                "source": TRACKER,
                "row_id": row.id,
                "person_id": person_id,
                "type": type_name,
                "row_at": row_at,
                "reason": reason[:MAX_REASON_CHARS],
                "dropped": dropped,
                "characters": len(row.data) if isinstance(row.data, str | bytes) else None,
                "noticed_at": time.time(),
            }
        )
        facts = {"event_id": row.id, "person": person_id, "reason": reason[:MAX_REASON_CHARS]}
        log.warning("bad_event", extra={"facts": facts})

    @staticmethod
    def _known(connection: sa.Connection, first: int, last: int) -> defaultdict[int, set[Key]]:
        """What the store holds of the ids ``first`` to ``last``."""
        bad = sa.select(BadEvent.row_id, BadEvent.person_id, BadEvent.type, BadEvent.row_at).where(
            BadEvent.source == TRACKER, BadEvent.row_id.between(first, last)
        )
        good = sa.select(Event.event_id, Event.person_id, Event.type, Event.row_at).where(
            Event.event_id.between(first, last)
        )
        known: defaultdict[int, set[Key]] = defaultdict(set)
        for query in (bad, good):
            for event_id, person_id, type_name, row_at in connection.execute(query):
                known[event_id].add((person_id, type_name, row_at))
        return known

    @staticmethod
    def _drop_replaced(connection: sa.Connection, stale: dict[int, set[Key]]) -> dict[str, int]:
        """Find rows whose ids mean other events now; gives each person's earliest such id."""
        rewinds: dict[str, int] = {}
        replaced = 0
        for event_id, keys in stale.items():
            for person_id, _, _ in keys:
                replaced += 1
                if person_id is None:
                    _delete_bad(connection, [event_id])
                else:
                    rewinds[person_id] = min(event_id, rewinds.get(person_id, event_id))
        if replaced:
            log.warning("events_replaced", extra={"facts": {"events": replaced}})
        return rewinds

    def _rewind(
        self, connection: sa.Connection, person_id: str, from_id: int, rows: list[Row]
    ) -> list[Row]:
        """Forget a person's rows from ``from_id`` on and give what the tracker store has there."""
        for model in PROJECTED:
            connection.execute(
                sa.delete(model).where(model.person_id == person_id, model.event_id >= from_id)
            )
        for opened, opened_by in ((Session, Session.session_id), (Turn, Turn.turn_id)):
            connection.execute(
                sa.delete(opened).where(opened.person_id == person_id, opened_by >= from_id)
            )
        connection.execute(
            sa.delete(BadEvent).where(
                BadEvent.source == TRACKER,
                BadEvent.person_id == person_id,
                BadEvent.row_id >= from_id,
            )
        )
        sender_id = rows[0].sender_id if rows else self._sender_of(person_id)
        if not isinstance(sender_id, str):
            return []
        found = self._tracker.rows_of(sender_id, from_id)
        _delete_bad(connection, [row.id for row in found])
        return found

    def _position_before(
        self, connection: sa.Connection, person_id: str, event_id: int
    ) -> Position:
        """Fold a person's ledger anew, up to but without ``event_id``."""
        query = (
            sa.select(Event.event_id, Event.type, Event.name, Event.at, Slot.value)
            .outerjoin(
                Slot,
                sa.and_(
                    Slot.person_id == Event.person_id,
                    Slot.event_id == Event.event_id,
                    Slot.name == RISK_SLOT,
                ),
            )
            .where(Event.person_id == person_id, Event.event_id < event_id)
            .order_by(Event.event_id)
        )
        position = Position()
        for found_id, event_type, label, at, value in connection.execute(query):
            level = _level(value)
            position.advance(Step(found_id, event_type, label, at, level))
        return position

    @staticmethod
    def _last_before(connection: sa.Connection, person_id: str, event_id: int) -> int:
        """A person's highest id below ``event_id``, understood or not; 0 if there is none."""
        good = sa.select(sa.func.max(Event.event_id)).where(
            Event.person_id == person_id, Event.event_id < event_id
        )
        bad = sa.select(sa.func.max(BadEvent.row_id)).where(
            BadEvent.source == TRACKER,
            BadEvent.person_id == person_id,
            BadEvent.row_id < event_id,
        )
        return max(connection.execute(query).scalar() or 0 for query in (good, bad))

    @staticmethod
    def _people(
        connection: sa.Connection, person_ids: Iterable[str | None]
    ) -> dict[str, sa.Row[Any]]:
        wanted = [person_id for person_id in person_ids if person_id is not None]
        people = table(Person)
        found: dict[str, sa.Row[Any]] = {}
        for start in range(0, len(wanted), KEYS_PER_QUERY):
            some = people.c.person_id.in_(wanted[start : start + KEYS_PER_QUERY])
            for row in connection.execute(sa.select(people).where(some)):
                found[row.person_id] = row
        return found

    @staticmethod
    def _keep_person(
        connection: sa.Connection,
        work: Work,
        person_id: str,
        person: sa.Row[Any] | None,
        last_id: int,
        position: Position,
    ) -> None:
        if person is not None:
            connection.execute(
                sa.update(table(Person))
                .where(Person.person_id == person_id)
                .values(
                    last_event_id=last_id,
                    position=position.as_dict(),
                    revision=person.revision + 1,
                )
            )
            return
        work[Person].append(
            {
                "person_id": person_id,
                "last_event_id": last_id,
                "position": position.as_dict(),
                "revision": 1,
                "written_revision": 0,
            }
        )

    def _key(self, head: Head) -> Key:
        return (self._person_of(head), *identity(head))

    def _person_of(self, head: Head) -> str | None:
        if isinstance(head.sender_id, str) and head.sender_id:
            return self._pseudonyms.of(head.sender_id)
        return None

    def _sender_of(self, person_id: str) -> str | None:
        for sender_id in self._tracker.senders():
            if isinstance(sender_id, str) and self._pseudonyms.of(sender_id) == person_id:
                return sender_id
        return None


def _delete_bad(connection: sa.Connection, row_ids: Sequence[int]) -> None:
    for start in range(0, len(row_ids), KEYS_PER_QUERY):
        some = BadEvent.row_id.in_(row_ids[start : start + KEYS_PER_QUERY])
        connection.execute(sa.delete(BadEvent).where(BadEvent.source == TRACKER, some))


def _level(value: str | None) -> str | None:
    """The risk level that a kept slot value (JSON text) sets, if it is one."""
    if value is None:
        return None
    word = value.strip('"')
    if word == "null":
        return "none"
    return word if word in LEVELS else None


def _restore(position: Position, before: dict[str, Any]) -> None:
    for key, value in before.items():
        setattr(position, key, value)
