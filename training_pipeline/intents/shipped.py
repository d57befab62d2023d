"""The intent classifier that ships: a tuned branch on the shared trunk, and n-grams.

`fit` leaves in a folder what the component `EmbeddingIntentClassifier` loads: `branch.onnx` (trunk
states to a tuned embedding) and `head.npz` (the head it was tuned with, and a temperature). The
component fits the final head inside `rasa train`, with the code that this module uses as well
(`components/intent_head.py`), so that new examples need no tuning.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from training_pipeline.gates.encoder import locate_weights
from training_pipeline.intents import encoding
from training_pipeline.intents.candidates.protocol import Probabilities
from training_pipeline.intents.datasets import OUT_OF_SCOPE, Row, hold_back
from training_pipeline.intents.tuning import Branch
from training_pipeline.params import load_params

BRANCH = "branch.onnx"
TUNED = "head.npz"
FITTED = "fitted.npz"
TEMPERATURES = np.arange(0.3, 3.01, 0.05)


class Shipped:
    """The candidate `shipped` of the comparison, and what the stage `intents` trains."""

    name = "shipped"

    def __init__(self, params: dict[str, Any] | None = None) -> None:
        """Takes section `intents` of `params.yaml` with `seed`; by default the committed one."""
        if params is None:
            every = load_params()
            params = {**every.intents.model_dump(), "seed": every.seed}
        self._params = params
        self._home = tempfile.TemporaryDirectory(prefix="stillpoint-intents-")
        self._branch: Any = None
        self._head: Any = None
        self.confidence_held_back = np.zeros(0)
        """Confidence in in-scope rows that tuning had not seen when it was asked, (n,)."""
        self.accuracy_held_back = 0.0
        """Of the in-scope rows held back, before they were learnt as well."""

    def fit(self, rows: Sequence[Row], seed: int) -> None:
        """Tunes on nine tenths, calibrates on the rest, and learns that too in one more pass.

        Raises:
            HeadError: fewer than two labels.
        """
        heads = encoding.component("intent_head")
        params = {**self._params, "seed": seed}
        folder = locate_weights(params["source"])
        labels = sorted({row.label for row in rows})
        if len(labels) < 2:
            raise heads.HeadError("an intent classifier needs examples of at least two intents")
        known, held_back = hold_back(rows, params["calibration_share"], seed)
        branch = Branch(folder, labels, params["dropout"])
        rate = params["learning_rate"]
        branch.tune(*_columns(known), params, params["epochs"], rate)
        blind = self._fitted(branch, known, 1.0)
        temperature = self._calibrated(branch, blind, held_back)
        branch.tune(*_columns(rows), params, 1, rate / 4)
        home = Path(self._home.name)
        branch.export(home / BRANCH)
        tuned = heads.TunedHead(labels, *branch.head(), params["ngram_share"], temperature)
        tuned.save(home / TUNED)
        self._branch = encoding.session(home / BRANCH)
        texts, targets = _columns(rows)
        vectors = encoding.shared_encoder().through(self._branch, texts)
        self._head = heads.fit(vectors, texts, targets, tuned, params["pull"])

    def probabilities(self, texts: Sequence[str]) -> Probabilities:
        """Softmax over the labels, at the calibrated temperature."""
        vectors = encoding.shared_encoder().through(self._branch, texts)
        return list(self._head.labels), self._head.probabilities(vectors, texts)

    @property
    def temperature(self) -> float:
        """What calibration chose."""
        return float(self._head.temperature)

    def save_tuned(self, folder: Path) -> None:
        """Writes branch and tuned head, what the Rasa component is given."""
        for name in (BRANCH, TUNED):
            shutil.copyfile(Path(self._home.name) / name, folder / name)

    def save(self, folder: Path) -> None:
        """Writes branch, tuned head and fitted head."""
        self.save_tuned(folder)
        self._head.save(folder / FITTED)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Reads them back; what is loaded predicts, and is not saved again."""
        made = cls()
        made._branch = encoding.session(folder / BRANCH)
        made._head = encoding.component("intent_head").IntentHead.load(folder / FITTED)
        return made

    def _fitted(self, branch: Branch, rows: Sequence[Row], temperature: float) -> Any:
        heads = encoding.component("intent_head")
        share = self._params["ngram_share"]
        tuned = heads.TunedHead(branch.labels, *branch.head(), share, temperature)
        texts, targets = _columns(rows)
        return heads.fit(branch.embed(texts), texts, targets, tuned, self._params["pull"])

    def _calibrated(self, branch: Branch, blind: Any, held_back: Sequence[Row]) -> float:
        """The temperature with the least cross-entropy on rows that `blind` has not seen."""
        rows = [row for row in held_back if row.label in blind.labels]
        if not rows:
            return 1.0
        texts, targets = _columns(rows)
        logits = blind.logits(branch.embed(texts), texts)
        columns = np.array([blind.labels.index(label) for label in targets])
        losses = [_cross_entropy(logits / one, columns) for one in TEMPERATURES]
        best = float(TEMPERATURES[int(np.argmin(losses))])
        inside = [place for place, label in enumerate(blind.labels) if label != OUT_OF_SCOPE]
        known = np.array([label != OUT_OF_SCOPE for label in targets])
        shares = _softmax(logits / best)[known][:, inside]
        self.confidence_held_back = shares.max(axis=1) if known.any() else np.zeros(0)
        right = np.array(inside)[shares.argmax(axis=1)] == columns[known]
        self.accuracy_held_back = float(right.mean()) if known.any() else 0.0
        return best


def _columns(rows: Sequence[Row]) -> tuple[list[str], list[str]]:
    return [row.text for row in rows], [row.label for row in rows]


def _softmax(logits: np.ndarray) -> np.ndarray:
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))


def _cross_entropy(logits: np.ndarray, columns: np.ndarray) -> float:
    return float(-np.log(_softmax(logits)[np.arange(len(columns)), columns] + 1e-12).mean())
