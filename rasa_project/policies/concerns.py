"""What the person fears or asks of the talk itself: barriers, honest answers, stop, silence."""

from __future__ import annotations

from dataclasses import replace
from typing import List

from policies import screen
from policies.crisis_state import (
    CALM_TURNS_BEFORE_CHECK_IN,
    TIMES_ASKED,
    CrisisState,
    Turn,
    at_least,
    least_said,
    worse,
)
from policies.heard import BARRIERS
from policies.replies import (
    STAY,
    STAY_IMMINENT,
    Reply,
    ask,
    ask_barrier,
    ask_next,
    check_in,
    in_danger_flow,
    know,
    reading_of,
    to_resources,
    urgent_text,
)

LEAVES_OPEN = ("stop", "goodbye", "to_be_heard")
"""Concerns after which the screen asks nothing: their answers end in an open question or none."""

PRACTICAL = ("number", "words")
"""Requests that are answered whatever else the message says."""

ABOUT_HELP = ("near", "step", "barrier", "")
"""Questions after which "burden", "shame", "money" and the like are reasons not to seek help; after
others they are what the message is about."""

DANGER_QUESTIONS = ("direct", *screen.QUESTIONS)
ASKED_AGAIN = (*DANGER_QUESTIONS, "check", "handoff", "handoff_contact")
"""Questions that are asked again after a concern was answered."""
SILENCE = ("re_silence_1", "re_silence_2", "re_silence_3")
ALWAYS_BARRIERS = ("afraid", "bad_line", "privacy", "voice")


def is_concern(turn: Turn, state: CrisisState) -> bool:
    """Whether what the message asks of the talk is answered first."""
    if not turn.concern or turn.concern == "silence":
        return False
    reason = turn.concern in BARRIERS and turn.concern not in ALWAYS_BARRIERS
    if reason and state.question not in ABOUT_HELP:
        return False
    return not _answers_more_than(turn, state)


def _answers_more_than(turn: Turn, state: CrisisState) -> bool:
    """Whether the message is the answer that was waited for, so that its concern comes second."""
    soft = (
        "thanks", "topic_change", "not_helping", "scared", "sorry", "question", "pointless",
        "told_you",
    )  # fmt: skip
    if turn.concern in PRACTICAL:
        return False
    if state.question == "barrier":
        return turn.concern not in (*BARRIERS, "refuses", "stop", "anger", "method", "pointless")
    if turn.concern == "refuses" and state.question not in ("step", "near", ""):
        return bool(turn.reply)
    if turn.concern == "stop":
        return turn.reply == "no" and state.question in ("direct", "check") and not turn.intent
    return bool(turn.reply) and (turn.concern in soft or turn.intent in ("affirm", "deny"))


def answer_concern(state: CrisisState, turn: Turn) -> Reply:
    """An honest answer to a concern, then the question that waits, or what comes next."""
    state = heard_answer(state, turn)
    if screen.is_imminent(state.known) and state.level != "imminent":
        names, after = concern_reply(replace(state, level="imminent", turns=0), turn)
        return ask([*names, urgent_text(state)], after, "near")
    if turn.concern == "refuses":
        return ask_barrier(state, ["refuses"])
    if turn.concern == "told_you":
        state = _as_told(state)
    names, after = concern_reply(state, turn)
    if turn.concern == "form":
        return _without_questions(names, after)
    if turn.concern in LEAVES_OPEN:
        urgent = ["stop_imminent"] if state.level == "imminent" else []
        return [*names, *urgent], to_resources(after)
    waiting = after.question
    open_still = waiting in ASKED_AGAIN and waiting not in after.known
    if open_still and after.asked.get(waiting, 0) < TIMES_ASKED:
        return ask(names, after, waiting)
    if turn.concern in BARRIERS or turn.concern == "barrier":
        return ask(names, after, "step", smaller_step(turn.concern, after))
    return _after_concern(names, after)


