"""Counters and histograms in Prometheus' text format. No label carries anything a client sent."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 120.0)


class Histogram:
    """Durations in seconds, counted in buckets."""

    def __init__(self, bounds: tuple[float, ...] = _SECONDS) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, seconds: float) -> None:
        """Count one duration."""
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self._sum += seconds

    def lines(self, name: str) -> Iterable[str]:
        """The samples of this histogram."""
        total = 0
        for bound, count in zip((*self._bounds, "+Inf"), self._counts, strict=True):
            total += count
            yield f'{name}_bucket{{le="{bound}"}} {total}'
        yield f"{name}_sum {self._sum:.6f}"
        yield f"{name}_count {total}"


class Metrics:
    """What the front layer counts.

    Attributes:
        requests: chat requests by outcome
            (``ok``, ``bad_request``, ``rejected``, ``cancelled``, ``error``).
        tokens: tokens by kind (``prompt``, ``completion``), as the engine reports them.
    """

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter(
            {"ok": 0, "bad_request": 0, "rejected": 0, "cancelled": 0, "error": 0}
        )
        self.tokens: Counter[str] = Counter({"prompt": 0, "completion": 0})
        self.queue_wait = Histogram()
        self.first_token = Histogram()
        self.total = Histogram()

    def render(
        self, *, running: int, queued: int, rejected: Counter[str], restarts: int, ready: bool
    ) -> str:
        """The whole page, with the gauges that live elsewhere passed in."""
        lines: list[str] = []

        def family(name: str, kind: str, meaning: str, samples: Iterable[str]) -> None:
            lines.extend((f"# HELP {name} {meaning}", f"# TYPE {name} {kind}", *samples))

        def labelled(name: str, label: str, counts: Counter[str]) -> list[str]:
            return [f'{name}{{{label}="{key}"}} {counts[key]}' for key in sorted(counts)]

        name = "llm_requests_total"
        family(name, "counter", "Chat requests, by outcome.",
               labelled(name, "outcome", self.requests))  # fmt: skip
        name = "llm_rejected_total"
        family(name, "counter", "Requests turned away, by reason.",
               labelled(name, "reason", rejected))  # fmt: skip
        name = "llm_tokens_total"
        family(name, "counter", "Tokens read and written.",
               labelled(name, "kind", self.tokens))  # fmt: skip
        name = "llm_in_flight"
        family(name, "gauge", "Generations that hold a slot.", [f"{name} {running}"])
        name = "llm_queued"
        family(name, "gauge", "Requests that wait for a slot.", [f"{name} {queued}"])
        name = "llm_engine_ready"
        family(name, "gauge", "1 while the engine can answer.", [f"{name} {int(ready)}"])
        name = "llm_engine_restarts_total"
        family(name, "counter", "Times the engine was started again.", [f"{name} {restarts}"])
        for name, histogram, meaning in (
            ("llm_queue_wait_seconds", self.queue_wait, "Time spent waiting for a slot."),
            ("llm_first_token_seconds", self.first_token, "Arrival to first text, queue included."),
            ("llm_request_seconds", self.total, "Arrival to end, queue included."),
        ):
            family(name, "histogram", meaning, histogram.lines(name))
        return "\n".join(lines) + "\n"
