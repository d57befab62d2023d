"""Answers of a person who may be thinking of suicide.

To the direct question, the screen, who is near, a step now, what makes it hard, and the check-in;
and company where no question waits.
"""

from __future__ import annotations

from dataclasses import replace

from policies import screen
from policies.concerns import answer_concern
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
    UNSURE,
    Reply,
    ask,
    ask_barrier,
    ask_next,
    check_in,
    know,
    reading_of,
    take_in,
    to_resources,
    took_up,
    topic_reply,
    urgent_text,
)


def answer_direct(state: CrisisState, turn: Turn) -> Reply:
    said = reading_of(turn)
    urgent = state.level == "imminent"
    if said == "no":
        return denied(state, turn)
    if said == "yes":
        after = know(replace(state, level=worse(state.level, "high")), "direct", "yes")
        if urgent:
            return ask(["imminent_confirmed"], after, "near")
        opening = topic_reply(after, turn) if turn.risky else []
        after = took_up(after, turn, opening)
        names = [*(opening or ["thanks_for_telling"]), "resources"]
        return ask_next(names, after)
    if urgent:
        return ask(["imminent_unclear"], know(state, "direct", "unsure"), "near")
    if said == "unsure" and at_least(state.level, "high"):
        # The message that led here said it; what is unsure is how to say it again.
        return ask_next(["not_sure", "resources"], know(state, "direct", "yes"))
    if said == "" and state.asked.get("direct", 0) < TIMES_ASKED:
        opening, after = take_in(state, turn)
        return ask(opening, after, "direct")
    opening, after = take_in(state, turn)
    said_before = "yes" if at_least(state.level, "high") else "unsure"
    opening = opening if said == "" else ["not_sure"]
    return ask_next([*opening, "resources"], know(after, "direct", said_before))


def denied(state: CrisisState, turn: Turn) -> Reply:
    joke = {"retracted", "joking"} <= turn.signs
    if at_least(state.level, "high"):
        after = know(state, "direct", "no")
        opening = "denied_joking" if joke else "denied_high"
        if state.level == "imminent":
            acted = "imminent_act" in state.said
            calmer = after if acted else replace(after, level="high")
            return ask([opening, "resources"], calmer, "near")
        return [opening, "resources", "open_question"], to_resources(after)
    softened = replace(
        know(state, "direct", "no"), level="low", stage="watch", question="", turns=0
    )
    if "resources_short" in state.said[-12:]:
        return ["denied_again"], softened
    return ["denied_joking" if joke else "denied", "resources_short"], softened


def answer_screen(state: CrisisState, turn: Turn) -> Reply:
    asked = state.question
    said = turn.reply or ("unsure" if turn.risky else "")
    if not said:
        opening, after = take_in(state, turn)
        if state.asked.get(asked, 0) < TIMES_ASKED:
            return ask(opening, after, asked)
        return ask_next(opening, know(after, asked, "unsure"))
    after = know(state, asked, said)
    if screen.is_imminent(after.known):
        after = replace(after, level="imminent", turns=0)
        return ask([urgent_text(state)], after, "near")
    if said == "unsure" and asked != "intent":
        return ask_next([least_said(UNSURE, after.said)], after)
    return ask_next([f"{asked}_{said}"], after)


def answer_near(state: CrisisState, turn: Turn) -> Reply:
    urgent = state.level == "imminent"
    said = turn.reply
    if said == "yes":
        after = know(state, "near", "yes")
        return ask(["someone_yes_imminent" if urgent else "someone_yes"], after, "step", "")
    if urgent:
        after = know(state, "near", said or "unsure")
        return ask(["imminent_alone"], after, "step", "")
    if said == "no":
        return ask_barrier(know(state, "near", "no"), ["someone_no"])
    if not said and state.asked.get("near", 0) < TIMES_ASKED:
        opening, after = take_in(state, turn)
        return ask(opening, after, "near")
    return ask_next(["someone_unsure"], know(state, "near", "unsure"))


