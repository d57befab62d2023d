"""Answers inside the flows for other people and other dangers (`policies.kinds`)."""

from __future__ import annotations

from dataclasses import replace

from policies import kinds
from policies.concerns import LEAVES_OPEN, concern_reply
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
    STAY_DANGER,
    STAY_OTHER,
    Reply,
    ask,
    ask_next,
    know,
    reading_of,
    take_in,
    to_resources,
    urgent_text,
)


def answer_in_flow(state: CrisisState, turn: Turn) -> Reply:
    """Inside a flow of `policies.kinds`; a yes to the direct question leaves it for the screen."""
    if state.question == "direct":
        said = reading_of(turn)
        if said in ("yes", "unsure"):
            own = replace(state, about="self", level=worse(state.level, "high"))
            own = know(replace(own, kind="self_harm"), "direct", said)
            opening = "thanks_for_telling" if said == "yes" else "not_sure"
            if state.level == "imminent":
                return ask([opening, urgent_text(state)], own, "near")
            return ask_next([opening, "resources"], own)
        if said == "" and state.asked.get("direct", 0) < TIMES_ASKED and not turn.concern:
            taken_in, after = take_in(state, turn)
            return ask(taken_in, after, "direct")
        state = know(state, "direct", said or "unread")
    if state.question == "check":
        return _answer_check_other(state, turn)
    if turn.concern and not turn.reply:
        names, after = concern_reply(state, turn)
        if turn.concern in LEAVES_OPEN or turn.concern in BARRIERS:
            return names, after
        following, after = kinds.go_on(after, turn)
        return [*names, *following], after if following else to_resources(after)
    following, state = kinds.go_on(state, turn)
    if following:
        return following, state
    if not at_least(state.level, "high"):
        closing = "other_close" if state.about == "other" else "danger_close"
        return [closing], replace(state, stage="watch", question="", turns=0)
    if state.turns >= CALM_TURNS_BEFORE_CHECK_IN:
        again = "check_in_other_again" if "check_in_other" in state.said else "check_in_other"
        return ask([], replace(state, turns=0, asked={}), "check", again)
    family = STAY_OTHER if state.about == "other" else STAY_DANGER
    return [least_said(family, state.said)], to_resources(state)


def _answer_check_other(state: CrisisState, turn: Turn) -> Reply:
    said = reading_of(turn)
    if said == "no":
        eased = replace(state, stage="watch", level="moderate", question="", turns=0)
        return ["eased_other"], eased
    name = "other_still" if state.about == "other" else "danger_still"
    return [name], to_resources(replace(state, turns=0))
