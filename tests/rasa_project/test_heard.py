"""Short lists of phrases: answers, concerns, topics and signs."""

from __future__ import annotations

import pytest
import yaml

from policies import heard, kinds, responses
from policies.entering import ENTRY_CONCERNS
from policies.places import HELPLINES_FILE, PLACES_FILE, country_in

ANSWERS = [
    ("direct", "yes", "yes"),
    ("direct", "Yes, every night", "yes"),
    ("direct", "i just told you. yes", "yes"),
    ("direct", "lol yeah", "yes"),
    ("direct", "i think about it a lot", "yes"),
    ("direct", "same as always", "yes"),
    ("direct", "no", "no"),
    ("direct", "no i would never do that", "no"),
    ("direct", "not really", "no"),
    ("direct", "i'm fine", "no"),
    ("direct", "it's just an expression", "no"),
    ("direct", "no but i don't want to be here", "unsure"),
    ("direct", "not today", "unsure"),
    ("direct", "i wouldn't actually do it", "unsure"),
    ("direct", "i am not sure any more", "unsure"),
    ("direct", "no one cares", ""),
    ("direct", "nobody would notice", ""),
    ("direct", "ok", ""),
    ("direct", "i can't do this anymore", ""),
    ("direct", "my cat died", ""),
    ("direct", "i could scream", ""),
    ("direct", "i have work tomorrow", ""),
    ("direct", "a lot of people came", ""),
    ("direct", "it is raining", ""),
    ("direct", "i don't sleep anymore", ""),
    ("direct", "i can't remember the last good day", ""),
    ("direct", "never felt worse", ""),
    ("direct", "no energy left", ""),
    ("direct", "i'm not eating", ""),
    ("direct", "no. just sad", "no"),
    ("direct", "no im ok", "no"),
    ("direct", "i'm not suicidal", "no"),
    ("direct", "i don't", "no"),
    ("direct", "i am", "yes"),
    ("direct", "a lot", "yes"),
    ("direct", "i have, yes", "yes"),
    ("intent", "not tonight", "no"),
    ("intent", "i won't do anything", "no"),
    ("intent", "tonight", "yes"),
    ("intent", "dunno", "unsure"),
    ("method", "pills i guess", "yes"),
    ("method", "i've thought about it", "yes"),
    ("method", "no", "no"),
    ("plan", "not yet", "unsure"),
    ("plan", "i wrote the letters", "yes"),
    ("near", "my flatmate", "yes"),
    ("near", "no one", "no"),
    ("near", "everyone's asleep", "no"),
    ("near", "i live by myself", "no"),
    ("past", "three years ago", "yes"),
    ("past", "never", "no"),
    ("wish", "i just want to disappear", "yes"),
    ("step", "ok", "yes"),
    ("step", "i can't", "no"),
    ("step", "maybe", "unsure"),
]


@pytest.mark.parametrize(("question", "text", "expected"), ANSWERS)
def test_answers(question: str, text: str, expected: str) -> None:
    assert heard.answer_of(text, question) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("my dad died last week", "loss"),
        ("we buried my twin in may", "loss"),
        ("my dad is coming to visit", "family"),
        ("he broke up with me", "breakup"),
        ("i broke my phone", ""),
        ("they let me go from work", "work"),
        ("the rent is due and i owe money", "money"),
        ("i failed all my exams", "study"),
        ("my chronic pain is back", "pain"),
        ("he hits me when he drinks", "violence"),
        ("i hit rock bottom", ""),
        ("everyone would be better off without me", "burden"),
        ("it's all my fault", "shame"),
        ("i have no friends", "loneliness"),
        ("i can't keep going", "exhaustion"),
        ("i feel nothing", "numb"),
        ("what a day", ""),
    ],
)
def test_topics(text: str, expected: str) -> None:
    assert heard.topic_of(text) == expected


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        ("i took all my pills", "act"),
        ("i've got the pills on my desk", "means_near"),
        ("i told my sister", "progress"),
        ("i put them away", "progress"),
        ("she's here now", "progress"),
        ("i feel this way for years", "chronic"),
        ("gave my guitar away", "giving_away"),
        ("wrote my will today", "settling"),
        ("it'll be over soon", "over_soon"),
        ("i'm just a burden", "burden"),
        ("there's no way out", "trapped"),
        ("i want to kill myself", "explicit"),
    ],
)
def test_signs(text: str, sign: str) -> None:
    assert sign in heard.signs_of(text)


