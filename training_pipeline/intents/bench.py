"""`bench --task intent`: the shipped configuration, trained and scored on any two CSV files.

The branch is tuned on the training file, Rasa trains the rest of `rasa_project/config.yml` on it
(with everything in the NLU pipeline, gates included), and each test text goes through Rasa's parse.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from training_pipeline.errors import PipelineError
from training_pipeline.intents.candidates.diet import Diet
from training_pipeline.intents.candidates.protocol import Probabilities
from training_pipeline.intents.datasets import OUT_OF_SCOPE, DatasetError, Row
from training_pipeline.intents.measured import MOST_TEXTS, WARM_UP
from training_pipeline.intents.scoring import Answers, threshold_for
from training_pipeline.intents.shipped import Shipped

ROOT = Path(__file__).resolve().parents[2]
CLASSIFIER = "components.intent_classifier.EmbeddingIntentClassifier"


class WholeParse(Diet):
    """The NLU pipeline of `config.yml` around a branch tuned on other data.

    The whole ranking is asked for, and no intent is doubted: `cautious` names our own intents.
    """

    name = "whole-parse"

    def __init__(self, folder: Path) -> None:
        """Takes the folder with the tuned branch."""
        super().__init__()
        self._folder = folder

    def config(self, seed: int) -> dict[str, Any]:
        """The committed configuration, with that branch.

        Raises:
            PipelineError: it has no intent classifier of ours.
        """
        import yaml

        path = ROOT / "rasa_project" / "config.yml"
        config: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
        ours = [step for step in config["pipeline"] if step["name"] == CLASSIFIER]
        if not ours:
            raise PipelineError(f"{path}: the pipeline has no {CLASSIFIER}")
        ours[0].update(folder=str(self._folder), ranking_length=0, cautious={})
        return {key: config[key] for key in ("recipe", "assistant_id", "language", "pipeline")}


def bench(train: Sequence[Row], test: Sequence[Row], seed: int) -> dict[str, Any]:
    """Trains on `train`, scores `test`.

    Returns:
        `accuracy` and `macro_f1` over the in-scope rows, argmax over the in-scope labels;
        `oos_recall` below the threshold that 95 % of in-scope rows reach which were held back of
        the training file, and `accepted`, the share of in-scope test rows that reach it (both None
        without out-of-scope rows); `p50_ms`, `p95_ms` of one text through the whole parse, on one
        thread; `train_s`, seconds for both trainings.

    Raises:
        WorkerFailed: Rasa's environment is absent or its process failed. DatasetError: fewer than
            two labels to learn, or no in-scope row to score.
    """
    from sklearn.metrics import f1_score

    if len({row.label for row in train}) < 2:
        raise DatasetError("--train: the column 'label' needs at least two different labels")
    if all(row.label == OUT_OF_SCOPE for row in test):
        raise DatasetError("--test: there is no in-scope row")
    made = Shipped()
    with tempfile.TemporaryDirectory(prefix="stillpoint-bench-") as scratch:
        folder = Path(scratch)
        began = time.monotonic()
        made.fit(train, seed)
        made.save_tuned(folder)
        parse = WholeParse(folder)
        parse.fit(train, seed)
        train_s = time.monotonic() - began
        labels, shares = _of_intents(
            parse.probabilities([row.text for row in test]), {row.label for row in train}
        )
        archive = folder / "archive"
        archive.mkdir()
        parse.save(archive)
        texts = [row.text for row in test][:MOST_TEXTS]
        latency = WholeParse.measured(archive, texts, WARM_UP).as_json()
    answers = Answers(labels, shares)
    inside = np.array([row.label != OUT_OF_SCOPE for row in test], dtype=bool)
    right = [row.label for row in test if row.label != OUT_OF_SCOPE]
    said = [label for label, known in zip(answers.best(), inside, strict=True) if known]
    passed = answers.confidence() >= threshold_for(made.confidence_held_back)
    names = sorted(set(right))
    return {
        "accuracy": float(np.mean([one == other for one, other in zip(right, said, strict=True)])),
        "macro_f1": float(f1_score(right, said, labels=names, average="macro", zero_division=0)),
        "oos_recall": None if inside.all() else float((~passed[~inside]).mean()),
        "accepted": None if inside.all() else float(passed[inside].mean()),
        "p50_ms": latency["p50_ms"],
        "p95_ms": latency["p95_ms"],
        "train_s": round(train_s, 1),
    }


def _of_intents(found: Probabilities, known: set[str]) -> Probabilities:
    """Only the columns of trained intents: Rasa puts its fallback, and a gate its own, beside."""
    labels, shares = found
    columns = [place for place, label in enumerate(labels) if label in known]
    kept = shares[:, columns]
    total = kept.sum(axis=1, keepdims=True)
    return [labels[place] for place in columns], kept / np.where(total > 0, total, 1.0)
