"""What a candidate can do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np

from training_pipeline.intents.datasets import Row

Probabilities = tuple[list[str], np.ndarray]
"""Labels, and a matrix (texts, labels) whose rows sum to 1."""


class Candidate(Protocol):
    """An intent classifier that is trained, asked, saved and loaded.

    A candidate may have more. `confidence(texts)` gives its own confidence that a text is in scope,
    shape (n,), in place of the largest in-scope probability. A candidate that lives in another
    environment has `trained_s`, the seconds of its last training, and the class method
    `measured(folder, texts, warm_up)`, which gives `Measured` for what `save` wrote.
    """

    name: str

    def __init__(self, **settings: Any) -> None:
        """Takes its settings; trains nothing."""

    def fit(self, rows: Sequence[Row], seed: int) -> None:
        """Trains on `rows`, those labelled `out_of_scope` included."""

    def probabilities(self, texts: Sequence[str]) -> Probabilities:
        """The probability of each label, `out_of_scope` included where it was trained on."""

    def save(self, folder: Path) -> None:
        """Writes to `folder`, which exists, what must be shipped."""

    @classmethod
    def load(cls, folder: Path) -> Self:
        """What `save` wrote, ready to predict."""
