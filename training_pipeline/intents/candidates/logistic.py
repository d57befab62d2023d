"""Logistic regression on the frozen MiniLM embedding."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np

from training_pipeline.intents.candidates.protocol import Probabilities
from training_pipeline.intents.datasets import Row
from training_pipeline.intents.encoding import shared_encoder

STRENGTH = 20.0
"""Inverse regularisation, sklearn's C."""


class Logistic:
    """Multinomial, classes weighted equally; stored as plain arrays."""

    name = "logistic"

    def __init__(self, strength: float = STRENGTH, iterations: int = 300) -> None:
        """Takes sklearn's C and the most iterations."""
        self._strength = strength
        self._iterations = iterations
        self._labels: list[str] = []
        self._weights = np.zeros((0, 0), dtype=np.float32)
        self._bias = np.zeros(0, dtype=np.float32)

    def fit(self, rows: Sequence[Row], seed: int) -> None:
        """Embeds the texts and fits; `seed` changes nothing, the fit has one optimum."""
        vectors = shared_encoder().encode([row.text for row in rows])
        self.fit_vectors(vectors, [row.label for row in rows])

    def fit_vectors(self, vectors: np.ndarray, labels: Sequence[str]) -> None:
        """As `fit`, on embeddings (n, 384) that exist already.

        Raises:
            ValueError: fewer than two labels.
        """
        from sklearn.linear_model import LogisticRegression

        model = LogisticRegression(
            C=self._strength, max_iter=self._iterations, class_weight="balanced"
        )
        model.fit(vectors, list(labels))
        self._labels = [str(label) for label in model.classes_]
        weights, bias = model.coef_, model.intercept_
        if len(self._labels) == 2:
            # The sigmoid of one row of weights is the softmax of that row against zeros.
            weights, bias = np.vstack([0 * weights, weights]), np.array([0.0, bias[0]])
        self._weights, self._bias = weights.astype(np.float32), bias.astype(np.float32)

    def probabilities(self, texts: Sequence[str]) -> Probabilities:
        """Softmax over the labels."""
        return self.of_vectors(shared_encoder().encode(texts))

    def of_vectors(self, vectors: np.ndarray) -> Probabilities:
        """As `probabilities`, of embeddings (n, 384)."""
        logits = vectors @ self._weights.T + self._bias
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return list(self._labels), odds / odds.sum(axis=1, keepdims=True)

    def save(self, folder: Path) -> None:
        """Writes `weights.npz` and `labels.json`."""
        np.savez(folder / "weights.npz", weights=self._weights, bias=self._bias)
        (folder / "labels.json").write_text(json.dumps(self._labels), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Reads them back."""
        made = cls()
        made._labels = json.loads((folder / "labels.json").read_text(encoding="utf-8"))
        with np.load(folder / "weights.npz", allow_pickle=False) as arrays:
            made._weights, made._bias = arrays["weights"], arrays["bias"]
        return made
