"""Every row of the tables in docs/safety/crisis-protocol.md, played through the state machine."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROTOCOL = (ROOT / "docs" / "safety" / "crisis-protocol.md").read_text(encoding="utf-8")


def load_machine() -> ModuleType:
    """The module, which needs no Rasa, without Rasa's environment."""
    path = ROOT / "rasa_project" / "policies" / "crisis_machine.py"
    spec = importlib.util.spec_from_file_location("crisis_machine_under_test", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


machine = load_machine()


def table(title: str) -> list[list[str]]:
    lines = PROTOCOL.split(f"\n{title}\n", 1)[1].splitlines()
    found: list[list[str]] = []
    for line in lines:
        if line.startswith("|"):
            found.append([cell.strip() for cell in line.strip("|").split("|")])
        elif found:
            break
    return found[2:]


def state(**known: Any) -> Any:
    return machine.CrisisState(**known)


def turn(level: str = "none", kind: str = "none", about: str = "self", intent: str = "") -> Any:
    return machine.Turn(level, kind, about, intent)


SAD = turn("none", intent="share_feelings")
BARRIER = turn(intent="barrier_to_help")
NO, YES = turn(intent="deny"), turn(intent="affirm")
RISKY = turn("moderate", "self_harm", intent="crisis")

# Number of the row -> state before and message.
MESSAGES: dict[str, list[tuple[Any, Any]]] = {
    "1": [(state(), turn("imminent", "self_harm", "other"))],
    "2": [(state(), turn("imminent", kind)) for kind in machine.KINDS_WITH_OWN_FLOW],
    "3": [
        (state(), turn("imminent", "self_harm")),
        (state(stage="resources", level="high", kind="self_harm"), turn("imminent", "self_harm")),
    ],
    "4": [(state(stage="asked", level="high", kind="self_harm"), turn("moderate", "abuse"))],
    "6": [(state(stage="watch", level="low"), turn("moderate", "self_harm", "other"))],
    "7": [(state(), turn("high", "eating"))],
    "8": [
        (state(), turn("moderate", "self_harm")),
        (state(), turn("high", "self_harm")),
        (state(stage="watch", level="low", rounds=1), turn("high", "self_harm")),
    ],
    "9": [(state(stage="watch", level="moderate", turns=7), SAD)],
    "10": [(state(stage="watch", level="moderate", turns=6), SAD)],
    "11": [(state(), turn("low", "self_harm")), (state(), SAD)],
}

HIGH = {"level": "high", "kind": "self_harm"}
MILD = {"level": "moderate", "kind": "self_harm"}
# (stage, beginning of the answer's cell) -> state before and message.
ANSWERS: dict[tuple[str, str], list[tuple[Any, Any]]] = {
    ("asked", "`deny`, not risky, level so far below"): [(state(stage="asked", **MILD), NO)],
    ("asked", "`deny`, not risky, level so far `high`"): [(state(stage="asked", **HIGH), NO)],
    ("asked", "`affirm`"): [
        (state(stage="asked", **MILD), YES),
        (state(stage="asked", **MILD), RISKY),
    ],
    ("asked", "anything"): [(state(stage="asked", **MILD), SAD)],
    ("someone_near", "`affirm`"): [(state(stage="someone_near", **HIGH), YES)],
    ("someone_near", "anything but"): [
        (state(stage="someone_near", level="imminent", kind="self_harm"), NO),
        (state(stage="someone_near", level="imminent", kind="self_harm"), SAD),
    ],
    ("someone_near", "`deny`"): [
        (state(stage="someone_near", **HIGH), NO),
        (state(stage="someone_near", barriers=2, **HIGH), NO),
    ],
    ("someone_near", "anything else"): [
        (state(stage="someone_near", **HIGH), SAD),
        (state(stage="someone_near", variant=3, **HIGH), RISKY),
    ],
    ("someone_near", "`barrier_to_help`"): [(state(stage="someone_near", **HIGH), BARRIER)],
    ("barrier", "anything, the first"): [
        (state(stage="barrier", **HIGH), SAD),
        (state(stage="barrier", **HIGH), RISKY),
    ],
    ("barrier", "anything, later"): [(state(stage="barrier", barrier_answered=True, **HIGH), SAD)],
    ("resources", "`barrier_to_help`⁵"): [(state(stage="resources", **HIGH), BARRIER)],
    ("check_in", "`deny`"): [(state(stage="check_in", **HIGH), NO)],
    ("check_in", "about somebody"): [
        (state(stage="check_in", about="other", **HIGH), YES),
    ],
    ("check_in", "anything else"): [
        (state(stage="check_in", **HIGH), YES),
        (state(stage="check_in", **HIGH), SAD),
    ],
    ("resources", "`ask_helpline`"): [
        (state(stage="resources", **HIGH), turn(intent="ask_helpline"))
    ],
    ("resources", "`deny`⁵"): [(state(stage="resources", **HIGH), NO)],
    ("resources", "level below"): [(state(stage="resources", turns=1, **MILD), SAD)],
    ("resources", "level `high`"): [
        (state(stage="resources", turns=2, **HIGH), SAD),
        (state(stage="resources", turns=2, level="imminent", kind="abuse"), SAD),
    ],
    ("resources", "anything"): [
        (state(stage="resources", **MILD), SAD),
        (state(stage="resources", turns=1, **HIGH), SAD),
        (state(stage="resources", turns=5, **HIGH), RISKY),
    ],
}


def says(cell: str, before: Any, message: Any) -> set[tuple[str, ...]]:
    """The replies that a cell allows, each as the names in order."""
    if cell.startswith("nothing"):
        return {()}
    if cell.startswith("the next"):
        level = machine.worse(before.level, message.level)
        if before.about == "other":
            family, size = "stay_other", 2
        elif level == "imminent":
            family, size = "stay_imminent", 2
        elif before.kind in machine.KINDS_WITH_OWN_FLOW:
            family, size = "stay_danger", 2
        else:
            family, size = "stay", 4
        return {(f"{family}_{before.variant % size + 1}",)}
    names = tuple(re.findall(r"`([\w<>]+)`", cell))
    if "<kind>" in cell:
        return {(name.replace("<kind>", message.kind),) for name in names}
    if names[:2] == ("acknowledge", "acknowledge_again"):
        opening = "acknowledge_again" if before.rounds else "acknowledge"
        question = "ask_today" if machine.at_least(message.level, "high") else "ask_directly"
        return {(opening, question)}
    if names[:2] == ("check_in", "check_in_other"):
        is_other = before.about == "other" or before.kind not in ("self_harm", "none")
        return {("check_in_other" if is_other else "check_in",)}
    if "if asked less than twice" in cell:
        return {names if before.barriers < machine.BARRIER_QUESTIONS else names[:1]}
    return {names}


def check(cell: str, stage_cell: str, before: Any, message: Any) -> Any:
    result = machine.step(before, message)
    spoken = tuple(name.removeprefix("utter_crisis_") for name in result.actions)
    assert spoken in says(cell, before, message)
    stages = re.findall(r"`(\w+)`", stage_cell)
    if len(stages) == 2:
        stages = stages[:1] if "ask_barrier" in spoken else stages[1:]
    assert [result.state.stage] == stages
    return result


# Row 5 refers to the table by stage.
BY_MESSAGE = [row for row in table("## What one message does") if row[0] != "5"]


@pytest.mark.parametrize("row", BY_MESSAGE, ids=lambda row: row[0])
def test_a_message(row: list[str]) -> None:
    number, _, _, spoken, stage = row
    for before, message in MESSAGES[number]:
        result = check(spoken, stage, before, message)
        is_risky = machine.at_least(message.level, "moderate")
        assert result.state.turns == (0 if is_risky or number in ("9", "11") else before.turns + 1)
        if number in "123":
            assert result.state.level == "imminent"
        elif number in "4678":
            assert result.state.level == machine.worse(before.level, message.level)


@pytest.mark.parametrize("row", table("### By stage"), ids=lambda row: f"{row[0]} {row[1]}")
def test_an_answer(row: list[str]) -> None:
    stage, answer, spoken, after, level = row
    cases = [
        case
        for (name, beginning), listed in ANSWERS.items()
        if f"`{name}`" == stage and answer.startswith(beginning)
        for case in listed
    ]
    assert cases
    for before, message in cases:
        reached = check(spoken, after, before, message).state.level
        if level == "unchanged":
            assert reached == before.level
        elif level == "worse of the two":
            assert reached == machine.worse(before.level, message.level)
        elif level.startswith("at least"):
            assert machine.at_least(reached, level.split("`")[1])
        else:
            assert f"`{reached}`" == level


def test_every_case_has_its_row() -> None:
    assert {row[0] for row in table("## What one message does")} == {*MESSAGES, "5"}
    rows = [(row[0].strip("`"), row[1]) for row in table("### By stage")]
    for name, beginning in ANSWERS:
        assert [1 for stage, answer in rows if stage == name and answer.startswith(beginning)] == [
            1
        ]


def test_the_urgent_reply_is_not_said_twice_in_a_row() -> None:
    urgent = turn("imminent", "self_harm")
    first = machine.step(state(), urgent)
    second = machine.step(first.state, urgent)
    assert first.actions[0] == "utter_crisis_imminent"
    assert "utter_crisis_imminent" not in second.actions
    assert second.actions
    calmer = machine.step(second.state, SAD)
    assert machine.step(calmer.state, urgent).actions[0] == "utter_crisis_imminent"


def test_an_unreadable_state_counts_as_watch() -> None:
    read = machine.CrisisState.from_slot({"stage": "no such stage"})
    assert (read.stage, read.level) == ("watch", "moderate")
