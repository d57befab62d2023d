"""Risk that builds over several messages, each of them harmless or low alone.

Each message has a weight: the gate's calibrated `score` (the probability of moderate or above),
at least `LOW_WEIGHT` if its level is `low`, and at least `SIGN_WEIGHTS` if it carries a
warning sign. The window's weights are joined as if they were independent chances that the person
is at risk (noisy-or), older ones counting less:

    risk = 1 - product over messages of (1 - weight * DECAY ** age)

From `BOUND` on the person is asked, gently. What is certain alone never gets here: a message at
moderate or above is asked about at once.
"""

from __future__ import annotations

from typing import FrozenSet, Sequence, Tuple

WINDOW = 8
"""Messages that count."""

DECAY = 0.9
"""What one message of age costs: after six messages a sign has about half its weight."""

BOUND = 0.5
"""More likely than not. Three messages at `low` in a row reach it, two do not."""

LOW_WEIGHT = 0.25
"""A message at `low`: hopelessness, or thoughts that are over."""

SCORE_CAP = 0.3
"""One message below the gate's threshold never asks the question alone, nor do two."""

SCORE_FLOOR = 0.15
"""Below this a score counts as nothing, so that much ordinary talk does not add up: of the messages
of simulated people without risk about 94 in 100 score lower (2026-11-23, 295 messages)."""

SIGN_WEIGHTS = {
    "hopeless": 0.2,
    "burden": 0.25,
    "trapped": 0.2,
    "farewell": 0.25,
    "giving_away": 0.2,
    "settling": 0.15,
    "over_soon": 0.25,
    "means_near": 0.25,
    "reckless": 0.1,
}
"""Warning signs (docs/safety/wording.md, WARN): none of them means risk alone."""

LEAST_SIGNS = 2
"""Messages of the window that must carry something, however much one of them weighs."""


def weight(score: float, level: str, signs: FrozenSet[str]) -> float:
    """What one message below moderate adds, 0..SCORE_CAP."""
    found = min(score, SCORE_CAP) if score >= SCORE_FLOOR else 0.0
    if level == "low":
        found = max(found, LOW_WEIGHT)
    found = max([found, *(SIGN_WEIGHTS[sign] for sign in signs if sign in SIGN_WEIGHTS)])
    if len(signs & SIGN_WEIGHTS.keys()) > 1:
        found = min(SCORE_CAP, found + 0.05)
    return round(found, 3)


def extended(window: Sequence[float], newest: float) -> Tuple[float, ...]:
    """The window with one more message."""
    return (*window, newest)[-WINDOW:]


def risk(window: Sequence[float]) -> float:
    """The joined risk of the window, 0..1; the last weight is the newest."""
    clear = 1.0
    for age, one in enumerate(reversed(window)):
        clear *= 1 - one * DECAY**age
    return 1 - clear


def builds_up(window: Sequence[float]) -> bool:
    """Whether to ask: the bound is reached, by the newest message, and not by one alone."""
    heavy = [one for one in window if one > 0.1]
    newest_counts = bool(window) and window[-1] > 0
    return newest_counts and len(heavy) >= LEAST_SIGNS and risk(window) >= BOUND
