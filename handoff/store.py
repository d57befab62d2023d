"""What this service has noticed, and what became of it, in a database of its own.

No message text and no sender id. SQLite runs as a WAL; a write transaction begins with the lock
(``BEGIN IMMEDIATE``; elsewhere ``SELECT … FOR UPDATE`` on the mark's row), which is what makes two
services at once harmless: a notice is written once, and claimed by one of them at a time.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from handoff.errors import StoreError
from handoff.notice import Notice

SCHEMA_VERSION = "1"
PENDING, DELIVERED, FAILED = "pending", "delivered", "failed"
TOO_OLD = "too_old"
CREATE_ATTEMPTS = 5
BUSY_S = 2.0

_metadata = sa.MetaData()
_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_info = sa.Table(
    "handoff_info",
    _metadata,
    sa.Column("name", sa.String(32), primary_key=True),
    sa.Column("value", sa.String(64), nullable=False),
)
# One row: how far the tracker store has been read, and where reading began.
_mark = sa.Table(
    "handoff_mark",
    _metadata,
    sa.Column("name", sa.String(32), primary_key=True),
    sa.Column("event_id", _id, nullable=False),
    sa.Column("floor_id", _id, nullable=False),
)
_notice = sa.Table(
    "handoff_notice",
    _metadata,
    sa.Column("person_id", sa.String(32), primary_key=True),
    sa.Column("event_id", _id, primary_key=True, autoincrement=False),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("row_at", sa.Float(53), nullable=False),
    sa.Column("event", sa.String(32), nullable=False),
    sa.Column("level", sa.String(16), nullable=False),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("noticed_at", sa.Float(53), nullable=False),
    sa.Column("state", sa.String(16), nullable=False, index=True),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("next_attempt_at", sa.Float(53), nullable=False),
    sa.Column("claimed_until", sa.Float(53)),
    sa.Column("last_attempt_at", sa.Float(53)),
    sa.Column("last_result", sa.String(64)),
    sa.Column("delivered_at", sa.Float(53)),
)
_MARK = "tracker"


@dataclass(frozen=True, slots=True)
class Due:
    """A notice that this process has claimed, for its ``attempt``-th try."""

    notice: Notice
    generation: int
    attempt: int
    claimed_until: float

    @property
    def key(self) -> str:
        """The event id that a receiver sees: the same for every attempt."""
        again = f":{self.generation}" if self.generation else ""
        return f"{self.notice.person_id}:{self.notice.event_id}{again}"


@dataclass(frozen=True, slots=True)
class Mark:
    """How far the tracker store has been read (``top``); nothing up to ``floor`` is ever told."""

    top: int
    floor: int


class Store:
    """The service's database. Nothing is opened before a method is called.

    Args:
        url: The SQLAlchemy URL.
    """

    def __init__(self, url: sa.URL) -> None:
        self._url = url
        self._engine = sa.create_engine(url, hide_parameters=True, pool_pre_ping=True)
        self._is_sqlite = url.get_backend_name() == "sqlite"
        if self._is_sqlite:
            sa.event.listen(self._engine, "connect", _configure_sqlite)
            sa.event.listen(self._engine, "begin", _begin_sqlite)

    def exists(self) -> bool:
        """Whether there is a database with this service's tables."""
        if self._is_sqlite and not Path(str(self._url.database)).exists():
            return False
        return sa.inspect(self._engine).has_table(_notice.name)

    def prepare(self, key_fingerprint: str) -> None:
        """Create what is missing, and refuse a store that was made otherwise.

        Raises:
            StoreError: made with another pseudonym key or by another version of the tables.
            sqlalchemy.exc.DBAPIError: the database cannot be reached or written.
        """
        if self._is_sqlite:
            Path(str(self._url.database)).parent.mkdir(parents=True, exist_ok=True)
        for attempt in range(CREATE_ATTEMPTS):
            try:
                with self._writing(locks=False) as connection:
                    _metadata.create_all(connection)
                    have = set(connection.execute(sa.select(_info.c.name)).scalars())
                    info = {"schema_version": SCHEMA_VERSION, "pseudonym_key": key_fingerprint}
                    for name in info.keys() - have:
                        connection.execute(sa.insert(_info).values(name=name, value=info[name]))
                break
            except (sa.exc.IntegrityError, sa.exc.ProgrammingError, sa.exc.OperationalError):
                # Another service may be creating the same tables at this moment.
                if attempt == CREATE_ATTEMPTS - 1:
                    raise
                time.sleep(0.2 * (attempt + 1))
        self._check(key_fingerprint)

    def mark(self) -> Mark | None:
        """How far the tracker store has been read, None before the first time."""
        with self._reading() as connection:
            row = connection.execute(sa.select(_mark).where(_mark.c.name == _MARK)).one_or_none()
        return None if row is None else Mark(int(row.event_id), int(row.floor_id))

    def begin_at(self, event_id: int) -> None:
        """Read the tracker store from after this id on, unless it has been read before."""
        # A second service may do the same at this moment: the first one wins.
        with contextlib.suppress(sa.exc.IntegrityError), self._writing() as connection:
            if connection.execute(sa.select(_mark.c.name)).first() is None:
                connection.execute(
                    sa.insert(_mark).values(name=_MARK, event_id=event_id, floor_id=event_id)
                )

    def lower_to(self, top: int) -> None:
        """The tracker store has lost its newest rows: it was erased from, restored or replaced."""
        with self._writing() as connection:
            connection.execute(
                sa.update(_mark)
                .where(_mark.c.name == _MARK, _mark.c.event_id > top)
                .values(
                    event_id=top,
                    floor_id=sa.case((_mark.c.floor_id > top, 0), else_=_mark.c.floor_id),
                )
            )

    def add(self, notices: Iterable[Notice], top: int, now: float, give_up_after_s: float) -> int:
        """Keep what is new of some notices and move the mark, in one transaction.

        A notice whose event is already older than ``give_up_after_s`` is kept as failed.

        Returns:
            How many were new.
        """
        added = 0
        with self._writing() as connection:
            for notice in notices:
                is_old = now - notice.row_at > give_up_after_s
                added += self._add_one(connection, notice, now, is_old)
            connection.execute(
                sa.update(_mark)
                .where(_mark.c.name == _MARK, _mark.c.event_id < top)
                .values(event_id=top)
            )
        return added

    def claim(self, now: float, lease_s: float) -> Due | None:
        """Take the most urgent notice that is due, for ``lease_s`` seconds; None if none is.

        A claim that is not settled runs out: after a crash the notice is due again.
        """
        is_free = sa.or_(_notice.c.claimed_until.is_(None), _notice.c.claimed_until <= now)
        query = (
            sa.select(_notice)
            .where(_notice.c.state == PENDING, _notice.c.next_attempt_at <= now, is_free)
            .order_by(
                sa.case((_notice.c.level == "imminent", 0), else_=1),
                _notice.c.attempts,
                _notice.c.row_at,
            )
            .limit(1)
        )
        with self._writing() as connection:
            row = connection.execute(query).one_or_none()
            if row is None:
                return None
            due = Due(_as_notice(row), row.generation, row.attempts + 1, now + lease_s)
            connection.execute(
                sa.update(_notice)
                .where(*_is(due))
                .values(attempts=due.attempt, claimed_until=due.claimed_until, last_attempt_at=now)
            )
            return due

    def settle_delivered(self, due: Due, what: str, now: float) -> None:
        """The receiver has it."""
        self._settle(due, {"state": DELIVERED, "last_result": what, "delivered_at": now})

    def settle_failed(self, due: Due, what: str, next_attempt_at: float | None) -> None:
        """The receiver does not have it; None for ``next_attempt_at`` gives it up.

        Nothing changes if the claim has run out meanwhile and somebody else has taken over.
        """
        if next_attempt_at is None:
            values: dict[str, Any] = {"state": FAILED, "last_result": what}
        else:
            values = {"last_result": what, "next_attempt_at": next_attempt_at}
        self._settle(due, values, *_is_mine(due))

    def release(self, due: Due) -> None:
        """Give a claim back untried, because the service is being stopped."""
        self._settle(due, {"attempts": due.attempt - 1}, *_is_mine(due))

    def forget(self, before: float) -> int:
        """Drop what was settled about events before a time; gives how many."""
        with self._writing() as connection:
            old = sa.delete(_notice).where(_notice.c.state != PENDING, _notice.c.row_at < before)
            return int(connection.execute(old).rowcount)

    def pending(self) -> tuple[int, int]:
        """How many notices wait, and how many of them have been tried in vain."""
        with self._reading() as connection:
            tried = sa.func.count(_notice.c.last_result)
            query = sa.select(sa.func.count(), tried).where(_notice.c.state == PENDING)
            waiting, failing = connection.execute(query).one()
        return int(waiting), int(failing)

    def rows(self, limit: int) -> list[dict[str, Any]]:
        """The latest notices and what became of them, newest first."""
        query = sa.select(_notice).order_by(_notice.c.row_at.desc()).limit(limit)
        with self._reading() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def counts(self) -> dict[str, int]:
        """Number of notices by state."""
        query = sa.select(_notice.c.state, sa.func.count()).group_by(_notice.c.state)
        with self._reading() as connection:
            found = {state: int(number) for state, number in connection.execute(query)}
        return {state: found.get(state, 0) for state in (PENDING, DELIVERED, FAILED)}

    def close(self) -> None:
        """Give back the connections."""
        self._engine.dispose()

    def _add_one(self, connection: sa.Connection, notice: Notice, now: float, is_old: bool) -> bool:
        mine = (
            _notice.c.person_id == notice.person_id,
            _notice.c.event_id == notice.event_id,
        )
        query = sa.select(_notice.c.row_at, _notice.c.generation).where(*mine)
        known = connection.execute(query).one_or_none()
        if known is not None and known.row_at == notice.row_at:
            return False
        values = {
            "row_at": notice.row_at,
            "event": notice.event,
            "level": notice.level,
            "kind": notice.kind,
            "noticed_at": now,
            "state": FAILED if is_old else PENDING,
            "attempts": 0,
            "next_attempt_at": now,
            "claimed_until": None,
            "last_attempt_at": None,
            "last_result": TOO_OLD if is_old else None,
            "delivered_at": None,
        }
        if known is None:
            key = {"person_id": notice.person_id, "event_id": notice.event_id}
            connection.execute(sa.insert(_notice).values(**key, generation=0, **values))
        else:
            generation = known.generation + 1
            connection.execute(
                sa.update(_notice).where(*mine).values(generation=generation, **values)
            )
        return True

    def _settle(self, due: Due, values: dict[str, Any], *only: sa.ColumnElement[bool]) -> None:
        with self._writing() as connection:
            connection.execute(
                sa.update(_notice).where(*_is(due), *only).values(claimed_until=None, **values)
            )

    def _check(self, key_fingerprint: str) -> None:
        with self._reading() as connection:
            rows = connection.execute(sa.select(_info.c.name, _info.c.value))
            info = {row.name: row.value for row in rows}
        if info.get("schema_version") != SCHEMA_VERSION:
            raise StoreError(
                f"HANDOFF_DB_URL: the store has tables of version {info.get('schema_version')},"
                f" this program needs {SCHEMA_VERSION}"
            )
        if info.get("pseudonym_key") != key_fingerprint:
            raise StoreError(
                "STILLPOINT_PSEUDONYM_KEY: is not the key that this hand-off store was made with;"
                " restore the key, or point HANDOFF_DB_URL at a new store"
            )

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        with self._engine.connect() as connection, connection.begin():
            yield connection

    @contextlib.contextmanager
    def _writing(self, locks: bool = True) -> Iterator[sa.Connection]:
        with self._engine.connect() as connection:
            connection = connection.execution_options(takes_write_lock=True)
            with connection.begin():
                if locks and not self._is_sqlite:
                    connection.execute(sa.select(_mark).with_for_update()).all()
                yield connection


def _is(due: Due) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        _notice.c.person_id == due.notice.person_id,
        _notice.c.event_id == due.notice.event_id,
        _notice.c.generation == due.generation,
    )


def _is_mine(due: Due) -> tuple[sa.ColumnElement[bool], ...]:
    """The claim has not been settled, nor taken over by somebody else."""
    return _notice.c.state == PENDING, _notice.c.claimed_until == due.claimed_until


def _as_notice(row: sa.Row[Any]) -> Notice:
    return Notice(
        row.person_id, int(row.event_id), float(row.row_at), row.event, row.level, row.kind
    )


def _configure_sqlite(dbapi_connection: Any, _record: object) -> None:
    dbapi_connection.isolation_level = None  # transactions are begun by _begin_sqlite
    cursor = dbapi_connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={int(BUSY_S * 1000)}")
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def _begin_sqlite(connection: sa.Connection) -> None:
    takes_lock = connection.get_execution_options().get("takes_write_lock", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if takes_lock else "BEGIN")
