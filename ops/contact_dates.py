"""How old the contact points of data/helplines.yml and data/partners.yml are.

Standard library only, so the two files are read by line and not as YAML: an entry begins at its
`name:` (or `id:`) and ends at its `last_verified:`, the date of its source. Their form is checked
by tests/data; here nothing is judged but age.
"""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass
from pathlib import Path

OLD_AFTER = datetime.timedelta(days=548)  # 18 months, as in tests/data/test_contacts.py
SHOWN = 3

_COUNTRY = re.compile(r'^  "?([A-Z]{2})"?:\s*$')
_SECTION = re.compile(r"^([a-z_]+):")
_NAME = re.compile(r"^\s+(?:- )?(?:name|id):\s*(.+?)\s*$")
_DATE = re.compile(r"^\s+last_verified:\s*(\d{4}-\d{2}-\d{2})\s*$")


@dataclass(frozen=True)
class Entry:
    """A contact point: `name` with its country, and the date of its source."""

    name: str
    last_verified: datetime.date


def entries(text: str) -> list[Entry]:
    """Every dated entry of one of the two files, in its order."""
    found: list[Entry] = []
    country = name = ""
    for line in text.splitlines():
        if _SECTION.match(line):
            country = ""
        elif match := _COUNTRY.match(line):
            country = match[1]
        elif match := _DATE.match(line):
            label = f"{country}: {name}" if country else name
            found.append(Entry(label, datetime.date.fromisoformat(match[1])))
        elif match := _NAME.match(line):
            name = match[1].strip("\"'")
    return found


def old_entries(paths: list[Path], today: datetime.date) -> tuple[list[Entry], int]:
    """The entries whose source is older than `OLD_AFTER`, oldest first, and the number of all.

    Raises:
        OSError: a file cannot be read. ValueError: a date is no date.
    """
    everything = [entry for path in paths for entry in entries(path.read_text(encoding="utf-8"))]
    old = [entry for entry in everything if today - entry.last_verified > OLD_AFTER]
    return sorted(old, key=lambda entry: entry.last_verified), len(everything)


def summary(old: list[Entry], total: int) -> str:
    """One line: how many, and the oldest of them."""
    if not old:
        return f"{total} entries, every source younger than 18 months"
    oldest = ", ".join(f"{entry.name} ({entry.last_verified})" for entry in old[:SHOWN])
    return f"{len(old)} of {total} entries have sources older than 18 months; oldest: {oldest}"
