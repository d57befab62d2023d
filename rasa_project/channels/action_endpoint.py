"""Rasa's connection to the action server, with bounds: a hung server costs a turn seconds, not
five minutes, and a running request can be let go.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import structlog
from rasa.utils.endpoints import ClientResponseError, EndpointConfig
from sanic import Sanic
from sanic.request import Request

from channels.errors import ChannelConfigError

log = structlog.get_logger(__name__)

TOTAL_TIMEOUT_S = 40.0
CONNECT_TIMEOUT_S = 1.0
REJECTED = 400


class ActionServerTimeout(aiohttp.ServerTimeoutError):
    """The action server did not answer in time."""


class BoundedActionEndpoint(EndpointConfig):
    """An `EndpointConfig` for the action server with the same wire format.

    In endpoints.yml the block ``action_endpoint`` may set ``total_timeout_s`` (40) and
    ``connect_timeout_s`` (1). Neither the caller's timeout nor an error body is passed on: an
    error body may echo the tracker.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.total_timeout_s = _seconds(self.kwargs, "total_timeout_s", TOTAL_TIMEOUT_S)
        self.connect_timeout_s = _seconds(self.kwargs, "connect_timeout_s", CONNECT_TIMEOUT_S)
        self._running: dict[str, set[asyncio.Future[None]]] = {}

    @classmethod
    def from_endpoint(cls, endpoint: EndpointConfig) -> BoundedActionEndpoint:
        """Return a bounded endpoint with the settings of a plain one."""
        bounded = cls(
            endpoint.url,
            endpoint.params,
            endpoint.headers,
            endpoint.basic_auth,
            endpoint.token,
            endpoint.token_name,
            endpoint.cafile,
            **endpoint.kwargs,
        )
        bounded.type = endpoint.type
        return bounded

    def copy(self) -> BoundedActionEndpoint:
        """Return a bounded endpoint with the same settings and no running requests."""
        return self.from_endpoint(self)

    def cancel(self, sender_id: str) -> bool:
        """Let go of the running requests of a sender; return whether there were any.

        Each of them returns at once as an action that set ``turn_outcome`` to ``cancelled`` and
        said nothing.
        """
        waiting = [future for future in self._running.get(sender_id, ()) if not future.done()]
        for future in waiting:
            future.set_result(None)
        return bool(waiting)

    async def request(
        self,
        method: str = "post",
        subpath: str | None = None,
        content_type: str | None = "application/json",
        compress: bool = False,
        **kwargs: Any,
    ) -> Any | None:
        """Send a request and return the JSON answer; see `EndpointConfig.request`.

        Raises:
            ActionServerTimeout: No answer within ``total_timeout_s``.
            ClientResponseError: A status of 400 or above; the text carries at most the name of
                an action that rejected to run.
            aiohttp.ClientConnectionError: The server cannot be reached.
        """
        kwargs["timeout"] = aiohttp.ClientTimeout(
            total=self.total_timeout_s, sock_connect=self.connect_timeout_s
        )
        sender_id = str((kwargs.get("json") or {}).get("sender_id", ""))
        released: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._running.setdefault(sender_id, set()).add(released)
        call = asyncio.ensure_future(
            super().request(method, subpath, content_type, compress, **kwargs)
        )
        try:
            await asyncio.wait({call, released}, return_when=asyncio.FIRST_COMPLETED)
            return _cancelled_result() if not call.done() else call.result()
        except asyncio.TimeoutError:
            raise ActionServerTimeout("The action server did not answer in time.") from None
        except ClientResponseError as error:
            raise _without_body(error) from None
        finally:
            if not call.done():
                call.cancel()
            self._running[sender_id].discard(released)
            if not self._running[sender_id]:
                del self._running[sender_id]


def install(app: Sanic) -> None:
    """Bound the action endpoint of the app's agent, now and whenever another agent is loaded.

    To be called after the server started, when the agent is loaded. Safe to call from several
    channels; only the first call registers anything.
    """
    bound(getattr(app.ctx, "agent", None))
    if getattr(app.ctx, "bounded_actions", False):
        return
    app.ctx.bounded_actions = True

    async def on_request(request: Request) -> None:
        bound(getattr(request.app.ctx, "agent", None))

    app.register_middleware(on_request, "request")


def bound(agent: Any) -> None:
    """Give an agent and its message processor a bounded action endpoint, if they have a plain
    one.
    """
    endpoint = getattr(agent, "action_endpoint", None)
    if not isinstance(endpoint, EndpointConfig):
        return
    if not isinstance(endpoint, BoundedActionEndpoint):
        endpoint = agent.action_endpoint = BoundedActionEndpoint.from_endpoint(endpoint)
    processor = getattr(agent, "processor", None)
    if processor is not None and processor.action_endpoint is not endpoint:
        processor.action_endpoint = endpoint


def _cancelled_result() -> dict[str, Any]:
    return {
        "events": [{"event": "slot", "name": "turn_outcome", "value": "cancelled"}],
        "responses": [],
    }


def _without_body(error: ClientResponseError) -> ClientResponseError:
    text = ""
    if error.status == REJECTED:
        try:
            action_name = json.loads(error.text).get("action_name")
        except (ValueError, AttributeError):
            action_name = None
        text = json.dumps({"action_name": action_name, "error": "rejected"})
    return ClientResponseError(error.status, "action server error", text)


def _seconds(settings: dict[str, Any], key: str, default: float) -> float:
    value = settings.get(key, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= 300:
        raise ChannelConfigError(
            f"endpoints.yml: action_endpoint, key '{key}': must be a number of seconds "
            f"between 0 and 300."
        )
    return float(value)
