"""Every row of the tables in docs/safety/crisis-protocol.md, played through the state machine."""

from __future__ import annotations

import re
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "rasa_project"))

from policies import graph, kinds  # noqa: E402 - the machine needs no Rasa
from policies.crisis_machine import step  # noqa: E402
from policies.crisis_state import (  # noqa: E402
    KINDS_WITH_OWN_FLOW,
    CrisisState,
    Turn,
    at_least,
    worse,
)

PROTOCOL = (ROOT / "docs" / "safety" / "crisis-protocol.md").read_text(encoding="utf-8")
Case = tuple[CrisisState, Turn]


def table(title: str) -> list[list[str]]:
    lines = PROTOCOL.split(f"\n{title}\n", 1)[1].splitlines()
    found: list[list[str]] = []
    for line in lines:
        if line.startswith("|"):
            found.append([cell.strip() for cell in line.strip("|").split("|")])
        elif found:
            break
    return found[2:]


def state(stage: str, level: str = "high", **known: object) -> CrisisState:
    about = {"kind": "self_harm", "rounds": 1, **known}
    return CrisisState(stage=stage, level=level, **about)  # type: ignore[arg-type]


def asked(level: str = "high", times: int = 1, **known: object) -> CrisisState:
    return state("asked", level, question="direct", asked={"direct": times}, **known)


def screened(question: str, times: int = 1, level: str = "high", **answers: str) -> CrisisState:
    known = {"direct": "yes", **answers}
    counts = {"direct": 1, question: times}
    said = (f"ask_{question}_1",)
    return state("screen", level, question=question, asked=counts, known=known, said=said)


def near(level: str = "high", **answers: str) -> CrisisState:
    known = {"direct": "yes", "method": "no", "intent": "no", **answers}
    return state("someone_near", level, question="near", asked={"near": 1}, known=known)


def at_step(level: str = "high") -> CrisisState:
    return state("step", level, question="step", known={"direct": "yes", "method": "no"})


def flow(name: str, level: str = "high", **known: object) -> CrisisState:
    about = "other" if name in ("other", "other_danger", "abuse_other") else "self"
    kind = "self_harm" if name == "other" else "abuse" if name == "abuse_other" else name
    before = {"question": "kind", "asked": {"kind": 1}, "said": (kinds.FLOWS[name].entry,), **known}
    return CrisisState("kind", level, kind, about, rounds=1, **before)  # type: ignore[arg-type]


def finished(name: str, level: str) -> CrisisState:
    one = kinds.FLOWS[name]
    said = (one.entry, *one.rest)
    return flow(name, level, asked={"kind": 5}, said=said, known={"direct": "no"})


SAD, YES, NO = Turn(), Turn(answer="yes"), Turn(answer="no")
UNSURE = Turn(answer="unsure")
RISKY = Turn("moderate", "self_harm")
DOUBTFUL = Turn("moderate", "self_harm", score=0.2)
STEP_TAKEN = Turn(signs=frozenset({"progress"}))
BUILT_UP = (0.25, 0.25, 0.25)
SIGN = Turn(level="low", signs=frozenset({"farewell"}))
SCREEN_DONE = {"method": "no", "intent": "no", "near": "yes"}

