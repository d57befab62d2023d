"""The store as pandas DataFrames, typed: times are UTC timestamps, numbers may be missing.

>>> from analytics import frames
>>> frames.people()          # one row a person            # doctest: +SKIP
>>> frames.load("turn")      # any table of the store      # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pandas as pd
import sqlalchemy as sa

from analytics.models import Base
from analytics.people import summarize
from analytics.settings import load_settings
from analytics.store import Store

PEOPLE_COLUMNS = {
    "person": "string",
    "sessions": "Int64",
    "messages": "Int64",
    "last_contact": "datetime64[us, UTC]",
    "risk_events": "Int64",
    "last_risk_level": "string",
    "conversation_level": "string",
    "replies": "Int64",
    "llm_share": "Float64",
    "reply_bank_share": "Float64",
    "scripted_share": "Float64",
    "helped": "Int64",
    "not_helped": "Int64",
}


def people(store: Store | None = None) -> pd.DataFrame:
    """One row a person, latest contact first; see ``PEOPLE_COLUMNS``. Shares are 0 to 1.

    Args:
        store: Where to read; the configured store if not given.

    Raises:
        StoreAbsent: there is no store yet.
        ConfigurationError: a setting is refused.
    """
    with _open(store) as opened, opened.reading() as connection:
        rows = [
            (
                one.person_id,
                one.sessions,
                one.messages,
                _time(one.last_contact_at),
                one.risk_events,
                one.last_risk_level,
                one.conversation_level,
                one.replies,
                one.share("llm"),
                one.share("reply_bank"),
                one.share("scripted"),
                one.helped,
                one.not_helped,
            )
            for one in summarize(connection)
        ]
    return _typed(rows)


def empty_people() -> pd.DataFrame:
    """The frame of :func:`people` without a row."""
    return _typed([])


def load(name: str, store: Store | None = None) -> pd.DataFrame:
    """A whole table of the store, in the order of its key.

    Args:
        name: A table's name, such as ``turn`` or ``risk_event``.
        store: Where to read; the configured store if not given.

    Raises:
        KeyError: there is no such table.
        StoreAbsent: there is no store yet.
        ConfigurationError: a setting is refused.
    """
    table = Base.metadata.tables[name]
    with _open(store) as opened, opened.reading() as connection:
        query = sa.select(table).order_by(*table.primary_key.columns)
        rows = [tuple(row) for row in connection.execute(query)]
    frame = pd.DataFrame(rows, columns=[column.name for column in table.columns])
    for column in table.columns:
        frame[column.name] = _typed_column(frame[column.name], column)
    return frame


@contextmanager
def _open(store: Store | None) -> Iterator[Store]:
    if store is not None:
        yield store
        return
    opened = Store(load_settings().store_url)
    try:
        opened.require()
        yield opened
    finally:
        opened.close()


def _typed(rows: Sequence[tuple[object, ...]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(PEOPLE_COLUMNS)).astype(PEOPLE_COLUMNS)


def _typed_column(values: pd.Series, column: sa.Column[object]) -> pd.Series:
    if isinstance(column.type, sa.Double) and (column.name == "at" or column.name.endswith("_at")):
        return pd.to_datetime(values.astype("float64"), unit="s", utc=True, errors="coerce")
    if isinstance(column.type, sa.Double):
        return values.astype("Float64")
    if isinstance(column.type, sa.BigInteger):
        return values.astype("Int64")
    if isinstance(column.type, sa.Boolean):
        return values.astype("boolean")
    if isinstance(column.type, sa.String):
        return values.astype("string")
    return values


def _time(at: float | None) -> pd.Timestamp | None:
    return None if at is None else pd.Timestamp(at, unit="s", tz="UTC")
