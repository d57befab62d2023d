"""The risk gate before the conversation lock: one parse, used for screening and for the turn."""

from __future__ import annotations

from typing import Any

import structlog

log = structlog.get_logger(__name__)

URGENT_LEVELS = frozenset({"moderate", "high", "imminent"})


async def parse(agent: Any, text: str) -> dict[str, Any] | None:
    """Return the agent's parse of ``text``, or ``None`` if it cannot parse now.

    The result is handed on as ``UserMessage.parse_data``, so that NLU runs once for a message.
    """
    if agent is None or not agent.is_ready():
        return None
    try:
        parsed: dict[str, Any] | None = await agent.parse_message(text)
    except Exception as error:
        log.error("channel.parse.failed", error_type=type(error).__name__)
        return None
    return parsed


def is_urgent(parse_data: dict[str, Any] | None) -> bool:
    """Tell whether the gate judged the message as risk of level moderate or above."""
    risk = (parse_data or {}).get("risk")
    return isinstance(risk, dict) and risk.get("level") in URGENT_LEVELS
