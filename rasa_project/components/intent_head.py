"""The intent classifier's arithmetic: a tuned embedding and n-grams to probabilities.

Free of Rasa and torch, so that `training_pipeline` computes the same. Two linear models are added:

- one over the branch's embedding (`intents/branch.onnx`), which was tuned together with its head
  (`intents/head.npz`). It starts from that head and is fitted to the examples at hand with a pull
  towards the start, so that new examples and new intents are learnt without another tuning.
- one over hashed n-grams (linear support vector machines, one against the rest), which sees
  spellings and names that the tokenizer cuts to pieces.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, List, Sequence

import numpy as np

BITS = 16
CHARACTERS = (2, 5)
WORDS = (1, 2)
NGRAM_STRENGTH = 0.5
"""Inverse regularisation of the support vector machines, sklearn's C."""


class HeadError(ValueError):
    """A head's file is absent, or what it says does not fit together."""


@dataclass(frozen=True)
class TunedHead:
    """What tuning the branch left behind.

    Attributes:
        labels: intents it was tuned on, (k,).
        weights: rows per label, (k, 384), of the L2-normalised embedding; scale included.
        bias: (k,).
        ngram_share: weight of the n-gram scores beside the logits.
        temperature: what the sum is divided by before the softmax (Guo et al. 2017).
    """

    labels: List[str]
    weights: np.ndarray
    bias: np.ndarray
    ngram_share: float
    temperature: float

    def save(self, path: Path) -> None:
        """Writes plain arrays."""
        np.savez(
            path,
            labels=np.array(self.labels),
            weights=self.weights.astype(np.float32),
            bias=self.bias.astype(np.float32),
            ngram_share=self.ngram_share,
            temperature=self.temperature,
        )

    @classmethod
    def load(cls, path: Path) -> TunedHead:
        """Reads them back.

        Raises:
            HeadError: the file is absent or lacks an array; the message names it.
        """
        if not path.is_file():
            raise HeadError(f"{path} is missing; run `make intents`.")
        with np.load(path, allow_pickle=False) as arrays:
            absent = {"labels", "weights", "bias", "ngram_share", "temperature"} - {*arrays}
            if absent:
                raise HeadError(f"{path}: the array '{min(absent)}' is missing")
            return cls(
                [str(label) for label in arrays["labels"]],
                arrays["weights"],
                arrays["bias"],
                float(arrays["ngram_share"]),
                float(arrays["temperature"]),
            )


@dataclass(frozen=True)
class IntentHead:
    """A fitted head.

    Attributes:
        labels: intents, (k,), sorted.
        weights: (k, 384). bias: (k,). Logits of the embedding.
        ngrams: (k, 2 << BITS), float16. ngram_bias: (k,). Scores of the n-grams.
        ngram_share, temperature: as in `TunedHead`.
    """

    labels: List[str]
    weights: np.ndarray
    bias: np.ndarray
    ngrams: np.ndarray
    ngram_bias: np.ndarray
    ngram_share: float
    temperature: float

    def probabilities(self, vectors: np.ndarray, texts: Sequence[str]) -> np.ndarray:
        """Probabilities (n, k) of texts with their tuned embeddings (n, 384)."""
        sums = self.logits(vectors, texts) / self.temperature
        odds = np.exp(sums - sums.max(axis=1, keepdims=True))
        return np.asarray(odds / odds.sum(axis=1, keepdims=True))

    def logits(self, vectors: np.ndarray, texts: Sequence[str]) -> np.ndarray:
        """What the softmax takes, before the temperature, (n, k)."""
        found = features(texts)
        scores = np.zeros((len(texts), len(self.labels)), dtype=np.float32)
        for row in range(len(texts)):
            start, end = found.indptr[row], found.indptr[row + 1]
            columns, values = found.indices[start:end], found.data[start:end]
            scores[row] = self.ngrams[:, columns].astype(np.float32) @ values
        scores += self.ngram_bias
        return np.asarray(vectors @ self.weights.T + self.bias + self.ngram_share * scores)

    def save(self, path: Path) -> None:
        """Writes plain arrays."""
        np.savez_compressed(
            path,
            labels=np.array(self.labels),
            weights=self.weights,
            bias=self.bias,
            ngrams=self.ngrams,
            ngram_bias=self.ngram_bias,
            ngram_share=self.ngram_share,
            temperature=self.temperature,
        )

    @classmethod
    def load(cls, path: Path) -> IntentHead:
        """Reads them back."""
        with np.load(path, allow_pickle=False) as arrays:
            return cls(
                [str(label) for label in arrays["labels"]],
                arrays["weights"],
                arrays["bias"],
                arrays["ngrams"],
                arrays["ngram_bias"],
                float(arrays["ngram_share"]),
                float(arrays["temperature"]),
            )


