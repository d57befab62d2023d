"""Small statistics over measured durations."""

from __future__ import annotations

from collections.abc import Sequence


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which `share` (0..1) of `values` lie, without interpolation.

    Raises:
        ValueError: `values` is empty.
    """
    if not values:
        raise ValueError("no values were measured")
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def milliseconds(values: Sequence[float]) -> dict[str, float]:
    """p50 and p95 of durations in seconds, as milliseconds."""
    return {
        "p50_ms": round(quantile(values, 0.5) * 1000, 1),
        "p95_ms": round(quantile(values, 0.95) * 1000, 1),
    }
