"""An on-call person is offered only while the hand-off service runs and delivers."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import time
from pathlib import Path

import pytest
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import SlotSet, UserUttered
from rasa.shared.core.trackers import DialogueStateTracker

from components import handoff
from components.tracker_store import OutboxTrackerStore


@pytest.fixture
def beat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STILLPOINT_VAR", str(tmp_path))
    monkeypatch.setenv("HANDOFF_WEBHOOK_URL", "https://example.org/hook")
    path = tmp_path / "run" / "handoff.heartbeat"
    path.parent.mkdir()
    path.write_text('{"state": "ok", "pending": 0}\n')
    return path


def test_offered_while_the_service_beats(beat: Path) -> None:
    assert handoff.is_offered()


@pytest.mark.parametrize(
    "content", ['{"state": "failing"}', '{"state": "waiting"}', "", "[]", '{"state": null}', "ü"]
)
def test_not_offered_when_something_is_stuck_or_unreadable(beat: Path, content: str) -> None:
    beat.write_text(content, encoding="utf-8")
    assert not handoff.is_offered()


def test_not_offered_when_the_service_is_gone(beat: Path) -> None:
    long_ago = time.time() - 60
    os.utime(beat, (long_ago, long_ago))
    assert not handoff.is_offered()
    beat.unlink()
    assert not handoff.is_offered()


@pytest.mark.parametrize("value", [None, ""])
def test_not_offered_when_no_receiver_is_set(
    beat: Path, value: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HANDOFF_WEBHOOK_URL")
    if value is not None:
        monkeypatch.setenv("HANDOFF_WEBHOOK_URL", value)
    assert not handoff.is_configured()
    assert not handoff.is_offered()


def test_rasa_stores_a_slot_so_that_the_hand_off_service_finds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reads `type_name`, `action_name` (the slot's name) and `data.value` of table `events`."""
    monkeypatch.setenv("STILLPOINT_VAR", str(tmp_path))
    monkeypatch.delenv("TRACKER_DB_URL", raising=False)
    tracker = DialogueStateTracker("web-1", None)
    tracker.update(UserUttered("hello"))
    tracker.update(SlotSet("risk_level", "high"))
    asyncio.run(OutboxTrackerStore(domain=Domain.empty()).save(tracker))
    with sqlite3.connect(tmp_path / "trackers.db") as database:
        query = "select type_name, data from events where action_name = 'risk_level'"
        [(kind, data)] = database.execute(query).fetchall()
    assert kind == "slot"
    assert json.loads(data)["value"] == "high"