def normalise(text: str) -> str:
    """Lower case, no apostrophes, no letter more than twice in a row."""
    plain = re.sub("['\u2019]", "", text.lower())
    return re.sub(r"(.)\1{2,}", r"\1\1", plain)


def features(texts: Sequence[str]) -> Any:
    """Sparse matrix (n, 2 << BITS): hashed n-grams, each half scaled to unit length."""
    from scipy.sparse import hstack
    from sklearn.feature_extraction.text import HashingVectorizer

    common: Any = {
        "n_features": 1 << BITS, "alternate_sign": False, "norm": "l2", "binary": True,
        "dtype": np.float32,
    }  # fmt: skip
    plain = [normalise(text) for text in texts]
    characters = HashingVectorizer(analyzer="char_wb", ngram_range=CHARACTERS, **common)
    words = HashingVectorizer(ngram_range=WORDS, token_pattern=r"\S+", **common)
    return hstack([characters.transform(plain), words.transform(plain)]).tocsr()


def fit(
    vectors: np.ndarray, texts: Sequence[str], labels: Sequence[str], tuned: TunedHead, pull: float
) -> IntentHead:
    """A head for the examples at hand.

    Args:
        vectors: tuned embeddings, (n, 384).
        texts: the same examples as texts.
        labels: their intents; at least two different ones. Some may be unknown to `tuned`.
        tuned: the head that the branch was tuned with, where the fit starts.
        pull: strength of the pull back to the start; 0 forgets it, a large one keeps it.

    Raises:
        HeadError: fewer than two labels.
    """
    names = sorted(set(labels))
    if len(names) < 2:
        raise HeadError("an intent classifier needs examples of at least two intents")
    targets = np.array([names.index(label) for label in labels])
    start, start_bias = _start(vectors, targets, names, tuned)
    weights, bias = _fit_logits(vectors, targets, start, start_bias, pull)
    ngrams, ngram_bias = _fit_ngrams(features(texts), targets, len(names))
    return IntentHead(
        names, weights, bias, ngrams, ngram_bias, tuned.ngram_share, tuned.temperature
    )


def _start(
    vectors: np.ndarray, targets: np.ndarray, names: List[str], tuned: TunedHead
) -> tuple[np.ndarray, np.ndarray]:
    """The tuned rows where there are any; for a new intent its mean direction, of their length."""
    length = float(np.linalg.norm(tuned.weights, axis=1).mean())
    weights = np.zeros((len(names), vectors.shape[1]), dtype=np.float64)
    bias = np.full(len(names), float(tuned.bias.mean()))
    for place, name in enumerate(names):
        if name in tuned.labels:
            row = tuned.labels.index(name)
            weights[place], bias[place] = tuned.weights[row], tuned.bias[row]
        else:
            mean = vectors[targets == place].mean(axis=0)
            weights[place] = length * mean / max(float(np.linalg.norm(mean)), 1e-9)
    return weights, bias


def _fit_logits(
    vectors: np.ndarray, targets: np.ndarray, start: np.ndarray, bias: np.ndarray, pull: float
) -> tuple[np.ndarray, np.ndarray]:
    """Minimises cross-entropy + pull / (2 n) * squared distance to the start, by L-BFGS."""
    from scipy.optimize import minimize

    count, width = vectors.shape
    classes = len(bias)
    data = np.hstack([vectors.astype(np.float64), np.ones((count, 1))])
    origin = np.hstack([start, bias[:, None]])
    rows = np.arange(count)

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        matrix = flat.reshape(classes, width + 1)
        logits = data @ matrix.T
        logits -= logits.max(axis=1, keepdims=True)
        total = np.log(np.exp(logits).sum(axis=1, keepdims=True))
        away = matrix - origin
        value = float((total[:, 0] - logits[rows, targets]).mean())
        value += pull / (2 * count) * float((away**2).sum())
        shares = np.exp(logits - total)
        shares[rows, targets] -= 1
        gradient = shares.T @ data / count + pull / count * away
        return value, gradient.ravel()

    found = minimize(loss, origin.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 60})
    matrix = found.x.reshape(classes, width + 1)
    return matrix[:, :-1].astype(np.float32), matrix[:, -1].astype(np.float32)


def _fit_ngrams(found: Any, targets: np.ndarray, classes: int) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.svm import LinearSVC

    model = LinearSVC(C=NGRAM_STRENGTH, random_state=0).fit(found, targets)
    weights, bias = model.coef_, model.intercept_
    if classes == 2:
        # One machine tells both apart; the other's score is its mirror image.
        weights, bias = np.vstack([-weights, weights]), np.array([-bias[0], bias[0]])
    return weights.astype(np.float16), bias.astype(np.float32)
