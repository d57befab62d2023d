"""Writes the helplines of ``data/helplines.yml`` into the chat page, so that they need no server.

    python rasa_project/web/build_helplines.py           # writes index.html
    python rasa_project/web/build_helplines.py --check   # exit code 1 if index.html is stale

It renders what the file says; it does not know whether a number still answers.
"""

from __future__ import annotations

import argparse
import datetime
import re
import sys
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import yaml

WEB_DIR = Path(__file__).resolve().parent
PAGE = WEB_DIR / "index.html"
HELPLINES = WEB_DIR.parents[1] / "data" / "helplines.yml"
SECTIONS = ("countries", "international")
NUMBER = re.compile(r"[+*]?[\d\s()-]+")
KEYWORD_TO_NUMBER = re.compile(r"(?P<keyword>\w+) to (?P<number>[\d\s-]+)")
LANGUAGES = {
    "cs": "Czech", "da": "Danish", "de": "German", "el": "Greek", "en": "English", "es": "Spanish",
    "fi": "Finnish", "fr": "French", "ha": "Hausa", "hi": "Hindi", "hu": "Hungarian",
    "is": "Icelandic", "it": "Italian", "ja": "Japanese", "ko": "Korean", "ms": "Malay",
    "nb": "Norwegian", "ne": "Nepali", "nl": "Dutch", "pa": "Punjabi", "pl": "Polish",
    "ps": "Pashto", "pt": "Portuguese", "ru": "Russian", "sd": "Sindhi", "si": "Sinhala",
    "sv": "Swedish", "sw": "Swahili", "ta": "Tamil", "th": "Thai", "tl": "Tagalog", "ur": "Urdu",
    "zh": "Chinese",
}  # fmt: skip


TOPICS = ("crisis", "abuse", "poison", "eating", "children")
CRISIS = "crisis"


class HelplinesError(ValueError):
    """The file or the page cannot be used; the message names the entry."""


def render(helplines: Mapping[str, Any]) -> dict[str, str]:
    """Return the HTML of each section of `SECTIONS`.

    Args:
        helplines: The parsed file: ``countries`` by ISO 3166 alpha-2 code, and ``international``.

    Raises:
        HelplinesError: An entry lacks a field or holds a number that cannot be dialled.
    """
    countries = helplines.get("countries") or {}
    if not countries:
        raise HelplinesError("helplines.yml: 'countries' is empty.")
    in_order = sorted(countries.items(), key=lambda item: str(item[1].get("name")))
    return {
        "countries": "\n".join(_country(code, entry) for code, entry in in_order),
        "international": "\n".join(_directory(e) for e in helplines.get("international") or []),
    }


def fill(page: str, sections: Mapping[str, str]) -> str:
    """Return ``page`` with the text between each section's markers replaced.

    Raises:
        HelplinesError: The page lacks a marker.
    """
    for name, html in sections.items():
        pattern = re.compile(rf"(<!-- {name}:begin[^>]*-->\n).*?(<!-- {name}:end -->)", re.DOTALL)
        if len(pattern.findall(page)) != 1:
            raise HelplinesError(f"index.html: expected the markers '{name}:begin/end' once.")
        before, after = pattern.split(page)[0::3]
        begin, end = pattern.findall(page)[0]
        page = f"{before}{begin}{html}\n{end}{after}"
    return page


def _country(code: str, entry: Mapping[str, Any]) -> str:
    where = f"countries.{code}"
    if not re.fullmatch(r"[A-Z]{2}", str(code)):
        raise HelplinesError(f"helplines.yml: '{code}' is not an ISO 3166 alpha-2 code.")
    emergency = _text(entry, "emergency", where)
    note = f" {escape(entry['emergency_note'])}" if entry.get("emergency_note") else ""
    lines = entry.get("lines") or []
    if not lines:
        raise HelplinesError(f"helplines.yml: {where} has no lines.")
    if CRISIS not in _topics(lines[0], f"{where}.lines[0]"):
        raise HelplinesError(f"helplines.yml: {where}.lines[0].topics must include 'crisis'.")
    body = "\n".join(_line(line, f"{where}.lines[{i}]") for i, line in enumerate(lines))
    return (
        f'<details class="country" data-country="{code}">\n'
        f"<summary>{escape(_text(entry, 'name', where))}</summary>\n"
        f'<div class="country-body">\n<p class="emergency">'
        f"If you or someone else is in danger now: "
        f"{_way(_dial('tel', emergency, where), f'Call {emergency}')}{note}</p>\n"
        f"{body}\n</div>\n</details>"
    )


def _topics(line: Mapping[str, Any], where: str) -> list[str]:
    topics = line.get("topics", [CRISIS])
    unknown = [t for t in topics if t not in TOPICS] if isinstance(topics, list) else topics
    if unknown or not topics:
        raise HelplinesError(f"helplines.yml: {where}.topics: unknown or none: {unknown}.")
    return list(topics)


