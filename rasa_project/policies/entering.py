"""Ways into the crisis conversation and back: the first reply, a new session, a recheck."""

from __future__ import annotations

from dataclasses import replace

from policies import accumulation, kinds
from policies.concerns import concern_reply
from policies.crisis_state import (
    EARLIEST_RECHECK,
    KINDS_WITH_OWN_FLOW,
    RECHECK_AFTER_TURNS,
    RECHECKS,
    CrisisState,
    Turn,
    at_least,
    least_said,
    worse,
)
from policies.replies import AGAIN, HEARD, RECHECK, Reply, ask, took_up, topic_reply, urgent_text

ENTRY_CONCERNS = (
    "afraid", "bad_line", "privacy", "voice", "method", "only_one", "police", "secret", "reason",
    "to_be_heard",
)  # fmt: skip
"""Concerns that are answered before the direct question when they come with the first message."""


def enter_imminent(state: CrisisState, turn: Turn) -> Reply:
    after = entered(state, turn, "imminent")
    flow = kinds.flow_of(turn)
    if flow:
        return kinds.enter(after, turn, flow)
    if "act" in turn.signs:
        return ask(["imminent_act"], after, "direct", "ask_act")
    if state.known.get("direct") or state.question == "direct":
        after = replace(after, known={**after.known, "direct": "yes"})
        return ask([urgent_text(state)], after, "near")
    return ask([urgent_text(state)], after, "direct", "ask_now")


def enter(state: CrisisState, turn: Turn) -> Reply:
    after = entered(state, turn, worse(state.level, turn.level))
    flow = kinds.flow_of(turn)
    if is_unclear(state, turn):
        return ask_how_heavy(state, turn)
    if flow:
        return kinds.enter(after, turn, flow)
    opening, after = opening_for(after, turn, again=state.rounds > 0)
    if at_least(turn.level, "high"):
        extra = ["means_away"] if "means_near" in turn.signs else []
        if extra:
            after = replace(after, known={**after.known, "method": "yes"})
        wording = "ask_openly" if "explicit" in turn.signs else "ask_today"
        wording = "ask_chronic" if "chronic" in turn.signs else wording
        return ask([*opening, *extra], after, "direct", wording)
    if "chronic" in turn.signs:
        return ask(opening, after, "direct", "ask_chronic")
    return ask(opening, after, "direct", "ask_gently" if turn.uncertain else "ask_directly")


def is_unclear(state: CrisisState, turn: Turn) -> bool:
    """Whether the gate doubts it, and nothing else in the message or before it speaks for it."""
    known = state.question == "heavy" or state.rounds > 0 or any(state.window)
    if not turn.uncertain or known:
        return False
    says_more = turn.topic in ("violence", "burden", "hopeless") or turn.concern == "method"
    return not says_more and not turn.signs - {"progress"}


def ask_how_heavy(state: CrisisState, turn: Turn) -> Reply:
    """Asks in general; the answer, or the next message, decides whether to ask directly."""
    found = topic_reply(state, turn)
    level = worse(state.level, turn.level)
    heard = replace(took_up(state, turn, found), level=level, turns=0, window=())
    return ask(found, heard, "heavy")


def answer_how_heavy(state: CrisisState, turn: Turn) -> Reply:
    """What speaks for risk is asked about directly; otherwise the talk goes on as before."""
    speaks = turn.reply in ("yes", "unsure") or turn.level == "low"
    if speaks or accumulation.weight(turn.score, turn.level, turn.signs) > 0:
        return enter_gently(state, turn)
    return [], replace(state, stage="none", level="low", question="", turns=0)


def enter_gently(state: CrisisState, turn: Turn) -> Reply:
    """Risk has built up over several messages, none of which says it."""
    own = replace(turn, kind="self_harm", about="self")
    after = entered(state, own, "moderate")
    opening = topic_reply(after, turn) or ["builds_up"]
    after = took_up(after, turn, opening)
    return ask(opening, after, "direct", "ask_gently")


def entered(state: CrisisState, turn: Turn, level: str) -> CrisisState:
    """A new round, unless the flow leads already."""
    fresh = {} if state.engaged else {"asked": {}, "rounds": state.rounds + 1}
    known = dict(state.known) if state.engaged else {}
    return replace(
        state,
        level=level,
        kind=turn.kind,
        about=turn.about,
        turns=0,
        checks=0,
        window=(),
        resources_shown=True,
        known=known,
        **fresh,  # type: ignore[arg-type]
    )


def opening_for(state: CrisisState, turn: Turn, again: bool) -> Reply:
    """What takes up the message before the direct question."""
    if turn.concern in ENTRY_CONCERNS:
        return concern_reply(state, turn)
    found = topic_reply(state, turn)
    if found:
        return found, took_up(state, turn, found)
    if "chronic" in turn.signs and "chronic" not in state.said:
        return ["chronic"], state
    if state.recent and state.recent not in state.topics:
        earlier = replace(turn, topic=state.recent)
        return [f"hear_{state.recent}"], took_up(state, earlier, [f"hear_{state.recent}"])
    if "explicit" in turn.signs and "said_plainly" not in state.said:
        return ["said_plainly"], state
    return [least_said(AGAIN if again else HEARD, state.said)], state


def welcome_back(state: CrisisState) -> Reply:
    """A new session begins while the flow of the last one still led."""
    if state.about == "other" or state.kind in KINDS_WITH_OWN_FLOW:
        after = replace(state, asked={}, turns=0)
        return ask(["welcome_back"], after, "check", "check_in_other")
    return ask(["welcome_back"], replace(state, asked={}, turns=0), "check", "check_in")


def watch_on(state: CrisisState, turn: Turn) -> Reply:
    turns = state.turns + 1
    now = replace(state, turns=turns)
    if turn.new_session:
        return recheck(now, "recheck_session")
    built_up = accumulation.builds_up(state.window) and turns >= EARLIEST_RECHECK
    due = turns >= RECHECK_AFTER_TURNS and state.checks < RECHECKS
    if not (built_up or due):
        return [], now
    return recheck(replace(now, checks=state.checks + 1), least_said(RECHECK, state.said))


def recheck(state: CrisisState, name: str) -> Reply:
    fresh = replace(state, turns=0, asked={}, known={}, window=(), level=worse(state.level, "low"))
    return ask([], fresh, "direct", name)
