"""Structured logs: one JSON object per line on stderr, never with conversation text.

Our own records are an event name plus the fields given as ``extra={"fields": {...}}``. Records of
other libraries keep only the first line of their unformatted message, because their arguments and
tracebacks may carry what a person wrote.
"""

import json
import logging
import sys
import time
import traceback
from typing import Any

LOGGER = "llm_server"


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "ts": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
            + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "service": "llm_server",
        }
        if record.name == LOGGER:
            entry["event"] = str(record.msg)
            entry.update(getattr(record, "fields", {}))
        else:
            entry["event"] = "library"
            entry["logger"] = record.name
            entry["message"] = str(record.msg).partition("\n")[0][:200]
        if record.exc_info and record.exc_info[0] is not None:
            entry["error"] = record.exc_info[0].__name__
            frames = traceback.extract_tb(record.exc_info[2])[-4:]
            entry["at"] = [f"{frame.filename}:{frame.lineno}" for frame in frames]
        return json.dumps(entry)


def configure_logging(level: str) -> None:
    """Send every record of this process to stderr as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger(LOGGER).setLevel(level.upper())
    logging.captureWarnings(True)


def log(level: int, event: str, *, exc_info: bool = False, **fields: Any) -> None:
    """Write one event. Fields are numbers, flags and names of our own, never text of people."""
    logging.getLogger(LOGGER).log(level, event, extra={"fields": fields}, exc_info=exc_info)
