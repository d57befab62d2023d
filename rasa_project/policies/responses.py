"""The names of every response that the crisis conversation can say, read from the code's lists."""

from __future__ import annotations

from typing import List

from policies import heard, kinds, languages, replies, screen
from policies.crisis_machine import action

_SINGLE = (
    "how_heavy_1", "how_heavy_2",
    "ask_directly", "ask_today", "ask_now", "ask_act", "ask_gently", "ask_chronic", "ask_again_1",
    "ask_again_2", "recheck_session", "welcome_back", "chronic", "builds_up", "means_away",
    "imminent", "imminent_again", "imminent_act", "imminent_confirmed", "imminent_unclear",
    "imminent_alone", "stop_imminent", "thanks_for_telling", "not_sure", "resources",
    "resources_short", "denied", "denied_again", "denied_high", "denied_joking", "open_question",
    "ask_someone_near", "ask_someone_near_2", "ask_someone_now", "ask_someone_now_2",
    "someone_yes", "someone_yes_imminent", "someone_no", "someone_unsure", "step_yes",
    "step_yes_imminent", "step_no", "step_maybe", "step_hesitates_1", "step_hesitates_2",
    "ask_step_write_1", "ask_step_write_2", "ask_step_person_1", "ask_step_person_2",
    "said_plainly", "ask_openly", "progress_again", "progress_imminent_again", "ask_barrier",
    "ask_barrier_2", "ask_barrier_now", "ask_barrier_now_2", "barrier_reply", "barrier_reply_2",
    "refuses", "progress", "progress_imminent", "screen_done", "check_in", "check_in_again",
    "check_in_other", "check_in_other_again", "still_there", "other_still", "danger_still",
    "eased", "other_close", "danger_close", "eased_imminent", "eased_other",
    "handoff_noted", "handoff_offer", "handoff_offer_first", "handoff_offer_again",
    "handoff_contact", "handoff_contact_again", "handoff_sent", "handoff_sent_short",
    "handoff_declined", "handoff_withdrawn", "handoff_unanswered", "handoff_down",
    "barrier_money_now", "re_words_now", "re_words_other",
)  # fmt: skip
_ANSWERS = (
    "wish_yes", "wish_no", "method_yes", "method_no", "intent_no", "intent_unsure", "plan_yes",
    "plan_no", "past_yes", "past_no",
)  # fmt: skip
_TWICE = (
    *(name for name in heard.concerns() if name not in (*heard.BARRIERS, "refuses")),
    "dose", "helpline", "repeat", "country",
)  # fmt: skip
"""Concerns that come from an intent or a gate and not from phrases. Each has two answers."""


def english() -> List[str]:
    """Every English response, without `utter_crisis_`."""
    concerns = [n for n in heard.concerns() if n not in (*heard.BARRIERS, "refuses")]
    found = [
        *_SINGLE,
        *_ANSWERS,
        *(name for family in replies.FAMILIES for name in family),
        *(f"ask_{question}_{n}" for question in screen.QUESTIONS for n in (1, 2)),
        *(f"hear_{topic}" for topic in heard.topics()),
        *(f"barrier_{name}" for name in heard.BARRIERS),
        *(f"re_{name}_{n}" for name in (*concerns, *_TWICE) for n in (1, 2)),
        *(f"re_silence_{n}" for n in (1, 2, 3)),
        *kinds.responses(),
    ]
    return list(dict.fromkeys(found))


def crisis_responses() -> List[str]:
    """Every response of the crisis conversation in every language, with its full name."""
    names = [*english(), *languages.responses()]
    return [action(name) for name in names] + [languages.NOT_HANDLED]
