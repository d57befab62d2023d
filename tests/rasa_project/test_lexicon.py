"""The risk lexicon: what it reads around a phrase."""

from __future__ import annotations

import pytest

from components.lexicon import LEVELS, Lexicon, LexiconError


@pytest.fixture(scope="module")
def lexicon() -> Lexicon:
    return Lexicon.from_file()


def level(lexicon: Lexicon, text: str) -> str:
    found = lexicon.find(text)
    return max((m.level for m in found), key=LEVELS.index, default="none")


@pytest.mark.parametrize(
    "text",
    [
        "i want to kill myself",
        "I’m going to end my life tonight",
        "im gonna k1ll mys3lf",
        "I want to d i e. i mean it. i want to kill myself",
        "quiero suicidarme",
        "je veux mourir",
    ],
)
def test_plain_statements_are_high_or_worse(lexicon: Lexicon, text: str) -> None:
    assert LEVELS.index(level(lexicon, text)) >= LEVELS.index("high")


@pytest.mark.parametrize(
    "text",
    [
        "i don't want to kill myself, i just want it to be quiet",
        "my character wants to kill himself in chapter two, is that too dark for a novel",
        "I could murder a curry right now",
        "this meeting is killing me",
        "kill the process on port 8080",
        "i nearly died of embarrassment",
    ],
)
def test_negation_fiction_and_idiom_are_read(lexicon: Lexicon, text: str) -> None:
    assert LEVELS.index(level(lexicon, text)) < LEVELS.index("moderate")


def test_past_lowers_unless_the_message_speaks_of_now(lexicon: Lexicon) -> None:
    past = level(lexicon, "back in 2012 i was thinking about killing myself")
    again = level(lexicon, "back in 2012 i was thinking about killing myself and now it is back")
    assert LEVELS.index(past) <= LEVELS.index("low")
    assert LEVELS.index(again) >= LEVELS.index("high")


def test_third_person_is_about_someone_else(lexicon: Lexicon) -> None:
    found = lexicon.find("my brother says he wants to kill himself")
    assert found
    assert {match.about for match in found} == {"other"}


def test_normalise_undoes_disguises(lexicon: Lexicon) -> None:
    assert "kill myself" in lexicon.normalise("K1LL   mys\u200belf")
    assert "kill" in lexicon.normalise("k.i.l.l")


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (
            {"groups": [{"id": "x", "level": "high", "kind": "self_harm", "about": "self"}]},
            "patterns",
        ),
        (
            {"groups": [{"id": "x", "level": "huge", "kind": "a", "about": "b", "patterns": []}]},
            "huge",
        ),
        ({"idioms": ["("]}, "idioms"),
    ],
)
def test_a_broken_file_names_the_key(content: dict, named: str) -> None:
    with pytest.raises(LexiconError, match=named):
        Lexicon(content)
