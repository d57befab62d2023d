"""Keeps what people write out of the logs of the Rasa process.

Rasa logs message text in several places: as structlog values (``text``, ``user_text``, …), in the
local variables of structured tracebacks, in warnings about slash messages, and in the parameters
that SQLAlchemy appends to a failed statement.
"""

from __future__ import annotations

import logging
import re
import sys
import traceback
import warnings
from collections.abc import MutableMapping
from typing import Any

import structlog

REMOVED = "[removed]"
TEXT_KEYS = frozenset(
    {
        "text",
        "response_text",
        "user_text",
        "slot_values",
        "parse_data",
        "parse_data_text",
        "parse_data_entities",
        "prediction_events",
        "tracker_latest_message",
        "prefilled_slots",
        "message",
        "response",
        "slot_candidates",
        "rasa_event",
        "rasa_events",
        "tracker_states",
        "current_states",
        "old_states",
        "successes",
        "current_entity",
        "next_entity",
        "states",
        "entity",
        "token_text",
        "user_message",
        "json_message",
        "comment",
    }
)
_STATEMENT_VALUES = re.compile(r"\[parameters: .*", re.DOTALL)
_ERROR_BODY = re.compile(r"\bbody='.*", re.DOTALL)
_TEXT_WARNINGS = (
    r"(?s).*Failed to (parse arguments|interpret)",
    r"(?s).*Parsed an (intent|entity)",
)


def remove_text(_: Any, __: str, event_dict: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Structlog processor: blank every value that may hold message text."""
    for key in event_dict.keys() & TEXT_KEYS:
        event_dict[key] = REMOVED
    return event_dict


def plain_traceback(
    _: Any, __: str, event_dict: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Structlog processor: render an exception without the values of local variables."""
    exc_info = event_dict.pop("exc_info", None)
    if exc_info is True:
        exc_info = sys.exc_info()
    if isinstance(exc_info, BaseException):
        exc_info = (type(exc_info), exc_info, exc_info.__traceback__)
    if exc_info and exc_info[0] is not None:
        event_dict["exception"] = redact("".join(traceback.format_exception(*exc_info)))
    return event_dict


def redact(text: str) -> str:
    """Return a log line without statement parameters and error bodies."""
    return _ERROR_BODY.sub(f"body={REMOVED}", _STATEMENT_VALUES.sub(REMOVED, text))


class TextFilter(logging.Filter):
    """Logging filter that redacts the message and the traceback of a record."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact ``record`` in place; never drops it."""
        try:
            line = record.getMessage()
        except Exception:
            line = f"{record.name}: a log record could not be formatted"
        record.msg, record.args = redact(line), ()
        if record.exc_info and record.exc_info[0] is not None:
            record.exc_text = redact("".join(traceback.format_exception(*record.exc_info)))
        return True


def install() -> None:
    """Filter structlog, every handler of the root logger, and Rasa's warnings.

    Works on the processors in place, because Rasa caches its loggers. Safe to call again.
    """
    processors: list[Any] = structlog.get_config()["processors"]
    if remove_text not in processors:
        processors.insert(0, remove_text)
    if plain_traceback not in processors:
        processors.insert(_first_renderer(processors), plain_traceback)
    for logger in (logging.getLogger(), logging.getLogger("sanic.error")):
        for handler in logger.handlers:
            if not any(isinstance(item, TextFilter) for item in handler.filters):
                handler.addFilter(TextFilter())
    for pattern in _TEXT_WARNINGS:
        warnings.filterwarnings("ignore", message=pattern)


def _first_renderer(processors: list[Any]) -> int:
    """Return the place before the processors that format exceptions or the whole line."""
    formatting: dict[int, Any] = {
        place: item
        for place, item in enumerate(processors)
        if isinstance(
            item,
            (
                structlog.processors.ExceptionRenderer,
                structlog.processors.JSONRenderer,
                structlog.dev.ConsoleRenderer,
            ),
        )
    }
    return min(formatting, default=len(processors))
