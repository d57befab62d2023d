"""Phrases about lines and emergency numbers."""

from __future__ import annotations

import re

import pytest
import yaml
from rasa.shared.core.domain import Domain
from rasa.shared.core.slots import AnySlot
from rasa.shared.core.trackers import DialogueStateTracker

from components.contacts import FALLBACK, HELPLINES_FILE, Contacts
from components.nlg import ScriptedNaturalLanguageGenerator

COUNTRIES = yaml.safe_load(HELPLINES_FILE.read_text(encoding="utf-8"))["countries"]
NUMBER_OR_SITE = re.compile(r"\*?\d[\d -]*\d|findahelpline\.com")
SENTENCES = ("crisis_line_options", "abuse_line", "poison_line", "eating_line")


def test_unknown_country_names_numbers_and_the_directory() -> None:
    phrases = Contacts.from_file().phrases(None)
    assert phrases == FALLBACK
    assert "988" in phrases["crisis_line"]
    assert "findahelpline.com" in phrases["crisis_line"]
    assert "112" in phrases["emergency"]


@pytest.mark.parametrize("name", ["crisis_line_short", "emergency_short", *SENTENCES])
def test_unknown_country_short_forms_name_at_most_one_contact(name: str) -> None:
    assert len(NUMBER_OR_SITE.findall(FALLBACK[name])) <= 1


@pytest.mark.parametrize("country", sorted(COUNTRIES))
def test_every_listed_country_has_a_way_to_reach_a_person(country: str) -> None:
    phrases = Contacts.from_file().phrases(country)
    assert set(phrases) == set(FALLBACK)
    assert re.search(r"\d[\d ]{2,}|chat", phrases["crisis_line_short"]), phrases
    assert re.search(r"\d{2,3}", phrases["emergency"]), phrases
    assert phrases["emergency_short"] == phrases["emergency"]
    for text in phrases.values():
        assert "None" not in text
        assert "{" not in text
    for name in SENTENCES:
        assert re.fullmatch(r"[^ ].*[^ .]\.", phrases[name]), phrases[name]


@pytest.mark.parametrize("country", sorted(COUNTRIES))
@pytest.mark.parametrize("topic", ["abuse", "poison", "eating"])
def test_a_topic_names_a_listed_number_or_says_that_there_is_none(country: str, topic: str) -> None:
    lines = [line for line in COUNTRIES[country]["lines"] if topic in line.get("topics", [])]
    phrase = Contacts.from_file().phrases(country)[f"{topic}_line"]
    if lines:
        assert lines[0]["name"] in phrase
        assert lines[0]["call"] in phrase
        return
    assert phrase.startswith("I don't have the number")
    next_best = COUNTRIES[country]["emergency"] if topic == "poison" else "findahelpline.com"
    assert NUMBER_OR_SITE.findall(phrase) == [next_best]


def test_lines_for_other_dangers_never_stand_in_for_a_crisis_line() -> None:
    shelter = {"name": "Shelter", "call": "222", "text": "222", "topics": ["abuse"]}
    entry = {"name": "Somewhere", "emergency": "112", "lines": [shelter]}
    phrases = Contacts({"XX": entry}).phrases("XX")
    assert phrases["abuse_line"] == "Shelter: call or text 222."
    assert phrases["crisis_line"] == FALLBACK["crisis_line"]
    assert phrases["crisis_line_options"] == FALLBACK["crisis_line_options"]
    assert phrases["emergency"] == "112"


def test_hours_that_nobody_knows_are_said_to_be_unknown() -> None:
    line = {"name": "A line", "call": "116 123", "hours": "check when you call"}
    entry = {"name": "Somewhere", "emergency": "112", "lines": [line]}
    phrase = Contacts({"XX": entry}).phrases("XX")["crisis_line_short"]
    assert phrase == "call 116 123, A line (I don't know its hours)"


def test_a_number_that_is_part_of_the_name_is_said_once() -> None:
    line = {"name": "988 Suicide Lifeline", "call": "988", "text": "988"}
    entry = {"name": "Somewhere", "emergency": "112", "lines": [line]}
    phrase = Contacts({"XX": entry}).phrases("XX")["crisis_line_short"]
    assert phrase == "call or text 988, Suicide Lifeline"


def test_a_file_without_countries_is_refused(tmp_path) -> None:
    path = tmp_path / "helplines.yml"
    path.write_text("lines: []", encoding="utf-8")
    with pytest.raises(ValueError, match="countries"):
        Contacts.from_file(path)


@pytest.mark.parametrize(
    ("lines", "ways"),
    [
        ([{"name": "A", "call": "1"}], "call 1"),
        ([{"name": "A", "call": "1", "text": "1"}], "call or text 1"),
        ([{"name": "A", "call": "1", "chat": "a.org"}], "call 1, or chat at a.org"),
        (
            [{"name": "A", "call": "1"}, {"name": "B", "text": "2"}],
            "call 1, or in writing B: text 2",
        ),
    ],
)
def test_where_one_can_write_is_said_with_the_line(lines, ways) -> None:
    entry = {"name": "Somewhere", "emergency": "112", "lines": lines}
    assert Contacts({"XX": entry}).phrases("XX")["crisis_line_ways"] == ways


async def test_the_country_goes_along_with_a_card_and_only_then() -> None:
    responses = {
        "utter_a": [{"text": "{crisis_line_short}", "metadata": {"card": "crisis"}}],
        "utter_b": [{"text": "hello"}],
    }
    generator = ScriptedNaturalLanguageGenerator(domain=Domain.from_dict({"responses": responses}))
    made = DialogueStateTracker("t", [AnySlot("country", mappings=[{}])])
    unknown = await generator.generate("utter_a", made, "web")
    made._set_slot("country", "GB")
    card = await generator.generate("utter_a", made, "web")
    plain = await generator.generate("utter_b", made, "web")
    assert unknown is not None
    assert card is not None
    assert plain is not None
    assert "country" not in unknown
    assert card["country"] == "GB"
    assert "country" not in plain
