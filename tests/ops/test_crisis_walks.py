"""What may never happen in a crisis conversation, on any walk through the machine."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import cache
from itertools import groupby, pairwise
from pathlib import Path

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "rasa_project"))

from policies import heard, languages, responses  # noqa: E402 - the machine needs no Rasa
from policies.crisis_machine import step  # noqa: E402
from policies.crisis_state import (  # noqa: E402
    KINDS_WITH_OWN_FLOW,
    LEVELS,
    STAGES,
    CrisisState,
    Turn,
    at_least,
)

CONCERNS = (
    "",
    "",
    "",
    "",
    "",
    *heard.concerns(),
    "silence",
    "dose",
    "helpline",
    "repeat",
    "country",
)

turns = st.builds(
    Turn,
    level=st.sampled_from(("none",) * 8 + ("low", "moderate", "high", "imminent")),
    kind=st.sampled_from(("self_harm",) * 6 + KINDS_WITH_OWN_FLOW),
    about=st.sampled_from(("self", "self", "self", "other")),
    answer=st.sampled_from(("", "", "yes", "no", "unsure")),
    concern=st.sampled_from(CONCERNS),
    topic=st.sampled_from(("", "", *heard.topics())),
    signs=st.frozensets(st.sampled_from((*heard.phrases().signs, "retracted")), max_size=2),
    score=st.floats(0, 0.3),
    language=st.sampled_from(("",) * 12 + ("en", "es", "hi_latn", "sw")),
    new_session=st.sampled_from((False,) * 12 + (True,)),
)
english = st.lists(turns.map(lambda turn: replace(turn, language="")), min_size=1, max_size=18)


def texts() -> dict[str, str]:
    found: dict[str, str] = {}
    for path in (ROOT / "rasa_project" / "domain").glob("*.yml"):
        domain = yaml.safe_load(path.read_text(encoding="utf-8"))
        for name, variations in (domain.get("responses") or {}).items():
            found[name] = " | ".join(variation["text"] for variation in variations)
    return found


TEXTS = texts()


def walk(messages: list[Turn]) -> list[tuple[CrisisState, Turn, tuple[str, ...], CrisisState]]:
    state, found = CrisisState(), []
    for message in messages:
        result = step(state, message)
        found.append((state, message, result.actions, result.state))
        state = CrisisState.from_slot(result.state.as_slot())
        assert state == result.state, "the state survives its slot"
    return found


@cache
def gives(action: str) -> frozenset[str]:
    said = TEXTS[action].lower()
    marks = {
        "line": ("line", "{crisis_line"),
        "person": (
            "someone you trust",
            "friend",
            "people you trust",
            "who knows them",
            "knows them",
        ),
        "professional": ("doctor", "therapist", "emergency department"),
    }
    return frozenset(mark for mark, words in marks.items() if any(word in said for word in words))


@settings(max_examples=80, deadline=None)
@given(english)
def test_promises_on_any_walk(messages: list[Turn]) -> None:
    shown: set[str] = set()
    needs_all = False
    for before, message, actions, after in walk(messages):
        assert after.stage in STAGES
        assert after.level in LEVELS
        shown = shown.union(*map(gives, actions))
        if before.engaged or message.risky:
            assert actions, "never silence while the flow leads"
            assert after.stage != "none"
        if at_least(after.level, "high"):
            needs_all = True
        if needs_all:
            # Named by the reply to the message itself: never later, so never after a way out.
            assert shown == {"line", "person", "professional"}, (messages, shown)
        if message.level == "imminent" and not before.engaged:
            first = TEXTS[actions[0]]
            assert "{emergency" in first
            # Hunger is no means that could be moved away from.
            assert message.kind == "eating" or "away" in first.lower()
        assert len(actions) <= 4


@settings(max_examples=80, deadline=None)
@given(english)
def test_nothing_is_said_twice_in_a_row_and_no_question_three_times(messages: list[Turn]) -> None:
    turns_said = [actions for _, _, actions, _ in walk(messages)]
    variations = {name for name, text in TEXTS.items() if " | " in text}
    for before, after in pairwise(turns_said):
        assert not (set(before) & set(after)) - variations, (before, after)
    for actions in turns_said:
        assert len(set(actions)) == len(actions)
    questions = [n for actions in turns_said for n in actions if "?" in TEXTS[n][-3:]]
    assert all(len(list(group)) < 3 for _, group in groupby(questions))


@settings(max_examples=50, deadline=None)
@given(english)
def test_high_and_imminent_are_left_by_an_answer_only(messages: list[Turn]) -> None:
    for before, message, _, after in walk(messages):
        if before.engaged and at_least(before.level, "high") and not after.engaged:
            assert not message.risky
            assert before.question == "check" or after.known.get("intent") == "no"
            assert not at_least(after.level, "high")


@settings(max_examples=50, deadline=None)
@given(st.lists(turns, min_size=1, max_size=15))
def test_every_reply_exists_in_every_language(messages: list[Turn]) -> None:
    known = set(responses.crisis_responses())
    for _, _, actions, after in walk(messages):
        assert set(actions) <= known
        if actions and after.language in languages.TRANSLATED:
            prefix = f"utter_crisis_{after.language}_"
            assert all(name.startswith(prefix) for name in actions), actions
