"""People in figures: text files, the command's formats, and frames."""

from __future__ import annotations

import csv
import io
import json
import re
import stat
import threading
from typing import Any

import pandas as pd
import pytest

from analytics import frames
from analytics.models import Base
from analytics.people_files import replace_file

GO = threading.Event()
T = 1_790_000_000.0


@pytest.fixture
def ingested(tracker: Any, ingest: Any, golden: Any) -> Any:
    tracker.add(*golden)
    ingest.poll(GO)
    return ingest


def test_file_of_a_person(ingested: Any, var: Any) -> None:
    person = ingested._pseudonyms.of("web-6f0d2c1b9e8a47f0b3c5d7e9f1a2b4c6")
    path = var / "people" / f"{person}.txt"
    assert path.read_text() == (
        f"Person {person}\n"
        "Figures from conversations with Stillpoint. Not a diagnosis.\n"
        "\n"
        "sessions             2\n"
        "messages             6\n"
        "last contact         2026-09-21 16:43:20 UTC\n"
        "risk events          2 (moderate or above)\n"
        "last risk event      2026-09-21 14:17:10 UTC (high)\n"
        "conversation level   low\n"
        "replies              6\n"
        "  from the LLM       17 %\n"
        "  from the bank      17 %\n"
        "  scripted           67 %\n"
        "ratings              0 helped, 0 did not\n"
    )
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_one_file_a_person_and_no_drafts_left(ingested: Any, var: Any) -> None:
    names = sorted(path.name for path in (var / "people").iterdir())
    assert names[0] == ".lock"
    assert len(names) == 3
    assert all(re.fullmatch(r"p-[0-9a-f]{12}\.txt", name) for name in names[1:])


def test_a_file_is_rewritten_only_when_its_figures_changed(
    ingested: Any, var: Any, tracker: Any, make: Any
) -> None:
    before = {path: path.stat().st_ino for path in (var / "people").glob("*.txt")}
    tracker.add(("partner/acme/u-17", make.user(T + 400)))
    ingested.poll(GO)
    after = {path: path.stat().st_ino for path in (var / "people").glob("*.txt")}
    assert sum(before[path] != after[path] for path in before) == 1


def test_files_not_written_before_a_crash_are_written_afterwards(
    tracker: Any, ingest: Any, golden: Any, var: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker.add(*golden)

    def crash(*_: object) -> int:
        raise OSError("full")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="full"):
        patch.setattr(ingest._files, "write_changed", crash)
        ingest.poll(GO)
    assert not list(var.glob("people/*.txt"))
    ingest.poll(GO)
    assert len(list(var.glob("people/*.txt"))) == 2


def test_a_reader_never_sees_half_a_file(tmp_path: Any) -> None:
    path = tmp_path / "p.txt"
    whole = {letter * 200_000 for letter in "ab"}
    replace_file(path, "a" * 200_000)
    done = threading.Event()
    seen: set[str] = set()

    def read() -> None:
        while not done.is_set():
            seen.add(path.read_text())

    reader = threading.Thread(target=read)
    reader.start()
    for turn in range(200):
        replace_file(path, "ab"[turn % 2] * 200_000)
    done.set()
    reader.join()
    assert seen <= whole
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_write_leaves_the_old_file(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "p.txt"
    replace_file(path, "old")

    def fail(*_: object) -> None:
        raise OSError("no space")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="no space"):
        patch.setattr("os.replace", fail)
        replace_file(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


COLUMNS = [
    "person",
    "sessions",
    "messages",
    "last_contact",
    "risk_events",
    "last_risk_level",
    "conversation_level",
    "replies",
    "llm_share",
    "reply_bank_share",
    "scripted_share",
    "helped",
    "not_helped",
]


def test_people_as_csv(ingested: Any, command: Any) -> None:
    done = command("people", "--format", "csv")
    assert done.returncode == 0
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert list(rows[0]) == COLUMNS
    assert [row["messages"] for row in rows] == ["6", "3"]
    assert rows[0]["last_contact"] == "2026-09-21T16:43:20Z"
    assert float(rows[0]["llm_share"]) == pytest.approx(1 / 6)


def test_people_as_json(ingested: Any, command: Any) -> None:
    done = command("people", "--format", "json")
    rows = json.loads(done.stdout)
    assert list(rows[0]) == COLUMNS
    assert [row["risk_events"] for row in rows] == [2, 0]
    assert rows[0]["last_contact"] == "2026-09-21T16:43:20Z"
    assert rows[1]["last_risk_level"] is None


def test_people_as_table(ingested: Any, command: Any) -> None:
    lines = command("people").stdout.splitlines()
    assert lines[0].split() == COLUMNS
    assert len(lines) == 3


@pytest.mark.parametrize(
    ("output_format", "expected"),
    [("csv", ",".join(COLUMNS) + "\n"), ("json", "[]\n"), ("table", "nobody yet\n")],
)
def test_people_before_there_is_anything(
    command: Any, var: Any, output_format: str, expected: str
) -> None:
    done = command("people", "--format", output_format)
    assert (done.returncode, done.stdout) == (0, expected)
    assert done.stderr.count("\n") == 1
    assert not (var / "analytics.db").exists()


def test_frames_are_typed(ingested: Any) -> None:
    people = frames.people(ingested.store)
    assert {str(name): str(kind) for name, kind in people.dtypes.items()} == frames.PEOPLE_COLUMNS
    messages = frames.load("bot_message", ingested.store)
    assert str(messages["at"].dtype).startswith("datetime64")
    assert messages["at"].dt.tz is not None
    assert messages["cancelled"].dtype == "boolean"
    assert messages["turn_id"].dtype == "Int64"
    assert messages["source"].value_counts()["llm"] == 1
    for table in Base.metadata.tables:
        frame = frames.load(table, ingested.store)
        assert isinstance(frame, pd.DataFrame)
        assert list(frame) == [column.name for column in Base.metadata.tables[table].columns]
    with pytest.raises(KeyError):
        frames.load("secrets", ingested.store)


def test_frames_of_an_empty_store_are_typed(ingest: Any) -> None:
    people = frames.people(ingest.store)
    assert people.empty
    assert {str(name): str(kind) for name, kind in people.dtypes.items()} == frames.PEOPLE_COLUMNS
    assert str(frames.load("turn", ingest.store)["started_at"].dtype).endswith("UTC]")
