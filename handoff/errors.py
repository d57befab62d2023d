"""Every error this service raises on purpose, on one page."""

from __future__ import annotations


class HandoffError(Exception):
    """Base of the hand-off service's own errors; the text is one line fit to be printed."""


class ConfigurationError(HandoffError):
    """A setting is missing or refused; the text names the key and never its secret value."""


class StoreError(HandoffError):
    """The service's own database cannot be used as it is; the text says why and what to do."""


class TrackerStoreAbsent(HandoffError):
    """The tracker store (or its ``events`` table) is not there yet."""


class SignatureRefused(HandoffError):
    """A request's signature is wrong or its time is outside the replay window."""


class Stopped(HandoffError):
    """SIGTERM came while a request was under way; the notice stays due."""
