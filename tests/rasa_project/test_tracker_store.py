"""The tracker store as an outbox: ids are never handed out twice."""

from __future__ import annotations

import asyncio
import sqlite3

import pytest
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import UserUttered
from rasa.shared.core.trackers import DialogueStateTracker

from components.tracker_store import OutboxTrackerStore, tracker_db_url


@pytest.fixture
def store(tmp_path, monkeypatch) -> OutboxTrackerStore:
    monkeypatch.setenv("STILLPOINT_VAR", str(tmp_path))
    monkeypatch.delenv("TRACKER_DB_URL", raising=False)
    return OutboxTrackerStore(domain=Domain.empty())


def test_ids_of_erased_rows_do_not_come_back(store: OutboxTrackerStore, tmp_path) -> None:
    async def save(sender: str) -> None:
        tracker = DialogueStateTracker(sender, None)
        tracker.update(UserUttered("hello"))
        await store.save(tracker)

    asyncio.run(save("first"))
    with sqlite3.connect(tmp_path / "trackers.db") as database:
        before = database.execute("select max(id) from events").fetchone()[0]
        database.execute("delete from events")
    asyncio.run(save("second"))
    with sqlite3.connect(tmp_path / "trackers.db") as database:
        after = database.execute("select min(id) from events").fetchone()[0]
        mode = database.execute("pragma journal_mode").fetchone()[0]
    assert after > before
    assert mode == "wal"


def test_a_configured_address_wins(monkeypatch) -> None:
    monkeypatch.setenv("TRACKER_DB_URL", "postgresql://db/trackers")
    assert tracker_db_url() == "postgresql://db/trackers"
