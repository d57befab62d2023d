"""The screen: what is asked, in which order, in which words, and what the answers mean.

The steps are those of the C-SSRS screener (wish, thoughts, method, intent, plan, past), the wording
is our own. `direct` is its question about thoughts and always comes first; the wish is asked about
only where that answer is unsure. Whether somebody can be near is asked before the past, because it
helps more.
"""

from __future__ import annotations

from typing import Mapping, Optional, Tuple

from policies.crisis_state import TIMES_ASKED

QUESTIONS = ("wish", "method", "intent", "plan", "past")
"""Questions of the screen after the direct one; their answers are yes, no or unsure."""

STAGE_OF = {
    "direct": "asked",
    "heavy": "unclear",
    "near": "someone_near",
    "step": "step",
    "barrier": "barrier",
    "check": "check_in",
    "kind": "kind",
    "handoff": "handoff",
    "handoff_contact": "handoff",
}
"""Question -> stage; the questions of the screen are in stage `screen`."""

_WORDINGS = {
    "direct": ("ask_directly", "ask_again_1", "ask_again_2"),
    "near": ("ask_someone_near", "ask_someone_near_2"),
    "barrier": ("ask_barrier", "ask_barrier_2"),
    "check": ("check_in", "check_in_again"),
    "heavy": ("how_heavy_1", "how_heavy_2"),
    "step": ("ask_step_write_1", "ask_step_write_2"),
    "handoff": ("handoff_offer", "handoff_offer_again"),
    "handoff_contact": ("handoff_contact", "handoff_contact_again"),
}


def wordings(question: str, urgent: bool) -> Tuple[str, ...]:
    """The responses that ask `question`."""
    if question == "direct":
        return ("ask_again_1", "ask_again_2")
    if question == "near" and urgent:
        return ("ask_someone_now", "ask_someone_now_2")
    if question == "barrier" and urgent:
        return ("ask_barrier_now", "ask_barrier_now_2")
    return _WORDINGS.get(question, (f"ask_{question}_1", f"ask_{question}_2"))


def next_question(known: Mapping[str, str], asked: Mapping[str, int]) -> Optional[str]:
    """The question that comes next, or None when everything is known or was asked enough."""
    order = ["near"] if known.get("direct") == "no" else []
    if known.get("direct") == "unsure":
        order = ["wish", "intent", "near", "past"]
    if known.get("direct") == "yes":
        order = ["method", "intent"]
        if known.get("method") == "yes" or known.get("intent") == "unsure":
            order.append("plan")
        order += ["near", "past"]
    for question in order:
        if question not in known and asked.get(question, 0) < TIMES_ASKED:
            return question
    return None


def is_imminent(known: Mapping[str, str]) -> bool:
    """Whether the answers say that the person means to act: intent, or a plan without a no."""
    if known.get("intent") == "yes":
        return True
    return known.get("plan") == "yes" and known.get("intent") != "no"


def level_after(known: Mapping[str, str], level: str) -> str:
    """The level when nothing is left to ask.

    A wish to be dead, or thoughts without method, intent, plan and past, are `moderate`; anything
    more, or what stayed unsure about acting, is `high`. `imminent` stays: only a plain no to the
    direct question or to a check-in lowers it (`answers`).
    """
    if level == "imminent" or is_imminent(known):
        return "imminent"
    more = [known.get(name) == "yes" for name in ("method", "plan", "past")]
    if any(more) or known.get("intent") == "unsure":
        return "high"
    if known.get("intent") == "no" and known.get("direct") in ("yes", "unsure"):
        return "moderate"
    return level
