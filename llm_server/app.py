"""The HTTP surface: routes, the API key, and errors as OpenAI-style JSON."""

import asyncio
import hmac
import logging
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from llm_server.admission import Admission
from llm_server.chat_request import parse_chat_request
from llm_server.chat_response import ChatResponse
from llm_server.engine.base import Engine, EngineState
from llm_server.errors import (
    ApiError,
    BadRequest,
    BodyTimeout,
    BodyTooLarge,
    MethodNotAllowed,
    NotFound,
    OriginRefused,
    Unauthorized,
)
from llm_server.json_log import log
from llm_server.metrics import Metrics
from llm_server.settings import NO_ADAPTER, Settings

_BODY_TIMEOUT_S = 10.0
# An oversized body is read up to this many times the limit, so that its sender sees the 413.
_DRAIN_FACTOR = 32


def create_app(settings: Settings, engine: Engine, admission: Admission) -> Starlette:
    """The ASGI application. The caller runs ``engine``; no request header reaches it."""
    service = _Service(settings, engine, admission)
    key = settings.api_key.get_secret_value() if settings.api_key else None
    return Starlette(
        routes=[
            Route("/v1/chat/completions", service.chat_completions, methods=["POST"]),
            Route("/v1/models", service.models),
            Route("/health", service.health),
            Route("/metrics", service.metrics_page),
        ],
        middleware=[Middleware(_Gate, key=key)],
        exception_handlers={
            ApiError: _api_error,
            HTTPException: _http_exception,
            Exception: _unexpected,
        },
    )


class _Service:
    """The endpoints."""

    def __init__(self, settings: Settings, engine: Engine, admission: Admission) -> None:
        self._settings = settings
        self._engine = engine
        self._admission = admission
        self._metrics = Metrics()

    async def chat_completions(self, request: Request) -> Any:
        """``POST /v1/chat/completions``."""
        try:
            chat = parse_chat_request(await self._body(request))
            self._check_adapter(chat.adapter)
        except ApiError:
            self._metrics.requests["bad_request"] += 1
            raise
        address = request.client
        connection = f"{address.host}:{address.port}" if address else "unknown"
        return ChatResponse(
            chat,
            f"user {chat.user}" if chat.user else f"connection {connection}",
            engine=self._engine,
            admission=self._admission,
            metrics=self._metrics,
            max_tokens=self._settings.max_tokens,
            timeout_s=self._settings.timeout_s,
        )

    async def models(self, _request: Request) -> Response:
        """``GET /v1/models``."""
        model = {
            "id": self._engine.model_id,
            "object": "model",
            "created": 0,
            "owned_by": "stillpoint",
            "context_length": self._engine.context_length,
            "adapters": list(self._engine.adapters),
        }
        return JSONResponse({"object": "list", "data": [model]})

    async def health(self, _request: Request) -> Response:
        """``GET /health``: 200 while the engine can answer, else 503."""
        ready = self._engine.state is EngineState.READY
        body = {
            "status": "ok" if ready else self._engine.state.value,
            "engine": self._engine.name,
            "model": self._engine.model_id,
            "restarts": self._engine.restarts,
        }
        headers = {} if ready else {"Retry-After": str(self._engine.ready_in_s())}
        return JSONResponse(body, status_code=200 if ready else 503, headers=headers)

    async def metrics_page(self, _request: Request) -> Response:
        """``GET /metrics``, in Prometheus' text format."""
        page = self._metrics.render(
            running=self._admission.running,
            queued=self._admission.queued,
            rejected=self._admission.rejected,
            restarts=self._engine.restarts,
            ready=self._engine.state is EngineState.READY,
        )
        return PlainTextResponse(page, media_type="text/plain; version=0.0.4")

    def _check_adapter(self, name: str | None) -> None:
        known = self._engine.adapters
        if name is None or name == NO_ADAPTER or name in known:
            return
        offer = f"use one of {', '.join((NO_ADAPTER, *known))}" if known else "this model has none"
        raise BadRequest(f"adapter: is not known; {offer}", param="adapter")

    async def _body(self, request: Request) -> bytes:
        """The request body, read within its limits."""
        limit = self._settings.max_body_kib * 1024
        body, size = bytearray(), 0
        try:
            async with asyncio.timeout(_BODY_TIMEOUT_S):
                async for block in request.stream():
                    size += len(block)
                    if size <= limit:
                        body += block
                    elif size > limit * _DRAIN_FACTOR:
                        break
        except TimeoutError:
            raise BodyTimeout("the request body did not arrive in time") from None
        except ClientDisconnect:
            raise BadRequest("the request body was cut off") from None
        if size > limit:
            raise BodyTooLarge(f"the request body is larger than {self._settings.max_body_kib} KiB")
        return bytes(body)


class _Gate:
    """Lets in who holds the key (``/health`` needs none), and no page from a browser.

    A web page anywhere can make a browser post to this machine; browsers then always say
    ``Origin``, and the clients of this server never do.
    """

    def __init__(self, app: ASGIApp, key: str | None) -> None:
        self._app = app
        self._key = key.encode() if key else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            refusal = self._refusal(scope)
            if refusal is not None:
                await _error_response(refusal)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> ApiError | None:
        headers = dict(scope["headers"])
        if b"origin" in headers:
            return OriginRefused("requests from web pages are not accepted")
        if self._key is None or scope["path"] == "/health":
            return None
        scheme, _, given = headers.get(b"authorization", b"").partition(b" ")
        if scheme.lower() == b"bearer" and hmac.compare_digest(given.strip(), self._key):
            return None
        return Unauthorized("an API key is required: Authorization: Bearer <LLM_API_KEY>")


def _error_response(error: ApiError) -> Response:
    return JSONResponse(error.body(), status_code=error.status, headers=error.headers())


async def _api_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return _error_response(error)


async def _http_exception(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        return _error_response(MethodNotAllowed("this route does not take that method"))
    if error.status_code == 404:
        return _error_response(NotFound("no such route"))
    return _error_response(BadRequest("the request cannot be answered"))


async def _unexpected(_request: Request, error: Exception) -> Response:
    log(logging.ERROR, "unexpected_error", error=type(error).__name__)
    return _error_response(ApiError("something went wrong here"))
