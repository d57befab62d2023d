"""JSON-lines logging to stderr, without message text.

Own modules log a fixed event name and pass facts in ``extra={"facts": {...}}``. Exceptions are
reduced to their type and place: an exception's text may quote what a person wrote.
"""

from __future__ import annotations

import json
import logging
import sys
import time
import traceback
import warnings
from types import TracebackType

OWN_LOGGER = "actions"
QUIET_LOGGERS = ("rasa_sdk", "sanic", "httpx", "httpcore", "asyncio", "py.warnings")


class JsonFormatter(logging.Formatter):
    """One JSON object a line: ``ts`` (Unix seconds), ``level``, ``logger``, ``event``, facts.

    Records of libraries keep their unformatted template only, since their arguments can hold
    a request or a tracker.
    """

    def format(self, record: logging.LogRecord) -> str:
        is_own = record.name == OWN_LOGGER or record.name.startswith(OWN_LOGGER + ".")
        line: dict[str, object] = {
            "ts": round(record.created or time.time(), 3),
            "level": record.levelname,
            "logger": record.name,
            "event": record.getMessage() if is_own else _template(record),
        }
        facts = getattr(record, "facts", None)
        if isinstance(facts, dict):
            line.update(facts)
        if record.exc_info and record.exc_info[0] is not None:
            line["error_type"] = record.exc_info[0].__name__
            line["error_at"] = _place(record.exc_info[2])
        return json.dumps(line, ensure_ascii=False, default=str)


def configure_logging(level: str) -> None:
    """Send every logger's records to stderr as JSON; libraries from WARNING up only."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger(OWN_LOGGER).setLevel(level)
    for name in QUIET_LOGGERS:
        library = logging.getLogger(name)
        library.handlers.clear()
        library.setLevel(logging.WARNING)
        library.propagate = True
    logging.captureWarnings(True)
    # rasa-sdk 3.21 serves Rasa 3.6 on purpose: the wire format is the same.
    warnings.filterwarnings("ignore", message="Your versions of rasa and")


def _template(record: logging.LogRecord) -> str:
    """The constant part of a library's record: its template when it has arguments.

    Libraries that format before logging leave no template; only the first words are kept.
    """
    text = str(record.msg)
    return text if record.args else " ".join(text.split()[:6])


def place_of(error: BaseException) -> str:
    """File name and line where an error was raised, without its text."""
    return _place(error.__traceback__)


def _place(trace: TracebackType | None) -> str:
    frames = traceback.extract_tb(trace)
    return f"{frames[-1].filename.rsplit('/', 1)[-1]}:{frames[-1].lineno}" if frames else ""
