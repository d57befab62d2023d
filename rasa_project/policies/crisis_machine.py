"""The crisis conversation as a state machine, free of Rasa.

`step(state, turn)` takes what is known so far and one message and gives the `utter_*` actions to
run and the next state. `policies.safety_policy` keeps the state in slots and runs it. The
protocol it follows is `docs/safety/crisis-protocol.md`: take up what was said; ask directly; a line
*and* a person *and* a professional at once; one question at a time; a denial does not close it;
the language model stays silent until the state is `watch`.

Where the rest is: `entering` (the first reply, rechecks), `answers` (to our questions), `concerns`
(what the person asks of the talk), `kinds` and `flow_answers` (other people, other dangers),
`screen` (what is asked in which order), `replies` (how a reply is put together), `handing_on` (what
is said of a hand-off), `languages`, `accumulation`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Callable, Dict, Optional, Tuple

from policies import accumulation, handing_on, kinds, languages, screen
from policies.answers import (
    answer_barrier,
    answer_check,
    answer_direct,
    answer_near,
    answer_screen,
    answer_step,
    keep_company,
    progressed,
)
from policies.concerns import answer_concern, answer_silence, is_concern
from policies.crisis_state import (
    KINDS_WITH_OWN_FLOW,
    SAID_LENGTH,
    CrisisState,
    Step,
    Turn,
    at_least,
    worse,
)
from policies.entering import (
    answer_how_heavy,
    enter,
    enter_gently,
    enter_imminent,
    watch_on,
    welcome_back,
)
from policies.flow_answers import answer_in_flow
from policies.replies import Reply, fresh, in_danger_flow

ANSWERS: Dict[str, Callable[[CrisisState, Turn], Reply]] = {
    "direct": answer_direct,
    "near": answer_near,
    "step": answer_step,
    "barrier": answer_barrier,
    "check": answer_check,
    "handoff": handing_on.answer_offer,
    "handoff_contact": handing_on.answer_contact,
    **dict.fromkeys(screen.QUESTIONS, answer_screen),
}
"""Question that waits -> what answers to it lead to."""


def step(state: CrisisState, turn: Turn) -> Step:
    """One turn of the crisis conversation.

    Args:
        state: the state before the message.
        turn: the message.

    Returns:
        The actions, in order, and the state after them.
    """
    before = _counted(handing_on.forgotten(state) if turn.new_session else state, turn)
    names, after = handing_on.joined(before, turn, _reply(before, turn))
    if turn.risky and after.stage in ("none", "watch"):
        # A risky message never ends the flow, whatever else it answers.
        after = replace(after, stage="resources", question="", level=worse(after.level, turn.level))
    names = fresh(names, before)
    names = languages.spoken(names, after, turn)
    said = (*after.said, *names)[-SAID_LENGTH:]
    told = 0 if languages.NOT_HANDLED in names else after.language_told
    after = replace(after, said=said, last=tuple(names), language_told=told)
    return Step(tuple(action(name) for name in names), after)


def action(name: str) -> str:
    """The response's full name."""
    return name if name == languages.NOT_HANDLED else f"utter_crisis_{name}"


def _counted(state: CrisisState, turn: Turn) -> CrisisState:
    """The state with the message's language and weight."""
    if turn.risky or state.engaged:
        window: Tuple[float, ...] = () if state.engaged else state.window
    else:
        one = accumulation.weight(turn.score, turn.level, turn.signs)
        window = accumulation.extended(state.window, one)
        window = window if any(window) else ()
    told = state.language_told
    return replace(
        state,
        window=window,
        language=_language(state, turn),
        country=turn.country or state.country,
        language_told=told + 1 if told >= 0 else told,
    )


def _language(state: CrisisState, turn: Turn) -> str:
    if not turn.understood and state.language in languages.TRANSLATED:
        return state.language
    return turn.language or state.language


