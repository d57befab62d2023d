"""Whatever happens to ingest, the store ends up as the tracker store says."""

from __future__ import annotations

import json
import sqlite3
import tempfile
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from analytics import event_ingest
from analytics.ingest import Ingest
from analytics.pseudonym import load_pseudonyms

T = 1_790_000_000.0
GO = threading.Event()
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
SENDERS = ("web-a", "web-b", "partner/x/c")
TABLES = (
    "event", "session", "turn", "user_message", "bot_message", "action", "slot", "risk_event",
    "latency",
)  # fmt: skip

levels = st.sampled_from(["none", "low", "moderate", "high", "imminent"])
kinds = st.one_of(
    st.tuples(st.just("user"), levels),
    st.tuples(st.just("slot"), levels),
    st.tuples(
        st.sampled_from(["bot", "opening", "session_started", "restart", "unknown_type", "bad"]),
        st.none(),
    ),
)
events = st.lists(st.tuples(st.sampled_from(SENDERS), kinds), min_size=1, max_size=6)
steps = st.one_of(
    st.tuples(st.just("save"), events),
    st.tuples(st.just("save_late"), events),
    st.tuples(st.just("commit_late"), st.none()),
    st.tuples(st.just("poll"), st.integers(0, 1)),
    st.tuples(st.just("crash_before_commit"), st.integers(0, 1)),
    st.tuples(st.just("crash_before_files"), st.integers(0, 1)),
    st.tuples(st.just("restore"), st.integers(1, 8)),
)


class Crash(Exception):
    """The process is gone."""


class World:
    """A tracker store, two ingesters, and the events that wait for their commit."""

    def __init__(self, var: Path, tracker: Any, make: Any, settings_for: Any) -> None:
        self.var, self.tracker, self.make = var, tracker, make
        self.settings = settings_for(var, analytics_batch_events=3, analytics_window_events=10_000)
        self.services = [self.service(), self.service()]
        self.next_id = 1
        self.clock = T
        self.late: list[tuple[int, str, tuple[str, str | None]]] = []

    def service(self) -> Ingest:
        made = Ingest(self.settings)
        made.prepare()
        return made

    def save(self, batch: list[Any], is_late: bool = False) -> None:
        placed = [(self.next_id + n, *what) for n, what in enumerate(batch)]
        self.next_id += len(batch)
        if is_late:
            self.late += placed
        else:
            self.write(placed)

    def write(self, placed: list[tuple[int, str, tuple[str, str | None]]]) -> None:
        with closing(sqlite3.connect(self.tracker.path)) as connection, connection:
            connection.execute("PRAGMA synchronous=OFF")
            for row_id, sender, kind in placed:
                connection.execute(
                    "INSERT INTO events (id, sender_id, type_name, timestamp, data)"
                    " VALUES (?,?,?,?,?)",
                    (row_id, sender, *self.columns(kind)),
                )

    def columns(self, kind: tuple[str, str | None]) -> tuple[str, float, str]:
        self.clock += 1
        what, level = kind
        event: dict[str, Any] = {"event": what, "timestamp": self.clock}
        if what == "user":
            event = self.make.user(self.clock, risk={"level": level})
        elif what == "slot":
            event = self.make.slot(self.clock, "risk_level", level)
        elif what == "opening":
            event = {**event, "event": "action", "name": "action_session_start"}
        return event["event"], self.clock, "{" if what == "bad" else json.dumps(event)

    def commit_late(self) -> None:
        self.write(self.late)
        self.late = []

    def poll(self, which: int, crash_at: str | None = None) -> None:
        service = self.services[which]
        with pytest.MonkeyPatch.context() as patch:
            if crash_at == "commit":
                patch.setattr(event_ingest, "set_watermark", _crash)
            elif crash_at == "files":
                patch.setattr(service._files, "write_changed", _crash)
            try:
                service.poll(GO)
            except Crash:
                service.close()
                self.services[which] = self.service()

    def restore(self, lost: int) -> None:
        """An older backup: the newest rows are gone, and their ids are given again."""
        self.commit_late()
        self.next_id = max(1, self.next_id - lost)
        self.tracker.run("DELETE FROM events WHERE id >= ?", (self.next_id,))

    def close(self) -> None:
        for service in self.services:
            service.close()


