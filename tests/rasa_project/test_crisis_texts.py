"""The crisis texts themselves: what each must hold, and what none may say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from components import hosted_model
from components.contacts import Contacts
from policies import kinds, languages
from policies.responses import crisis_responses, english
from policies.safety_policy import required_responses

DOMAIN = Path(__file__).resolve().parents[2] / "rasa_project" / "domain"


def _responses() -> dict[str, list[dict[str, object]]]:
    found: dict[str, list[dict[str, object]]] = {}
    for path in sorted(DOMAIN.glob("*.yml")):
        found.update(yaml.safe_load(path.read_text(encoding="utf-8")).get("responses") or {})
    return found


RESPONSES = _responses()
TEXTS = [
    (name, str(variation["text"]))
    for name in crisis_responses()
    for variation in RESPONSES.get(name, [])
]
ENGLISH = [(name, text) for name, text in TEXTS if name.removeprefix("utter_crisis_") in english()]

FORBIDDEN = re.compile(
    r"\bi promise\b|\bpromise me\b|always be here|always here for you|rely on me|count on me|"
    r"\bour secret\b|keep (?:it|this) (?:a )?secret|calm down|"
    r"\byou (?:should|must|need to|have to)\b|"
    r"commit(?:ted)? suicide|i understand exactly|i know (?:exactly )?how you feel|\bi love you\b|"
    r"\bi care about you\b|everything will be|stay positive|don't do it|think of your family|"
    r"selfish|"
    r"\bi(?:'m| am) watching\b|i'll call|help is on the way|\bdiagnos\w+ with\b",
    re.I,
)
METHODS = re.compile(
    r"\b(?:pills?|tablets?|overdos\w+|rope|noose|hang(?:ing)?|guns?|rifle|knife|knives|blades?|razors?|"
    r"bridge|jump(?:ing)?|train tracks|drown\w*|poison(?!_line)|bleach|wrists?|mg\b|milligrams?)\b",
    re.I,
)


def test_every_response_that_can_be_said_exists_and_none_is_left_over() -> None:
    assert [name for name in required_responses() if name not in RESPONSES] == []
    unused = [n for n in RESPONSES if "_crisis_" in n and n not in set(required_responses())]
    assert unused == []


@pytest.mark.parametrize(
    ("name", "text"), TEXTS, ids=[f"{n}-{i}" for i, (n, _) in enumerate(TEXTS)]
)
def test_no_text_breaks_a_boundary(name: str, text: str) -> None:
    assert not FORBIDDEN.search(text.replace("You don't have to", "")), FORBIDDEN.search(text)
    assert not METHODS.search(text), METHODS.search(text)
    assert "!" not in text
    assert "\n" not in text
    assert not re.search(r"^\s*[-•*\d]", text), "no lists"


@pytest.mark.parametrize(
    ("name", "text"), ENGLISH, ids=[f"{n}-{i}" for i, (n, _) in enumerate(ENGLISH)]
)
def test_texts_are_short_and_ask_one_thing_at_the_end(name: str, text: str) -> None:
    own = re.sub(r"\"[^\"]*\"", "", text)
    sentences = [s for s in re.split(r"(?<=[.?])\s+", own) if s.strip()]
    assert len(sentences) <= (6 if "imminent" in name or name.split("_", 2)[2] in ENTRIES else 4), (
        text
    )
    assert len(own.split()) <= (95 if name.split("_", 2)[2] in ENTRIES else 75), len(own.split())
    assert own.count("?") <= 1, text
    if "?" in own:
        tail = own.rsplit("?", 1)[1].strip()
        assert (
            tail == ""
            or tail.startswith(("A yes or no", "It doesn't have to be"))
            or (name.endswith(("method_1", "method_2", "plan_2", "past_2", "near_2")))
        ), text


ENTRIES = {
    name
    for flow in kinds.FLOWS.values()
    for name in (flow.entry, flow.urgent)
} | {"imminent", "imminent_act"}  # fmt: skip
FIRST_QUESTIONS = ("ask_directly", "ask_today", "ask_openly", "ask_gently", "ask_chronic")


@pytest.mark.parametrize("name", [*FIRST_QUESTIONS, *sorted(ENTRIES), "resources", "still_there"])
def test_first_replies_name_a_line_a_person_and_a_professional(name: str) -> None:
    for variation in RESPONSES[f"utter_crisis_{name}"]:
        text = str(variation["text"]).lower()
        assert "{crisis_line" in text
        assert re.search(
            r"someone you trust|knows them|with them|stay alone|friend|someone you", text
        )
        assert re.search(r"doctor|therapist|emergency department", text)


@pytest.mark.parametrize("name", sorted(n for n in ENTRIES if "imminent" in n))
def test_urgent_replies_put_the_emergency_number_first(name: str) -> None:
    for variation in RESPONSES[f"utter_crisis_{name}"]:
        text = str(variation["text"])
        assert "{emergency" in text
        assert text.index("{emergency") < text.index("{crisis_line")
        assert name == "eating_imminent" or "away" in text
        assert variation["metadata"]["card"] == "crisis_imminent"  # type: ignore[index]


@pytest.mark.parametrize(
    "name",
    [*FIRST_QUESTIONS, "ask_again_1", "recheck_1", "recheck_2", "recheck_session",
     *(n for n in kinds.DIRECT if n != "psychosis_imminent")],
)  # fmt: skip
def test_the_direct_question_has_the_word(name: str) -> None:
    for variation in RESPONSES[f"utter_crisis_{name}"]:
        assert re.search(r"suicide[^.]*\?$", str(variation["text"]))
        titles = [button["title"] for button in variation["buttons"]]  # type: ignore[attr-defined]
        assert titles == ["Yes", "No", "I'm not sure"]


def test_texts_with_a_number_are_cards() -> None:
    for name, variations in RESPONSES.items():
        if "_crisis_" not in name:
            continue
        for variation in variations:
            if re.search(r"\{(?:crisis_line|emergency)", str(variation["text"])):
                assert variation["metadata"].get("card"), name  # type: ignore[attr-defined]


def test_no_sentence_begins_with_a_filled_place() -> None:
    for name, text in TEXTS:
        assert not re.search(r"(?:^|[.?] )\{(?:emergency|crisis_line(?!_options))", text), name


def test_eating_texts_hold_no_numbers_and_no_praise() -> None:
    for name, text in ENGLISH:
        if "eating" in name:
            assert not re.search(r"\d|calor|kilo|pound|strong|discipline|weight", text), name


def test_psychosis_texts_neither_agree_nor_argue() -> None:
    for name, text in ENGLISH:
        if "psychosis" in name:
            assert not re.search(
                r"not real|isn't real|imagin|delusion|hallucinat|crazy|i believe", text, re.I
            )


@pytest.mark.parametrize("country", [None, "US", "IN", "DE"])
def test_every_place_is_filled(country: str | None) -> None:
    phrases = {**Contacts.from_file().phrases(country), "hosted_by": hosted_model.UNNAMED}
    for name in required_responses():
        for variation in RESPONSES[name]:
            text = str(variation["text"]).format(**phrases)
            assert "{" not in text, name
            assert len(text) < 900, name


@pytest.mark.parametrize("language", languages.TRANSLATED)
def test_translations_are_complete(language: str) -> None:
    needed = {
        "ask": ("crisis_line_bare",), "resources": ("crisis_line_bare",),
        "imminent": ("emergency_bare", "crisis_line_bare"), "call": ("emergency_bare",),
        "other": ("emergency_bare", "crisis_line_bare"), "danger": ("emergency_bare",),
        "danger_imminent": ("emergency_bare", "crisis_line_bare"),
    }  # fmt: skip
    word = {"es": "suicidio", "fr": "suicide", "hi": "आत्महत्या", "hi_latn": "suicide"}[language]
    doctor = {"es": "médico", "fr": "médecin", "hi": "डॉक्टर", "hi_latn": "doctor"}[language]
    for part in languages.PARTS:
        text = str(RESPONSES[f"utter_crisis_{language}_{part}"][0]["text"])
        for place in needed.get(part, ()):
            assert f"{{{place}}}" in text, (part, place)
        if part == "ask":
            assert word in text
        if part in ("ask", "resources", "imminent", "other", "danger", "danger_imminent"):
            assert doctor in text, part
        if language == "hi":
            assert re.search(r"[\u0900-\u097f]", text)
    for name in english():
        assert set(languages.parts_of(name)) <= set(languages.PARTS), name


def test_the_line_about_other_languages_names_people() -> None:
    text = str(RESPONSES[languages.NOT_HANDLED][0]["text"])
    assert "findahelpline.com" in text
    assert "{crisis_line" in text
