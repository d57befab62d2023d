"""SQL tracker store whose event ids are never reused, so that analytics can tail them.

SQLite hands the ids of deleted top rows out again unless the table says AUTOINCREMENT, and a
reader blocks the writer unless the journal is a WAL; both are settled before Rasa creates its
table. `TRACKER_DB_URL` (any SQLAlchemy 1.4 URL) wins over the default file under
`STILLPOINT_VAR`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Optional

import sqlalchemy as sa
from rasa.core.brokers.broker import EventBroker
from rasa.core.tracker_store import SQLTrackerStore
from rasa.shared.core.domain import Domain
from sqlalchemy.engine import Engine

REPOSITORY = Path(__file__).resolve().parents[2]

CREATE_EVENTS = """
CREATE TABLE IF NOT EXISTS events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    sender_id VARCHAR(255) NOT NULL,
    type_name VARCHAR(255) NOT NULL,
    timestamp FLOAT,
    intent_name VARCHAR(255),
    action_name VARCHAR(255),
    data TEXT
)
"""


class OutboxTrackerStore(SQLTrackerStore):
    """`SQLTrackerStore` with AUTOINCREMENT and WAL on SQLite."""

    def __init__(
        self,
        domain: Optional[Domain] = None,
        host: Optional[str] = None,
        event_broker: Optional[EventBroker] = None,
        **kwargs: Any,
    ) -> None:
        """Opens the store.

        Args:
            domain: Rasa's domain.
            host: ignored; the address comes from `TRACKER_DB_URL` or `STILLPOINT_VAR`.
            event_broker: passed on.
        """
        url = tracker_db_url()
        if url.startswith("sqlite"):
            _prepare_sqlite(url)
        super().__init__(domain=domain, host=url, event_broker=event_broker, **kwargs)


def tracker_db_url() -> str:
    """The SQLAlchemy URL of the tracker store."""
    configured = os.environ.get("TRACKER_DB_URL")
    if configured:
        return configured
    folder = Path(os.environ.get("STILLPOINT_VAR") or REPOSITORY / "var")
    folder.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{folder / 'trackers.db'}"


def _prepare_sqlite(url: str) -> None:
    engine: Engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("PRAGMA journal_mode=WAL"))
        connection.execute(sa.text(CREATE_EVENTS))
        connection.execute(
            sa.text("CREATE INDEX IF NOT EXISTS ix_events_sender_id ON events (sender_id)")
        )
    engine.dispose()