def _line(line: Mapping[str, Any], where: str) -> str:
    _topics(line, where)
    ways = []
    if line.get("call"):
        number = _text(line, "call", where)
        ways.append(_way(_dial("tel", number, where), f"Call {number}"))
    if line.get("text"):
        text = _text(line, "text", where)
        ways.append(_way(_sms(text, where), f"Text {text}"))
    if line.get("whatsapp"):
        ways.append(_whatsapp(_text(line, "whatsapp", where), where))
    if line.get("chat"):
        ways.append(_way(_https(_text(line, "chat", where), where), "Chat online"))
    if not ways:
        raise HelplinesError(f"helplines.yml: {where} needs call, text, whatsapp or chat.")
    facts = [_hours(_text(line, "hours", where)), _languages(line, where)]
    facts += [str(line["note"])] if line.get("note") else []
    facts.append(f"source: {_date(line, where)}")
    return (
        f'<section class="line">\n<h3>{escape(_text(line, "name", where))}</h3>\n'
        f'<p class="ways">{" ".join(ways)}</p>\n'
        f'<p class="fine">{escape(" · ".join(fact.rstrip(".") for fact in facts))}</p>\n'
        f"</section>"
    )


def _directory(entry: Mapping[str, Any]) -> str:
    where = "international"
    url = _https(_text(entry, "url", where), where)
    shown = url.removeprefix("https://").removeprefix("www.").rstrip("/")
    return (
        f'<li><a href="{escape(url)}" target="_blank" rel="noopener noreferrer">'
        f"{escape(_text(entry, 'name', where))}</a> ({escape(shown)})</li>"
    )


def _way(href: str, words: str) -> str:
    outside = ' target="_blank" rel="noopener noreferrer"' if href.startswith("https:") else ""
    return f'<a class="button way" href="{escape(href)}"{outside}>{escape(words)}</a>'


def _whatsapp(number: str, where: str) -> str:
    if number.startswith("+"):
        return _way(f"https://wa.me/{_digits(number, where)}", f"WhatsApp {number}")
    return f'<span class="way-plain">WhatsApp {escape(number)}</span>'


def _sms(text: str, where: str) -> str:
    match = KEYWORD_TO_NUMBER.fullmatch(text)
    if match:
        return f"sms:{_digits(match['number'], where)}?body={match['keyword']}"
    return _dial("sms", text, where)


def _dial(scheme: str, number: str, where: str) -> str:
    prefix = number[0] if number.startswith(("+", "*")) else ""
    return f"{scheme}:{prefix}{_digits(number, where)}"


def _digits(number: str, where: str) -> str:
    if not NUMBER.fullmatch(number) or not re.search(r"\d", number):
        raise HelplinesError(f"helplines.yml: {where}: '{number}' cannot be dialled.")
    return re.sub(r"\D", "", number)


def _https(url: str, where: str) -> str:
    if not re.fullmatch(r"https://[^\s\"'<>]+", url):
        raise HelplinesError(f"helplines.yml: {where}: '{url}' must be an https address.")
    return url


def _hours(hours: str) -> str:
    return "Day and night, every day" if hours == "24/7" else hours[:1].upper() + hours[1:]


def _languages(line: Mapping[str, Any], where: str) -> str:
    codes = line.get("languages") or []
    unknown = [code for code in codes if code not in LANGUAGES]
    if unknown or not codes:
        raise HelplinesError(f"helplines.yml: {where}.languages: unknown or none: {unknown}.")
    return ", ".join(LANGUAGES[code] for code in codes)


def _date(line: Mapping[str, Any], where: str) -> str:
    value = line.get("last_verified")
    date = value if isinstance(value, datetime.date) else None
    if date is None:
        raise HelplinesError(f"helplines.yml: {where}.last_verified must be a date.")
    return f"{date:%B %Y}"


def _text(entry: Mapping[str, Any], key: str, where: str) -> str:
    value = entry.get(key)
    if not isinstance(value, str) or not value.strip():
        raise HelplinesError(f"helplines.yml: {where}.{key} must be a text in quotes.")
    return value.strip()


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the page; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if stale")
    parser.add_argument("--helplines", type=Path, default=HELPLINES)
    parser.add_argument("--page", type=Path, default=PAGE)
    options = parser.parse_args(arguments)
    try:
        before = options.page.read_text(encoding="utf-8")
        helplines = yaml.safe_load(options.helplines.read_text(encoding="utf-8"))
        after = fill(before, render(helplines))
    except (OSError, yaml.YAMLError, HelplinesError) as error:
        print(f"build_helplines: {error}", file=sys.stderr)
        return 2
    if before == after:
        return 0
    if options.check:
        print("index.html is stale: run rasa_project/web/build_helplines.py", file=sys.stderr)
        return 1
    options.page.write_text(after, encoding="utf-8")
    print(f"wrote {options.page}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
