"""What is reported of a classifier, from its probabilities alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from training_pipeline.intents.datasets import OUT_OF_SCOPE

ACCEPTED = 0.95
"""Share of the in-scope calibration rows that the threshold lets pass."""


@dataclass(frozen=True)
class Scores:
    """Figures of one classifier on one test part.

    Attributes:
        accuracy: share of in-scope rows whose most probable in-scope label is right, before any
            threshold.
        macro_f1: mean F1 over the in-scope labels of the test part, of the same answers.
        threshold: confidence that `ACCEPTED` of the in-scope calibration rows reach.
        accepted: share of the in-scope test rows that reach it.
        oos_recall: share of the out-of-scope test rows below it; None if there are none.
        in_scope: in-scope test rows. out_of_scope: the others.
    """

    accuracy: float
    macro_f1: float
    threshold: float
    accepted: float
    oos_recall: float | None
    in_scope: int
    out_of_scope: int

    def as_json(self) -> dict[str, Any]:
        """Plain values by name."""
        return asdict(self)


@dataclass(frozen=True)
class Answers:
    """A classifier's answers to some texts.

    Attributes:
        labels: what the columns of `probabilities` stand for, `out_of_scope` among them where it
            was trained on.
        probabilities: shape (texts, labels), rows that sum to 1.
        own_confidence: the classifier's own, shape (texts,), where it has one.
    """

    labels: Sequence[str]
    probabilities: np.ndarray
    own_confidence: np.ndarray | None = None

    def _in_scope(self) -> list[int]:
        return [place for place, label in enumerate(self.labels) if label != OUT_OF_SCOPE]

    def best(self) -> list[str]:
        """The most probable in-scope label of each text."""
        columns = self._in_scope()
        winners = self.probabilities[:, columns].argmax(axis=1)
        return [self.labels[columns[winner]] for winner in winners]

    def confidence(self) -> np.ndarray:
        """The classifier's own, or the largest in-scope probability; shape (texts,)."""
        if self.own_confidence is not None:
            return self.own_confidence
        return np.asarray(self.probabilities[:, self._in_scope()].max(axis=1))


def threshold_for(confidence: np.ndarray, share: float = ACCEPTED) -> float:
    """The largest of the values `confidence` that at least `share` of them reach.

    Raises:
        ValueError: there is no value.
    """
    if not len(confidence):
        raise ValueError("a threshold needs at least one in-scope calibration row")
    ordered = np.sort(confidence)
    may_fail = int(np.floor((1 - share) * len(ordered) + 1e-9))
    return float(ordered[min(may_fail, len(ordered) - 1)])


def score(
    calibration: Answers,
    calibration_truth: Sequence[str],
    test: Answers,
    truth: Sequence[str],
) -> Scores:
    """Scores the answers to a test part.

    Args:
        calibration: answers to rows of the training set that were held back for the threshold.
        calibration_truth: their labels.
        test: answers to the test part.
        truth: its labels.

    Raises:
        ValueError: answers and labels differ in number, or one part has no in-scope row.
    """
    from sklearn.metrics import f1_score

    for answers, labels in ((calibration, calibration_truth), (test, truth)):
        if len(answers.probabilities) != len(labels):
            raise ValueError(f"{len(answers.probabilities)} answers for {len(labels)} rows")
    known = np.array([label != OUT_OF_SCOPE for label in calibration_truth], dtype=bool)
    threshold = threshold_for(calibration.confidence()[known])
    inside = np.array([label != OUT_OF_SCOPE for label in truth], dtype=bool)
    if not inside.any():
        raise ValueError("the test part has no in-scope row")
    right = [label for label, is_inside in zip(truth, inside) if is_inside]
    said = [label for label, is_inside in zip(test.best(), inside) if is_inside]
    passed = test.confidence() >= threshold
    outside = ~inside
    labels = sorted(set(right))
    return Scores(
        accuracy=float(np.mean([one == other for one, other in zip(right, said)])),
        macro_f1=float(f1_score(right, said, labels=labels, average="macro", zero_division=0)),
        threshold=threshold,
        accepted=float(passed[inside].mean()),
        oos_recall=float((~passed[outside]).mean()) if outside.any() else None,
        in_scope=int(inside.sum()),
        out_of_scope=int(outside.sum()),
    )


def mean_of(scores: Sequence[Scores]) -> dict[str, Any]:
    """Each figure's mean over folds; `<name>_sd` is the spread of accuracy and recall over them."""
    names = ("accuracy", "macro_f1", "threshold", "accepted", "oos_recall")
    result: dict[str, Any] = {}
    for name in names:
        values = [value for one in scores if (value := getattr(one, name)) is not None]
        result[name] = float(np.mean(values)) if values else None
    for name in ("accuracy", "oos_recall"):
        values = [value for one in scores if (value := getattr(one, name)) is not None]
        result[f"{name}_sd"] = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return result
