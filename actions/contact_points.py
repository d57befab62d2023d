"""The contact points of data/helplines.yml and data/partners.yml, and which to offer.

It does not know whether a service is open or has room now; the files' dates say when a person
last checked them.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from actions.errors import DataFileError

MOST_OFFERED = 3
_KIND_ORDER = {"public": 0, "charity": 1, "directory": 2}
_COST_WORDS = {"free": "free", "low": "low cost"}
_COST_ORDER = {"free": 0, "low": 1, "any": 2}


@dataclass(frozen=True)
class ContactPoint:
    """One place to turn to, in words that can be shown.

    Attributes:
        name: what it is called.
        reach: how to reach it, such as "call 123" or a web address.
        note: hours or cost, "" if unknown.
        last_verified: when a person last checked it; None if the file does not say.
    """

    name: str
    reach: str
    note: str
    last_verified: datetime.date | None


class ContactPoints:
    """Reads both files anew when one has changed on disk."""

    def __init__(self, folder: Path) -> None:
        self._helplines = folder / "helplines.yml"
        self._partners = folder / "partners.yml"
        self._stamp: tuple[int, int] | None = None
        self._content: tuple[Mapping[Any, Any], Mapping[Any, Any]] = ({}, {})

    def offer(self, country: str | None, cost: str | None) -> list[ContactPoint]:
        """At most three contact points, the most fitting first.

        Args:
            country: ISO 3166 alpha-2, or None when it is not known.
            cost: "free" for free ones only; anything else for all.

        Raises:
            DataFileError: a file is missing or cannot be read.
        """
        helplines, partners = self._read()
        code = (country or "").strip().upper()
        chosen = _lines(helplines, code)[:1]
        chosen += _partners(partners, code, free_only=cost == "free")
        if len(chosen) < MOST_OFFERED:
            chosen += _international(helplines)
        unique = {point.name: point for point in reversed(chosen)}
        return [point for point in chosen if unique.pop(point.name, None)][:MOST_OFFERED]

    def emergency_number(self, country: str | None) -> str | None:
        """The country's emergency number, None if it is not listed.

        Raises:
            DataFileError: a file is missing or cannot be read.
        """
        helplines, _ = self._read()
        number = _country(helplines, (country or "").strip().upper()).get("emergency")
        return str(number) if number else None

    def _read(self) -> tuple[Mapping[Any, Any], Mapping[Any, Any]]:
        files = (self._helplines, self._partners)
        try:
            stamp = (files[0].stat().st_mtime_ns, files[1].stat().st_mtime_ns)
            if stamp != self._stamp:
                self._content = (_mapping(files[0]), _mapping(files[1]))
                self._stamp = stamp
        except OSError as error:
            raise DataFileError(f"{error.filename}: {error.strerror}") from None
        return self._content


def _mapping(file: Path) -> Mapping[Any, Any]:
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise DataFileError(f"{file}: cannot be read ({type(error).__name__})") from None
    if not isinstance(content, Mapping):
        raise DataFileError(f"{file}: is not a mapping")
    return content


def _lines(helplines: Mapping[Any, Any], code: str) -> list[ContactPoint]:
    lines = _as_list(_country(helplines, code).get("lines"))
    return [point for line in lines if (point := _line(line))]


def _country(helplines: Mapping[Any, Any], code: str) -> Mapping[Any, Any]:
    """The country's entry; YAML reads an unquoted NO (Norway) as false."""
    countries = _as_mapping(helplines.get("countries"))
    return _as_mapping(countries.get(code, countries.get(False) if code == "NO" else None))


def _line(line: Any) -> ContactPoint | None:
    line = _as_mapping(line)
    ways = [
        f"{verb} {line[key]}"
        for key, verb in (("call", "call"), ("text", "text"), ("chat", "chat at"))
        if line.get(key)
    ]
    return _point(line, " or ".join(ways[:2]), str(line.get("hours") or ""))


def _partners(partners: Mapping[Any, Any], code: str, *, free_only: bool) -> list[ContactPoint]:
    fitting = []
    for partner in map(_as_mapping, _as_list(partners.get("partners"))):
        countries = ["NO" if c is False else str(c) for c in _as_list(partner.get("countries"))]
        cost = str(partner.get("cost"))
        if (code in countries or "any" in countries) and (cost == "free" or not free_only):
            is_near = 0 if code in countries else 1
            kind = str(partner.get("kind"))
            order = (is_near, _COST_ORDER.get(cost, 9), _KIND_ORDER.get(kind, 9))
            fitting.append((order, partner, cost))
    fitting.sort(key=lambda item: item[0])
    points = []
    for _, partner, cost in fitting:
        reach = str(partner.get("url") or partner.get("how") or "")
        notes = (str(partner.get("region") or ""), _COST_WORDS.get(cost, ""))
        note = ", ".join(filter(None, notes))
        if point := _point(partner, reach, note):
            points.append(point)
    return points


def _international(helplines: Mapping[Any, Any]) -> list[ContactPoint]:
    entries = map(_as_mapping, _as_list(helplines.get("international")))
    return [point for entry in entries if (point := _point(entry, str(entry.get("url") or ""), ""))]


def _point(entry: Mapping[Any, Any], reach: str, note: str) -> ContactPoint | None:
    name = entry.get("name")
    if not isinstance(name, str) or not name.strip() or not reach:
        return None
    return ContactPoint(name.strip(), reach, note, _date(entry.get("last_verified")))


def _date(value: Any) -> datetime.date | None:
    if isinstance(value, datetime.date):
        return value
    try:
        return datetime.date.fromisoformat(str(value))
    except ValueError:
        return None


def _as_mapping(value: Any) -> Mapping[Any, Any]:
    return value if isinstance(value, Mapping) else {}


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
