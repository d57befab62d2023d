"""``action_llm_fallback``: an open-ended turn goes to the responder."""

from __future__ import annotations

import uuid
from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.events import SlotSet
from rasa_sdk.executor import CollectingDispatcher

from actions.history import conversation
from actions.responders.base import OpenTurn, Reply, Responder
from actions.topics import INTENT_TOPICS
from actions.turns import Source, TurnRegistry

_MAY_SPEAK = frozenset({"none", "low"})
_MESSAGE_ID_CHARS = 128
_MESSAGE_CHARS = 8000
_SURE_INTENT = 0.5
_PAGE_CHANNEL = "web"


class ActionLLMFallback(Action):  # type: ignore[misc]
    """Parse the tracker, let the responder answer, return its events."""

    def __init__(self, *, responder: Responder, turns: TurnRegistry) -> None:
        self._responder = responder
        self._turns = turns

    def name(self) -> str:
        return "action_llm_fallback"

    async def run(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]
    ) -> list[dict[str, Any]]:
        """Utter one message, or none if cancelled before a sentence; set ``turn_outcome``.

        Where messages go to a hosted model, the first reply is followed by a note that says so.
        """
        turn = open_turn(tracker)
        stream = self._turns.start(turn.message_id)
        source: Source | None = None
        try:
            reply = await self._responder.reply(turn, stream)
            source = reply.source
            _utter(dispatcher, turn, reply)
        finally:
            self._turns.finish(stream, source)
        events = [SlotSet("turn_outcome", reply.outcome)]
        hosted_by = _untold_provider(tracker)
        if hosted_by and reply.text is not None and not turn.is_held:
            dispatcher.utter_message(response="utter_hosted_note")
            events.append(SlotSet("hosted_told", hosted_by))
        return events


def open_turn(tracker: Tracker) -> OpenTurn:
    """Read the turn from a tracker; whatever is missing or odd gets a safe reading."""
    latest = tracker.latest_message or {}
    text = latest.get("text")
    message_id = latest.get("message_id")
    is_usable = isinstance(message_id, str) and 0 < len(message_id) <= _MESSAGE_ID_CHARS
    return OpenTurn(
        sender_id=str(tracker.sender_id),
        message_id=str(message_id) if is_usable else uuid.uuid4().hex,
        text=text.strip()[:_MESSAGE_CHARS] if isinstance(text, str) else "",
        said=tuple(conversation(tracker.applied_events())),
        is_held=_is_held(tracker.slots or {}, latest),
        topic=_topic(latest),
    )


def _topic(latest: dict[str, Any]) -> str | None:
    """The topic of a sharing intent that the classifier is rather sure of."""
    intent = latest.get("intent")
    if not isinstance(intent, dict) or not isinstance(intent.get("confidence"), int | float):
        return None
    is_sure = intent["confidence"] >= _SURE_INTENT
    return INTENT_TOPICS.get(str(intent.get("name"))) if is_sure else None


def _is_held(slots: dict[str, Any], latest: dict[str, Any]) -> bool:
    """Whether the risk state forbids the LLM: the conversation's, or this very message's.

    An unknown risk level holds. The stage ``watch`` releases the conversation's level only.
    """
    if slots.get("crisis_stage") != "watch" and not _is_low(slots.get("risk_level")):
        return True
    risk = latest.get("risk")
    return isinstance(risk, dict) and not _is_low(risk.get("level"))


def _is_low(level: object) -> bool:
    return level is None or level in _MAY_SPEAK


def _untold_provider(tracker: Tracker) -> str | None:
    """Who runs the hosted model, if the person has not been told.

    Rasa sets the slot ``hosted_by``; the chat page says it above the first message.
    """
    slots = tracker.slots or {}
    hosted_by = slots.get("hosted_by")
    if not isinstance(hosted_by, str) or tracker.get_latest_input_channel() == _PAGE_CHANNEL:
        return None
    return hosted_by if slots.get("hosted_told") != hosted_by else None


def _utter(dispatcher: CollectingDispatcher, turn: OpenTurn, reply: Reply) -> None:
    if reply.text is not None:
        dispatcher.utter_message(
            text=reply.text,
            source=reply.source,
            flow="chat",
            stream_id=turn.message_id,
            **reply.facts,
        )
