"""A tracker store to write into as Rasa would, and a receiver on loopback."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from handoff.service import Handoff
from handoff.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
KEY = "a key for tests only, long enough"
SECRET = "a webhook secret for tests only, long enough"
WORDS = "the words that somebody wrote in distress"


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

    def add(self, sender: str, *events: dict[str, Any], first_id: int | None = None) -> list[int]:
        """Store a sender's events in one transaction, as ``SQLTrackerStore.save`` does."""
        ids = []
        with closing(sqlite3.connect(self.path, timeout=30)) as connection, connection:
            connection.execute("PRAGMA synchronous=OFF")
            for offset, event in enumerate(events):
                row_id = None if first_id is None else first_id + offset
                intent = event.get("parse_data", {}).get("intent", {}).get("name")
                cursor = connection.execute(
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
                ids.append(int(cursor.lastrowid or 0))
        return ids


def session(at: float) -> list[dict[str, Any]]:
    """What opens a session."""
    return [
        {"event": "action", "timestamp": at, "name": "action_session_start"},
        {"event": "session_started", "timestamp": at},
        {"event": "action", "timestamp": at, "name": "action_listen"},
    ]


def user(text: str = WORDS, at: float | None = None, **risk: Any) -> dict[str, Any]:
    """A message."""
    return {
        "event": "user",
        "timestamp": time.time() if at is None else at,
        "text": text,
        "parse_data": {"intent": {"name": "share"}, "text": text, "risk": risk},
    }


def bot(text: str = "a reply", at: float | None = None) -> dict[str, Any]:
    """A reply."""
    return {"event": "bot", "timestamp": time.time() if at is None else at, "text": text}


def slot(name: str, value: Any, at: float | None = None) -> dict[str, Any]:
    """A slot set."""
    at = time.time() if at is None else at
    return {"event": "slot", "timestamp": at, "name": name, "value": value}


def other(kind: str, at: float | None = None) -> dict[str, Any]:
    """An event of another type, such as ``restart``."""
    return {"event": kind, "timestamp": time.time() if at is None else at}


def crisis(level: str = "high", text: str = WORDS, kind: str = "self_harm") -> list[dict[str, Any]]:
    """A turn in which the level becomes `level`."""
    now = time.time()
    return [user(text, now, level=level, kind=kind), slot("risk_level", level, now), bot(at=now)]


class Rasa:
    """Short ways to write Rasa events."""

    session = staticmethod(session)
    user = staticmethod(user)
    bot = staticmethod(bot)
    slot = staticmethod(slot)
    other = staticmethod(other)
    crisis = staticmethod(crisis)


@pytest.fixture(scope="session")
def rasa() -> type[Rasa]:
    return Rasa


@dataclass
class Received:
    """A request as it came."""

    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def json(self) -> dict[str, Any]:
        return dict(json.loads(self.body))

    @property
    def id(self) -> str:
        return str(self.json["id"])


@dataclass
class Receiver:
    """A webhook on loopback. ``answers`` are taken in turn, then it answers 204 for ever.

    An answer is a status, ``"hang"`` (nothing comes), ``"drop"`` (the connection closes without an
    answer), or ``"lose"`` (the request is taken, and the connection closes).
    """

    url: str = ""
    answers: list[Any] = field(default_factory=list)
    requests: list[Received] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    released: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def ids(self) -> list[str]:
        with self.lock:
            return [request.id for request in self.requests]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            with found.lock:
                answer = found.answers.pop(0) if found.answers else 204
                taken = Received(dict(self.headers.items()), body, time.time())
                if answer != "drop":
                    found.requests.append(taken)
            if answer == "hang":
                found.released.wait(30)
            if answer in ("hang", "drop", "lose"):
                self.close_connection = True
                return
            self.send_response(int(answer))
            for name, value in found.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_GET(self) -> None:
            raise AssertionError("a redirect was followed")

        def log_message(self, format: str, *values: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    found.url = f"http://127.0.0.1:{server.server_address[1]}/hook?token=t0k3n"
    yield found
    found.released.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def var(tmp_path: Path) -> Path:
    return tmp_path / "var"


@pytest.fixture
def tracker(var: Path) -> TrackerFile:
    return TrackerFile(var / "trackers.db")


@pytest.fixture
def new_tracker() -> type[TrackerFile]:
    return TrackerFile


@pytest.fixture
def settings_for(var: Path, receiver: Receiver) -> Callable[..., Settings]:
    def build(**others: Any) -> Settings:
        chosen: dict[str, Any] = {
            "stillpoint_var": var,
            "stillpoint_pseudonym_key": KEY,
            "handoff_webhook_url": receiver.url,
            "handoff_webhook_secret": SECRET,
            "handoff_timeout_s": 0.5,
            "handoff_retry_s": 0.05,
            "handoff_retry_max_s": 0.2,
            "handoff_poll_s": 0.05,
        }
        return Settings(**{**chosen, **others})

    return build


@pytest.fixture
def make(settings_for: Callable[..., Settings]) -> Iterator[Callable[..., Handoff]]:
    """Services over the same state, prepared."""
    made: list[Handoff] = []

    def build(**others: Any) -> Handoff:
        service = Handoff(settings_for(**others))
        made.append(service)
        service.prepare()
        return service

    yield build
    for service in made:
        service.close()


@pytest.fixture
def secret() -> bytes:
    return SECRET.encode()


@pytest.fixture
def words() -> str:
    return WORDS


@pytest.fixture
def environment(var: Path, receiver: Receiver) -> dict[str, str]:
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("HANDOFF_", "STILLPOINT_", "TRACKER_"))
    }
    return {
        **kept,
        "STILLPOINT_VAR": str(var),
        "STILLPOINT_PSEUDONYM_KEY": KEY,
        "HANDOFF_WEBHOOK_URL": receiver.url,
        "HANDOFF_WEBHOOK_SECRET": SECRET,
        "HANDOFF_RETRY_S": "0.05",
        "HANDOFF_TIMEOUT_S": "1",
    }


@pytest.fixture
def command(environment: dict[str, str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(*arguments: str, **changed: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "handoff", *arguments],
            cwd=ROOT,
            env={**environment, **changed},
            capture_output=True,
            text=True,
            timeout=60,
        )

    return run


@pytest.fixture
def start(environment: dict[str, str]) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start ``python -m handoff …`` in the background; what still runs is killed at the end."""
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: str, **changed: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "handoff", *arguments],
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


@pytest.fixture(scope="session")
def wait_for() -> Callable[..., None]:
    def wait(condition: Callable[[], bool], within_s: float = 20.0) -> None:
        deadline = time.monotonic() + within_s
        while not condition():
            assert time.monotonic() < deadline, "waited too long"
            time.sleep(0.01)

    return wait
