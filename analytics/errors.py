"""Every error this service raises on purpose, on one page."""

from __future__ import annotations


class AnalyticsError(Exception):
    """Base of the analytics service's own errors; the text is one line fit to be printed."""


class ConfigurationError(AnalyticsError):
    """A setting is missing or refused; the text names the key and never its secret value."""


class StoreError(AnalyticsError):
    """The analytics store cannot be used as it is; the text says why and what to do."""


class StoreAbsent(StoreError):
    """There is no analytics store yet at the configured address."""


class TrackerStoreAbsent(AnalyticsError):
    """The tracker store (or its ``events`` table) is not there yet."""


class UnreadableEvent(AnalyticsError):
    """A row of the tracker store is no Rasa event; the text says why, without quoting it."""