def _crash(*_: object) -> None:
    raise Crash


def contents(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    with closing(sqlite3.connect(path)) as connection:
        found = {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in TABLES}
        found["bad_event"] = connection.execute(
            "SELECT row_id, person_id, reason, dropped FROM bad_event"
        ).fetchall()
        found["person"] = connection.execute(
            "SELECT person_id, last_event_id, position FROM person WHERE last_event_id > 0"
        ).fetchall()
    return {name: sorted(rows, key=repr) for name, rows in found.items()}


def told_by_hand(world: World) -> dict[str, set[tuple[Any, ...]]]:
    """What the tracker store says, by rules written down here once more."""
    names = load_pseudonyms(world.settings)
    told: dict[str, set[tuple[Any, ...]]] = {name: set() for name in ("event", "turn", "bad")}
    now: dict[str, dict[str, Any]] = {}
    rows = world.tracker.run("SELECT id, sender_id, type_name, data FROM events ORDER BY id")
    for row_id, sender, kind, data in rows:
        person = names.of(sender)
        if data == "{":
            told["bad"].add((person, row_id))
            continue
        here = now.setdefault(sender, {"session": None, "turn": None, "opening": False})
        opens = kind == "action" or (kind == "session_started" and not here["opening"])
        if here["session"] is None or opens:
            here.update(session=row_id, turn=None)
        here["opening"] = kind == "action"
        if kind == "user":
            here["turn"] = row_id
            told["turn"].add((person, row_id, here["session"]))
        told["event"].add((person, row_id, here["session"], here["turn"], kind))
    return told


@pytest.mark.timeout(600)
@settings(
    max_examples=25,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(history=st.lists(steps, min_size=1, max_size=12))
def test_any_history_ends_in_what_the_tracker_store_says(
    history: list[tuple[str, Any]], tracker_file: Any, make: Any, settings_for: Any
) -> None:
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        var = Path(folder)
        world = World(var, tracker_file(var / "trackers.db"), make, settings_for)
        highest = 1
        for name, what in history:
            if name in ("save", "save_late"):
                world.save(what, is_late=name == "save_late")
            elif name == "commit_late":
                world.commit_late()
            elif name == "restore":
                world.restore(what)
            else:
                crashes = {"crash_before_commit": "commit", "crash_before_files": "files"}
                world.poll(what, crashes.get(name))
            highest = max(highest, world.next_id)
        world.commit_late()
        # Ids lost with a backup are all given anew before the end, as Rasa goes on talking.
        world.save([("web-a", ("bot", None))] * (highest - world.next_id + 1))
        world.poll(0)
        world.poll(1)

        told = told_by_hand(world)
        found = contents(var / "analytics.db")
        ledger = {(row[4], row[5], row[6], row[7], row[0]) for row in _ledger(var)}
        assert len(found["event"]) == len(told["event"])
        assert ledger == told["event"]
        assert len(found["turn"]) == len(told["turn"])
        assert {(row[0], row[1], row[2]) for row in found["turn"]} == told["turn"]
        assert {(person, row_id) for row_id, person, _, _ in found["bad_event"]} == told["bad"]

        afresh = settings_for(var, analytics_db_url=f"sqlite:///{var / 'afresh.db'}")
        at_once = Ingest(afresh)
        at_once.prepare()
        at_once.poll(GO)
        assert contents(var / "afresh.db") == found
        at_once.close()
        world.close()


def _ledger(var: Path) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(var / "analytics.db")) as connection:
        return connection.execute(
            "SELECT type, name, row_at, at, person_id, event_id, session_id, turn_id FROM event"
        ).fetchall()
