"""The crisis state machine: every stage, and what may never happen on any path."""

from __future__ import annotations

import itertools
import random

import pytest
import yaml

from policies.crisis_machine import (
    KINDS_WITH_OWN_FLOW,
    LEVELS,
    RECHECK_AFTER_TURNS,
    STAGES,
    CrisisState,
    Turn,
    at_least,
    step,
)
from policies.safety_policy import required_responses

DIRECT_QUESTIONS = {
    "utter_crisis_ask_directly",
    "utter_crisis_ask_today",
    "utter_crisis_recheck",
    "utter_crisis_check_in",
}
RESOURCES = {"utter_crisis_resources", "utter_crisis_resources_short"}


def talk(*turns: Turn) -> tuple[list[tuple[str, ...]], CrisisState]:
    """Actions of each turn and the last state."""
    state, said = CrisisState(), []
    for turn in turns:
        result = step(state, turn)
        said.append(result.actions)
        state = result.state
    return said, state


def test_no_risk_says_nothing_and_leaves_the_model_free() -> None:
    said, state = talk(Turn(), Turn(level="low"))
    assert said == [(), ()]
    assert not state.engaged
    assert state.level == "low"


def test_moderate_risk_is_asked_about_directly() -> None:
    said, state = talk(Turn("moderate", "self_harm"))
    assert said[0] == ("utter_crisis_acknowledge", "utter_crisis_ask_directly")
    assert state.engaged


def test_high_risk_is_asked_about_today() -> None:
    said, _ = talk(Turn("high", "self_harm"))
    assert said[0][-1] == "utter_crisis_ask_today"


def test_plain_yes_shows_line_person_and_professional_and_asks_who_is_near() -> None:
    said, state = talk(Turn("moderate", "self_harm"), Turn(intent="affirm"))
    assert "utter_crisis_resources" in said[1]
    assert said[1][-1] == "utter_crisis_ask_someone_near"
    assert state.level == "high"


def test_denial_softens_shows_resources_and_watches() -> None:
    said, state = talk(Turn("moderate", "self_harm"), Turn(intent="deny"))
    assert said[1] == ("utter_crisis_denied", "utter_crisis_resources_short")
    assert state.stage == "watch"
    assert not state.engaged


def test_one_denial_does_not_close_high_risk() -> None:
    said, state = talk(Turn("high", "self_harm"), Turn(intent="deny"))
    assert "utter_crisis_resources" in said[1]
    assert state.engaged


def test_watch_asks_again_within_ten_turns() -> None:
    turns = [Turn("moderate", "self_harm"), Turn(intent="deny")] + [Turn()] * RECHECK_AFTER_TURNS
    said, state = talk(*turns)
    assert said[-1] == ("utter_crisis_recheck",)
    assert RECHECK_AFTER_TURNS <= 10
    assert state.stage == "asked"


def test_imminent_names_the_emergency_number_first_and_breaks_into_every_stage() -> None:
    for stage in STAGES:
        result = step(CrisisState(stage=stage, level="moderate"), Turn("imminent", "self_harm"))
        assert result.actions[0] == "utter_crisis_imminent", stage
        assert result.state.level == "imminent"


@pytest.mark.parametrize("kind", KINDS_WITH_OWN_FLOW)
@pytest.mark.parametrize("level", ["moderate", "high", "imminent"])
def test_other_kinds_have_their_own_reply(kind: str, level: str) -> None:
    said, state = talk(Turn(level, kind))
    suffix = "_imminent" if level == "imminent" else ""
    assert said[0] == (f"utter_crisis_{kind}{suffix}",)
    assert state.resources_shown


@pytest.mark.parametrize("level", ["moderate", "high", "imminent"])
def test_worry_about_someone_else_gets_its_own_reply(level: str) -> None:
    said, _ = talk(Turn(level, "self_harm", about="other"))
    assert said[0][0].startswith("utter_crisis_other")


def test_nobody_near_is_followed_by_what_makes_calling_hard() -> None:
    said, state = talk(Turn("high", "self_harm"), Turn(intent="affirm"), Turn(intent="deny"))
    assert said[2][-1] == "utter_crisis_ask_barrier"
    answered = step(state, Turn())
    assert answered.actions == ("utter_crisis_barrier_reply",)