# Number of the row -> state before and message.
MESSAGES: dict[str, list[Case]] = {
    "1": [(CrisisState(), Turn("imminent", kind)) for kind in KINDS_WITH_OWN_FLOW]
    + [(CrisisState(), Turn("imminent", kind, "other")) for kind in ("self_harm", "abuse")],
    "2": [
        (CrisisState(), Turn("imminent", kind, signs=frozenset({"act"})))
        for kind in ("self_harm", "medical")
    ],
    "3": [
        (CrisisState(), Turn("imminent", "self_harm")),
        (state("resources"), Turn("imminent", "self_harm")),
    ],
    "4": [
        (asked(), Turn("imminent", "self_harm")),
        (screened("method"), Turn("imminent", "self_harm")),
        (state("resources", known={"direct": "yes"}), Turn("imminent", "self_harm", "other")),
    ],
    "5": [
        (asked(), Turn(new_session=True)),
        (flow("abuse"), Turn(new_session=True)),
    ],
    "6": [
        (asked(), Turn("moderate", "abuse", signs=frozenset({"other_danger"}))),
        (flow("other"), Turn("high", "eating", signs=frozenset({"other_danger"}))),
    ],
    "8": [(CrisisState(), Turn("high", kind)) for kind in KINDS_WITH_OWN_FLOW]
    + [(state("watch", "low"), Turn("moderate", "self_harm", "other"))],
    "9": [
        (CrisisState(), Turn("high", "self_harm")),
        (CrisisState(), Turn("high", "self_harm", topic="loss")),
        (CrisisState(), Turn("high", "self_harm", signs=frozenset({"explicit"}))),
        (CrisisState(), Turn("high", "self_harm", signs=frozenset({"chronic"}))),
        (CrisisState(), Turn("high", "self_harm", concern="method")),
        (CrisisState(), Turn("high", "self_harm", concern="afraid")),
        (CrisisState(recent="work"), Turn("high", "self_harm")),
        (state("watch", "low"), Turn("high", "self_harm")),
    ],
    "10": [
        (CrisisState(), DOUBTFUL),
        (CrisisState(), Turn("moderate", "self_harm", topic="work", score=0.2)),
        (CrisisState(), Turn("moderate", "abuse", score=0.3)),
    ],
    "11": [
        (CrisisState(), RISKY),
        (CrisisState(), Turn("moderate", "self_harm", score=0.55)),
        (CrisisState(rounds=1), DOUBTFUL),
        (CrisisState(), Turn("moderate", "self_harm", topic="burden", score=0.2)),
        (CrisisState(window=(0.25,)), DOUBTFUL),
        (state("unclear", "moderate", question="heavy", rounds=0), DOUBTFUL),
        (CrisisState(), Turn("moderate", "self_harm", signs=frozenset({"chronic"}))),
        (state("watch", "low"), RISKY),
    ],
    "12": [(state("watch", "low"), Turn(new_session=True))],
    "13": [
        (state("watch", "moderate", turns=7), SAD),
        (state("watch", "low", turns=4, window=BUILT_UP), SIGN),
    ],
    "14": [
        (state("watch", "moderate", turns=6), SAD),
        (state("watch", "moderate", turns=20, checks=2), SAD),
        (state("watch", "low", turns=1, window=BUILT_UP), SIGN),
    ],
    "15": [
        (CrisisState(window=BUILT_UP), SIGN),
        (CrisisState(window=BUILT_UP), Turn("low", topic="money")),
    ],
    "16": [(CrisisState(), Turn("low", "self_harm")), (CrisisState(), SAD)],
}

