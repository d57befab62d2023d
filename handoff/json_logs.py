"""JSON-lines logging to stderr: event names, counts and pseudonyms.

No texts, no sender ids, no addresses.

Own modules log a fixed event name and pass facts in ``extra={"facts": {...}}``. Exceptions are
reduced to their type and place, because an exception's text may quote a row.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback

OWN_LOGGER = "handoff"


class JsonFormatter(logging.Formatter):
    """One JSON object a line: ``ts`` (Unix seconds), ``level``, ``logger``, ``event``, facts.

    Of other libraries' records only the unformatted template is kept.
    """

    def format(self, record: logging.LogRecord) -> str:
        is_own = record.name == OWN_LOGGER or record.name.startswith(OWN_LOGGER + ".")
        line: dict[str, object] = {
            "ts": round(record.created, 3),
            "level": record.levelname,
            "logger": record.name,
            "event": record.getMessage() if is_own else " ".join(str(record.msg).split()[:6]),
        }
        facts = getattr(record, "facts", None)
        if isinstance(facts, dict):
            line.update(facts)
        if record.exc_info and record.exc_info[0] is not None:
            line["error_type"] = record.exc_info[0].__name__
            frames = traceback.extract_tb(record.exc_info[2])
            if frames:
                line["error_at"] = f"{frames[-1].filename.rsplit('/', 1)[-1]}:{frames[-1].lineno}"
        return json.dumps(line, ensure_ascii=False, default=str)


def configure_logging(level: str) -> None:
    """Send every logger's records to stderr as JSON; libraries from WARNING up only."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger(OWN_LOGGER).setLevel(level)
    logging.captureWarnings(True)
