"""Whether Rasa may offer that an on-call person is told (see docs/safety/handoff.md).

Only if the operator has set `HANDOFF_WEBHOOK_URL` and the hand-off service says, by its heartbeat
under `STILLPOINT_VAR`, that it is running and that nothing is stuck. Anything else, a missing file
too, means no: a person is never offered what may not arrive. It does not know whether anybody
reads what is delivered.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
FRESH_S = 15.0


def is_configured() -> bool:
    """Whether the operator has named a receiver."""
    return bool(os.environ.get("HANDOFF_WEBHOOK_URL"))


def is_offered() -> bool:
    """Whether telling somebody can be offered right now."""
    if not is_configured():
        return False
    folder = Path(os.environ.get("STILLPOINT_VAR") or REPOSITORY / "var")
    beat = folder / "run" / "handoff.heartbeat"
    try:
        age_s = time.time() - beat.stat().st_mtime
        state = json.loads(beat.read_text(encoding="ascii")).get("state")
    except (OSError, ValueError, AttributeError):
        return False
    return age_s < FRESH_S and state == "ok"
