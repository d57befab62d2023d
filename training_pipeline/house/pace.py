"""Chooses the number of threads by what is faster now.

On a machine shared with others, two threads that wait for each other can be slower than one.
"""

import os
from collections.abc import Callable

_PROBE_EVERY = 20
_MEMORY = 0.5


def yield_when_waiting() -> None:
    """Have OpenMP threads sleep rather than spin; only before torch is first imported."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "0")


def crowding() -> float:
    """Runnable processes per core over the last minute."""
    return os.getloadavg()[0] / (os.cpu_count() or 1)


class Pace:
    """Times steps with one thread and with the most allowed, and prefers the faster.

    While the machine is crowded it stays with one thread and tries nothing.

    Args:
        most: number of threads allowed.
        load: tells the runnable processes per core; above two the machine is crowded.
    """

    def __init__(self, most: int, load: Callable[[], float] = crowding) -> None:
        self._choices = sorted({1, most})
        self._load = load
        self._seconds: dict[int, float] = {}
        self._step = 0
        self.threads = 1

    def took(self, seconds: float) -> None:
        """Note how long the step with the present number of threads took; choose the next."""
        before = self._seconds.get(self.threads, seconds)
        self._seconds[self.threads] = _MEMORY * before + (1 - _MEMORY) * seconds
        self._step += 1
        if self._load() > 2.0:
            self._seconds.clear()
            self.threads = 1
            return
        untried = [choice for choice in self._choices if choice not in self._seconds]
        fastest = min(self._seconds, key=self._seconds.__getitem__)
        if untried:
            self.threads = untried[0]
        elif self._step % _PROBE_EVERY == 0 and len(self._choices) > 1:
            self.threads = next(choice for choice in self._choices if choice != fastest)
        else:
            self.threads = fastest