# (stage, beginning of the answer's cell) -> state before and message.
ANSWERS: dict[tuple[str, str], list[Case]] = {
    ("unclear", "too much"): [
        (state("unclear", "moderate", question="heavy"), message)
        for message in (YES, UNSURE, SIGN, Turn("low"))
    ],
    ("unclear", "anything else"): [(state("unclear", "moderate", question="heavy"), SAD)],
    ("asked", "yes or risky |"): [(asked("moderate"), YES), (asked(), RISKY)]
    + [(asked("moderate"), Turn("moderate", "self_harm", topic="loss"))],
    ("asked", "yes or risky, at"): [(asked("imminent"), YES)],
    ("asked", "no, level below `high` |"): [
        (asked("moderate"), NO),
        (asked("moderate"), Turn(answer="no", signs=frozenset({"retracted"}))),
    ],
    ("asked", "no, level below `high`, res"): [(asked("low", said=("resources_short",)), NO)],
    ("asked", "no, at `high`"): [(asked(), NO)],
    ("asked", "no, at `imminent`"): [(asked("imminent"), NO)],
    ("asked", "no, after an act"): [(asked("imminent", said=("imminent_act",)), NO)],
    ("asked", "unsure, level below"): [
        (asked("moderate"), UNSURE),
        (asked("moderate"), Turn("moderate", "self_harm", answer="no")),
    ],
    ("asked", "unsure, at `high`"): [(asked(), UNSURE)],
    ("asked", "unsure or not read"): [(asked("imminent"), UNSURE), (asked("imminent"), SAD)],
    ("asked", "not read, asked once"): [(asked(), SAD), (asked("moderate"), Turn(topic="work"))],
    ("asked", "not read, asked twice"): [(asked("moderate", times=2), SAD)],
    ("screen", "yes to intent"): [
        (screened("intent"), YES),
        (screened("plan", intent="unsure"), YES),
    ],
    ("screen", "yes, no or unsure"): [(screened("method"), answer) for answer in (YES, NO, UNSURE)]
    + [(screened("intent", method="no"), answer) for answer in (NO, UNSURE)]
    + [(screened("plan", method="yes", intent="no"), answer) for answer in (YES, NO)],
    ("screen", "not read, asked once"): [(screened("method"), SAD), (screened("past"), SAD)],
    ("screen", "the last answer; method"): [
        (screened("past", **{**SCREEN_DONE, "method": "yes", "plan": "no"}), NO),
        (screened("past", **SCREEN_DONE), YES),
    ],
    ("screen", "the last answer; none"): [
        (screened("past", **SCREEN_DONE), NO),
        (screened("past", **SCREEN_DONE), UNSURE),
    ],
    ("someone_near", "yes |"): [(near(), YES)],
    ("someone_near", "yes, at"): [(near("imminent"), YES)],
    ("someone_near", "anything else, at"): [
        (near("imminent"), NO),
        (near("imminent"), UNSURE),
        (near("imminent"), SAD),
    ],
    ("someone_near", "no |"): [(near(), NO)],
    ("someone_near", "unsure"): [(near(), UNSURE)],
    ("step", "yes |"): [(at_step(), YES)],
    ("step", "yes, at"): [(at_step("imminent"), YES)],
    ("step", "no |"): [(at_step(), NO), (at_step("imminent"), NO)],
    ("step", "anything else, at"): [(at_step("imminent"), SAD), (at_step("imminent"), UNSURE)],
    ("barrier", "a reason with"): [
        (state("barrier", question="barrier"), Turn(concern=concern))
        for concern in ("afraid", "burden", "money", "voice", "police")
    ],
    ("barrier", "another reason"): [(state("barrier", question="barrier"), SAD)],
    ("any⁷", 'a step taken ("I'): [(near(), STEP_TAKEN), (at_step(), STEP_TAKEN)],
    ("any⁷", "a step taken, at"): [
        (near("imminent"), STEP_TAKEN),
        (state("resources", "imminent", said=("progress_imminent",)), STEP_TAKEN),
    ],
    ("any", "a question or fear"): [
        (asked("imminent" if concern == "scared" else "high"), Turn(concern=concern))
        for concern in ("police", "secret", "watched", "only_one", "method", "jailbreak")
        + ("pointless", "anger", "not_helping", "scared", "topic_change", "question", "country")
        + ("number", "words", "not_said")
    ],
    ("screen", '"I told you already"'): [(screened("method"), Turn(concern="told_you"))],
    ("any", '"this is like a form"'): [
        (screened("method"), Turn(concern="form")),
        (screened("plan"), Turn(concern="form")),
    ],
    ("any", '"stop" |'): [(asked(), Turn(concern="stop")), (near(), Turn(concern="stop"))],
    ("any", '"stop", at'): [(near("imminent"), Turn(concern="stop"))],
    ("any", "\"I'm not calling"): [(at_step(), Turn(concern="refuses"))],
    ("any", "nothing (empty"): [
        (asked(), Turn(concern="silence")),
        (screened("intent"), Turn(concern="silence")),
        (near("imminent"), Turn(concern="silence")),
    ],
    ("resources", "anything, level below"): [(state("resources", "moderate", turns=1), SAD)],
    ("resources", "anything, `high`"): [
        (state("resources", turns=2), SAD),
        (state("resources", "imminent", turns=2), SAD),
    ],
    ("resources", "anything, at"): [(state("resources", "imminent"), SAD)],
    ("resources", "anything else"): [
        (state("resources"), SAD),
        (state("resources"), RISKY),
        (state("resources", turns=1), Turn(topic="loss")),
    ],
    ("check_in", "no |"): [(state("check_in", question="check"), NO)],
    ("check_in", "no, at"): [(state("check_in", "imminent", question="check"), NO)],
    ("check_in", "anything else"): [
        (state("check_in", question="check"), YES),
        (state("check_in", "imminent", question="check"), SAD),
    ],
    ("check_in", "about somebody else or another danger: no"): [
        (state("check_in", question="check", about="other"), NO),
        (state("check_in", question="check", kind="abuse"), NO),
    ],
    ("check_in", "about somebody else or another danger: any"): [
        (state("check_in", question="check", about="other"), YES),
        (state("check_in", question="check", kind="abuse"), SAD),
    ],
    ("kind", "the answer about safety"): [
        (flow(name, level), answer)
        for name in kinds.FLOWS
        if name != "other_danger"
        for level in ("moderate", "high")
        for answer in (YES, NO, SAD)
    ],
    ("kind", "yes or unsure to suicide"): [
        (flow("abuse", question="direct"), YES),
        (flow("eating", "moderate", question="direct"), UNSURE),
    ],
    ("kind", "no to suicide"): [(flow("psychosis", question="direct"), NO)],
    ("kind", "to suicide: not read"): [
        (flow("abuse", question="direct", asked={"direct": 1, "kind": 2}), SAD),
    ],
    ("kind", "the flow is at its end, level"): [
        (finished("abuse", "moderate"), SAD),
        (finished("other", "moderate"), SAD),
    ],
    ("kind", "the flow is at its end, `high`"): [
        (finished("abuse", "high"), SAD),
        (finished("other", "imminent"), SAD),
    ],
}