def answer_step(state: CrisisState, turn: Turn) -> Reply:
    urgent = state.level == "imminent"
    if turn.reply == "yes":
        after = to_resources(know(state, "step", "yes"))
        return ["step_yes_imminent" if urgent else "step_yes"], after
    if turn.reply == "no":
        return ask_barrier(state, ["step_no"])
    after = to_resources(know(state, "step", "unsure"))
    if urgent:
        hesitates = ("step_hesitates_1", "step_hesitates_2")
        order = hesitates if state.known.get("near") == "yes" else hesitates[::-1]
        return [least_said(order, state.said)], after
    if turn.reply == "unsure":
        return ask_next(["step_maybe"], after)
    return keep_company(after, turn)


def progressed(state: CrisisState) -> Reply:
    name = "progress_imminent" if state.level == "imminent" else "progress"
    after = to_resources(know(know(state, "step", "yes"), "near", "yes"))
    if name in state.said[-3:]:
        return [f"{name}_again"], after
    return [name], after


def answer_barrier(state: CrisisState, turn: Turn) -> Reply:
    """An answer to "what makes it hard?" that names no barrier of the list."""
    if turn.concern in BARRIERS or turn.concern == "police":
        feared = "afraid" if turn.concern == "police" else turn.concern
        return answer_concern(state, replace(turn, concern=feared))
    if "barrier_reply" in state.said:
        return keep_company(state, turn)
    return ask(["barrier_reply"], state, "step")


def answer_check(state: CrisisState, turn: Turn) -> Reply:
    said = reading_of(turn)
    if said == "no" and state.level == "imminent":
        known = {**state.known, "intent": "no", "plan": "no"}
        calmer = replace(to_resources(state), level="high", turns=0, known=known)
        return ["eased_imminent"], calmer
    if said == "no":
        eased = replace(state, stage="watch", level="moderate", question="", turns=0)
        return ["eased"], eased
    after = replace(state, known={"direct": "yes"}, turns=0)
    return ask(["still_there"], after, "near")


def asked_anew(state: CrisisState, turn: Turn) -> Reply:
    """Thoughts of suicide were denied, and now something speaks for them after all."""
    opening, after = take_in(state, turn)
    if at_least(turn.level, "high"):
        opened = know(replace(after, level=worse(after.level, "high")), "direct", "yes")
        return ask_next(["thanks_for_telling"], opened)
    known = {name: said for name, said in after.known.items() if name != "direct"}
    return ask(opening, replace(after, known=known, asked={**after.asked, "direct": 0}), "direct")


def keep_company(state: CrisisState, turn: Turn) -> Reply:
    """No question waits: what is unknown is asked, else the person has company, step by step."""
    calm = state.stage == "resources" and state.turns >= CALM_TURNS_BEFORE_CHECK_IN
    speaks_for_it = at_least(turn.level, "high") or turn.signs & {"explicit", "not_be_here"}
    own = turn.risky and turn.about == "self" and turn.kind == "self_harm"
    if own and speaks_for_it and state.known.get("direct") == "no":
        return asked_anew(state, turn)
    unanswered = "direct" in state.asked and "direct" not in state.known
    if unanswered and turn.reply in ("yes", "unsure"):
        return answer_direct(replace(state, question="direct"), turn)
    if state.level == "imminent":
        if calm:
            return check_in(state)
        return [least_said(STAY_IMMINENT, state.said)], to_resources(state)
    if not at_least(state.level, "high") and state.turns >= 2:
        return ["eased"], replace(state, stage="watch", question="", turns=0)
    if calm:
        return check_in(state)
    opening, after = take_in(state, turn)
    if state.known.get("direct") in ("yes", "unsure"):
        question = screen.next_question(state.known, state.asked)
        if question:
            return ask(opening, after, question)
    return [*opening, least_said(STAY, after.said)], to_resources(after)