def _after_concern(names: List[str], state: CrisisState) -> Reply:
    """What follows an answer when no question can be asked again."""
    if state.question == "direct" and "direct" not in state.known:
        said_before = "yes" if at_least(state.level, "high") else "unsure"
        return ask_next([*names, "resources"], know(state, "direct", said_before))
    if state.level == "imminent":
        if "near" not in state.known and state.asked.get("near", 0) < TIMES_ASKED:
            return ask(names, state, "near")
        return [*names, least_said(STAY_IMMINENT, state.said)], to_resources(state)
    if state.known.get("direct") in ("yes", "unsure"):
        return ask_next(names, state)
    return [*names, least_said(STAY, state.said)], to_resources(state)


def _as_told(state: CrisisState) -> CrisisState:
    """Who says that it was told already is believed: what was asked is known."""
    if state.question not in ("direct", "wish", "method", "past"):
        return state
    level = worse(state.level, "high") if state.question == "direct" else state.level
    return know(replace(state, level=level), state.question, "yes")


def _without_questions(names: List[str], state: CrisisState) -> Reply:
    """No more of the screen: only whether somebody can be near is still asked."""
    if "near" not in state.known and state.asked.get("near", 0) < TIMES_ASKED:
        return ask(names, state, "near")
    family = STAY_IMMINENT if state.level == "imminent" else STAY
    return [*names, least_said(family, state.said)], to_resources(state)


def smaller_step(concern: str, state: CrisisState) -> str:
    """The question about a smaller step that fits the barrier."""
    by_person = ("burden", "shame", "tried", "doctor")
    wordings = ("ask_step_person_1", "ask_step_person_2") if concern in by_person else (
        "ask_step_write_1", "ask_step_write_2",
    )  # fmt: skip
    return least_said(wordings, state.said)


def heard_answer(state: CrisisState, turn: Turn) -> CrisisState:
    """The state with the answer that came together with a concern.

    A no counts only beside a practical request, to a question of the screen.
    """
    said = turn.reply if state.question in screen.QUESTIONS else reading_of(turn)
    if turn.concern in PRACTICAL and state.question in screen.QUESTIONS and said == "no":
        return know(state, state.question, "no")
    if state.question in (*DANGER_QUESTIONS, "near") and said in ("yes", "unsure"):
        state = know(state, state.question, said)
        if state.question == "direct" and said == "yes":
            state = replace(state, level=worse(state.level, "high"))
    elif turn.risky and at_least(turn.level, "high"):
        state = replace(know(state, "direct", "yes"), level=worse(state.level, "high"))
    return state


def concern_reply(state: CrisisState, turn: Turn) -> Reply:
    name = turn.concern
    if name == "refuses":
        return ["refuses"], state
    if name == "silence":
        return [least_said(SILENCE, state.said)], state
    if name == "words" and (state.about == "other" or in_danger_flow(state)):
        return ["re_words_other"], state
    if name == "words" and state.level == "imminent" and "re_words_now" not in state.last:
        return ["re_words_now"], state
    if name == "money" and state.level == "imminent":
        return [least_said(("barrier_money_now", "barrier_reply"), state.said)], state
    if name in BARRIERS:
        first, again = f"barrier_{name}", "barrier_reply"
        return [again if first in state.said[-6:] else first], state
    if name == "barrier":
        return [least_said(("barrier_reply", "barrier_reply_2"), state.said)], state
    return [least_said((f"re_{name}_1", f"re_{name}_2"), state.said)], state


def answer_silence(state: CrisisState) -> Reply:
    quiet = [least_said(SILENCE, state.said)]
    waiting = state.question
    if waiting in (*DANGER_QUESTIONS, "near", "check"):
        if state.asked.get(waiting, 0) < TIMES_ASKED:
            return ask(quiet, state, waiting)
        if waiting == "direct":
            said_before = "yes" if at_least(state.level, "high") else "unsure"
            return ask_next(["resources"], know(state, "direct", said_before))
        if waiting == "check" or state.level == "imminent":
            return quiet, to_resources(state)
        return ask_next(quiet, know(state, waiting, "unsure"))
    if state.turns >= CALM_TURNS_BEFORE_CHECK_IN and at_least(state.level, "high"):
        return check_in(state)
    return quiet, to_resources(state)
