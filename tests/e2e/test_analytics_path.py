"""From a message to the analytics store, with ingest killed on the way."""

from __future__ import annotations

import sqlite3
import subprocess
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.stack import ROOT, Stack

pytestmark = pytest.mark.e2e


def count(database: Path, table: str) -> int:
    with sqlite3.connect(database) as connection:
        return int(connection.execute(f"select count(*) from {table}").fetchone()[0])


def wait_for(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not within the time"
        time.sleep(0.2)


def test_killing_ingest_loses_and_doubles_nothing(
    stack: Stack, say: Callable[..., list[dict[str, object]]]
) -> None:
    store, trackers = stack.var / "analytics.db", stack.var / "trackers.db"
    sender = uuid.uuid4().hex
    for number, text in enumerate(["hello", "thank you", "what can you do", "bye"]):
        say(stack, sender, text)
        if number in (1, 2):
            for process in stack.service_processes("analytics"):
                process.kill()

    def user_events() -> int:
        with sqlite3.connect(trackers) as connection:
            query = "select count(*) from events where type_name = 'user'"
            return int(connection.execute(query).fetchone()[0])

    wait_for(lambda: count(store, "user_message") == user_events())
    time.sleep(2)
    assert count(store, "user_message") == user_events()
    done = subprocess.run(
        [str(ROOT / ".venv/bin/python"), "-m", "analytics", "reconcile"],
        cwd=ROOT,
        env={"STILLPOINT_VAR": str(stack.var), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_risk_event_arrives_and_carries_no_words(
    stack: Stack, say: Callable[..., list[dict[str, object]]]
) -> None:
    store = stack.var / "analytics.db"
    before = count(store, "risk_event")
    say(stack, uuid.uuid4().hex, "i want to end my life, the grey heron knows")
    wait_for(lambda: count(store, "risk_event") > before, 10)
    assert b"grey heron" not in store.read_bytes()
