"""The real process: killed at any point, run twice at once, stopped, and how soon it tells."""

from __future__ import annotations

import json
import random
import signal
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

T = 1_790_000_000.0


def wait_for(condition: Callable[[], bool], within_s: float = 60.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)


def taken(var: Path) -> int:
    """How many events the analytics store holds."""
    path = var / "analytics.db"
    if not path.exists():
        return 0
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)) as connection:
        try:
            return int(connection.execute("SELECT count(*) FROM event").fetchone()[0])
        except sqlite3.OperationalError:
            return 0


def talk(make: Any, sender: str, turns: int, at: float = T) -> list[tuple[str, Any]]:
    events = make.session(at)
    for turn in range(turns):
        risk = {"level": "high" if turn % 3 == 2 else "none", "kind": "self_harm", "score": 0.9}
        events += [
            make.user(at + turn, "hello", risk=risk),
            make.slot(at + turn, "risk_level", risk["level"]),
            make.bot(at + turn + 0.5, source="llm", total_ms=12),
        ]
    return [(sender, event) for event in events]


def assert_whole(tracker: Any, rows: Any, command: Any) -> None:
    """Nothing lost, nothing double, by SQL of our own and by ``reconcile``."""
    assert sorted(row["event_id"] for row in rows("event")) == tracker.ids()
    kinds = {"user": "user_message", "bot": "bot_message", "slot": "slot", "action": "action"}
    for kind, table in kinds.items():
        expected = tracker.run("SELECT count(*) FROM events WHERE type_name = ?", (kind,))[0][0]
        assert len(rows(table)) == expected
    done = command("reconcile")
    assert done.returncode == 0, done.stdout


@pytest.mark.timeout(300)
def test_sigkill_in_the_middle_loses_and_doubles_nothing(
    tracker: Any, make: Any, start: Any, rows: Any, command: Any, var: Path
) -> None:
    tracker.add(*(event for n in range(20) for event in talk(make, f"sender-{n}", 60)))
    total = len(tracker.ids())
    kills_in_the_middle = 0
    chance = random.Random(7)
    for _ in range(4):
        before = taken(var)
        process = start("ingest", ANALYTICS_BATCH_EVENTS="5")
        wait_for(lambda before=before: taken(var) > before)
        time.sleep(chance.random() * 0.05)
        process.send_signal(signal.SIGKILL)
        process.wait()
        kills_in_the_middle += 0 < taken(var) < total
    assert kills_in_the_middle >= 2
    assert command("ingest", "--once").returncode == 0
    assert_whole(tracker, rows, command)
    assert len(list(var.glob("people/p-*.txt"))) == 20


@pytest.mark.timeout(300)
def test_two_ingesters_beside_a_writer_are_harmless(
    tracker: Any, make: Any, start: Any, rows: Any, command: Any, var: Path
) -> None:
    tracker.add(*talk(make, "early", 100))
    processes = [start("ingest", ANALYTICS_BATCH_EVENTS="7", ANALYTICS_POLL_S="0.05")]
    processes.append(start("ingest", ANALYTICS_BATCH_EVENTS="11", ANALYTICS_POLL_S="0.05"))

    def write() -> None:
        for turn in range(150):
            tracker.add(*talk(make, f"sender-{turn % 5}", 1, at=T + turn))

    writer = threading.Thread(target=write)
    writer.start()
    writer.join()
    wait_for(lambda: taken(var) == len(tracker.ids()))
    time.sleep(0.3)
    for process in processes:
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
    logs = [process.communicate(timeout=10)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert not any("bad_event" in log or "events_replaced" in log for log in logs)
    assert_whole(tracker, rows, command)


@pytest.mark.timeout(120)
def test_waits_calmly_tells_a_risk_within_two_seconds_and_stops_on_sigterm(
    var: Path, make: Any, start: Any, rows: Any, tracker_file: Any
) -> None:
    process = start("ingest")
    heartbeat = var / "run/ingest.heartbeat"
    wait_for(heartbeat.exists)
    assert json.loads(heartbeat.read_text())["state"] == "waiting"
    tracker = tracker_file(var / "trackers.db")
    waits: list[float] = []
    for turn in range(5):
        risk = {"level": "imminent", "kind": "self_harm", "about": "self", "score": 0.99}
        tracker.add(("web-1", make.user(T + turn, risk=risk)))
        stored = time.monotonic()
        wait_for(lambda turn=turn: len(rows("risk_event")) == turn + 1)
        waits.append(time.monotonic() - stored)
        time.sleep(0.13)
    assert max(waits) < 2.0, waits
    before = heartbeat.stat().st_mtime
    wait_for(lambda: heartbeat.stat().st_mtime > before, within_s=5)
    process.send_signal(signal.SIGTERM)
    stopping = time.monotonic()
    _, log = process.communicate(timeout=10)
    assert process.returncode == 0
    assert time.monotonic() - stopping < 3.0
    lines = [json.loads(line) for line in log.splitlines()]
    names = [line["event"] for line in lines]
    assert names[:2] == ["ingest_started", "waiting_for_tracker_store"]
    assert names.count("waiting_for_tracker_store") == 1
    assert names[-1] == "ingest_stopped"
    assert {line["level"] for line in lines} == {"INFO"}


def test_once_without_a_tracker_store_ends_well(command: Any) -> None:
    assert command("ingest", "--once").returncode == 0
