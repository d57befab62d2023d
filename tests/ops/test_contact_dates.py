"""Old contact points are a warning of `make doctor`, never a failure."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
import yaml

from ops import checks, contact_dates, places

ROOT = Path(__file__).resolve().parents[2]
FILES = [ROOT / "data" / "helplines.yml", ROOT / "data" / "partners.yml"]
TODAY = datetime.date(2026, 1, 1)


def test_reads_the_same_dates_as_a_yaml_parser() -> None:
    helplines, partners = (yaml.safe_load(path.read_text(encoding="utf-8")) for path in FILES)
    expected = [
        (f"{code}: {line['name']}", line["last_verified"])
        for code, country in helplines["countries"].items()
        for line in country["lines"]
    ]
    expected += [(entry["name"], entry["last_verified"]) for entry in helplines["international"]]
    expected += [(entry["name"], entry["last_verified"]) for entry in partners["partners"]]
    found = [entry for path in FILES for entry in contact_dates.entries(path.read_text("utf-8"))]
    assert [(entry.name, entry.last_verified) for entry in found] == expected


def test_names_the_oldest(tmp_path: Path) -> None:
    path = tmp_path / "helplines.yml"
    path.write_text(
        "countries:\n"
        '  "NO":\n    name: Norway\n    lines:\n'
        "      - name: Old\n        last_verified: 2019-01-01\n"
        '      - name: "Young"\n        last_verified: 2025-12-01\n'
        "international:\n  - name: Older\n    last_verified: 2018-01-01\n",
        encoding="utf-8",
    )
    old, total = contact_dates.old_entries([path], TODAY)
    assert [entry.name for entry in old] == ["Older", "NO: Old"]
    line = contact_dates.summary(old, total)
    assert line.startswith("2 of 3 entries have sources older than 18 months; oldest: Older (2018")


@pytest.mark.parametrize("content", ["  - name: A\n    last_verified: 2019-01-01\n", None, "\xff"])
def test_the_doctor_warns_and_does_not_fail(
    content: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "data").mkdir()
    for name in ("helplines.yml", "partners.yml"):
        if content is not None:
            (tmp_path / "data" / name).write_bytes(content.encode("latin-1"))
    monkeypatch.setattr(places, "ROOT", tmp_path)
    only = [checks.Check("helplines", checks.contact_points)]
    monkeypatch.setattr(checks, "all_checks", lambda: only)
    assert checks.doctor() == 0
    assert "warn  helplines: " in capsys.readouterr().out


def test_young_entries_are_fine(tmp_path: Path) -> None:
    assert contact_dates.summary([], 7) == "7 entries, every source younger than 18 months"
