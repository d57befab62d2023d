"""The HTTP face: rasa-sdk's application, the turn routes, and errors that echo nothing."""

from __future__ import annotations

import gzip
import hmac
import json
import logging
import zlib
from collections.abc import AsyncIterator
from typing import Any

from rasa_sdk.endpoint import create_app as create_sdk_app
from rasa_sdk.executor import ActionExecutor, ActionExecutorRunResult
from sanic import Sanic
from sanic.exceptions import SanicException
from sanic.handlers import ErrorHandler
from sanic.request import Request
from sanic.response import HTTPResponse
from sanic.response import json as json_response

from actions.json_logs import place_of
from actions.turns import StreamEvent, Turn, TurnRegistry

logger = logging.getLogger(__name__)

STREAM_WAIT_S = 60.0
HEARTBEAT_S = 5.0
RESPONSE_TIMEOUT_S = 120
SHUTDOWN_S = 1.0
MAX_MESSAGE_ID_CHARS = 128
OPEN_PATHS = frozenset({"/health"})


class SelectiveDomainExecutor(ActionExecutor):  # type: ignore[misc]
    """An executor for actions that never read the domain.

    Rasa 3.6 with ``enable_selective_domain`` sends neither a domain nor a digest, which the
    SDK of this version answers with 449.
    """

    async def run(
        self, action_call: dict[str, Any], *args: Any, **kwargs: Any
    ) -> ActionExecutorRunResult | None:
        tracker = action_call.get("tracker")
        if isinstance(tracker, dict) and not isinstance(tracker.get("latest_message"), dict):
            tracker["latest_message"] = {}  # the SDK's tracing reads it as a mapping
        return await super().run(action_call, *args, **kwargs)

    def update_and_return_domain(
        self, payload: dict[str, Any], action_name: str
    ) -> dict[str, Any] | None:
        domain = payload.get("domain")
        return domain if isinstance(domain, dict) else {}


class SafeErrorHandler(ErrorHandler):
    """Answers every uncaught exception with its type only, and logs no more than that."""

    def response(self, request: Request, exception: Exception) -> HTTPResponse:
        status = exception.status_code if isinstance(exception, SanicException) else 500
        facts = {
            "status": status,
            "path": request.path.split("/")[1] if request else "",
            "error_type": type(exception).__name__,
            "error_at": place_of(exception),
        }
        log = logger.error if status >= 500 else logger.info
        log("request_failed", extra={"facts": facts})
        return json_response({"error": type(exception).__name__}, status=status)


def create_app(
    executor: ActionExecutor,
    turns: TurnRegistry,
    *,
    token: str | None = None,
    wait_s: float = STREAM_WAIT_S,
    heartbeat_s: float = HEARTBEAT_S,
) -> Sanic[Any, Any]:
    """Build the application: ``/webhook``, ``/actions`` and ``/health`` of the SDK, and
    ``/turns``.

    Args:
        executor: runs the registered actions.
        turns: the side streams.
        token: required on everything but ``/health`` when set, as ``?token=`` or in the header
            ``X-Actions-Token``.
        wait_s: how long a side stream waits for its action to start.
        heartbeat_s: the longest silence on a side stream.
    """
    app: Sanic[Any, Any] = create_sdk_app(executor, cors_origins=None)
    app.error_handler = SafeErrorHandler()
    app.config.RESPONSE_TIMEOUT = RESPONSE_TIMEOUT_S
    app.config.GRACEFUL_SHUTDOWN_TIMEOUT = SHUTDOWN_S
    app.config.ACCESS_LOG = False

    async def require_token(request: Request) -> HTTPResponse | None:
        if token is None or request.path in OPEN_PATHS:
            return None
        given = request.args.get("token") or request.headers.get("x-actions-token") or ""
        if hmac.compare_digest(given.encode(), token.encode()):
            return None
        return json_response({"error": "unauthorized"}, status=401)

    async def inflate_gzip(request: Request) -> HTTPResponse | None:
        """The SDK inflates ``deflate`` itself but not ``gzip``."""
        if request.headers.get("content-encoding", "").lower() == "gzip":
            try:
                request.body = gzip.decompress(request.body)
            except (OSError, EOFError, zlib.error):
                return json_response({"error": "body is not gzip"}, status=400)
        return None

    async def stream_turn(request: Request, message_id: str) -> None:
        response = await request.respond(
            content_type="text/event-stream", headers={"Cache-Control": "no-store"}
        )
        if len(message_id) <= MAX_MESSAGE_ID_CHARS:
            turn = turns.awaited(message_id)
            async for line in _lines(turn, wait_s, heartbeat_s):
                await response.send(line)
        await response.eof()

    async def cancel_turn(request: Request, message_id: str) -> HTTPResponse:
        is_usable = len(message_id) <= MAX_MESSAGE_ID_CHARS
        return json_response({"cancelled": is_usable and turns.cancel(message_id)})

    async def end_turns(_app: Sanic[Any, Any]) -> None:
        turns.cancel_all()

    app.register_middleware(require_token, "request")
    app.register_middleware(inflate_gzip, "request")
    app.add_route(stream_turn, "/turns/<message_id:str>/stream", methods=["GET"])
    app.add_route(cancel_turn, "/turns/<message_id:str>/cancel", methods=["POST"])
    app.register_listener(end_turns, "before_server_stop")
    return app


async def _lines(turn: Turn, wait_s: float, heartbeat_s: float) -> AsyncIterator[str]:
    """The side stream as server-sent events."""
    yield ": open\n\n"
    async for event in turn.events(wait_s=wait_s, heartbeat_s=heartbeat_s):
        yield _sse(event)


def _sse(event: StreamEvent) -> str:
    if event.kind == "heartbeat":
        return ": heartbeat\n\n"
    data = {"text": event.text} if event.kind == "chunk" else {"source": event.source}
    return f"event: {event.kind}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"
