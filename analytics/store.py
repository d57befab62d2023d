"""The analytics store: opening it, creating it, and transactions on it.

SQLite runs as a WAL, so that readers never wait for ingest. Writers take turns: a write
transaction begins with the lock (``BEGIN IMMEDIATE``; elsewhere ``SELECT … FOR UPDATE`` on the
watermark row), which is what makes two ingesters at once harmless.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from analytics.errors import StoreAbsent, StoreError
from analytics.models import SCHEMA_VERSION, Base, StoreInfo, Watermark

TRACKER = "tracker"
FEEDBACK = "feedback"

CREATE_ATTEMPTS = 5
BUSY_S = 2.0


class Store:
    """The analytics store at an address. Nothing is opened before a method is called.

    Args:
        url: The SQLAlchemy URL.
    """

    def __init__(self, url: sa.URL) -> None:
        self.url = url
        self.engine = sa.create_engine(url, hide_parameters=True, pool_pre_ping=True)
        self._is_sqlite = url.get_backend_name() == "sqlite"
        if self._is_sqlite:
            sa.event.listen(self.engine, "connect", _configure_sqlite)
            sa.event.listen(self.engine, "begin", _begin_sqlite)

    def prepare(self, key_fingerprint: str) -> None:
        """Create what is missing, and refuse a store that was made otherwise.

        Raises:
            StoreError: made with another pseudonym key or by another version of the tables.
            sqlalchemy.exc.DBAPIError: the database cannot be reached or written.
        """
        if self._is_sqlite:
            Path(str(self.url.database)).parent.mkdir(parents=True, exist_ok=True)
        for attempt in range(CREATE_ATTEMPTS):
            try:
                self._create(key_fingerprint)
                break
            except (sa.exc.IntegrityError, sa.exc.ProgrammingError, sa.exc.OperationalError):
                # Another ingester may be creating the same tables at this moment.
                if attempt == CREATE_ATTEMPTS - 1:
                    raise
                time.sleep(0.2 * (attempt + 1))
        self._check(key_fingerprint)

    def require(self, key_fingerprint: str | None = None) -> None:
        """Check that there is a store to read, made with this pseudonym key if one is given.

        Raises:
            StoreAbsent: there is none yet.
            StoreError: made by another version of the tables, or with another key.
        """
        if self._is_sqlite and not Path(str(self.url.database)).exists():
            raise StoreAbsent("there is no analytics store yet: run python -m analytics ingest")
        if not sa.inspect(self.engine).has_table(StoreInfo.__tablename__):
            raise StoreAbsent("the analytics store is empty: run python -m analytics ingest")
        self._check(key_fingerprint)

    @contextlib.contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A read transaction with one consistent view."""
        with self.engine.connect() as connection:
            if not self._is_sqlite:
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                yield connection

    @contextlib.contextmanager
    def writing(self, source: str) -> Iterator[tuple[sa.Connection, int]]:
        """A write transaction that holds ``source``'s lock; gives its watermark.

        Commits on leaving, rolls back if the body raises.
        """
        with self.engine.connect() as connection:
            connection = connection.execution_options(takes_write_lock=True)
            with connection.begin():
                locked = sa.select(Watermark.event_id).where(Watermark.source == source)
                yield connection, connection.execute(locked.with_for_update()).scalar_one()

    def watermark(self, source: str) -> int:
        """The highest row id taken from ``source``."""
        with self.reading() as connection:
            query = sa.select(Watermark.event_id).where(Watermark.source == source)
            return int(connection.execute(query).scalar_one())

    def close(self) -> None:
        """Give back the connections."""
        self.engine.dispose()

    def _create(self, key_fingerprint: str) -> None:
        with self.engine.connect() as connection:
            connection = connection.execution_options(takes_write_lock=True)
            with connection.begin():
                Base.metadata.create_all(connection)
                have_info = set(connection.execute(sa.select(StoreInfo.name)).scalars())
                info = {"schema_version": SCHEMA_VERSION, "pseudonym_key": key_fingerprint}
                for name in info.keys() - have_info:
                    connection.execute(sa.insert(StoreInfo).values(name=name, value=info[name]))
                have_marks = set(connection.execute(sa.select(Watermark.source)).scalars())
                for source in {TRACKER, FEEDBACK} - have_marks:
                    connection.execute(
                        sa.insert(Watermark).values(
                            source=source, event_id=0, updated_at=time.time()
                        )
                    )

    def _check(self, key_fingerprint: str | None) -> None:
        with self.reading() as connection:
            rows = connection.execute(sa.select(StoreInfo.name, StoreInfo.value))
            info = {row.name: row.value for row in rows}
        if info.get("schema_version") != SCHEMA_VERSION:
            raise StoreError(
                f"ANALYTICS_DB_URL: the store has tables of version {info.get('schema_version')}, "
                f"this program needs {SCHEMA_VERSION}"
            )
        if key_fingerprint is not None and info.get("pseudonym_key") != key_fingerprint:
            raise StoreError(
                "STILLPOINT_PSEUDONYM_KEY: is not the key this analytics store was made with; "
                "restore the key, or point ANALYTICS_DB_URL at a new store to ingest afresh"
            )


def set_watermark(connection: sa.Connection, source: str, event_id: int) -> None:
    """Move the watermark inside a write transaction."""
    connection.execute(
        sa.update(Watermark)
        .where(Watermark.source == source)
        .values(event_id=event_id, updated_at=time.time())
    )


def _configure_sqlite(dbapi_connection: Any, _record: object) -> None:
    dbapi_connection.isolation_level = None  # transactions are begun by _begin_sqlite
    cursor = dbapi_connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={int(BUSY_S * 1000)}")
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.close()


def _begin_sqlite(connection: sa.Connection) -> None:
    takes_lock = connection.get_execution_options().get("takes_write_lock", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if takes_lock else "BEGIN")
