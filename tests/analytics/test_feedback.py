"""The page's feedback as reply ratings."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from typing import Any

import pytest

from analytics.ingest import Ingest

GO = threading.Event()
T = 1_790_000_000.0
SCHEMA = """
CREATE TABLE feedback (
    id INTEGER PRIMARY KEY AUTOINCREMENT, sender_id TEXT, message_id TEXT,
    helpful INTEGER, comment TEXT, created_at REAL, UNIQUE (sender_id, message_id)
)
"""


@pytest.fixture
def feedback(var: Any, tracker: Any) -> Any:
    def run(statement: str, values: tuple[Any, ...] = ()) -> None:
        with closing(sqlite3.connect(var / "feedback.db")) as connection, connection:
            connection.execute(statement, values)

    run(SCHEMA)
    return run


INSERT = (
    "INSERT INTO feedback (sender_id, message_id, helpful, comment, created_at)"
    " VALUES (?, ?, ?, ?, ?)"
)


def test_ratings_are_taken_once_and_a_changed_mind_replaces(
    ingest: Any, feedback: Any, rows: Any, tracker: Any, make: Any, var: Any
) -> None:
    tracker.add(("s", make.user(T)))
    feedback(INSERT, ("s", "m1", 1, "my sister said so", T))
    feedback(INSERT, ("s", "m2", 0, None, T + 1))
    ingest.poll(GO)
    ingest.poll(GO)
    assert [(r["message_id"], r["helpful"]) for r in rows("reply_rating")] == [("m1", 1), ("m2", 0)]
    assert all(row["comment"] is None for row in rows("reply_rating"))
    feedback("UPDATE feedback SET helpful = 0 WHERE message_id = 'm1'")
    ingest.poll(GO)
    assert [row["helpful"] for row in rows("reply_rating")] == [0, 0]
    person = rows("person")[0]["person_id"]
    assert "0 helped, 2 did not" in (var / "people" / f"{person}.txt").read_text()


def test_a_mind_changed_while_ingest_was_down(
    ingest: Any, feedback: Any, rows: Any, var: Any, settings_for: Any
) -> None:
    feedback(INSERT, ("s", "m1", 1, None, T))
    ingest.poll(GO)
    feedback("UPDATE feedback SET helpful = 0")
    again = Ingest(settings_for(var))
    again.poll(GO)
    again.close()
    assert [row["helpful"] for row in rows("reply_rating")] == [0]


def test_comments_are_kept_only_when_asked_for(
    var: Any, feedback: Any, rows: Any, settings_for: Any
) -> None:
    feedback(INSERT, ("s", "m1", 1, "thank you", T))
    service = Ingest(settings_for(var, analytics_store_text=True))
    service.prepare()
    service.poll(GO)
    service.close()
    assert rows("reply_rating")[0]["comment"] == "thank you"


def test_bad_feedback_is_put_aside(ingest: Any, feedback: Any, rows: Any) -> None:
    feedback(INSERT, ("s", "not an id at all", 1, None, T))
    feedback(INSERT, ("s", "m2", 7, None, T))
    feedback(INSERT, (None, "m3", 1, None, T))
    feedback(INSERT, ("s", "m4", 1, None, "yesterday"))
    feedback(INSERT, ("s", "m5", 1, None, T))
    ingest.poll(GO)
    ingest.poll(GO)
    assert [(row["source"], row["row_id"], row["reason"]) for row in rows("bad_event")] == [
        ("feedback", 1, "message_id is not a name"),
        ("feedback", 2, "helpful is not true or false"),
        ("feedback", 3, "sender_id is not a text"),
        ("feedback", 4, "created_at is not a number"),
    ]
    assert [row["message_id"] for row in rows("reply_rating")] == ["m5"]