@pytest.mark.parametrize(
    "text",
    [
        "i took a break", "i took my dog out", "i took all my exams last year",
        "he took all the credit",
        "gave my sister a lift", "i called the plumber",
    ],
)  # fmt: skip
def test_no_sign_in_everyday_sentences(text: str) -> None:
    assert not heard.signs_of(text) & {"act", "giving_away", "settling", "over_soon", "farewell"}


def test_silence_is_nothing_that_could_be_taken_up() -> None:
    for text in ("", "...", "k", "hmm", "😐", "lol"):
        assert heard.says_nothing(text), text
    for text in ("no", "yes", "help", "idk", "tired"):
        assert not heard.says_nothing(text), text


def test_every_name_has_its_reply() -> None:
    named = set(responses.english())
    for topic in heard.topics():
        assert f"hear_{topic}" in named
    mapped = {*heard.CONCERN_BY_INTENT.values(), *heard.CONCERN_BY_MISUSE.values()}
    for concern in {*heard.concerns(), *mapped} - {"silence", "barrier", "refuses"}:
        assert f"re_{concern}_1" in named or f"barrier_{concern}" in named, concern
    assert set(ENTRY_CONCERNS) <= set(heard.concerns())
    assert set(kinds.responses()) <= named


@pytest.mark.parametrize(
    ("text", "alone", "code"),
    [
        ("I'm in Ireland and nobody helps", False, "IE"),
        ("india", True, "IN"),
        ("i live in the UK", True, "GB"),
        ("india is hot", True, None),
        ("tell us", False, None),
        ("i'm from the us", False, "US"),
        ("ok maybe texting. what do i even text. im in wales", False, "GB"),
        ("Maybe. I'm in Toronto. Is there something for nurses", False, "CA"),
        ("he moved to Lagos from India", False, None),
        ("I'm in bed", False, None),
        ("texas", True, "US"),
    ],
)
def test_countries_that_a_person_names(text: str, alone: bool, code: str | None) -> None:
    assert country_in(text, alone=alone) == code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("do you have someone who speaks on whatsapp in South Africa", "ZA"),
        ("I asked for a country and I gave it. Toronto, Canada. What's confidential there?", "CA"),
        ("my sister is in Durban", None),
        ("I used to live in Berlin", None),
        ("he's in Lagos now", None),
        ("in the kitchen", None),
    ],
)
def test_once_asked_any_place_counts_that_is_not_somebody_elses(
    text: str, code: str | None
) -> None:
    assert country_in(text) is None
    assert country_in(text, told=True) == code


def test_every_place_is_in_a_country_with_lines() -> None:
    places = yaml.safe_load(PLACES_FILE.read_text(encoding="utf-8"))
    listed = yaml.safe_load(HELPLINES_FILE.read_text(encoding="utf-8"))["countries"]
    assert set(places) <= set(listed)
    names = [name for group in places.values() for name in group]
    assert len(names) == len(set(names))
    assert all(isinstance(name, str) and name == name.lower() for name in names)


@pytest.mark.parametrize(
    ("text", "concern"),
    [
        ("Texting maybe. To who.", "number"),
        ("Veterans text line. You got a number or not.", "number"),
        ("999?? i said texting. whats the number to text", "number"),
        ("can I tell the nurse before the 14th, what do I say", "words"),
        ("no not soon. how would i even tell her. give me the words", "words"),
        ("i didnt say that", "not_said"),
        ("who said anything about suicide", "not_said"),
        ("i literally told you. september.", "told_you"),
        ("did you read what I wrote", "told_you"),
        ("ask me something that isn't off a form", "form"),
    ],
)
def test_what_people_in_simulated_talks_asked_in_vain(text: str, concern: str) -> None:
    assert heard.concern_of(text) == concern