def test_quiet_turns_at_high_lead_to_a_check_in_and_only_a_no_leads_out() -> None:
    turns = [Turn("high", "self_harm"), Turn(intent="affirm"), Turn(intent="affirm")]
    state = talk(*turns)[1]
    said: list[str] = []
    for _ in range(6):
        result = step(state, Turn(intent="share_feelings"))
        state = result.state
        said += result.actions
        if state.stage == "check_in":
            break
    assert state.stage == "check_in"
    assert step(state, Turn(intent="affirm")).state.engaged
    assert step(state, Turn(intent="deny")).state.stage == "watch"


def test_unreadable_slot_value_is_treated_as_watchful_not_as_safe() -> None:
    state = CrisisState.from_slot({"stage": "nonsense", "level": "high"})
    assert (state.stage, state.level) == ("watch", "moderate")


def test_state_survives_the_slot() -> None:
    state = talk(Turn("high", "self_harm"), Turn(intent="affirm"))[1]
    assert CrisisState.from_slot(state.as_slot()) == state


@pytest.mark.parametrize("seed", range(300))
def test_random_walks_keep_the_promises(seed: int) -> None:
    """No way out of high or imminent before the resources were shown; never silence."""
    rng = random.Random(seed)
    intents = ["affirm", "deny", "unsure", "share_feelings", "stop", "out_of_scope", "greet"]
    state = CrisisState()
    shown, peak = False, "none"
    for _ in range(25):
        level = rng.choices(LEVELS, weights=[8, 2, 2, 2, 1])[0]
        kind = rng.choice(["self_harm", *KINDS_WITH_OWN_FLOW]) if at_least(level, "low") else "none"
        before = state
        result = step(state, Turn(level, kind, rng.choice(["self", "other"]), rng.choice(intents)))
        state = result.state
        shown = shown or any(
            action in RESOURCES
            or action.startswith(("utter_crisis_other", "utter_crisis_imminent"))
            or any(action.startswith(f"utter_crisis_{own}") for own in KINDS_WITH_OWN_FLOW)
            for action in result.actions
        )
        if before.engaged or at_least(level, "moderate"):
            assert result.actions, (before, level)
        if at_least(level, "high"):
            peak = level
        if peak in ("high", "imminent") and not state.engaged and state.stage != "none":
            assert shown
        assert state.stage in STAGES
        assert state.level in LEVELS
        assert state.resources_shown <= shown


def test_the_same_question_is_never_asked_three_times_in_a_row() -> None:
    for intents in itertools.product(["share_feelings", "deny", "unsure", "stop"], repeat=6):
        state = step(CrisisState(), Turn("high", "self_harm")).state
        asked = ["utter_crisis_ask_today"]
        for intent in intents:
            result = step(state, Turn(intent=intent))
            state = result.state
            asked += [a for a in result.actions if a in DIRECT_QUESTIONS or "ask_" in a]
        runs = [len(list(group)) for _, group in itertools.groupby(asked)]
        assert max(runs) < 3, (intents, asked)


def test_every_action_has_a_response_in_the_domain(domain_responses: dict[str, object]) -> None:
    missing = [name for name in required_responses() if name not in domain_responses]
    assert missing == []


FORBIDDEN = ["i promise", "always be here", "you can rely on me", "keep it secret", "calm down",
             "you should", "you must", "committed suicide", "commit suicide"]  # fmt: skip


def test_crisis_wording_keeps_the_voice(domain_responses: dict[str, list[dict[str, str]]]) -> None:
    for name, variations in domain_responses.items():
        if not name.startswith("utter_crisis_"):
            continue
        for variation in variations:
            text = variation["text"].lower()
            assert "!" not in text, name
            assert not [words for words in FORBIDDEN if words in text], name
            assert "\n\n" not in text, name
            assert text.count("?") <= 2, name


@pytest.fixture(scope="module")
def domain_responses(repository) -> dict[str, object]:
    found: dict[str, object] = {}
    for path in sorted((repository / "rasa_project" / "domain").glob("*.yml")):
        found.update(yaml.safe_load(path.read_text(encoding="utf-8")).get("responses") or {})
    return found