def _reply(state: CrisisState, turn: Turn) -> Reply:
    turn = _in_context(state, turn)
    if turn.level == "imminent" and not already_urgent(state, turn):
        return enter_imminent(state, turn)
    told = handing_on.news(state, turn)
    if told:
        return told
    if state.engaged:
        if turn.new_session and not turn.risky:
            return welcome_back(state)
        return _engaged(state, turn)
    if turn.risky:
        return enter(state, turn)
    if state.stage == "unclear":
        return answer_how_heavy(state, turn)
    if state.stage == "watch":
        return watch_on(state, turn)
    if accumulation.builds_up(state.window):
        return enter_gently(state, turn)
    recent = turn.topic or state.recent
    return [], replace(state, level=worse(state.level, turn.level), recent=recent)


def _in_context(state: CrisisState, turn: Turn) -> Turn:
    """The message as it is meant where the conversation stands."""
    own = state.engaged and state.about == "self" and not in_danger_flow(state)
    if turn.level == "imminent" and own:
        turn = replace(turn, about="self")  # nobody turns to another's danger in mid-thread
    asked = own and ("direct" in state.asked or "direct" in state.known)
    if asked and turn.kind in KINDS_WITH_OWN_FLOW and not turn.signs & {"other_danger", "act"}:
        turn = replace(turn, kind="self_harm")  # a word of the answer that the gate misread
    if state.engaged and (state.about == "other" or in_danger_flow(state)):
        turn = _in_flow(state, turn)
    denied = "not_now" in turn.signs and not turn.signs & {"act", "soon", "means_near"}
    if turn.level == "imminent" and own and denied and turn.kind == "self_harm":
        turn = replace(turn, level="high")
    if turn.kind == "medical" and turn.about == "self" and "act" in turn.signs:
        turn = replace(turn, kind="self_harm")  # by accident or not: asked, not assumed
    return turn


def _in_flow(state: CrisisState, turn: Turn) -> Turn:
    """Inside the flow of another danger or person, a new one must be said in words.

    Else the worried friend is asked about himself, and who faints about suicide.
    """
    if turn.kind == "self_harm" and turn.about == "self":
        words = turn.signs & {"explicit", "not_be_here", "act", "means_near", "farewell"}
        said = bool(words) or at_least(turn.level, "high")
    else:
        same = (turn.kind, turn.about) == (state.kind, state.about)
        said = same or bool(turn.signs & {"other_danger", "act"})
    return turn if said or not turn.risky else replace(turn, kind=state.kind, about=state.about)


def already_urgent(state: CrisisState, turn: Turn) -> bool:
    """The flow leads at `imminent`, the message before was risky too, and the kind is the same."""
    same = state.kind == turn.kind and state.about == turn.about
    return state.level == "imminent" and state.engaged and state.turns == 0 and same


def _engaged(state: CrisisState, turn: Turn) -> Reply:
    level = worse(state.level, turn.level)
    now = replace(state, level=level, turns=0 if turn.risky else state.turns + 1)
    turned = _turns_elsewhere(state, turn)
    if turned:
        return turned
    if state.stage == "handoff" and (turn.contact or not is_concern(turn, state)):
        return ANSWERS[state.question](now, turn)
    if state.about == "other" or state.stage == "kind" or in_danger_flow(state):
        return answer_in_flow(now, turn)
    if is_concern(turn, state):
        return answer_concern(now, turn)
    if "progress" in turn.signs and state.question in ("near", "step", "barrier", "check", ""):
        return progressed(now)
    if turn.concern == "silence" and not turn.reply and not turn.risky:
        return answer_silence(now)
    if state.question in ANSWERS:
        return ANSWERS[state.question](now, turn)
    return keep_company(now, turn)


def _turns_elsewhere(state: CrisisState, turn: Turn) -> Optional[Reply]:
    """A risky message about another kind or another person than so far begins that flow."""
    if not turn.risky or turn.kind == "none" or state.known.get("direct") == "yes":
        return None
    flow = kinds.flow_of(turn)
    if flow and flow != kinds.flow_of(Turn(state.level, state.kind, state.about)):
        # Somebody who answers a question about themself keeps the thread.
        own = state.about == "self" and state.kind in ("self_harm", "none")
        if not (own and turn.about == "other"):
            return enter(state, turn)
    own_now = turn.about == "self" and turn.kind == "self_harm"
    if own_now and (state.about == "other" or in_danger_flow(state)):
        if state.question == "direct":
            return None
        return enter(replace(state, asked={}), turn)
    return None
