"""Every way a request to a channel can be refused, and how a refusal looks on the wire."""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine
from typing import Any

import structlog
from rasa.shared.exceptions import RasaException
from sanic import response
from sanic.exceptions import SanicException
from sanic.request import Request
from sanic.response import HTTPResponse

log = structlog.get_logger(__name__)

MAX_DISCARDED_BYTES = 262_144

Handler = Callable[..., Coroutine[Any, Any, HTTPResponse | None]]


class ChannelConfigError(RasaException):
    """A channel's credentials or environment hold a bad value; the message names the key."""


class ChannelError(Exception):
    """A refused request. Subclasses fix the HTTP status and the machine-readable code.

    Args:
        message: One plain sentence for the person or the developer; never their own text.
        field: The offending field of the request, where there is one.
        retry_after_s: Seconds to wait, sent as ``Retry-After``.
    """

    status = 400
    code = "bad_request"

    def __init__(
        self, message: str, field: str | None = None, retry_after_s: int | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.retry_after_s = retry_after_s


class BadRequest(ChannelError):
    """The request cannot be read (400)."""


class Unauthorized(ChannelError):
    """No token or key, or one that is wrong or too old (401)."""

    status = 401
    code = "unauthorized"


class NotFound(ChannelError):
    """There is no such thing in this session (404)."""

    status = 404
    code = "not_found"


class Conflict(ChannelError):
    """An idempotency key was used for something else (409)."""

    status = 409
    code = "conflict"


class TooLarge(ChannelError):
    """The body or the message is longer than allowed (413)."""

    status = 413
    code = "too_large"


class UnsupportedMediaType(ChannelError):
    """The body is not JSON (415)."""

    status = 415
    code = "unsupported_media_type"


class Unprocessable(ChannelError):
    """A field is missing or holds a value that is not allowed (422)."""

    status = 422
    code = "invalid"


class TooManyRequests(ChannelError):
    """A rate limit or a queue is full (429)."""

    status = 429
    code = "rate_limited"


class Unavailable(ChannelError):
    """The service cannot do this now (503)."""

    status = 503
    code = "unavailable"


def error_body(error: ChannelError) -> dict[str, Any]:
    """Return ``{"error": {"code", "message", "field"}}`` for a refusal."""
    return {"error": {"code": error.code, "message": error.message, "field": error.field}}


def error_response(error: ChannelError) -> HTTPResponse:
    """Return a refusal as an HTTP response with the headers its status asks for."""
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(error.retry_after_s)
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return response.json(error_body(error), status=error.status, headers=headers)


def answers_errors(handler: Handler) -> Handler:
    """Wrap a Sanic handler so that every refusal, and every failure, is a JSON error."""

    @functools.wraps(handler)
    async def wrapped(request: Request, **arguments: Any) -> HTTPResponse | None:
        try:
            return await handler(request, **arguments)
        except ChannelError as error:
            await _discard_body(request)
            return error_response(error)
        except SanicException:
            raise
        except Exception as error:
            log.error("channel.request.failed", error_type=type(error).__name__)
            failure = ChannelError("Something went wrong on our side.")
            failure.status, failure.code = 500, "internal"
            return error_response(failure)

    return wrapped


async def _discard_body(request: Request) -> None:
    """Read what is left of a small body, so that the connection can be used again."""
    left = MAX_DISCARDED_BYTES
    try:
        while request.stream is not None and left > 0:
            chunk = await request.stream.read()
            if not chunk:
                return
            left -= len(chunk)
    except SanicException:
        return