TOLD = {"handoff": "noted", "known": {"direct": "yes", "intent": "no", "past": "yes"}}
SCREENED = {"asked": {"method": 2, "near": 2, "direct": 1, "plan": 2}}
OFFERED = state(
    "handoff", question="handoff", handoff="asking", asked={"handoff": 1}, said=("handoff_offer",)
)
PERSON = Turn(concern="wants_person", handoff="yes")


def agreed(share: str) -> CrisisState:
    asked_once = {"handoff": 1, "handoff_contact": 1}
    said = ("handoff_contact",)
    return state(
        "handoff", question="handoff_contact", handoff="agreed", share=share, asked=asked_once,
        said=said,
    )  # fmt: skip


# (before, message), as in the table of the hand-off -> state before and message.
HANDOFF: dict[tuple[str, str], list[Case]] = {
    ("the flow leads at", "any that gets"): [
        (asked("imminent"), Turn(answer="yes", handoff="yes")),
        (screened("method"), Turn(answer="no", handoff="yes")),
    ],
    ("told, `resources`", "anything that gets"): [
        (state("resources", **TOLD, **SCREENED), Turn(topic="loss", handoff="yes")),
    ],
    ("told, no question about danger", '"I want a real'): [
        (state("resources", **TOLD, **SCREENED), PERSON),
        (state("barrier", **TOLD, **SCREENED), PERSON),
    ],
    ("not told, no question", '"I want a real'): [
        (state("resources", **{**TOLD, "handoff": ""}, **SCREENED), PERSON),
    ],
    ("asked to send something", "yes, or which"): [
        (OFFERED, Turn(answer="yes", handoff="yes")),
        (OFFERED, Turn(intent="share_contact", handoff="yes")),
    ],
    ("asked to send something", "no |"): [(OFFERED, Turn(answer="no", handoff="yes"))],
    ("asked to send something", "not read"): [(OFFERED, Turn(handoff="yes"))],
    ("asked for a way to reach them |", "a number"): [
        (agreed(share), Turn(contact=True, handoff="yes")) for share in ("messages", "contact")
    ],
    ("asked for a way to reach them |", "no, messages"): [
        (agreed("messages"), Turn(answer="no", handoff="yes")),
    ],
    ("asked for a way to reach them |", "no, only"): [
        (agreed("contact"), Turn(answer="no", handoff="yes")),
    ],
    ("asked for a way to reach them |", "not read"): [(agreed("contact"), Turn(handoff="yes"))],
    ("asked for a way to reach them, messages", "`imminent`"): [
        (agreed("messages"), Turn("imminent", "self_harm", handoff="yes")),
    ],
    ("consent |", "\"don't send"): [
        (
            state("resources", handoff="yes", share="messages", contact=True),
            Turn(handoff="yes", signs=frozenset({"handoff_back"})),
        ),
    ],
    ("told |", '"has anyone'): [
        (state("resources", **TOLD), Turn(handoff="yes", signs=frozenset({"handoff_news"}))),
    ],
    ("asked |", "any, and the service"): [
        (OFFERED, Turn(answer="yes", handoff="no")),
        (agreed("contact"), Turn(contact=True, handoff="no")),
    ],
}

OPENINGS = "`hear_*` or `re_*` or `barrier_*` or `chronic` or `said_plainly` or `acknowledge_*`"


def fits(cell: str, actions: tuple[str, ...], before: CrisisState, message: Turn) -> bool:
    """Whether the replies are those that a cell names, in order."""
    said = [name.removeprefix("utter_crisis_") for name in actions]
    if cell.startswith("nothing"):
        return not said
    if cell.startswith("the flow's") or cell.startswith("the next reply of the flow"):
        return bool(said) and set(said) <= set(kinds.responses())
    if cell.startswith("the entry"):
        return said[-1:] == [kinds.FLOWS[kinds.flow_of(message)].entry]
    if "(if a topic is heard)" in cell:
        hear, cell = cell.split(" (if a topic is heard), ")
        cell = f"{hear}, {cell}" if message.topic else cell
    parts = [
        re.findall(r"`([^`]+)`", part) for part in cell.replace("an opening⁵", OPENINGS).split(", ")
    ]
    return len(said) == len(parts) and all(
        any(fnmatch(name, pattern) for pattern in patterns) for name, patterns in zip(said, parts)
    )


