"""Contact points: who is offered, how it is said, and that bad files end in a safe text."""

import datetime
from pathlib import Path
from typing import Any

import pytest
from rasa_sdk import Tracker
from rasa_sdk.executor import CollectingDispatcher

from actions.action_find_support import NO_LIST, ActionFindSupport
from actions.contact_points import ContactPoints
from actions.errors import DataFileError

HELPLINES = """
countries:
  GB:
    name: United Kingdom
    emergency: "999"
    lines:
      - {name: Night Line, call: "116 123", hours: 24/7, languages: [en], last_verified: 2026-01-02}
      - {name: Second Line, text: HELLO to 85258, hours: 24/7, last_verified: 2026-01-03}
  NO:
    name: Norway
    emergency: "112"
    lines: [{name: Norsk Linje, call: "123", hours: 24/7, last_verified: 2026-01-05}]
international:
  - {name: World List, url: "https://world.example", last_verified: 2026-02-01}
"""
PARTNERS = """
partners:
  - {id: c, name: Paid Place, countries: [GB], kind: charity, cost: any, url: "https://paid.example",
     last_verified: 2026-03-01}
  - {id: b, name: Anywhere Chat, countries: [any], kind: charity, cost: free,
     url: "https://any.example", last_verified: 2026-03-01}
  - {id: a, name: Public Talk, countries: [GB], kind: public, cost: free, region: England,
     url: "https://public.example", last_verified: 2025-12-24}
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "helplines.yml").write_text(HELPLINES, encoding="utf-8")
    (tmp_path / "partners.yml").write_text(PARTNERS, encoding="utf-8")
    return tmp_path


def _names(points: ContactPoints, country: str | None, cost: str | None) -> list[str]:
    return [point.name for point in points.offer(country, cost)]


async def _said(folder: Path, **slots: Any) -> dict[str, Any]:
    tracker = Tracker("s", slots, {}, [], False, None, {}, None)
    dispatcher = CollectingDispatcher()
    events = await ActionFindSupport(ContactPoints(folder)).run(dispatcher, tracker, {})
    assert events == []
    assert len(dispatcher.messages) == 1
    message: dict[str, Any] = dispatcher.messages[0]
    return message


def test_country_and_cost_decide(data: Path) -> None:
    points = ContactPoints(data)
    assert _names(points, "GB", "free") == ["Night Line", "Public Talk", "Anywhere Chat"]
    assert _names(points, "gb", None) == ["Night Line", "Public Talk", "Paid Place"]
    assert _names(points, "GB", "any") == ["Night Line", "Public Talk", "Paid Place"]
    assert _names(points, None, "free") == ["Anywhere Chat", "World List"]
    assert _names(points, "ZZ", None) == ["Anywhere Chat", "World List"]


def test_norway_is_not_false(data: Path) -> None:
    assert _names(ContactPoints(data), "NO", None)[0] == "Norsk Linje"
    assert ContactPoints(data).emergency_number("NO") == "112"


def test_a_changed_file_is_read_again(data: Path) -> None:
    points = ContactPoints(data)
    assert _names(points, "GB", None)[0] == "Night Line"
    (data / "helplines.yml").write_text(
        HELPLINES.replace("Night Line", "Day Line") + "\n", encoding="utf-8"
    )
    assert _names(points, "GB", None)[0] == "Day Line"


def test_dates_are_read(data: Path) -> None:
    assert ContactPoints(data).offer("GB", None)[0].last_verified == datetime.date(2026, 1, 2)


async def test_message(data: Path) -> None:
    message = await _said(data, country="GB", referral_cost="free")
    text = message["text"]
    assert (message["source"], message["flow"]) == ("scripted", "referral")
    assert "• Night Line: call 116 123 (24/7)" in text
    assert "• Public Talk: https://public.example (England, free)" in text
    assert "Last checked on 2025-12-24" in text
    assert "call 999" in text
    assert text.count("•") == 3
    assert text.count("?") == 1
    assert "\n\n" not in text


async def test_unknown_country_is_said(data: Path) -> None:
    text = (await _said(data, country=None))["text"]
    assert "which country" in text
    assert "your local emergency number" in text


@pytest.mark.parametrize("slot", [7, "", ["GB"], {"a": 1}])
async def test_odd_slots_are_unknown(data: Path, slot: Any) -> None:
    assert "which country" in (await _said(data, country=slot))["text"]


@pytest.mark.parametrize(
    "content", ["", "[", "- a", "countries: [1]\npartners: {a: b}", "countries: {GB: 3}"]
)
async def test_bad_files_end_in_a_safe_text(tmp_path: Path, content: str) -> None:
    for name in ("helplines.yml", "partners.yml"):
        (tmp_path / name).write_text(content, encoding="utf-8")
    message = await _said(tmp_path, country="GB")
    assert message["text"] == NO_LIST
    assert message["source"] == "scripted"


async def test_missing_files_end_in_a_safe_text(tmp_path: Path) -> None:
    assert (await _said(tmp_path, country="GB"))["text"] == NO_LIST
    with pytest.raises(DataFileError, match=r"helplines\.yml"):
        ContactPoints(tmp_path).offer("GB", None)


async def test_broken_entries_are_left_out(data: Path) -> None:
    (data / "partners.yml").write_text(
        "partners: [3, {name: No Way, countries: [GB], cost: free}, {countries: [GB], url: x}]",
        encoding="utf-8",
    )
    assert _names(ContactPoints(data), "GB", "free") == ["Night Line", "World List"]


def test_the_real_files_work() -> None:
    folder = Path(__file__).resolve().parents[2] / "data"
    for country in ("US", "GB", None):
        points = ContactPoints(folder).offer(country, "free")
        assert 1 <= len(points) <= 3
        assert all(point.last_verified for point in points)
