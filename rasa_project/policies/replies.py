"""The building blocks of a reply: what is said, the question after it, and what is then known.

Replies are names of responses without `utter_crisis_`. Nothing is said twice in a row: families of
replies are gone through by what was said longest ago.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Dict, List, Optional, Sequence, Tuple

from policies import screen
from policies.crisis_state import (
    BARRIER_QUESTIONS,
    KINDS_WITH_OWN_FLOW,
    CrisisState,
    Turn,
    at_least,
    least_said,
)

Reply = Tuple[List[str], CrisisState]
"""Names of responses without `utter_crisis_`, and the state after them."""

STAY = ("stay_1", "stay_2", "stay_3", "stay_4", "stay_5", "stay_6")
STAY_IMMINENT = ("stay_imminent_1", "stay_imminent_2", "stay_imminent_3", "stay_imminent_4")
STAY_DANGER = ("stay_danger_1", "stay_danger_2", "stay_danger_3")
STAY_OTHER = ("stay_other_1", "stay_other_2", "stay_other_3")
AGAIN = ("acknowledge_again_1", "acknowledge_again_2", "acknowledge_again_3")
HEARD = ("acknowledge_1", "acknowledge_2", "acknowledge_3")
BRIDGES = ("bridge_1", "bridge_2", "bridge_3", "bridge_4", "bridge_5", "bridge_6")
UNSURE = ("unsure_1", "unsure_2")
RECHECK = ("recheck_1", "recheck_2")
FAMILIES: Tuple[Tuple[str, ...], ...] = (
    STAY, STAY_IMMINENT, STAY_DANGER, STAY_OTHER, AGAIN, HEARD, BRIDGES, UNSURE, RECHECK,
)  # fmt: skip

_PAIRS: Dict[str, str] = {
    "check_in": "check_in_again",
    "check_in_again": "check_in",
    "check_in_other": "check_in_other_again",
    "check_in_other_again": "check_in_other",
    "imminent": "imminent_again",
    "ask_someone_near": "ask_someone_near_2",
    "ask_someone_now": "ask_someone_now_2",
    "ask_barrier": "ask_barrier_2",
    "barrier_reply": "barrier_reply_2",
}
"""Reply -> what says the same in other words, where the names do not tell."""


def fresh(names: Sequence[str], state: CrisisState) -> List[str]:
    """`names` without what was said a message ago: in other words, or left out."""
    found: List[str] = []
    for name in names:
        if name in state.last:
            name = _in_other_words(name, state)
        if name and name not in found:
            found.append(name)
    return found or ([least_said(BRIDGES, state.said)] if names else [])


def _in_other_words(name: str, state: CrisisState) -> str:
    """Another reply of the same sort that was not said a message ago, or empty."""
    choices: Tuple[str, ...] = next((family for family in FAMILIES if name in family), ())
    if not choices and name[-2:] in ("_1", "_2"):
        choices = (f"{name[:-2]}_1", f"{name[:-2]}_2")
    if not choices:
        choices = (_PAIRS[name],) if name in _PAIRS else ()
    fresh = [choice for choice in choices if choice not in state.last]
    return least_said(fresh, state.said) if fresh else ""


def topic_reply(state: CrisisState, turn: Turn) -> List[str]:
    new = turn.topic and turn.topic not in state.topics
    return [f"hear_{turn.topic}"] if new else []


def took_up(state: CrisisState, turn: Turn, names: Sequence[str]) -> CrisisState:
    if names and names[0] == f"hear_{turn.topic}":
        return replace(state, topics=(*state.topics, turn.topic))
    return state


def take_in(state: CrisisState, turn: Turn) -> Reply:
    """Takes up what was said, when it answers no question."""
    found = topic_reply(state, turn)
    if found:
        return found, took_up(state, turn, found)
    return [least_said(BRIDGES, state.said)], state


def know(state: CrisisState, question: str, answer: str) -> CrisisState:
    return replace(state, known={**state.known, question: answer})


def to_resources(state: CrisisState) -> CrisisState:
    turns = state.turns if state.stage == "resources" else 0
    return replace(state, stage="resources", question="", turns=turns)


def ask(
    names: Sequence[str], state: CrisisState, question: str, wording: Optional[str] = None
) -> Reply:
    """Says `names`, then the question in a wording not used last; `""`: `names` ask it."""
    times = state.asked.get(question, 0) + 1
    asked = replace(
        state,
        stage=screen.STAGE_OF.get(question, "screen"),
        question=question,
        asked={**state.asked, question: times},
    )
    if wording is None:
        urgent = state.level == "imminent"
        wording = least_said(screen.wordings(question, urgent), state.said)
    return [*names, *([wording] if wording else [])], asked


def ask_next(names: List[str], state: CrisisState) -> Reply:
    """Says `names` and asks what is still unknown; after the last answer, what follows from it."""
    question = screen.next_question(state.known, state.asked)
    if question:
        return ask(names, state, question)
    level = screen.level_after(state.known, state.level)
    if at_least(level, "high"):
        done = to_resources(replace(state, level=level))
        following = least_said(STAY, state.said)
        return [*names, following], done
    done = replace(state, level=level, stage="watch", question="", turns=0)
    return [*names, "screen_done"], done


def reading_of(turn: Turn) -> str:
    """The answer, where the gate's verdict on the same message counts more than a plain no."""
    if not turn.risky:
        return turn.reply
    if turn.reply == "no" and (turn.level == "moderate" or turn.about == "other"):
        return "unsure"
    if turn.uncertain:
        return turn.reply or "unsure"
    return "yes" if turn.about == "self" else turn.reply


def urgent_text(state: CrisisState) -> str:
    return "imminent_again" if "imminent" in state.said[-8:] else "imminent"


def ask_barrier(state: CrisisState, names: List[str]) -> Reply:
    if state.asked.get("barrier", 0) >= BARRIER_QUESTIONS:
        family = STAY_IMMINENT if state.level == "imminent" else STAY
        return [*names, least_said(family, state.said)], to_resources(state)
    return ask(names, state, "barrier")


def check_in(state: CrisisState) -> Reply:
    name = "check_in_again" if "check_in" in state.said else "check_in"
    return ask([], replace(state, turns=0, asked={}), "check", name)


def in_danger_flow(state: CrisisState) -> bool:
    return state.kind in KINDS_WITH_OWN_FLOW
