"""Every error this service raises on purpose, on one page."""

from __future__ import annotations


class ActionServerError(Exception):
    """Base of the action server's own errors."""


class ConfigurationError(ActionServerError):
    """A setting is missing or refused; the text names the key and never its secret value."""


class DataFileError(ActionServerError):
    """A reviewed data file is missing or malformed; the text names the file and the place."""


class LLMError(ActionServerError):
    """The LLM gave no usable completion. ``fallback_reason`` says how, in contract words."""

    fallback_reason = "error"


class LLMUnreachable(LLMError):
    """No connection to the LLM server could be made, or it was lost before a first byte."""

    fallback_reason = "unreachable"


class LLMOverloaded(LLMError):
    """The LLM server refused for load (503 or 429)."""

    fallback_reason = "overloaded"


class LLMFailed(LLMError):
    """The LLM server answered with an error, or with something that is not a completion."""
