"""Opening somebody else's database so that it can only be read."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

BUSY_S = 2.0


def read_only_engine(url: sa.URL) -> sa.Engine:
    """An engine whose connections refuse to write (SQLite, PostgreSQL).

    On SQLite every use opens the file afresh, so that a file put in its place is noticed, and
    bytes that are no UTF-8 become lone surrogates instead of an error.
    """
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


def is_there(engine: sa.Engine, url: sa.URL, table: str) -> bool:
    """Whether the database can be opened and has the table."""
    if url.get_backend_name() == "sqlite" and not Path(str(url.database)).exists():
        return False
    try:
        return sa.inspect(engine).has_table(table)
    except sa.exc.OperationalError:
        return False


def _open_sqlite(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"file:{quote(str(path))}?mode=ro", uri=True, timeout=BUSY_S, check_same_thread=False
    )
    connection.text_factory = _decode
    connection.execute("PRAGMA query_only=1")
    return connection


def _decode(raw: Any) -> str:
    return bytes(raw).decode("utf-8", "surrogateescape")
