"""What was said to a sender according to the tracker store, for a process that was restarted."""

from __future__ import annotations

from typing import Any

from rasa.shared.core.events import BotUttered, Event, UserUttered


async def was_offered(agent: Any, sender_id: str, payload: str) -> bool:
    """Tell whether a button with this payload was shown in the sender's current session."""
    for event in await _events(agent, sender_id):
        if isinstance(event, BotUttered):
            for button in event.data.get("buttons") or []:
                if button.get("payload") == payload:
                    return True
    return False


async def was_sent(agent: Any, sender_id: str, message_id: str) -> bool:
    """Tell whether a bot message with this id answered the sender in the current session.

    Ids are made as in `channels.output.TurnOutput`: the id of the person's message, or that with
    ``.<n>``.
    """
    turn_id, _, number = message_id.partition(".")
    if number and not number.isdigit():
        return False
    return any(
        isinstance(event, UserUttered) and event.message_id == turn_id
        for event in await _events(agent, sender_id)
    )


async def _events(agent: Any, sender_id: str) -> list[Event]:
    if agent is None or not agent.is_ready():
        return []
    tracker = await agent.tracker_store.retrieve(sender_id)
    return list(tracker.events) if tracker is not None else []
