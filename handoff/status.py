"""What `python -m handoff status` and `check` say: read only, no message text, no address."""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import urlsplit

from handoff.content import iso
from handoff.settings import Settings
from handoff.store import Store

TROUBLE_WITHIN_S = 86_400.0
STALE_BEAT_S = 15.0
COLUMNS = ("id", "event", "level", "kind", "occurred", "state", "attempts", "last_result")


def check_line(settings: Settings) -> str:
    """One line for `make doctor`; the settings have been judged already.

    Raises:
        ConfigurationError: no webhook, or no secret.
    """
    url, _ = settings.require_webhook()
    line = f"on, notices go to {urlsplit(url).hostname}"
    counts = _counts(settings)
    if counts:
        line += f"; {counts['delivered']} delivered, {counts['pending']} pending"
        if counts["failed"]:
            line += f", {counts['failed']} failed (python -m handoff status)"
    return line


def report(settings: Settings, limit: int) -> dict[str, Any]:
    """Everything that `status` shows, as one dictionary."""
    found: dict[str, Any] = {
        "configured": settings.is_configured,
        "service": _service(settings),
        "counts": _counts(settings) or {"pending": 0, "delivered": 0, "failed": 0},
        "notices": [],
    }
    store = Store(settings.store_url)
    try:
        if store.exists():
            found["notices"] = [_row(row) for row in store.rows(limit)]
    finally:
        store.close()
    return found


def is_in_trouble(found: dict[str, Any], now: float | None = None) -> bool:
    """Whether something of the last day has not reached the receiver, though it was tried."""
    since = iso((time.time() if now is None else now) - TROUBLE_WITHIN_S)
    return any(
        row["state"] == "failed" or (row["state"] == "pending" and row["last_result"])
        for row in found["notices"]
        if row["occurred"] >= since
    )


def as_text(found: dict[str, Any]) -> str:
    """The report for a person to read."""
    counts = found["counts"]
    lines = [
        f"hand-off       {'on' if found['configured'] else 'off: HANDOFF_WEBHOOK_URL is not set'}",
        f"service        {found['service']}",
        f"delivered      {counts['delivered']}",
        f"pending        {counts['pending']}",
        f"failed         {counts['failed']}",
    ]
    if found["notices"]:
        rows = [COLUMNS, *(tuple(str(row[name]) for name in COLUMNS) for row in found["notices"])]
        widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
        lines.append("")
        for row in rows:
            lines.append("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    return "\n".join(lines) + "\n"


def as_json(found: dict[str, Any]) -> str:
    """The report for a program to read."""
    return json.dumps(found, indent=2) + "\n"


def _row(row: dict[str, Any]) -> dict[str, Any]:
    again = f":{row['generation']}" if row["generation"] else ""
    return {
        "id": f"{row['person_id']}:{row['event_id']}{again}",
        "event": row["event"],
        "level": row["level"],
        "kind": row["kind"],
        "occurred": iso(row["row_at"]),
        "state": row["state"],
        "attempts": row["attempts"],
        "last_result": row["last_result"] or "",
        "delivered": iso(row["delivered_at"]) if row["delivered_at"] else "",
    }


def _counts(settings: Settings) -> dict[str, int]:
    store = Store(settings.store_url)
    try:
        return store.counts() if store.exists() else {}
    finally:
        store.close()


def _service(settings: Settings) -> str:
    try:
        beat = settings.heartbeat_path.stat().st_mtime
        state = json.loads(settings.heartbeat_path.read_text("ascii")).get("state")
    except (OSError, ValueError, AttributeError):
        return "not running (no heartbeat)"
    age_s = time.time() - beat
    if age_s > STALE_BEAT_S:
        return f"not running (last heartbeat {age_s:.0f} s ago)"
    return f"running, {state}"
