"""`data/helplines.yml` and `data/partners.yml`: form, sources, dates, numbers."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

DATA = Path(__file__).resolve().parents[2] / "data"
STALE_AFTER = timedelta(days=548)  # 18 months

PHONE = re.compile(r"[+*]?\d[\d -]*\d$")
TEXT = re.compile(r"(?:[A-Z]+ to )?\+?\d[\d -]*\d$")
LANGUAGE = re.compile(r"[a-z]{2,3}$")
COUNTRY = re.compile(r"[A-Z]{2}$")
# Words that VOICE.md keeps out of what a person reads.
COMMANDS = re.compile(r"\b(you should|you need to|you must|just|simply)\b|!", re.IGNORECASE)

COUNTRY_KEYS = {"name", "emergency", "emergency_source", "lines"}
WAYS = {"call", "text", "chat", "whatsapp"}
LINE_KEYS = {"name", "hours", "languages", "source", "last_verified"}
LINE_OPTIONS = WAYS | {"note", "also", "topics"}
TOPICS = {"crisis", "abuse", "poison", "eating", "children"}
INTERNATIONAL_KEYS = {"name", "url", "source", "last_verified"}
PARTNER_KEYS = {
    "id",
    "name",
    "countries",
    "kind",
    "cost",
    "languages",
    "online",
    "speciality",
    "url",
    "how",
    "source",
    "last_verified",
}
PARTNER_OPTIONS = {"region", "also"}


def https(value: object) -> bool:
    """Whether the value is an https address that can be written in plain ASCII."""
    if not isinstance(value, str) or not value.isascii() or re.search(r"\s", value):
        return False
    address = urlsplit(value)
    return address.scheme == "https" and "." in (address.hostname or "")


def keys(where: str, entry: dict[str, Any], needed: set[str], options: set[str]) -> Iterator[str]:
    """Says which keys are missing, and which are unknown."""
    for key in sorted(needed - set(entry)):
        yield f"{where}: key '{key}' is missing"
    for key in sorted(set(entry) - needed - options):
        yield f"{where}: key '{key}' is unknown"


def citation(where: str, entry: dict[str, Any], today: date) -> Iterator[str]:
    """Says what is wrong with the source, the date, and further pages."""
    if not https(entry.get("source")):
        yield f"{where}: source must be an https address, is {entry.get('source')!r}"
    verified = entry.get("last_verified")
    if not isinstance(verified, date):
        yield f"{where}: last_verified must be a date YYYY-MM-DD, is {verified!r}"
    elif not date(2015, 1, 1) <= verified <= today:
        yield f"{where}: last_verified {verified} is in the future or too old to mean anything"
    for page in entry.get("also", []):
        if not https(page):
            yield f"{where}: also must hold https addresses, has {page!r}"


def language_codes(where: str, codes: object) -> Iterator[str]:
    """Says which languages are not codes."""
    if not isinstance(codes, list) or not codes:
        yield f"{where}: languages must be a list of codes"
        return
    for code in codes:
        if not isinstance(code, str) or not LANGUAGE.match(code):
            yield f"{where}: {code!r} is not a language code (quote 'no')"


def line_problems(where: str, line: dict[str, Any], today: date) -> Iterator[str]:
    """Says what is wrong with one line of a country."""
    yield from keys(where, line, LINE_KEYS, LINE_OPTIONS)
    yield from citation(where, line, today)
    yield from language_codes(where, line.get("languages"))
    if not WAYS & set(line):
        yield f"{where}: a line needs one of {sorted(WAYS)}"
    for way, form in (("call", PHONE), ("whatsapp", PHONE), ("text", TEXT)):
        value = line.get(way)
        if value is not None and not (isinstance(value, str) and form.match(value)):
            yield f"{where}: {way} is not a quoted number, is {value!r}"
    if "chat" in line and not https(line["chat"]):
        yield f"{where}: chat must be an https address, is {line['chat']!r}"
    if not str(line.get("hours") or "").strip():
        yield f"{where}: hours must not be empty"
    topics = line.get("topics", ["crisis"])
    if not isinstance(topics, list) or not topics or not set(topics) <= TOPICS:
        yield f"{where}: topics must be a list of {sorted(TOPICS)}, is {topics!r}"


def helpline_problems(content: dict[str, Any], today: date) -> list[str]:
    """What is wrong with the helplines, one sentence each; empty if nothing is."""
    problems: list[str] = []
    for code, country in content["countries"].items():
        if not isinstance(code, str) or not COUNTRY.match(code):
            problems.append(f"{code!r} is not a country code (quote NO)")
        problems += keys(str(code), country, COUNTRY_KEYS, {"emergency_note"})
        emergency = country.get("emergency")
        if not isinstance(emergency, str) or not re.fullmatch(r"\d{2,5}", emergency):
            problems.append(f"{code}: emergency must be one quoted number, is {emergency!r}")
        if not https(country.get("emergency_source")):
            problems.append(f"{code}: emergency_source must be an https address")
        lines = country.get("lines") or []
        if not lines:
            problems.append(f"{code}: a country needs at least one line")
        elif not {"call", "text"} & set(lines[0]):
            problems.append(f"{code}: the first line must have call or text")
        elif "crisis" not in lines[0].get("topics", ["crisis"]):
            problems.append(f"{code}: the first line's topics must include crisis")
        names = [line.get("name") for line in lines]
        if len(names) != len(set(names)):
            problems.append(f"{code}: a line stands twice")
        for line in lines:
            problems += line_problems(f"{code}: {line.get('name')}", line, today)
    for entry in content["international"]:
        where = f"international: {entry.get('name')}"
        problems += keys(where, entry, INTERNATIONAL_KEYS, {"also"})
        problems += citation(where, entry, today)
        if not https(entry.get("url")):
            problems.append(f"{where}: url must be an https address")
    return problems


def partner_problems(content: dict[str, Any], today: date) -> list[str]:
    """What is wrong with the partners, one sentence each; empty if nothing is."""
    problems: list[str] = []
    seen: set[str] = set()
    for partner in content["partners"]:
        where = f"partner {partner.get('id')}"
        problems += keys(where, partner, PARTNER_KEYS, PARTNER_OPTIONS)
        problems += citation(where, partner, today)
        problems += language_codes(where, partner.get("languages"))
        if not re.fullmatch(r"[a-z0-9_]+", str(partner.get("id"))):
            problems.append(f"{where}: id must be lower case letters, digits and _")
        if partner.get("id") in seen:
            problems.append(f"{where}: id stands twice")
        seen.add(str(partner.get("id")))
        for code in partner.get("countries") or [None]:
            if code != "any" and not (isinstance(code, str) and COUNTRY.match(code)):
                problems.append(f"{where}: {code!r} is not a country code or any")
        for key, allowed in (
            ("kind", {"public", "charity", "directory"}),
            ("cost", {"free", "low", "any"}),
        ):
            if partner.get(key) not in allowed:
                problems.append(f"{where}: {key} must be one of {sorted(allowed)}")
        if not isinstance(partner.get("online"), bool):
            problems.append(f"{where}: online must be true or false")
        if not partner.get("speciality"):
            problems.append(f"{where}: speciality must not be empty")
        if not https(partner.get("url")):
            problems.append(f"{where}: url must be an https address")
        how = str(partner.get("how") or "")
        if not how.endswith(".") or re.search(r"[.?] [A-Z]", how) or COMMANDS.search(how):
            problems.append(f"{where}: how must be one sentence that leaves the choice, is {how!r}")
    return problems


def stale(content: dict[str, Any], today: date) -> list[str]:
    """The entries whose source is older than `STALE_AFTER`, with their dates."""
    entries = [
        (f"{code}: {line['name']}", line)
        for code, country in content.get("countries", {}).items()
        for line in country["lines"]
    ]
    entries += [(entry["name"], entry) for entry in content.get("international", [])]
    entries += [(entry["id"], entry) for entry in content.get("partners", [])]
    return [
        f"{where} ({entry['last_verified']})"
        for where, entry in entries
        if today - entry["last_verified"] > STALE_AFTER
    ]


def load(name: str) -> dict[str, Any]:
    content = yaml.safe_load((DATA / name).read_text(encoding="utf-8"))
    assert isinstance(content, dict), f"{name} must be a mapping"
    return content


@pytest.fixture(scope="module")
def helplines() -> dict[str, Any]:
    return load("helplines.yml")


@pytest.fixture(scope="module")
def partners() -> dict[str, Any]:
    return load("partners.yml")


def test_helplines_are_well_formed(helplines: dict[str, Any]) -> None:
    assert helpline_problems(helplines, date.today()) == []


def test_partners_are_well_formed(partners: dict[str, Any]) -> None:
    assert partner_problems(partners, date.today()) == []


def test_helplines_cover_enough_countries(helplines: dict[str, Any]) -> None:
    assert len(helplines["countries"]) >= 40
    assert {"US", "GB", "IE", "IN", "CA", "AU", "NZ", "ZA"} <= set(helplines["countries"])
    assert len(helplines["international"]) >= 3


def test_likely_countries_have_lines_for_other_dangers(helplines: dict[str, Any]) -> None:
    found: dict[str, set[str]] = {topic: set() for topic in TOPICS}
    for code, country in helplines["countries"].items():
        for line in country["lines"]:
            for topic in line.get("topics", ["crisis"]):
                found[topic].add(code)
    assert found["crisis"] == set(helplines["countries"])
    assert {"US", "GB", "IE", "IN", "AU", "NZ", "ZA", "DE", "FR", "ES"} <= found["abuse"]
    assert {"US", "GB", "IE", "CA", "AU", "NZ", "ZA", "CH"} <= found["poison"]
    assert {"GB", "IE", "CA", "AU"} <= found["eating"]


def test_partners_are_enough_and_mostly_free(partners: dict[str, Any]) -> None:
    entries = partners["partners"]
    assert len(entries) >= 20
    free = [entry for entry in entries if entry["cost"] == "free"]
    assert len(free) >= len(entries) / 2
    assert any("any" in entry["countries"] for entry in free)


def test_every_partner_country_has_a_helpline(
    helplines: dict[str, Any], partners: dict[str, Any]
) -> None:
    named = {code for entry in partners["partners"] for code in entry["countries"]} - {"any"}
    assert named <= set(helplines["countries"])


@pytest.mark.filterwarnings("default:stale contacts")
@pytest.mark.parametrize("name", ["helplines.yml", "partners.yml"])
def test_stale_entries_are_pointed_out(name: str) -> None:
    old = stale(load(name), date.today())
    if old:
        warnings.warn(f"stale contacts in {name}: {', '.join(old)}", stacklevel=1)


TODAY = date(2026, 1, 1)


def good_line(**changes: Any) -> dict[str, Any]:
    line = {
        "name": "A line",
        "call": "116 123",
        "hours": "24/7",
        "languages": ["en"],
        "source": "https://example.org/page",
        "last_verified": date(2025, 6, 1),
    }
    return {key: value for key, value in (line | changes).items() if value is not None}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"source": "http://example.org"}, "source must be an https address"),
        ({"source": None}, "key 'source' is missing"),
        ({"last_verified": None}, "last_verified must be a date"),
        ({"last_verified": "June 2025"}, "last_verified must be a date"),
        ({"last_verified": date(2026, 2, 1)}, "in the future"),
        ({"call": 988}, "call is not a quoted number"),
        ({"call": "116-CALL"}, "call is not a quoted number"),
        ({"call": None}, "a line needs one of"),
        ({"text": "send HELP"}, "text is not a quoted number"),
        ({"chat": "example.org"}, "chat must be an https address"),
        ({"languages": []}, "languages must be a list"),
        ({"languages": [False]}, "is not a language code"),
        ({"hours": " "}, "hours must not be empty"),
        ({"fax": "1"}, "key 'fax' is unknown"),
        ({"also": ["ftp://example.org"]}, "also must hold https addresses"),
        ({"topics": ["violence"]}, "topics must be a list of"),
        ({"topics": []}, "topics must be a list of"),
        ({"topics": "abuse"}, "topics must be a list of"),
    ],
)
def test_a_bad_line_is_named(changes: dict[str, Any], said: str) -> None:
    assert list(line_problems("XX: A line", good_line(), TODAY)) == []
    problems = list(line_problems("XX: A line", good_line(**changes), TODAY))
    assert any(said in problem and "XX: A line" in problem for problem in problems), problems


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"emergency": 112}, "emergency must be one quoted number"),
        ({"emergency": "112 or 999"}, "emergency must be one quoted number"),
        ({"emergency_source": "a book"}, "emergency_source must be an https address"),
        ({"lines": []}, "at least one line"),
        ({"lines": [good_line(call=None, chat="https://example.org")]}, "must have call or text"),
        ({"lines": [good_line(), good_line()]}, "stands twice"),
        ({"lines": [good_line(topics=["poison"])]}, "topics must include crisis"),
    ],
)
def test_a_bad_country_is_named(changes: dict[str, Any], said: str) -> None:
    country = {
        "name": "Somewhere",
        "emergency": "112",
        "emergency_source": "https://example.org",
        "lines": [good_line()],
    }
    fine: dict[str, Any] = {"countries": {"XX": country}, "international": []}
    assert helpline_problems(fine, TODAY) == []
    problems = helpline_problems(fine | {"countries": {"XX": country | changes}}, TODAY)
    assert any(said in problem and "XX" in problem for problem in problems), problems


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"id": "A partner"}, "id must be lower case"),
        ({"countries": ["Germany"]}, "is not a country code"),
        ({"countries": []}, "is not a country code"),
        ({"kind": "company"}, "kind must be one of"),
        ({"cost": "expensive"}, "cost must be one of"),
        ({"online": "yes"}, "online must be true or false"),
        ({"url": "example.org"}, "url must be an https address"),
        ({"how": "You should call them."}, "how must be one sentence"),
        ({"how": "You can call. Or write."}, "how must be one sentence"),
    ],
)
def test_a_bad_partner_is_named(changes: dict[str, Any], said: str) -> None:
    partner = {
        "id": "xx_partner",
        "name": "A partner",
        "countries": ["XX"],
        "kind": "charity",
        "cost": "free",
        "languages": ["en"],
        "online": True,
        "speciality": ["listening"],
        "url": "https://example.org",
        "how": "You can ring them yourself.",
        "source": "https://example.org/page",
        "last_verified": date(2025, 6, 1),
    }
    assert partner_problems({"partners": [partner]}, TODAY) == []
    problems = partner_problems({"partners": [partner | changes]}, TODAY)
    assert any(said in problem for problem in problems), problems
    assert partner_problems({"partners": [partner, partner]}, TODAY) != []


def test_stale_means_older_than_eighteen_months() -> None:
    content = {
        "partners": [
            {"id": "old", "last_verified": TODAY - STALE_AFTER - timedelta(days=1)},
            {"id": "edge", "last_verified": TODAY - STALE_AFTER},
        ]
    }
    assert stale(content, TODAY) == ["old (2024-07-01)"]
