"""Stack the models or merge the data sets? The question in figures.

On our own data and a public set beside it, with logistic regression on the frozen encoder unless
said otherwise:

- `alone`: one classifier for each set, which is told whose message it is;
- `stack`: the same classifiers, and a router that guesses from which set a message is;
- `merged`: one classifier over the labels of both, each prefixed with its set;
- `stacked`: one set, two base models (word and character n-grams, and the encoder), and a logistic
  regression over both models' probabilities, fitted on predictions for rows they had not seen;
- `ngrams`: the n-gram base model by itself, to see what stacking adds to which.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from training_pipeline.intents.candidates.logistic import Logistic
from training_pipeline.intents.datasets import OUT_OF_SCOPE, Row, Split
from training_pipeline.intents.encoding import shared_encoder

INNER_FOLDS = 5
NGRAM_STRENGTH = 30.0
META_STRENGTH = 10.0
WAYS = ("alone", "stack", "merged", "ngrams", "stacked")


class Vectors:
    """Embeddings of texts, each computed once."""

    def __init__(self) -> None:
        self._known: dict[str, np.ndarray] = {}

    def of(self, texts: Sequence[str]) -> np.ndarray:
        """Shape (n, 384)."""
        new = sorted({text for text in texts if text not in self._known})
        self._known.update(zip(new, shared_encoder().encode(new)))
        return np.stack([self._known[text] for text in texts])


class Ngrams:
    """Logistic regression on tf-idf of words and of character 2-4-grams."""

    def __init__(self) -> None:
        self._model: Any = None

    def fit(self, texts: Sequence[str], labels: Sequence[str]) -> None:
        """Fits vocabulary and weights."""
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline, make_union

        features = make_union(
            TfidfVectorizer(ngram_range=(1, 2), token_pattern=r"\S+", max_features=10_000),
            TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), max_features=20_000),
        )
        model = LogisticRegression(C=NGRAM_STRENGTH, max_iter=100, tol=1e-3)
        self._model = make_pipeline(features, model).fit(list(texts), list(labels))

    def probabilities(self, texts: Sequence[str]) -> tuple[list[str], np.ndarray]:
        """Labels and the matrix (texts, labels)."""
        labels = [str(label) for label in self._model.classes_]
        return labels, np.asarray(self._model.predict_proba(list(texts)))


def _accuracy(said: Sequence[str], truth: Sequence[str]) -> float:
    """Share of right answers among the rows that are in scope."""
    pairs = [(one, right) for one, right in zip(said, truth) if right != OUT_OF_SCOPE]
    return float(np.mean([one == right for one, right in pairs]))


def _best(labels: Sequence[str], probabilities: np.ndarray) -> list[str]:
    """The most probable label that is not `out_of_scope`, with or without a prefix."""
    inside = [place for place, label in enumerate(labels) if not label.endswith(OUT_OF_SCOPE)]
    return [labels[inside[place]] for place in probabilities[:, inside].argmax(axis=1)]


def _encoder_model(rows: Sequence[Row], vectors: Vectors) -> Logistic:
    model = Logistic()
    model.fit_vectors(vectors.of([row.text for row in rows]), [row.label for row in rows])
    return model


def apart(parts: dict[str, Split], vectors: Vectors) -> dict[str, dict[str, float]]:
    """Accuracy of `alone` and of `stack`, by set, and how often the router is right."""
    models = {name: _encoder_model(part.train, vectors) for name, part in parts.items()}
    origin = [Row(row.text, name) for name, part in parts.items() for row in part.train]
    router = _encoder_model(origin, vectors)
    result: dict[str, dict[str, float]] = {"alone": {}, "stack": {}, "router": {}}
    for name, part in parts.items():
        embedded = vectors.of([row.text for row in part.test])
        truth = [row.label for row in part.test]
        answers = {other: _best(*model.of_vectors(embedded)) for other, model in models.items()}
        sets, shares = router.of_vectors(embedded)
        routed = [sets[place] for place in shares.argmax(axis=1)]
        result["alone"][name] = _accuracy(answers[name], truth)
        # A label of the other set is a wrong answer, also where both sets have one of that name.
        said = [answers[to][row] if to == name else "" for row, to in enumerate(routed)]
        result["stack"][name] = _accuracy(said, truth)
        result["router"][name] = float(np.mean([to == name for to in routed]))
    return result


def merged(parts: dict[str, Split], vectors: Vectors) -> dict[str, float]:
    """Accuracy by set of one classifier over both sets' labels."""
    rows = [
        Row(row.text, f"{name}:{row.label}") for name, part in parts.items() for row in part.train
    ]
    model = _encoder_model(rows, vectors)
    result = {}
    for name, part in parts.items():
        labels, shares = model.of_vectors(vectors.of([row.text for row in part.test]))
        said = [label.removeprefix(f"{name}:") for label in _best(labels, shares)]
        result[name] = _accuracy(said, [row.label for row in part.test])
    return result


