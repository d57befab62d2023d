"""The outer guard of every action: whatever fails inside, the person gets words."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.events import SlotSet
from rasa_sdk.executor import CollectingDispatcher

from actions.action_llm_fallback import open_turn
from actions.json_logs import place_of
from actions.reply_bank import LAST_RESORT, BankReply, ReplyBank

logger = logging.getLogger(__name__)


class GuardedAction(Action):  # type: ignore[misc]
    """Runs another action; an exception or an overrun becomes a reviewed reply.

    Logs the action's name and the error's type and place, never its text: it may quote the
    tracker. Cancellation by the server passes through.
    """

    def __init__(self, action: Action, *, bank: ReplyBank, limit_s: float) -> None:
        self._action = action
        self._bank = bank
        self._limit_s = limit_s

    def name(self) -> str:
        return str(self._action.name())

    async def run(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]
    ) -> list[dict[str, Any]]:
        """Return the inner action's events, or ``turn_outcome: fallback`` after a failure."""
        try:
            async with asyncio.timeout(self._limit_s):
                return list(await self._action.run(dispatcher, tracker, domain) or [])
        except Exception as error:
            logger.error(
                "action_failed",
                extra={
                    "facts": {
                        "action": self.name(),
                        "error_type": type(error).__name__,
                        "error_at": place_of(error),
                    }
                },
            )
        if not dispatcher.messages:
            reply = self._apology(tracker)
            dispatcher.utter_message(
                text=reply.text,
                source="reply_bank",
                flow="chat",
                reply_id=reply.id,
                fallback_reason="error",
            )
        return [SlotSet("turn_outcome", "fallback")]

    def _apology(self, tracker: Tracker) -> BankReply:
        try:
            return self._bank.choose(open_turn(tracker), function="error")
        except Exception:
            return LAST_RESORT
