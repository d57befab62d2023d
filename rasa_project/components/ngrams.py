"""The gates' linear model over character and word n-grams.

`gates/ngrams.npz` holds its weights, `training_pipeline/gates/ngrams.py` explains it and computes
the same features; `gates/safety.json` holds probes with which `LinearModels` checks that it does.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Dict, Mapping

import numpy as np
from rasa.shared.exceptions import InvalidConfigException
from sklearn.feature_extraction.text import HashingVectorizer

CHARACTERS = (2, 5)
WORDS = (1, 3)
TOLERANCE = 0.05
"""Largest accepted difference to a probe's log odds; float16 weights differ by less."""


def normalise(text: str) -> str:
    """Lower case, no apostrophes, no letter more than twice in a row."""
    plain = re.sub("['\u2019]", "", text.lower())
    return re.sub(r"(.)\1{2,}", r"\1\1", plain)


class LinearModels:
    """Log odds of a text by name of the model (`risk`, `high`, `misuse`)."""

    def __init__(self, path: Path, probes: Mapping[str, Mapping[str, float]]) -> None:
        """Loads the weights and checks them on the probes.

        Raises:
            InvalidConfigException: the file is missing or a probe's log odds differ.
        """
        if not path.is_file():
            raise InvalidConfigException(f"{path} is missing; run `make gates`.")
        with np.load(path) as stored:
            self._weights = {name: stored[f"{name}_weights"].astype(np.float32) for name in probes}
            self._intercepts = {name: float(stored[f"{name}_intercept"]) for name in probes}
        size = len(next(iter(self._weights.values()))) // 2
        common: Dict[str, Any] = {
            "n_features": size, "alternate_sign": False, "norm": "l2", "binary": True,
        }  # fmt: skip
        self._characters = HashingVectorizer(analyzer="char_wb", ngram_range=CHARACTERS, **common)
        self._words = HashingVectorizer(ngram_range=WORDS, token_pattern=r"\S+", **common)
        for name, texts in probes.items():
            for text, expected in texts.items():
                if abs(self.score(text)[name] - expected) > TOLERANCE:
                    raise InvalidConfigException(f"{path}: '{name}' does not fit safety.json")

    def score(self, text: str) -> Dict[str, float]:
        """Log odds of each model for `text`."""
        plain = [normalise(text)]
        characters, words = self._characters.transform(plain), self._words.transform(plain)
        half = characters.shape[1]
        return {
            name: float(
                (characters @ weights[:half])[0]
                + (words @ weights[half:])[0]
                + self._intercepts[name]
            )
            for name, weights in self._weights.items()
        }
