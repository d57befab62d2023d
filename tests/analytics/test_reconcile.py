"""``reconcile`` sees every way in which the stores can differ."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
import sqlalchemy as sa

GO = threading.Event()
T = 1_790_000_000.0

DAMAGE = [
    ("DELETE FROM event WHERE event_id = 5", "missing", "event"),
    ("DELETE FROM risk_event", "missing", "risk_event"),
    ("UPDATE user_message SET intent = 'other' WHERE event_id = 4", "different", "user_message"),
    ("UPDATE turn SET session_id = 99", "different", "turn"),
    ("UPDATE latency SET total_ms = 1 WHERE total_ms IS NOT NULL", "different", "latency"),
    ("DELETE FROM bad_event WHERE person_id IS NULL", "missing", "bad_event"),
    ("DELETE FROM bad_event WHERE person_id IS NOT NULL", "missing", "bad_event"),
]


@pytest.fixture
def ingested(tracker: Any, ingest: Any, golden: Any) -> Any:
    tracker.add(*golden)
    tracker.add_raw("web-x", "user", T, "{")
    tracker.add_raw(None, "user", T, "{}")
    ingest.poll(GO)
    return ingest


def test_equal_stores(ingested: Any, command: Any, golden: Any) -> None:
    done = command("reconcile")
    assert done.returncode == 0
    assert done.stdout == (
        f"tracker store    {len(golden) + 2} events\n"
        f"analytics store  {len(golden)} events, 2 put aside\n"
        "on their way     0\n"
        "differences      0\n"
    )


@pytest.mark.parametrize(("statement", "kind", "table"), DAMAGE)
def test_damage_is_seen(ingested: Any, command: Any, statement: str, kind: str, table: str) -> None:
    with ingested.store.writing("tracker") as (connection, _):
        assert connection.execute(sa.text(statement)).rowcount >= 1
    done = command("reconcile")
    assert done.returncode == 1
    told = [line.split() for line in done.stdout.splitlines() if line.startswith(kind)]
    assert table in {line[2] for line in told}


def test_people_and_rows_that_the_tracker_store_does_not_have(
    ingested: Any, command: Any, tracker: Any
) -> None:
    tracker.run("DELETE FROM events WHERE sender_id LIKE 'partner/%'")
    done = command("reconcile")
    assert done.returncode == 1
    assert {line.split()[0] for line in done.stdout.splitlines()[4:]} <= {"extra", "and"}


def test_what_is_on_its_way_is_no_difference(
    ingested: Any, command: Any, tracker: Any, make: Any
) -> None:
    tracker.add(("web-new", make.user(time.time())))
    done = command("reconcile")
    assert done.returncode == 0
    assert "on their way     1\n" in done.stdout


def test_what_should_long_have_arrived_is_a_difference(
    ingested: Any, command: Any, tracker: Any, make: Any
) -> None:
    tracker.add(("web-new", make.user(time.time() - 60)))
    done = command("reconcile")
    assert done.returncode == 1
    assert "missing" in done.stdout


def test_without_a_store_or_tracker_store(command: Any, var: Any, tracker: Any) -> None:
    done = command("reconcile")
    assert done.returncode == 2
    assert done.stderr == (
        "analytics: there is no analytics store yet: run python -m analytics ingest\n"
    )
