"""The safety messages: format, vocabulary, uniqueness, and nothing of a frozen test in training."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

SAFETY = Path(__file__).resolve().parents[2] / "data" / "safety"
LEVELS = ["none", "low", "moderate", "high", "imminent"]
KINDS = ["none", "self_harm", "harm_to_others", "abuse", "medical", "psychosis", "eating"]
CATEGORIES = [
    None, "jailbreak", "harmful_request", "illegal", "sexual", "diagnosis_or_dosage",
    "general_assistant", "abuse",
]  # fmt: skip
FROZEN = ["test", "test_second", "misuse_test"]


def rows(folder: str) -> list[dict[str, Any]]:
    return [
        {**json.loads(line), "file": path.stem}
        for path in sorted((SAFETY / folder).glob("*.jsonl"))
        if path.stem != "conversations"
        for line in path.read_text(encoding="utf-8").splitlines()
    ]


def plain(text: str) -> str:
    return re.sub(r"\W+", " ", text.lower()).strip() or text


@pytest.mark.parametrize("folder", ["train", "test", "test_second"])
def test_risk_messages_have_the_written_form(folder: str) -> None:
    for row in rows(folder):
        where = f"{row['file']}: {row['text'][:40]!r}"
        assert row["text"].strip(), where
        assert row["level"] in LEVELS, where
        assert row["kind"] in KINDS, where
        assert row["about"] in ("self", "other"), where
        assert (row["kind"] == "none") == (row["level"] == "none"), where
        assert row["family"] == row["file"], where
        assert row["tags"], where


@pytest.mark.parametrize("folder", ["misuse_train", "misuse_test"])
def test_misuse_messages_have_the_written_form(folder: str) -> None:
    for row in rows(folder):
        assert row["text"].strip(), row
        assert row["family"], row
        assert row["category"] in CATEGORIES, row["category"]


@pytest.mark.parametrize("folder", ["train", "misuse_train"])
def test_no_training_message_occurs_twice(folder: str) -> None:
    texts = [plain(row["text"]) for row in rows(folder)]
    assert len(texts) == len(set(texts))


def test_there_are_enough_messages_of_every_level() -> None:
    found = rows("train")
    assert len(found) >= 2500
    for level in LEVELS:
        assert sum(row["level"] == level for row in found) >= 400, level
    assert {row["kind"] for row in found} == set(KINDS)


@pytest.mark.parametrize("folder", FROZEN)
def test_frozen_files_are_the_hashed_ones(folder: str) -> None:
    listed = {}
    for line in (SAFETY / folder / "SHA256SUMS").read_text(encoding="utf-8").splitlines():
        digest, name = line.split(maxsplit=1)
        listed[name.strip().lstrip("*")] = digest
    present = {path.name for path in (SAFETY / folder).glob("*.jsonl")}
    assert present == {name for name in listed if name.endswith(".jsonl")}
    for name, digest in listed.items():
        assert hashlib.sha256((SAFETY / folder / name).read_bytes()).hexdigest() == digest, name


def test_licensed_labels_hold_ids_and_labels_only() -> None:
    with open(SAFETY / "licensed_labels.csv", encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        assert reader.fieldnames == ["source", "id", "level", "kind", "about"]
        seen = set()
        for row in reader:
            assert row["source"] in ("counsel_chat", "goemotions")
            assert row["level"] in LEVELS
            assert row["kind"] in KINDS
            assert (row["source"], row["id"]) not in seen
            seen.add((row["source"], row["id"]))


def test_the_readme_counts_the_training_messages() -> None:
    readme = (SAFETY / "README.md").read_text(encoding="utf-8")
    found = rows("train")
    counted = {
        match[1]: int(match[2]) for match in re.finditer(r"^\| `(\w+)` \| (\d+) \|", readme, re.M)
    }
    families = {row["family"] for row in found}
    assert {name: sum(row["family"] == name for row in found) for name in families} == counted
