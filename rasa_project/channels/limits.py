"""Rate limits: one token bucket for each key, bounded in number."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable

from channels.errors import TooManyRequests

Clock = Callable[[], float]


class RateLimit:
    """Allows ``burst`` uses of a key at once and ``per_minute`` in the long run.

    Args:
        per_minute: Refill rate.
        burst: Size of the bucket.
        max_keys: Keys remembered; the one unused for longest is forgotten first.
        clock: Monotonic seconds.
    """

    def __init__(
        self, per_minute: float, burst: float, max_keys: int = 50_000, clock: Clock = time.monotonic
    ) -> None:
        self._per_second = per_minute / 60
        self._burst = float(burst)
        self._max_keys = max_keys
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, key: str) -> int:
        """Take one use of ``key`` and return 0, or take none and return the seconds to wait."""
        now = self._clock()
        tokens, then = self._buckets.pop(key, (self._burst, now))
        tokens = min(self._burst, tokens + (now - then) * self._per_second)
        allowed = tokens >= 1
        self._buckets[key] = (tokens - 1 if allowed else tokens, now)
        if len(self._buckets) > self._max_keys:
            self._buckets.popitem(last=False)
        return 0 if allowed else max(1, math.ceil((1 - tokens) / self._per_second))

    def take(self, key: str, message: str) -> None:
        """Take one use of ``key``.

        Raises:
            TooManyRequests: The bucket is empty; carries ``message`` and the seconds to wait.
        """
        seconds = self.wait_s(key)
        if seconds:
            raise TooManyRequests(message, retry_after_s=seconds)
