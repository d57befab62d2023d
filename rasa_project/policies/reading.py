"""A Rasa user message as the `Turn` that the crisis machine reads."""

from __future__ import annotations

import re
from typing import Any, Mapping, Tuple

from rasa.shared.core.events import UserUttered

from policies import heard, places
from policies.crisis_state import CrisisState, Turn, at_least

CRISIS_INTENT = "crisis"
OPEN_TO_INTENTS = ("near", "step", "barrier", "kind", "")
"""Questions to which the classifier's yes and no count for short free text as well. About thoughts,
intent and plans only a clear yes or no does: "nobody" is no "no"."""
HANDOFF_SIGNS = frozenset({"share_messages", "share_contact", "handoff_back", "handoff_news"})
"""Signs that mean something only where a hand-off has come up."""
LEAST_DIGITS = 6
SHORT_WORDS = 6
SURE_INTENT = 0.9
SURE_MISUSE = 0.8
"""How sure the misuse gate must be inside a crisis: "how do I tell my wife" asks for no harm."""


def turn_from_message(
    message: UserUttered, state: CrisisState, new_session: bool = False, handoff: str = ""
) -> Turn:
    """What a message says, read for the question that waits in `state`; `handoff`: see `Turn`.

    Without a verdict of the gate (test stories) the intent `crisis` counts as high. The intent
    alone, against the gate, counts as moderate where it is sure and no crisis leads yet.
    """
    parsed = message.parse_data or {}
    risk = parsed.get("risk") or {}
    intent = str((message.intent or {}).get("name") or "")
    text = message.text or ""
    is_button = text.startswith("/")
    words = "" if is_button else text
    level, kind = str(risk.get("level", "none")), str(risk.get("kind", "none"))
    if intent == CRISIS_INTENT and not at_least(level, "moderate"):
        level, kind = _by_intent(message, bool(risk), state)
    answer = heard.answer_of(words, _waiting(state))
    if intent in ("affirm", "deny", "unsure") and not is_button:
        counts = state.question in OPEN_TO_INTENTS and len(text.split()) <= SHORT_WORDS
        intent = intent if answer or counts or not text else "nlu_fallback"
    signs = heard.signs_of(words)
    if not state.handoff:
        signs -= HANDOFF_SIGNS
    if heard.is_retracted(words):
        signs |= {"retracted"}
    language = parsed.get("language") or {}
    sure = bool(language.get("sure")) and not is_button
    hinted = "" if answer else intent
    misuse = misuse_category(parsed, SURE_MISUSE if state.engaged else 0.0)
    concern = heard.concern_of(words, hinted, misuse) if words else ""
    if is_button:
        concern = heard.CONCERN_BY_INTENT.get(intent, "")
    country = places.country_in(words, told=state.engaged) or "" if words else ""
    if words and places.country_in(words, alone=True):
        concern = "country"
    return Turn(
        level=level,
        kind=kind,
        about=str(risk.get("about", "self")),
        intent=intent,
        answer=answer,
        concern=concern,
        topic=heard.topic_of(words),
        signs=signs,
        score=float(risk.get("score") or 0.0),
        language=str(language.get("code") or "") if sure else "",
        understood=bool(language.get("handled", True)) if sure else True,
        country=country,
        new_session=new_session,
        handoff=handoff,
        contact=state.question == "handoff_contact" and names_contact(words),
    )


def names_contact(text: str) -> bool:
    """Whether there is a mail address or a telephone number in it."""
    digits = sum(character.isdigit() for character in text)
    return digits >= LEAST_DIGITS or bool(re.search(r"\S+@\S+\.\w+", text))


def _waiting(state: CrisisState) -> str:
    """The question the message is read for: a direct one that was never answered stays open."""
    open_still = "direct" in state.asked and "direct" not in state.known
    return "direct" if not state.question and open_still and state.engaged else state.question


def _by_intent(message: UserUttered, has_verdict: bool, state: CrisisState) -> Tuple[str, str]:
    """Level and kind where only the classifier says `crisis`.

    Inside the flow it adds nothing to the gate's verdict. Outside, it asks when it is sure.
    """
    if not has_verdict:
        return "high", "self_harm"
    if state.engaged:
        return "none", "none"
    confidence = float((message.intent or {}).get("confidence") or 0.0)
    return ("moderate" if confidence >= SURE_INTENT else "low"), "self_harm"


def misuse_category(parsed: Mapping[str, Any], least: float = 0.0) -> str:
    """The misuse gate's category; empty if it sees none, or with a score below `least`.

    How sure it must be otherwise is the gate's setting.
    """
    misuse = parsed.get("misuse") or {}
    sure = float(misuse.get("score") or 0.0) >= least
    return str(misuse.get("category") or "") if sure else ""
