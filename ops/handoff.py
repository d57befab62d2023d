"""Whether the hand-off to an on-call person is set up, as the environment says."""

from __future__ import annotations

import os


def is_configured() -> bool:
    """Whether there is a webhook to tell of a crisis; its address is judged by the service."""
    return bool(os.environ.get("HANDOFF_WEBHOOK_URL"))
