"""A linear model over character and word n-grams, beside the branch.

The branch reads meaning, this one spelling: what it has seen written in a message's letters, also
where words are garbled, mixed or new. Their log odds are added (`safety.NGRAM_SHARE`). Features are
hashed, so that nothing but two weight vectors is stored. `components/ngrams.py` computes the same
features in the NLU pipeline; the probes in the card show that both agree.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

BITS = 17
CHARACTERS = (2, 5)
WORDS = (1, 3)


def normalise(text: str) -> str:
    """Lower case, no apostrophes, no letter more than twice in a row."""
    plain = re.sub("['\u2019]", "", text.lower())
    return re.sub(r"(.)\1{2,}", r"\1\1", plain)


def features(texts: Sequence[str]) -> Any:
    """Sparse matrix (n, 2 << BITS): hashed n-grams, each half scaled to unit length."""
    from scipy.sparse import hstack
    from sklearn.feature_extraction.text import HashingVectorizer

    common = {"n_features": 1 << BITS, "alternate_sign": False, "norm": "l2", "binary": True}
    plain = [normalise(text) for text in texts]
    characters = HashingVectorizer(analyzer="char_wb", ngram_range=CHARACTERS, **common)
    words = HashingVectorizer(ngram_range=WORDS, token_pattern=r"\S+", **common)
    return hstack([characters.transform(plain), words.transform(plain)]).tocsr()


def fit(texts: Sequence[str], positive: np.ndarray, strength: float) -> tuple[np.ndarray, float]:
    """Weights (2 << BITS,) and intercept of a logistic regression; `strength` is sklearn's C."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=strength, max_iter=300).fit(features(texts), positive)
    return model.coef_[0].astype(np.float32), float(model.intercept_[0])


def score(texts: Sequence[str], model: tuple[np.ndarray, float]) -> np.ndarray:
    """Log odds of `texts`, shape (n,)."""
    return np.asarray(features(texts) @ model[0] + model[1])


def save(path: Path, **models: tuple[np.ndarray, float]) -> None:
    """Writes the models by name as float16 weights."""
    arrays: dict[str, np.ndarray] = {}
    for name, (weights, intercept) in models.items():
        arrays[f"{name}_weights"] = weights.astype(np.float16)
        arrays[f"{name}_intercept"] = np.array(intercept)
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]
