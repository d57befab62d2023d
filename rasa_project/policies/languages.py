"""Crisis replies in the person's language, and an honest line where it is not understood well.

The machine speaks English; what it says is mapped to fewer, plainer texts in Spanish, French and
Hindi (both scripts), in `domain/crisis_<language>.yml`. Free of Rasa.
"""

from __future__ import annotations

import re
from typing import List, Sequence, Tuple

from policies.crisis_state import CrisisState, Turn, least_said

TRANSLATED = ("es", "fr", "hi", "hi_latn")
"""Languages with crisis replies of their own."""

NOT_HANDLED = "utter_language_not_handled"
"""Says that the language is not understood well, and where people speak it."""

TURNS_BETWEEN = 3
"""That line is said at most once in so many messages."""

PARTS = (
    "acknowledge_1", "acknowledge_2", "ask", "reask", "thanks", "not_sure", "resources", "imminent",
    "near", "call", "go", "barrier", "denied", "wish", "method", "intent", "plan", "past", "heavy",
    "answer_1", "answer_2", "stay_1", "stay_2", "stay_3", "eased", "other", "other_stay",
    "danger", "danger_imminent", "handoff_noted",
)  # fmt: skip
"""What exists in each language, as `utter_crisis_<language>_<part>`."""

_QUESTIONS = ("ask", "near", "wish", "method", "intent", "plan", "past")

_RULES: Tuple[Tuple[str, Tuple[str, ...]], ...] = (
    (r"ask_(?:directly|today|openly|now|act|gently|chronic)|recheck.*", ("ask",)),
    (r"check_in(?:_again)?|.*_suicide", ("ask",)),
    (r"how_heavy_\d", ("heavy",)),
    (r"ask_again.*", ("reask",)),
    (r"ask_(wish|method|intent|plan|past)_\d", (r"\1",)),
    (r"ask_someone.*", ("near",)),
    (r"thanks_for_telling|imminent_confirmed", ("thanks",)),
    (r"not_sure|imminent_unclear|unsure_\d", ("not_sure",)),
    (r"resources.*|still_there|re_helpline.*|re_wants_person.*", ("resources",)),
    (r"imminent|imminent_act|imminent_again|stop_imminent", ("imminent", "call")),
    (r"imminent_alone|step_hesitates.*|step_no|stay_imminent.*", ("call", "stay_2")),
    (r"someone_yes.*|step_yes|step_yes_imminent|step_maybe|progress.*", ("go",)),
    (r"someone_no|someone_unsure|refuses|ask_barrier.*|barrier.*", ("barrier", "stay_3")),
    (r"ask_step.*", ("barrier", "stay_3")),
    (r"denied.*", ("denied",)),
    (r"eased.*|screen_done", ("eased",)),
    (r"other_you|other_safe|other_close|stay_other.*|other_still|check_in_other.*|other_danger_next|"
     r"abuse_other_next", ("other_stay",)),
    (r"(?:other|abuse_other).*", ("other", "other_stay")),
    (r"(?:abuse|harm_to_others|medical|psychosis|eating)_imminent|danger_no|medical_urgent_alone|"
     r"abuse_trapped|abuse_moving|danger_still", ("danger_imminent",)),
    (r"(?:abuse|harm|medical|psychosis|eating|danger|stay_danger).*", ("danger", "stay_2")),
    (r"hear_.*|acknowledge.*|said_plainly|chronic|builds_up|means_away|re_.*|welcome_back",
     ("acknowledge_1", "acknowledge_2")),
    (r"(?:wish|method|intent|plan|past)_.*|bridge_.*", ("answer_1", "answer_2")),
    (r"stay_.*|open_question", ("stay_1", "stay_2", "stay_3")),
    (r"handoff_noted", ("handoff_noted",)),
    (r"handoff_.*", ("resources",)),
)  # fmt: skip


def spoken(names: Sequence[str], state: CrisisState, turn: Turn) -> List[str]:
    """What is said instead of `names` (without `utter_crisis_`), in the person's language.

    Args:
        names: the machine's replies.
        state: the state after them; its `said` is what was said before.
        turn: the message.
    """
    told = 0 <= state.language_told < TURNS_BETWEEN
    # Whoever has surely written a handled language before is not told so for one odd message.
    if not turn.understood and not told and state.language not in TRANSLATED:
        return [*names[:1], NOT_HANDLED, *names[1:]] if names else [NOT_HANDLED]
    if not names or state.language not in TRANSLATED:
        return list(names)
    said: List[str] = []
    before = list(state.said)
    for name in names:
        choices = [f"{state.language}_{part}" for part in parts_of(name)]
        chosen = least_said(choices, [*before, *said])
        if chosen not in said:
            said.append(chosen)
    return [*(_in_other_words(name, state) for name in said[:-1]), _in_other_words(said[-1], state)]


def parts_of(name: str) -> Tuple[str, ...]:
    """The parts of PARTS that can stand for an English reply, best first.

    Raises:
        KeyError: no rule knows the reply.
    """
    for pattern, parts in _RULES:
        match = re.fullmatch(pattern, name)
        if match:
            return tuple(match.expand(part) for part in parts)
    raise KeyError(name)


def _in_other_words(name: str, state: CrisisState) -> str:
    """A question that was just asked is not asked again in the same words."""
    language, _, part = _split(name)
    if name not in state.said[-3:]:
        return name
    if part in _QUESTIONS:
        return f"{language}_reask"
    return least_said([f"{language}_stay_{n}" for n in (1, 2, 3)], state.said)


def _split(name: str) -> Tuple[str, str, str]:
    for language in sorted(TRANSLATED, key=len, reverse=True):
        if name.startswith(f"{language}_"):
            return language, "_", name[len(language) + 1 :]
    return "", "", name


def responses() -> List[str]:
    """Every translated response, without `utter_crisis_`."""
    return [f"{language}_{part}" for language in TRANSLATED for part in PARTS]
