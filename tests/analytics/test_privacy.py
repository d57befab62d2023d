"""No words and no sender ids leave the tracker store unless they are asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

SECRET = "my uncle at the harbour"
SENDER = "web-cafe0000deadbeef"


@pytest.fixture
def told(tracker: Any, make: Any) -> None:
    at = 1_790_000_000.0
    entity = {"entity": "place", "value": SECRET}
    user = make.user(at, SECRET, entities=[entity])
    tracker.add(
        *((SENDER, event) for event in make.session(at)),
        (SENDER, {**user, "metadata": {"note": SECRET}}),
        (SENDER, make.bot(at, f"you said: {SECRET}", source="llm", note=SECRET)),
        (SENDER, make.slot(at, "referral_cost", SECRET)),
        (SENDER, make.slot(at, "notes", [SECRET])),
    )
    tracker.add_raw(SENDER, "user", at, f"{{broken {SECRET}")
    tracker.add_raw(SENDER, SECRET, at, "{}")


def everything_written(var: Path, tracker: Any) -> bytes:
    files = [path for path in var.rglob("*") if path.is_file()]
    own = [path for path in files if not path.name.startswith(tracker.path.name)]
    assert any(path.name == "analytics.db" for path in own)
    assert any(path.suffix == ".txt" for path in own)
    return b"".join(path.read_bytes() for path in own)


def test_neither_words_nor_senders_are_stored_or_logged(
    told: None, command: Any, var: Path, tracker: Any
) -> None:
    done = command("ingest", "--once", ANALYTICS_LOG_LEVEL="DEBUG")
    assert done.returncode == 0
    assert "bad_event" in done.stderr
    written = everything_written(var, tracker) + (done.stderr + done.stdout).encode()
    for word in (SECRET, "harbour", SENDER):
        assert word.encode() not in written


def test_words_are_stored_when_asked_for(told: None, command: Any, tracker: Any, rows: Any) -> None:
    assert command("ingest", "--once", ANALYTICS_STORE_TEXT="1").returncode == 0
    assert rows("user_message")[0]["text"] == SECRET
    assert rows("bot_message")[0]["text"] == f"you said: {SECRET}"
    assert [row["value_kept"] for row in rows("slot")] == [1, 1]


def test_a_way_to_reach_somebody_is_never_copied(
    tracker: Any, make: Any, command: Any, rows: Any
) -> None:
    tracker.add((SENDER, make.slot(1_790_000_000.0, "handoff_contact", SECRET)))
    settings = {"ANALYTICS_STORE_TEXT": "1", "ANALYTICS_SLOT_VALUES": "handoff_contact"}
    assert command("ingest", "--once", **settings).returncode == 0
    assert [(row["value"], row["value_kept"]) for row in rows("slot")] == [(None, 0)]


def test_text_that_databases_refuse_is_made_storable(
    tracker: Any, make: Any, command: Any, rows: Any
) -> None:
    tracker.add((SENDER, make.user(1_790_000_000.0, "a\x00b\ud800c")))
    assert command("ingest", "--once", ANALYTICS_STORE_TEXT="1").returncode == 0
    assert rows("user_message")[0]["text"] == "ab?c"


def test_what_is_written_is_for_its_owner_only(told: None, command: Any, var: Path) -> None:
    command("ingest", "--once")
    for path in [*var.rglob("analytics.db*"), *var.rglob("*.txt"), *var.rglob("*.heartbeat")]:
        assert path.stat().st_mode & 0o077 == 0, path
