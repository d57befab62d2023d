"""Phrases about lines and emergency numbers for the scripted replies, by country.

Read from `data/helplines.yml`, whose entries carry a source and a date. Without a known country
the phrases name the lines of several countries and an international directory.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Mapping, Optional

import yaml

HELPLINES_FILE = Path(__file__).resolve().parents[2] / "data" / "helplines.yml"

FALLBACK = {
    "crisis_line": (
        "call or text 988 in the US and Canada, call 116 123 in the UK and Ireland, 14416 in India,"
        " and findahelpline.com has the line for wherever you are"
    ),
    "crisis_line_imperative": (
        "call a crisis line (988 in the US and Canada, 116 123 in the UK and Ireland, 14416 in"
        " India, findahelpline.com anywhere)"
    ),
    "crisis_line_short": (
        "988 in the US and Canada, 116 123 in the UK and Ireland, 14416 in India, findahelpline.com"
    ),
    "crisis_line_any": (
        "988 in the US and Canada, 116 123 in the UK and Ireland, 14416 in India, or find your"
        " country's line at findahelpline.com"
    ),
    "crisis_line_options": "findahelpline.com shows which lines near you have text or chat.",
    "emergency": "your emergency number (911 in North America, 999 in the UK, 112 in most places)",
}


class Contacts:
    """Fills `{crisis_line}`, `{emergency}` and their variants for a country code."""

    def __init__(self, countries: Mapping[str, Mapping[str, Any]]) -> None:
        self._countries = countries

    @classmethod
    def from_file(cls, path: Path = HELPLINES_FILE) -> Contacts:
        """Reads the file.

        Raises:
            FileNotFoundError: no such file. ValueError: the file has no `countries` mapping.
        """
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        countries = content.get("countries") if isinstance(content, dict) else None
        if not isinstance(countries, dict):
            raise ValueError(f"{path}: key 'countries' must be a mapping")
        return cls(countries)

    def phrases(self, country: Optional[str]) -> Dict[str, str]:
        """Placeholder name -> phrase for `country` (ISO 3166 alpha-2) or anywhere."""
        entry = self._countries.get(country or "")
        if not entry or not entry.get("lines"):
            return dict(FALLBACK)
        line = entry["lines"][0]
        ways = [
            f"{verb} {line[key]}"
            for key, verb in (("call", "call"), ("text", "text"))
            if line.get(key)
        ]
        if line.get("call") and line.get("call") == line.get("text"):
            ways = [f"call or text {line['call']}"]
        if not ways:
            return dict(FALLBACK)
        reach = " or ".join(ways)
        hours = str(line.get("hours") or "24/7")
        described = f"{reach}, {line['name']}{'' if hours == '24/7' else ', ' + hours}"
        typed = [ways for ways in map(_ways_to_write, entry["lines"]) if ways]
        return {
            "crisis_line": f"you can {described}, in {_in_country(entry)}",
            "crisis_line_imperative": described,
            "crisis_line_short": described,
            "crisis_line_any": f"you can {described}",
            "crisis_line_options": (
                f"For writing: {'; '.join(typed[:2])}."
                if typed
                else FALLBACK["crisis_line_options"]
            ),
            "emergency": str(entry.get("emergency") or FALLBACK["emergency"]),
        }


def _ways_to_write(line: Mapping[str, Any]) -> str:
    ways = [
        f"{verb} {line[key]}"
        for key, verb in (("text", "text"), ("chat", "chat at"))
        if line.get(key)
    ]
    return f"{line['name']}: {' or '.join(ways)}" if ways else ""


def _in_country(entry: Mapping[str, Any]) -> str:
    name = str(entry.get("name") or "your country")
    definite = ("United ", "Netherlands", "Philippines", "Czech Republic")
    return f"the {name}" if name.startswith(definite) else name
