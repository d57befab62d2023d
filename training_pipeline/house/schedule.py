"""Learning-rate schedule over a budget of time or steps, whichever runs out first."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Budget:
    """How long a training run may go on.

    Attributes:
        seconds: wall-clock time, summed over interruptions.
        steps: optimiser steps.
    """

    seconds: float
    steps: int

    def progress(self, elapsed: float, step: int) -> float:
        """The part of the budget that is spent, 0..1."""
        return min(1.0, max(elapsed / self.seconds, step / self.steps))


def rate_scale(progress: float, step: int, warmup_steps: int, decay_share: float) -> float:
    """Warm up, stay, decay linearly to zero: the factor, 0..1, on the full rate.

    Args:
        progress: part of the budget that is spent, 0..1.
        step: optimiser steps done.
        warmup_steps: steps of linear rise.
        decay_share: last part of the budget, 0..1, in which the rate falls.
    """
    warm = min(1.0, (step + 1) / warmup_steps) if warmup_steps else 1.0
    return warm * min(1.0, max(0.0, (1.0 - progress) / decay_share))
