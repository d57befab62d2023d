"""The action server's side channel: the text of a turn while it is written, and cancelling it.

Every method treats the action server as optional: it may be down, hung or old, and then the
turn simply arrives whole through Rasa.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import aiohttp
import structlog

from channels.settings import Environment
from channels.sse import EventParser

log = structlog.get_logger(__name__)

CONNECT_TIMEOUT_S = 1.0
SILENCE_TIMEOUT_S = 15.0
CANCEL_TIMEOUT_S = 0.15


class ActionsClient:
    """Talks to ``/turns/{message_id}`` of one action server.

    Args:
        base_url: Address without a trailing slash.
        token: Shared secret, sent as ``X-Actions-Token``.
    """

    def __init__(self, base_url: str, token: str | None = None) -> None:
        self._base_url = base_url
        self._headers = {"X-Actions-Token": token} if token else {}
        self._session: aiohttp.ClientSession | None = None

    @classmethod
    def from_environment(cls, environment: Environment) -> ActionsClient:
        """Return a client for the action server that the environment names."""
        return cls(environment.actions_url, environment.actions_token)

    async def chunks(self, message_id: str) -> AsyncIterator[str]:
        """Yield the text deltas of a turn; end silently when there are no more, or no server."""
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=CONNECT_TIMEOUT_S, sock_read=SILENCE_TIMEOUT_S
        )
        url = f"{self._base_url}/turns/{message_id}/stream"
        try:
            async with self._open().get(url, timeout=timeout) as answer:
                if answer.status != 200:
                    return
                parser = EventParser()
                async for line in answer.content:
                    event = parser.line(line)
                    if event is None:
                        continue
                    if event.name == "end":
                        return
                    delta = _delta(event.data) if event.name == "chunk" else ""
                    if delta:
                        yield delta
        except Exception as error:
            log.debug("channel.side_stream.ended", error_type=type(error).__name__)
            return

    async def cancel(self, message_id: str) -> bool:
        """Ask the action server to end a generation; return whether it said that it does.

        Takes at most 150 ms.
        """
        timeout = aiohttp.ClientTimeout(total=CANCEL_TIMEOUT_S)
        url = f"{self._base_url}/turns/{message_id}/cancel"
        try:
            async with self._open().post(url, timeout=timeout) as answer:
                body = await answer.json()
                return answer.status == 200 and bool(body.get("cancelled"))
        except Exception as error:
            log.warning("channel.cancel.failed", error_type=type(error).__name__)
            return False

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(headers=self._headers)
        return self._session


def _delta(data: str) -> str:
    try:
        text = json.loads(data).get("text")
    except (ValueError, AttributeError):
        return ""
    return text if isinstance(text, str) else ""
