"""Scripted replies: flat metadata, helplines by country, no variation twice in a row."""

from __future__ import annotations

import logging
import random
from typing import Any, Dict, List, Optional

from rasa.core.nlg.generator import ResponseVariationFilter
from rasa.core.nlg.response import TemplatedNaturalLanguageGenerator
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import BotUttered
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.utils.endpoints import EndpointConfig

from components.contacts import Contacts

logger = logging.getLogger(__name__)


class ScriptedNaturalLanguageGenerator(TemplatedNaturalLanguageGenerator):
    """`TemplatedNaturalLanguageGenerator` with three changes.

    - a response's `metadata:` block is flattened into the bot message, beside
      `source: scripted` and `utter_action`;
    - the placeholders of `components.contacts` are filled by the slot `country`, which is told to
      the page beside a `card`;
    - a variation that was said last for this response is not chosen again while others exist.
    """

    def __init__(
        self, endpoint_config: Optional[EndpointConfig] = None, domain: Optional[Domain] = None
    ) -> None:
        super().__init__((domain or Domain.empty()).responses)
        self._contacts = _load_contacts()

    async def generate(
        self,
        utter_action: str,
        tracker: DialogueStateTracker,
        output_channel: str,
        **kwargs: Any,
    ) -> Optional[Dict[str, Any]]:
        """The response to say, or None if `utter_action` is unknown."""
        slots = tracker.current_slot_values()
        choices = (
            ResponseVariationFilter(self.responses).responses_for_utter_action(
                utter_action, output_channel, slots
            )
            if utter_action in self.responses
            else []
        )
        if not choices:
            return None
        slots = {**slots, **self._contacts.phrases(slots.get("country"))}
        filled = [self._fill_response(dict(choice), slots, **kwargs) for choice in choices]
        said = _said_texts(tracker)
        fresh = [choice for choice in filled if choice.get("text") not in said] or filled
        response = dict(random.choice(fresh))
        response.update(response.pop("metadata", None) or {})
        response["source"] = "scripted"
        if "card" in response and slots.get("country"):
            response["country"] = slots["country"]
        return response


def _said_texts(tracker: DialogueStateTracker, last: int = 20) -> List[str]:
    texts = [e.text for e in tracker.events if isinstance(e, BotUttered) and e.text]
    return texts[-last:]


def _load_contacts() -> Contacts:
    try:
        return Contacts.from_file()
    except (OSError, ValueError) as error:
        logger.error("data/helplines.yml cannot be read; using the fallback: %s", error)
        return Contacts({})
