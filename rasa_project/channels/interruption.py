"""Ending a turn that stands in the way of a crisis reply."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from channels.action_endpoint import BoundedActionEndpoint
from channels.actions_client import ActionsClient

if TYPE_CHECKING:
    from channels.turns import Turn

ASK_S = 0.4
RELEASE_S = 0.7
POLL_S = 0.05


async def interrupt(turn: Turn, agent: Callable[[], Any], actions: ActionsClient) -> None:
    """End ``turn`` within 0.7 s, by the gentlest means that works.

    First the action server is asked to end the generation, which keeps what was said. If the
    turn still runs after 0.4 s, its requests to the action server are answered in the server's
    place, so that Rasa stores the turn without it. As a last resort the turn's task is
    cancelled; the turn is then missing from the tracker.

    Args:
        turn: The turn to end.
        agent: Returns the agent that is loaded now.
        actions: The action server's side channel.
    """
    started = time.monotonic()
    await actions.cancel(turn.message_id)
    if await _ended(turn, started + ASK_S - time.monotonic()):
        return
    while time.monotonic() < started + RELEASE_S:
        endpoint = getattr(agent(), "action_endpoint", None)
        if isinstance(endpoint, BoundedActionEndpoint):
            endpoint.cancel(turn.sender_id)
        if await _ended(turn, POLL_S):
            return
    if turn.task is not None:
        turn.task.cancel()


async def _ended(turn: Turn, timeout_s: float) -> bool:
    try:
        await asyncio.wait_for(turn.finished.wait(), max(0.0, timeout_s))
    except asyncio.TimeoutError:
        return False
    return True