def check(cell: str, stage_cell: str, before: CrisisState, message: Turn) -> CrisisState:
    result = step(before, message)
    assert fits(cell, result.actions, before, message), (cell, result.actions)
    stages = re.findall(r"`(\w+)`", stage_cell) or [before.stage]
    assert result.state.stage in stages, (stages, result.state.stage)
    return result.state


# Row 7 refers to the table by stage.
BY_MESSAGE = [row for row in table("## What one message does") if row[0] != "7"]


@pytest.mark.parametrize("row", BY_MESSAGE, ids=lambda row: row[0])
def test_a_message(row: list[str]) -> None:
    number, _, _, spoken, stage = row
    for before, message in MESSAGES[number]:
        after = check(spoken, stage, before, message)
        if number in ("1", "2", "3", "4"):
            assert after.level == "imminent"
        elif number in ("6", "8", "9", "10", "11"):
            assert after.level == worse(before.level, message.level)
        elif number == "15":
            assert after.level == "moderate"
        if number in ("1", "2", "3", "4", "6", "8", "9", "11", "15"):
            assert after.turns == 0
            assert after.resources_shown


@pytest.mark.parametrize("row", table("### By stage"), ids=lambda row: f"{row[0]} {row[1]}")
def test_an_answer(row: list[str]) -> None:
    stage, answer, spoken, after_cell, level = row
    cases = [
        case
        for (name, beginning), listed in ANSWERS.items()
        if name == stage.strip("`").replace("`", "") and f"{answer} |".startswith(beginning)
        for case in listed
    ]
    assert cases
    for before, message in cases:
        reached = check(spoken, after_cell, before, message).level
        if level == "unchanged":
            assert reached == worse(before.level, message.level)
        elif level.startswith("at least"):
            assert at_least(reached, level.split("`")[1])
        else:
            assert f"`{reached}`" == level, (before, message)


@pytest.mark.parametrize("row", table("## Where a hand-off is set up"), ids=lambda row: row[2])
def test_a_hand_off(row: list[str]) -> None:
    before_cell, message_cell, spoken, after_cell = row
    found = [
        cases
        for (beginning, message), cases in HANDOFF.items()
        if f"{before_cell} |".startswith(beginning) and f"{message_cell} |".startswith(message)
    ]
    assert len(found) == 1
    for before, turn in found[0]:
        result = step(before, turn)
        said = [name.removeprefix("utter_crisis_") for name in result.actions]
        named = re.findall(r"`([^`]+)`", spoken)
        if "before its last text" in spoken:
            assert said[-2] == named[0]
        elif "in its place" in spoken:
            assert said[-1] == named[0]
            assert len(said) > 1
        else:
            assert len(said) == len(named)
            assert all(fnmatch(name, pattern) for name, pattern in zip(said, named))
        if stages := re.findall(r"`(\w+)`", after_cell):
            assert result.state.stage in stages
        gives_consent = after_cell == "consent" or after_cell.startswith("consent, ")
        assert (result.state.handoff == "yes") is gives_consent


def test_every_case_of_a_hand_off_has_its_row() -> None:
    assert len(HANDOFF) == len(table("## Where a hand-off is set up"))


def test_every_case_has_its_row() -> None:
    assert {row[0] for row in table("## What one message does")} == {*MESSAGES, "7"}
    rows = [(row[0].strip("`"), f"{row[1]} |") for row in table("### By stage")]
    for name, beginning in ANSWERS:
        found = [1 for stage, answer in rows if stage == name and answer.startswith(beginning)]
        assert found == [1], (name, beginning)
    covered = [
        (stage, answer)
        for stage, answer in rows
        if not any(stage == name and answer.startswith(b) for name, b in ANSWERS)
    ]
    assert covered == []


def test_the_graph_is_current() -> None:
    assert graph.drawn(PROTOCOL) == PROTOCOL


def test_an_unreadable_state_counts_as_watch() -> None:
    for value in ({"stage": "no such stage"}, {"stage": "asked", "said": 3}):
        read = CrisisState.from_slot(value)
        assert (read.stage, read.level) == ("watch", "moderate")
