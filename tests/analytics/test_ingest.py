"""What ingest does with a tracker store that is late, damaged, restored or changed."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from typing import Any

import pytest
import sqlalchemy as sa

from analytics import event_ingest
from analytics.errors import StoreError
from analytics.ingest import Ingest
from analytics.read_only import read_only_engine
from analytics.store import Store

T = 1_790_000_000.0
GO = threading.Event()


def conversation(make: Any, sender: str, turns: int, at: float = T) -> list[tuple[str, Any]]:
    events = make.session(at)
    for turn in range(turns):
        events += [
            make.user(at + 10 * turn, "I feel flat"),
            make.bot(at + 10 * turn + 1, source="llm"),
        ]
    return [(sender, event) for event in events]


def ledger(rows: Any) -> list[int]:
    return sorted(row["event_id"] for row in rows("event"))


def test_waits_for_a_tracker_store_that_is_not_there(
    var: Any, settings_for: Any, tracker_file: Any, make: Any, rows: Any
) -> None:
    service = Ingest(settings_for(var))
    service.prepare()
    assert service.poll(GO) == 0
    beat = json.loads((var / "run/ingest.heartbeat").read_text())
    assert beat == {"state": "waiting", "watermark": 0}
    assert not (var / "trackers.db").exists()
    sqlite3.connect(var / "trackers.db").close()
    assert service.poll(GO) == 0
    tracker_file(var / "trackers.db").add(*conversation(make, "s", 2))
    assert service.poll(GO) == 7
    assert json.loads((var / "run/ingest.heartbeat").read_text())["watermark"] == 7
    service.close()


def test_polls_add_nothing_twice(tracker: Any, ingest: Any, rows: Any, make: Any) -> None:
    tracker.add(*conversation(make, "s", 3))
    assert [ingest.poll(GO) for _ in range(4)] == [9, 0, 0, 0]
    tracker.add(("s", make.user(T + 50)))
    assert [ingest.poll(GO) for _ in range(3)] == [1, 0, 0]
    assert ledger(rows) == tracker.ids()


def test_replay_from_the_beginning_changes_nothing(
    tracker: Any, ingest: Any, rows: Any, make: Any, var: Any, settings_for: Any
) -> None:
    tracker.add(*conversation(make, "a", 5), *conversation(make, "b", 5))
    ingest.poll(GO)
    tables = ("event", "session", "turn", "user_message", "bot_message", "latency", "person")
    before = {table: rows(table) for table in tables}
    with ingest.store.writing("tracker") as (connection, _):
        connection.execute(sa.text("UPDATE watermark SET event_id = 0"))
    again = Ingest(settings_for(var))
    assert again.poll(GO) == 0
    again.close()
    assert {table: rows(table) for table in tables} == before


def test_rows_committed_late_are_found_and_put_in_their_place(
    tracker: Any, ingest: Any, rows: Any, make: Any
) -> None:
    events = conversation(make, "s", 4)
    tracker.add(*events[:5], first_id=1)
    tracker.add(*events[7:], first_id=8)
    assert ingest.poll(GO) == 9
    tracker.add(*events[5:7], first_id=6)
    assert ingest.poll(GO) == 2
    assert ledger(rows) == list(range(1, 12))
    turns = {row["event_id"]: row["turn_id"] for row in rows("bot_message")}
    assert turns == {5: 4, 7: 6, 9: 8, 11: 10}


def test_a_late_row_before_everything_else_moves_the_session(
    tracker: Any, ingest: Any, rows: Any, make: Any
) -> None:
    tracker.add(("s", make.user(T)), first_id=5)
    ingest.poll(GO)
    assert [row["session_id"] for row in rows("session")] == [5]
    tracker.add(*(("s", event) for event in make.session(T - 1)), first_id=1)
    ingest.poll(GO)
    assert [row["session_id"] for row in rows("session")] == [1]
    assert [row["session_id"] for row in rows("turn")] == [1]


def test_ids_given_anew_after_a_restored_backup_replace_the_old_rows(
    tracker: Any, ingest: Any, rows: Any, make: Any
) -> None:
    tracker.add(*conversation(make, "a", 2), *conversation(make, "b", 2))
    ingest.poll(GO)
    tracker.run("DELETE FROM events WHERE id > 7")
    ingest.poll(GO)
    tracker.add(*conversation(make, "c", 3, at=T + 1000), first_id=8)
    ingest.poll(GO)
    assert ledger(rows) == tracker.ids()
    owners = {row["event_id"]: row["person_id"] for row in rows("event")}
    assert len({owners[number] for number in range(8, 17)}) == 1
    assert owners[1] != owners[8]


CORRUPT: list[tuple[Any, Any, Any, Any, str]] = [
    ("s", "user", T, None, "data is empty"),
    ("s", "user", T, "{", "data is not JSON"),
    ("s", "user", T, "[1]", "data is not a JSON object"),
    ("s", "user", T, b"\xff\xfe{}", "data is not a text"),
    ("s", "user", T, "[" * 100_000, "data is nested too deeply"),
    ("s", "user", T, '{"event": "bot", "timestamp": 1.0}', "data.event is not type_name"),
    ("s", "user", None, '{"event": "user"}', "timestamp is not a number"),
    ("s", "user", "soon", '{"event": "user", "timestamp": NaN}', "timestamp is not a number"),
    ("s", "user", 1e300, '{"event": "user"}', "timestamp is outside the years 1970 to 9999"),
    ("s", "a type", T, '{"event": "a type"}', "type_name is not a name"),
    ("s", None, T, "{}", "type_name is not a name"),
    (None, "user", T, '{"event": "user"}', "sender_id is not a text"),
    ("", "user", T, '{"event": "user"}', "sender_id is not a text"),
    (b"\x00\xff", "user", T, '{"event": "user"}', "sender_id is not a text"),
]


@pytest.mark.parametrize(("sender", "kind", "at", "data", "reason"), CORRUPT)
def test_corrupt_rows_are_put_aside_and_stop_nothing(
    tracker: Any, ingest: Any, rows: Any, make: Any, sender: Any, kind: Any, at: Any, data: Any,
    reason: str,
) -> None:  # fmt: skip
    tracker.add(("s", make.user(T)))
    tracker.add_raw(sender, kind, at, data)
    tracker.add(("s", make.bot(T + 1)))
    ingest.poll(GO)
    assert ledger(rows) == [1, 3]
    aside = rows("bad_event")
    assert [(row["row_id"], row["reason"], row["dropped"]) for row in aside] == [(2, reason, 1)]
    assert ingest.poll(GO) == 0
    assert len(rows("bad_event")) == 1


def test_text_that_is_no_utf8_is_put_aside_or_read_without_stopping(
    tracker: Any, ingest: Any, rows: Any, make: Any
) -> None:
    tracker.add_raw("s", "user", T, "{}")
    tracker.run("UPDATE events SET data = CAST(X'FFFE7B' AS TEXT), sender_id=CAST(X'FF' AS TEXT)")
    tracker.add(("s", make.user(T)))
    ingest.poll(GO)
    assert [row["row_id"] for row in rows("bad_event")] == [1]
    assert ledger(rows) == [2]


def test_a_row_the_database_refuses_is_put_aside_alone(
    tracker: Any, ingest: Any, rows: Any, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker.add(*conversation(make, "s", 4))
    project = ingest._events._projection.project

    def refuse_six(person_id: str, event: Any, position: Any) -> Any:
        done = project(person_id, event, position)
        if event.event_id == 6:
            done.rows[-1][1]["at"] = {"no": "number"}
        return done

    monkeypatch.setattr(ingest._events._projection, "project", refuse_six)
    assert ingest.poll(GO) == 11
    assert ledger(rows) == [1, 2, 3, 4, 5, 7, 8, 9, 10, 11]
    assert [row["row_id"] for row in rows("bad_event")] == [6]


def test_a_defect_of_the_projection_puts_one_event_aside(
    tracker: Any, ingest: Any, rows: Any, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise KeyError("broken")

    monkeypatch.setattr(ingest._events._projection, "_bot", fail)
    tracker.add(*conversation(make, "s", 1))
    ingest.poll(GO)
    assert [row["reason"] for row in rows("bad_event")] == ["projection failed: KeyError"]
    assert ledger(rows) == [1, 2, 3, 4]


def test_nothing_is_left_of_a_page_that_failed(
    tracker: Any, ingest: Any, rows: Any, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker.add(*conversation(make, "s", 3))

    def fail(*_: object) -> None:
        raise OSError("gone")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="gone"):
        patch.setattr(event_ingest, "set_watermark", fail)
        ingest.poll(GO)
    assert rows("event") == rows("person") == []
    assert ingest.poll(GO) == 9


def test_the_tracker_store_cannot_be_written_through_ingest(tracker: Any, ingest: Any) -> None:
    engine = read_only_engine(ingest.tracker._url)
    with engine.connect() as connection, pytest.raises(sa.exc.OperationalError):
        connection.execute(sa.text("DELETE FROM events"))


def test_ingest_leaves_the_tracker_store_as_it_is(tracker: Any, ingest: Any, make: Any) -> None:
    tracker.add(*conversation(make, "s", 3))
    before = tracker.run("SELECT * FROM events"), tracker.run("SELECT * FROM sqlite_master")
    ingest.poll(GO)
    after = tracker.run("SELECT * FROM events"), tracker.run("SELECT * FROM sqlite_master")
    assert before == after


def test_a_tracker_file_put_in_the_place_of_another_is_noticed(
    tracker: Any, ingest: Any, rows: Any, make: Any, tracker_file: Any, tmp_path: Any
) -> None:
    tracker.add(*conversation(make, "a", 1))
    ingest.poll(GO)
    other = tracker_file(tmp_path / "other.db")
    other.add(*conversation(make, "a", 4, at=T + 500))
    other.run("PRAGMA wal_checkpoint(TRUNCATE)")
    for suffix in ("-wal", "-shm"):
        (tracker.path.parent / (tracker.path.name + suffix)).unlink(missing_ok=True)
    os.replace(other.path, tracker.path)
    ingest.poll(GO)
    assert len(ledger(rows)) == 11


def test_a_locked_store_is_tried_again(tracker: Any, ingest: Any, rows: Any, make: Any) -> None:
    tracker.add(*conversation(make, "s", 1))
    stop = threading.Event()
    blocker = sqlite3.connect(ingest.store.url.database, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    worker = threading.Thread(target=ingest.run, args=(stop,))
    worker.start()
    time.sleep(2.6)
    assert rows("event") == []
    blocker.execute("ROLLBACK")
    blocker.close()
    deadline = time.monotonic() + 10
    while len(rows("event")) < 5 and time.monotonic() < deadline:
        time.sleep(0.05)
    stop.set()
    worker.join(5)
    assert ledger(rows) == tracker.ids()


def test_a_store_of_another_key_or_version_is_refused(
    var: Any, ingest: Any, settings_for: Any
) -> None:
    store = Store(settings_for(var).store_url)
    with pytest.raises(StoreError, match="^STILLPOINT_PSEUDONYM_KEY"):
        store.prepare("another key")
    with store.writing("tracker") as (connection, _):
        connection.execute(sa.text("UPDATE store_info SET value='0' WHERE name='schema_version'"))
    with pytest.raises(StoreError, match="^ANALYTICS_DB_URL"):
        store.require()
    store.close()


def test_names_that_are_sentences_are_not_stored(
    tracker: Any, ingest: Any, rows: Any, make: Any
) -> None:
    sentence = "I want to disappear"
    tracker.add(
        ("s", make.user(T, intent={"name": sentence, "confidence": 1.0})),
        ("s", make.slot(T, "risk_level", sentence)),
        ("s", make.slot(T, "referral_cost", sentence)),
        ("s", make.slot(T, sentence, 1)),
        ("s", make.bot(T, source=sentence)),
    )
    ingest.poll(GO)
    assert rows("user_message")[0]["intent"] == "(not a name)"
    assert [row["value"] for row in rows("slot")] == [None, None, "1"]
    stored = "".join(str(rows(table)) for table in ("event", "slot", "bot_message", "bad_event"))
    assert sentence not in stored
