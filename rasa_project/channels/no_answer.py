"""What a person hears when a turn brought no answer: never silence."""

from __future__ import annotations

import asyncio
from typing import Any

from rasa.shared.core.events import SlotSet
from rasa.shared.core.trackers import DialogueStateTracker

RESPONSE_NAME = "utter_no_answer"
LOOKUP_TIMEOUT_S = 0.5
NO_ANSWER_TEXT = (
    "I'm sorry, I couldn't put an answer together just now. You can try again in a moment.\n\n"
    "If you may be in danger, or want a person right now, call your local emergency number "
    "(112 in many countries, 911 in the US and Canada), or find a line near you at "
    "https://findahelpline.com"
)


async def no_answer_message(
    agent: Any, sender_id: str, channel: str, metadata: dict[str, Any] | None
) -> dict[str, Any]:
    """Return the response ``utter_no_answer`` as a bot message, or a constant text without it.

    Takes at most half a second and never raises.
    """
    try:
        message = await asyncio.wait_for(
            _from_domain(agent, sender_id, channel, metadata), LOOKUP_TIMEOUT_S
        )
    except Exception:
        message = None
    if not message or not message.get("text"):
        return {"text": NO_ANSWER_TEXT, "source": "scripted", "flow": "no_answer"}
    return {"source": "scripted", "flow": "no_answer", **message}


async def _from_domain(
    agent: Any, sender_id: str, channel: str, metadata: dict[str, Any] | None
) -> dict[str, Any] | None:
    tracker = await agent.tracker_store.retrieve(sender_id)
    if tracker is None:
        tracker = DialogueStateTracker(sender_id, agent.domain.slots)
    country = (metadata or {}).get("country")
    if country and "country" in tracker.slots:
        tracker.update(SlotSet("country", country))
    message: dict[str, Any] | None = await agent.nlg.generate(RESPONSE_NAME, tracker, channel)
    return message
