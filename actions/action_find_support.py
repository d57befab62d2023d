"""``action_find_support``: a few places where a person can talk to someone."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.executor import CollectingDispatcher

from actions.contact_points import ContactPoint, ContactPoints
from actions.errors import DataFileError

logger = logging.getLogger(__name__)

INTRO = "Here are a few places to start. There is no need to choose now."
INTRO_NO_COUNTRY = (
    "I don't know which country you are in, so these work from many places. "
    "There is no need to choose now."
)
NONE_FITS = (
    "If none of these fits, a family doctor or someone you trust can help you look further. "
    "If you are in danger, call {emergency}."
)
NO_LIST = (
    "I can't open my list of contact points right now. A family doctor, or someone you trust, "
    "can help you find a person to talk to. If you are in danger, call your local emergency "
    "number. Who could you ask first?"
)
QUESTION = "Does one of them feel possible, or would you rather go on talking here?"


class ActionFindSupport(Action):  # type: ignore[misc]
    """Utters at most three contact points for the slots ``country`` and ``referral_cost``."""

    def __init__(self, contact_points: ContactPoints) -> None:
        self._contact_points = contact_points

    def name(self) -> str:
        return "action_find_support"

    async def run(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]
    ) -> list[dict[str, Any]]:
        """Utter one message with ``source: scripted`` and ``flow: referral``."""
        slots = tracker.slots or {}
        country, cost = _text(slots.get("country")), _text(slots.get("referral_cost"))
        try:
            points = self._contact_points.offer(country, cost)
            emergency = self._contact_points.emergency_number(country)
            text = _message(points, country, emergency or "your local emergency number")
        except DataFileError as error:
            logger.error("contact_points_unreadable", extra={"facts": {"problem": str(error)}})
            text = NO_LIST
        dispatcher.utter_message(text=text, source="scripted", flow="referral")
        return []


def _message(points: Sequence[ContactPoint], country: str | None, emergency: str) -> str:
    """One line each, no blank lines: some channels would split the message there."""
    if not points:
        return NO_LIST
    lines = [INTRO if country else INTRO_NO_COUNTRY]
    for point in points:
        note = f" ({point.note})" if point.note else ""
        lines.append(f"• {point.name}: {point.reach}{note}")
    dates = [point.last_verified for point in points if point.last_verified]
    if dates:
        lines.append(f"Last checked on {min(dates):%Y-%m-%d}; details can change.")
    return "\n".join([*lines, NONE_FITS.format(emergency=emergency), QUESTION])


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value.strip() else None
