"""How long to wait before the next attempt: exponential, with jitter, and bounded."""

from __future__ import annotations

import random

MOST_DOUBLINGS = 30


def delay_s(
    failures: int,
    first_s: float,
    longest_s: float,
    asked_s: float | None = None,
    share: float | None = None,
) -> float:
    """Seconds until the next attempt.

    Args:
        failures: attempts that failed so far, at least 1.
        first_s: the wait after the first failure.
        longest_s: the longest wait.
        asked_s: what the receiver asked for (``Retry-After``), if it did.
        share: 0 to 1 places the wait in its range; by default it is drawn.

    Returns:
        Between half of ``first_s`` doubled ``failures - 1`` times and all of it, never more than
        ``longest_s``; at least ``asked_s``, as far as ``longest_s`` allows.
    """
    ceiling = min(longest_s, first_s * 2.0 ** min(failures - 1, MOST_DOUBLINGS))
    drawn = random.random() if share is None else share
    jittered = ceiling * (0.5 + 0.5 * drawn)
    return min(longest_s, max(jittered, asked_s or 0.0))
