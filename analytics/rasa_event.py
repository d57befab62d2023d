"""A row of the tracker store as a Rasa event, and careful reading of what is in it.

Names (intents, actions, slots, sources …) are kept only if they look like names: the intent of
``/i feel awful`` may be a whole sentence, and sentences are not stored.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from analytics.errors import UnreadableEvent
from analytics.tracker_store import Head, Row

UNNAMED = "(not a name)"

LEVELS = ("none", "low", "moderate", "high", "imminent")
SERIOUS_LEVELS = ("moderate", "high", "imminent")

_NAME = re.compile(r"[A-Za-z0-9_./+:@-]{1,128}", re.ASCII)
_YEAR_10000 = 253_402_300_800.0


@dataclass(frozen=True, slots=True)
class RasaEvent:
    """An event that can be told: ``at`` is Unix seconds, ``data`` Rasa's own dictionary."""

    event_id: int
    type: str
    at: float
    row_at: float | None
    data: Mapping[str, Any]

    def part(self, key: str) -> Mapping[str, Any]:
        """A nested object, empty if there is none."""
        found = self.data.get(key)
        return found if isinstance(found, Mapping) else {}


def parse(row: Row) -> RasaEvent:
    """Read a row.

    Raises:
        UnreadableEvent: it is no event; the reason quotes nothing.
    """
    if not isinstance(row.sender_id, str) or not row.sender_id:
        raise UnreadableEvent("sender_id is not a text")
    if not isinstance(row.type_name, str) or name(row.type_name) in (None, UNNAMED):
        raise UnreadableEvent("type_name is not a name")
    data = _json_object(row.data)
    if data.get("event") != row.type_name:
        raise UnreadableEvent("data.event is not type_name")
    at = number(data.get("timestamp"))
    row_at = number(row.timestamp)
    if at is None:
        at = row_at
    if at is None:
        raise UnreadableEvent("timestamp is not a number")
    if not 0 <= at < _YEAR_10000:
        raise UnreadableEvent("timestamp is outside the years 1970 to 9999")
    return RasaEvent(row.id, row.type_name, at, row_at, data)


def identity(head: Head) -> tuple[str | None, float | None]:
    """Type and time of a row as the ledger keeps them, to see whether an id was given anew."""
    return name(head.type_name), number(head.timestamp)


def name(value: object) -> str | None:
    """A name as it is, ``UNNAMED`` for any other non-empty text, else None."""
    if not isinstance(value, str) or not value:
        return None
    return value if _NAME.fullmatch(value) else UNNAMED


def number(value: object) -> float | None:
    """A finite number as float, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def storable(value: object) -> str | None:
    """A text that every database takes: without NUL and lone surrogates; None for no text."""
    if not isinstance(value, str):
        return None
    return value.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


def _json_object(data: object) -> dict[str, Any]:
    if not isinstance(data, str):
        raise UnreadableEvent("data is empty" if data is None else "data is not a text")
    try:
        found = json.loads(data)
    except RecursionError:
        raise UnreadableEvent("data is nested too deeply") from None
    except ValueError:
        raise UnreadableEvent("data is not JSON") from None
    if not isinstance(found, dict):
        raise UnreadableEvent("data is not a JSON object")
    return found
