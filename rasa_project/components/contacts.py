"""Phrases about lines and emergency numbers for the scripted replies, by country.

Read from `data/helplines.yml`, whose entries carry a source and a date. Kinds of phrases:

- `crisis_line` and its variants are parts of a sentence; the `_short` one fits inside another
  sentence and names one number, or one finder where the country is unknown;
- of these, `crisis_line_first` is for the first mention in a conversation and `crisis_line_next`
  for later ones, `crisis_line_ways` also says where one can write; `crisis_line_bare` and
  `emergency_bare` have no words, for other languages;
- `emergency` names the country's number, or several where the country is unknown;
  `emergency_short` then names one;
- `abuse_line`, `poison_line`, `eating_line` and `crisis_line_options` are whole sentences. Where no
  such line is listed they say so, and name the next best thing; they never invent a number.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence

import yaml

HELPLINES_FILE = Path(__file__).resolve().parents[2] / "data" / "helplines.yml"

CRISIS = "crisis"
FINDER = "findahelpline.com"
UNKNOWN_HOURS = "check when you call"
# Topic of a line -> what the replies call such a line.
TOPIC_NAMES = {
    "abuse": "a line for violence at home",
    "poison": "a poison information line",
    "eating": "an eating disorder line",
}

FALLBACK = {
    "crisis_line": (
        "call or text 988 in the US and Canada, call 116 123 in the UK and Ireland, 14416 in India,"
        f" and {FINDER} has the line for wherever you are"
    ),
    "crisis_line_imperative": (
        "call a crisis line (988 in the US and Canada, 116 123 in the UK and Ireland, 14416 in"
        f" India, {FINDER} anywhere)"
    ),
    "crisis_line_short": f"{FINDER}, which has the line for your country",
    "crisis_line_first": (
        "988 in the US and Canada, 116 123 in the UK and Ireland, 14416 in India, otherwise"
        f" {FINDER}"
    ),
    "crisis_line_next": (
        f"{FINDER} shows the one where you are, or tell me your country and I'll name it"
    ),
    "crisis_line_ways": (
        f"{FINDER} shows where you can call, text or chat, or tell me your country and I'll name it"
    ),
    "crisis_line_bare": f"988 US/CA, 116 123 UK/IE, 14416 IN, {FINDER}",
    "crisis_line_any": (
        "988 in the US and Canada, 116 123 in the UK and Ireland, 14416 in India, or find your"
        f" country's line at {FINDER}"
    ),
    "crisis_line_options": f"{FINDER} shows which lines near you have text or chat.",
    "emergency": "your emergency number (911 in North America, 999 in the UK, 112 in most places)",
    "emergency_short": "your emergency number (112 in most places)",
    "emergency_bare": "112 / 911 / 999",
    "abuse_line": (
        "I don't have the number of a line for violence at home where you are;"
        f" {FINDER} can help you find one."
    ),
    "poison_line": (
        "I don't have the number of a poison information line where you are, so the emergency"
        " number is the one to call."
    ),
    "eating_line": (
        "I don't have the number of an eating disorder line where you are;"
        f" {FINDER} can help you find one."
    ),
}


class Contacts:
    """Fills `{crisis_line}`, `{emergency}`, `{abuse_line}` and the others for a country code."""

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
        if not entry:
            return dict(FALLBACK)
        return {**FALLBACK, **_emergency(entry), **_crisis_lines(entry), **_topic_lines(entry)}


def _emergency(entry: Mapping[str, Any]) -> Dict[str, str]:
    number = entry.get("emergency")
    names = ("emergency", "emergency_short", "emergency_bare")
    return dict.fromkeys(names, str(number)) if number else {}


def _crisis_lines(entry: Mapping[str, Any]) -> Dict[str, str]:
    lines = _lines_about(entry, CRISIS)
    described = _described(lines[0]) if lines else ""
    if not described:
        return {}
    typed = [ways for ways in map(_ways_to_write, lines) if ways]
    phrases = {
        "crisis_line": f"you can {described}, in {_in_country(entry)}",
        "crisis_line_imperative": described,
        "crisis_line_short": described,
        "crisis_line_first": described,
        "crisis_line_next": _by_phone(lines[0]),
        "crisis_line_ways": _by_phone_and_in_writing(lines),
        "crisis_line_bare": _bare(lines[0]),
        "crisis_line_any": f"you can {described}",
    }
    if typed:
        phrases["crisis_line_options"] = f"For writing: {'; '.join(typed[:2])}."
    return phrases


def _topic_lines(entry: Mapping[str, Any]) -> Dict[str, str]:
    phrases = {}
    place = _in_country(entry)
    for topic, name in TOPIC_NAMES.items():
        line = next((line for line in _lines_about(entry, topic) if _by_phone(line)), None)
        if line:
            phrases[f"{topic}_line"] = f"{line['name']}: {_by_phone(line)}{_hours(line)}."
        elif topic == "poison":
            number = entry.get("emergency") or "the emergency number"
            phrases[f"{topic}_line"] = (
                f"I don't have the number of {name} in {place}, so {number} is the one to call."
            )
        else:
            phrases[f"{topic}_line"] = (
                f"I don't have the number of {name} in {place}; {FINDER} can help you find one."
            )
    return phrases


def _lines_about(entry: Mapping[str, Any], topic: str) -> List[Mapping[str, Any]]:
    """The country's lines for a topic, in the file's order; a line without topics is for crises."""
    return [line for line in entry.get("lines") or [] if topic in line.get("topics", [CRISIS])]


def _described(line: Mapping[str, Any]) -> str:
    """`call 1 or text 2, Name, hours`; "" if the line can be neither called nor texted.

    A name that begins with the number gives it up: it has just been said.
    """
    ways = _by_phone(line)
    name = str(line["name"]).removeprefix(f"{line.get('call')} ")
    return f"{ways}, {name}{_hours(line)}" if ways else ""


def _bare(line: Mapping[str, Any]) -> str:
    """Name and numbers without a word around them."""
    numbers = dict.fromkeys(str(line[key]) for key in ("call", "text") if line.get(key))
    return f"{line['name']}: {' / '.join(numbers)}"


def _by_phone(line: Mapping[str, Any]) -> str:
    if line.get("call") and line.get("call") == line.get("text"):
        return f"call or text {line['call']}"
    return " or ".join(f"{verb} {line[key]}" for key, verb in _BY_PHONE if line.get(key))


def _hours(line: Mapping[str, Any]) -> str:
    hours = str(line.get("hours") or "24/7")
    if hours == UNKNOWN_HOURS:
        return " (I don't know its hours)"
    return "" if hours == "24/7" else f", {hours}"


def _ways_to_write(line: Mapping[str, Any]) -> str:
    ways = [f"{verb} {line[key]}" for key, verb in _IN_WRITING if line.get(key)]
    return f"{line['name']}: {' or '.join(ways)}" if ways else ""


_BY_PHONE = (("call", "call"), ("text", "text"))
_IN_WRITING = (("text", "text"), ("chat", "chat at"))


def _by_phone_and_in_writing(lines: Sequence[Mapping[str, Any]]) -> str:
    """`call 1, or Name: text 2`: the first line, and where the person can write, if anywhere."""
    first = lines[0]
    spoken = _by_phone(first)
    if first.get("chat"):
        return f"{spoken}, or chat at {first['chat']}"
    if first.get("text"):
        return spoken
    written = next((ways for ways in map(_ways_to_write, lines[1:]) if ways), "")
    return f"{spoken}, or in writing {written}" if written else spoken


def _in_country(entry: Mapping[str, Any]) -> str:
    name = str(entry.get("name") or "your country")
    definite = ("United ", "Netherlands", "Philippines", "Czech Republic")
    return f"the {name}" if name.startswith(definite) else name