def _ngram_answers(train: Sequence[Row], texts: Sequence[str]) -> tuple[list[str], np.ndarray]:
    model = Ngrams()
    model.fit([row.text for row in train], [row.label for row in train])
    return model.probabilities(texts)


def _unseen(rows: Sequence[Row], vectors: Vectors, labels: list[str], seed: int) -> np.ndarray:
    """Both base models' probabilities for rows that they were not fitted on: (n, 2 x labels)."""
    from sklearn.model_selection import KFold

    result = np.zeros((len(rows), 2 * len(labels)))
    for known, held_back in KFold(INNER_FOLDS, shuffle=True, random_state=seed).split(rows):
        train = [rows[place] for place in known]
        result[held_back] = _both(train, [rows[place].text for place in held_back], vectors, labels)
    return result


def _both(
    train: Sequence[Row], texts: Sequence[str], vectors: Vectors, labels: list[str]
) -> np.ndarray:
    """Probabilities of both base models fitted on `train`, shape (texts, 2 x labels)."""
    given = (
        _ngram_answers(train, texts),
        _encoder_model(train, vectors).of_vectors(vectors.of(texts)),
    )
    return np.hstack([_spread(names, shares, labels) for names, shares in given])


def _spread(names: Sequence[str], shares: np.ndarray, labels: list[str]) -> np.ndarray:
    """`shares` with a column for each of `labels`, 0 where a model has not seen the label."""
    result = np.zeros((len(shares), len(labels)))
    result[:, [labels.index(name) for name in names]] = shares
    return result


def stacked(part: Split, vectors: Vectors, seed: int) -> dict[str, float]:
    """Accuracy of the n-gram base model and of the stack of both, on one set."""
    from sklearn.linear_model import LogisticRegression

    labels = sorted({row.label for row in part.train})
    texts, truth = [row.text for row in part.test], [row.label for row in part.test]
    meta = LogisticRegression(C=META_STRENGTH, max_iter=1000)
    meta.fit(_unseen(part.train, vectors, labels, seed), [row.label for row in part.train])
    base = _both(part.train, texts, vectors, labels)
    names = [str(name) for name in meta.classes_]
    return {
        "ngrams": _accuracy(_best(labels, base[:, : len(labels)]), truth),
        "stacked": _accuracy(_best(names, meta.predict_proba(base)), truth),
    }


def compare(
    own: Sequence[Split],
    other: Split,
    name: str = "hwu",
    seed: int = 7,
    tell: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Every way on every fold of our data with the other set beside it.

    Args:
        own: folds of our data.
        other: train and test part of the other set, the same beside each fold.
        name: what the other set is called.
        seed: of the inner folds.
        tell: is given a line after each fold.

    Returns:
        `accuracy`: by way and set (`own` and `name`), means over the folds of argmax over in-scope
        rows; `router`: by set, share of messages sent to the right classifier; `train_rows` (of a
        fold) and `test_rows` (of all folds) by set; `folds`; `other`, the name.
    """
    vectors = Vectors()
    found: dict[str, dict[str, list[float]]] = {
        way: {"own": [], name: []} for way in (*WAYS, "router")
    }
    beside = stacked(other, vectors, seed)
    for number, part in enumerate(own, start=1):
        parts = {"own": part, name: other}
        result: dict[str, dict[str, float]] = {
            **apart(parts, vectors),
            "merged": merged(parts, vectors),
        }
        mine = stacked(part, vectors, seed)
        for way in mine:
            result[way] = {"own": mine[way], name: beside[way]}
        for way, by_set in result.items():
            for one, value in by_set.items():
                found[way][one].append(value)
        tell(f"fold {number} of {len(own)}")
    means = {
        way: {one: float(np.mean(values)) for one, values in by_set.items()}
        for way, by_set in found.items()
    }
    return {
        "other": name,
        "folds": len(own),
        "train_rows": {
            "own": round(np.mean([len(part.train) for part in own])),
            name: len(other.train),
        },
        "test_rows": {"own": sum(len(part.test) for part in own), name: len(other.test)},
        "accuracy": {way: means[way] for way in WAYS},
        "router": means["router"],
    }
