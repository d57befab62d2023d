"""A tracker store to write into, as Rasa's own would, and ingest against it."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from analytics.ingest import Ingest
from analytics.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
KEY = "a key for tests only, long enough"
START = 1_790_000_000.0


class TrackerFile:
    """An SQLite tracker store with Rasa's ``events`` table."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self.run("PRAGMA journal_mode=WAL")
        self.run(
            "CREATE TABLE IF NOT EXISTS events (id INTEGER PRIMARY KEY AUTOINCREMENT,"
            " sender_id VARCHAR(255), type_name VARCHAR(255), timestamp FLOAT,"
            " intent_name VARCHAR(255), action_name VARCHAR(255), data TEXT)"
        )

    def run(self, statement: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.path, timeout=30)) as connection, connection:
            return connection.execute(statement, values).fetchall()

    def add(self, *events: tuple[str, dict[str, Any]], first_id: int | None = None) -> None:
        """Store (sender, event) pairs in one transaction, as ``SQLTrackerStore.save`` does."""
        with closing(sqlite3.connect(self.path, timeout=30)) as connection, connection:
            connection.execute("PRAGMA synchronous=OFF")
            for offset, (sender, event) in enumerate(events):
                intent = event.get("parse_data", {}).get("intent", {}).get("name")
                row_id = None if first_id is None else first_id + offset
                connection.execute(
                    "INSERT INTO events VALUES (?,?,?,?,?,?,?)",
                    (
                        row_id,
                        sender,
                        event["event"],
                        event["timestamp"],
                        intent,
                        event.get("name"),
                        json.dumps(event),
                    ),
                )

    def add_raw(self, sender: Any, type_name: Any, timestamp: Any, data: Any) -> None:
        self.run(
            "INSERT INTO events (sender_id, type_name, timestamp, data) VALUES (?,?,?,?)",
            (sender, type_name, timestamp, data),
        )

    def ids(self) -> list[int]:
        return [row[0] for row in self.run("SELECT id FROM events ORDER BY id")]


class Make:
    """Short ways to write Rasa events."""

    @staticmethod
    def session(at: float) -> list[dict[str, Any]]:
        return [
            {"event": "action", "timestamp": at, "name": "action_session_start", "policy": None},
            {"event": "session_started", "timestamp": at},
            {"event": "action", "timestamp": at, "name": "action_listen", "policy": None},
        ]

    @staticmethod
    def user(at: float, text: str = "hello", **parse_data: Any) -> dict[str, Any]:
        parsed = {"intent": {"name": "share", "confidence": 0.9}, "text": text, **parse_data}
        return {
            "event": "user",
            "timestamp": at,
            "text": text,
            "parse_data": parsed,
            "input_channel": "web",
            "metadata": {},
        }

    @staticmethod
    def bot(at: float, text: str = "hi", **metadata: Any) -> dict[str, Any]:
        return {"event": "bot", "timestamp": at, "text": text, "data": {}, "metadata": metadata}

    @staticmethod
    def slot(at: float, name: str, value: Any) -> dict[str, Any]:
        return {"event": "slot", "timestamp": at, "name": name, "value": value}


@pytest.fixture(scope="session")
def make() -> type[Make]:
    return Make


@pytest.fixture(scope="session")
def tracker_file() -> type[TrackerFile]:
    return TrackerFile


@pytest.fixture(scope="session")
def settings_for() -> Callable[..., Settings]:
    def build(var: Path, **others: Any) -> Settings:
        return Settings(stillpoint_var=var, stillpoint_pseudonym_key=KEY, **others)

    return build


@pytest.fixture(scope="session")
def golden() -> list[tuple[str, dict[str, Any]]]:
    lines = (ROOT / "tests/contracts/rasa_events.jsonl").read_text("utf-8").splitlines()
    return [(line["sender_id"], line["event"]) for line in map(json.loads, lines)]


@pytest.fixture
def var(tmp_path: Path) -> Path:
    return tmp_path / "var"


@pytest.fixture
def tracker(var: Path) -> TrackerFile:
    return TrackerFile(var / "trackers.db")


@pytest.fixture
def ingest(var: Path, settings_for: Callable[..., Settings]) -> Iterator[Ingest]:
    service = Ingest(settings_for(var))
    service.prepare()
    yield service
    service.close()


@pytest.fixture
def rows(var: Path) -> Callable[..., list[dict[str, Any]]]:
    """Rows of a table of the analytics store, by SQL alone."""

    def read(table: str, where: str = "1", path: Path | None = None) -> list[dict[str, Any]]:
        with closing(sqlite3.connect(path or var / "analytics.db")) as connection:
            connection.row_factory = sqlite3.Row
            found = connection.execute(f"SELECT * FROM {table} WHERE {where}")
            return [dict(row) for row in found]

    return read


@pytest.fixture
def environment(var: Path) -> dict[str, str]:
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("ANALYTICS_", "STILLPOINT_", "TRACKER_"))
    }
    return {**kept, "STILLPOINT_VAR": str(var), "STILLPOINT_PSEUDONYM_KEY": KEY}


@pytest.fixture
def command(environment: dict[str, str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(*arguments: str, **changed: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "analytics", *arguments],
            cwd=ROOT,
            env={**environment, **changed},
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run


@pytest.fixture
def start(environment: dict[str, str]) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start ``python -m analytics …`` in the background; what still runs is killed at the end."""
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: str, **changed: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "analytics", *arguments],
            cwd=ROOT,
            env={**environment, **changed},
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()
