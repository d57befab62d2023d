"""What is said about the hand-off: that a notice goes out, whether more may, and honest news of it.

Where an operator has set it up (docs/safety/handoff.md) a notice without words leaves by itself at
`high` and `imminent`; the person is told so, once. Then, where no question waits, or when they
wish for a person, they are asked whether their messages or a way to reach them may go along.
Nothing of theirs is shared without a yes, and a yes can be taken back.

`CrisisState.handoff` is empty, `noted`, `asking`, `agreed` (a way to reach them is asked for),
`yes`, `no` or `withdrawn`; `CrisisState.share` is what goes along.
"""

from __future__ import annotations

from dataclasses import replace
from typing import List, Optional

from policies.crisis_state import TIMES_ASKED, CrisisState, Turn, at_least
from policies.languages import TRANSLATED
from policies.replies import Reply, ask, to_resources

UP = "yes"
"""`Turn.handoff` while somebody can be told; `no` while it is set up and not working."""

MOST_BESIDE = 2
"""The news that a notice goes out joins a reply of at most so many texts."""

MESSAGES, CONTACT = "messages", "contact"
OPEN_TO_OFFER = ("", "step", "barrier")
"""Questions that give way to the offer when a person is asked for; the others are about danger."""


def joined(before: CrisisState, turn: Turn, reply: Reply) -> Reply:
    """`reply` with what has to be said about the hand-off, if anything."""
    names, after = reply
    if _takes_back(before, turn) and after.handoff == before.handoff:
        # Danger is answered first, and a consent ends with the message that takes it back.
        told = ["handoff_withdrawn"] if before.handoff == "yes" else []
        return [*names[:-1], *told, *names[-1:]], _taken_back(after)
    if _asks_how(after) and not (names and names[-1].startswith("handoff_")):
        after = to_resources(after)  # a yes counts only to a question that has just been asked
        reply = names, after
    if before.handoff == "agreed" and after.handoff == "agreed" and not _asks_how(after):
        return _left_open(turn, reply)
    if turn.handoff != UP or not names:
        return reply
    asked_for = names[0].startswith("re_wants_person") and after.question in OPEN_TO_OFFER
    if asked_for and _may_offer(after):
        return offered(names[:1], after)
    if after.handoff == "" and _told(before) and _told(after) and len(names) <= MOST_BESIDE:
        return [*names[:-1], "handoff_noted", names[-1]], replace(after, handoff="noted")
    if after.handoff == "noted" and _may_offer(after) and _keeps_company(names, after):
        return offered(names[:-1], after)
    return reply


def offered(names: List[str], state: CrisisState) -> Reply:
    """Asks whether something of the person's own may go along."""
    wording = "handoff_offer" if state.handoff == "noted" else "handoff_offer_first"
    return ask([*names], replace(state, handoff="asking"), "handoff", wording)


def answer_offer(state: CrisisState, turn: Turn) -> Reply:
    """To the offer. Only a clear yes is one, and what is not read is asked once more."""
    if turn.handoff != UP:
        return ["handoff_down"], to_resources(replace(state, handoff="noted"))
    wants_contact = turn.intent == "share_contact" or "share_contact" in turn.signs
    wants_messages = turn.intent == "share_messages" or "share_messages" in turn.signs
    if turn.reply in ("", "yes") and (wants_contact or wants_messages or turn.reply == "yes"):
        # Where both are named, the less of it: "send them my number" sends no messages.
        share = CONTACT if wants_contact and turn.intent != "share_messages" else MESSAGES
        agreed = replace(state, handoff="agreed", share=share)
        return ask([], agreed, "handoff_contact")
    if not turn.reply and state.asked.get("handoff", 0) < TIMES_ASKED:
        return ask([], state, "handoff")
    return _declined(state)


def answer_contact(state: CrisisState, turn: Turn) -> Reply:
    """To "how could they reach you?". A way to be reached is no condition for sending messages."""
    if turn.handoff != UP:
        return ["handoff_down"], to_resources(replace(state, handoff="noted", share=""))
    if turn.contact:
        return ["handoff_sent"], to_resources(replace(state, handoff="yes", contact=True))
    if not turn.reply and not turn.risky and state.asked.get("handoff_contact", 0) < TIMES_ASKED:
        return ask([], state, "handoff_contact")
    if state.share == CONTACT:
        return _declined(state)
    return ["handoff_sent"], to_resources(replace(state, handoff="yes"))


def news(state: CrisisState, turn: Turn) -> Optional[Reply]:
    """Answers to "don't send it" and "has anyone read it?", or None."""
    if at_least(turn.level, "high") or not state.handoff:
        return None
    if _takes_back(state, turn):
        sent = state.handoff == "yes"
        after = _taken_back(state)
        after = replace(after, question="") if _asks_how(state) else after
        return ["handoff_withdrawn" if sent else "handoff_declined"], after
    if turn.risky:
        return None
    if "handoff_news" in turn.signs and not _asks_how(state):
        return ["handoff_unanswered" if turn.handoff == UP else "handoff_down"], state
    return None


def _takes_back(state: CrisisState, turn: Turn) -> bool:
    return "handoff_back" in turn.signs and state.handoff in ("asking", "agreed", "yes")


def _taken_back(state: CrisisState) -> CrisisState:
    ended = "withdrawn" if state.handoff == "yes" else "no"
    return replace(state, handoff=ended, share="", contact=False)


def forgotten(state: CrisisState) -> CrisisState:
    """The state in a new session: a consent holds for the session in which it was given.

    That notices go out is known by then. The service sends none for a level that is carried over.
    """
    return replace(state, handoff="noted" if state.handoff else "", share="", contact=False)


def _declined(state: CrisisState) -> Reply:
    return ["handoff_declined"], to_resources(replace(state, handoff="no", share=""))


def _left_open(turn: Turn, reply: Reply) -> Reply:
    """A yes was given and the talk went elsewhere before a way to be reached was named."""
    names, after = reply
    if after.share != MESSAGES or turn.handoff != UP:
        return names, replace(after, handoff="noted" if after.handoff else "", share="")
    return [*names[:-1], "handoff_sent_short", *names[-1:]], replace(after, handoff="yes")


def _asks_how(state: CrisisState) -> bool:
    return state.question in ("handoff", "handoff_contact")


def _told(state: CrisisState) -> bool:
    return state.engaged and at_least(state.level, "high")


def _may_offer(state: CrisisState) -> bool:
    """It is offered once, and only in the language in which it can be explained."""
    return (
        state.engaged
        and state.handoff in ("", "noted")
        and "handoff" not in state.asked
        and state.language not in TRANSLATED
    )


def _keeps_company(names: List[str], state: CrisisState) -> bool:
    return state.stage == "resources" and not state.question and names[-1].startswith("stay_")
