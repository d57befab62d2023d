"""Every error this service raises, on one page.

Two families: :class:`StartError` ends the process with one line and an exit code,
:class:`ApiError` becomes one OpenAI-style JSON answer. No message carries conversation text.
"""

from typing import Any


class LlmServerError(Exception):
    """Base of all errors of this service."""


# --- errors that end the process -------------------------------------------------------------


class StartError(LlmServerError):
    """The service cannot run. ``str(error)`` is one line that says what to do."""

    exit_code = 1


class SettingsError(StartError):
    """A setting has a bad value; the line names the key."""

    exit_code = 2


class ModelFileError(StartError):
    """The model file is missing, cut short or not a GGUF file."""

    exit_code = 3


class PortTakenError(StartError):
    """The address to listen on cannot be bound."""

    exit_code = 4


class EngineStartError(StartError):
    """The engine has never become ready and never will with these settings."""

    exit_code = 5


class ModelDownloadError(StartError):
    """The model that LLM_MODEL names could not be fetched, or is not what was stated."""

    exit_code = 6


# --- errors that become an HTTP answer -------------------------------------------------------


class ApiError(LlmServerError):
    """An answer with an OpenAI-style error body.

    Attributes:
        status: HTTP status.
        type: OpenAI's ``error.type``.
        code: machine-readable reason, OpenAI's ``error.code``.
        param: the request field at fault, or ``None``.
        retry_after: seconds for the ``Retry-After`` header, or ``None``.
    """

    status = 500
    type = "server_error"
    code = "internal_error"

    def __init__(
        self, message: str, *, param: str | None = None, retry_after: int | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.retry_after = retry_after

    def body(self) -> dict[str, Any]:
        """The JSON body, in OpenAI's shape."""
        return {
            "error": {
                "message": self.message,
                "type": self.type,
                "param": self.param,
                "code": self.code,
            }
        }

    def headers(self) -> dict[str, str]:
        """Extra response headers."""
        return {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}


class BadRequest(ApiError):
    """The request is malformed; ``param`` names the field."""

    status, type, code = 400, "invalid_request_error", "invalid_request"


class UnsupportedField(BadRequest):
    """The engine does not know the field in ``param``, or this value of it."""


class ContextTooLong(ApiError):
    """The prompt does not fit the model's context; the message names the limit."""

    status, type, code = 400, "invalid_request_error", "context_length_exceeded"


class Unauthorized(ApiError):
    """No API key, or a wrong one."""

    status, type, code = 401, "authentication_error", "invalid_api_key"

    def headers(self) -> dict[str, str]:
        return {"WWW-Authenticate": "Bearer"}


class OriginRefused(ApiError):
    """The request comes from a page in a browser, which never talks to this server."""

    status, type, code = 403, "permission_error", "origin_not_allowed"


class NotFound(ApiError):
    """No such route."""

    status, type, code = 404, "invalid_request_error", "not_found"


class MethodNotAllowed(ApiError):
    """The route exists, the method does not."""

    status, type, code = 405, "invalid_request_error", "method_not_allowed"


class BodyTimeout(ApiError):
    """The request body did not arrive in time."""

    status, type, code = 408, "invalid_request_error", "request_timeout"


class BodyTooLarge(ApiError):
    """The request body is over the limit; the message names it."""

    status, type, code = 413, "invalid_request_error", "request_too_large"


class UpstreamFailed(ApiError):
    """The engine answered with something that is not a completion."""

    status, type, code = 502, "server_error", "engine_error"


class Overloaded(ApiError):
    """All slots and all places in the queue are taken."""

    status, type, code = 503, "server_error", "overloaded"


class EngineUnavailable(ApiError):
    """The engine is starting, restarting, stopping or out of reach."""

    status, type, code = 503, "server_error", "engine_unavailable"


class GenerationTimeout(ApiError):
    """The generation took longer than LLM_TIMEOUT_S."""

    status, type, code = 504, "server_error", "timeout"
