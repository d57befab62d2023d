"""spaCy's text classifier, trained from nothing: the ensemble, and the bag of words alone.

Needs the dependency group `compare`.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from training_pipeline.intents.candidates.protocol import Probabilities
from training_pipeline.intents.datasets import Row

BAG_OF_WORDS = {
    "@architectures": "spacy.TextCatBOW.v3",
    "exclusive_classes": True,
    "length": 262144,
    "ngram_size": 1,
    "no_output_layer": False,
}
TOKENS_TO_VECTORS = {
    "@architectures": "spacy.Tok2Vec.v2",
    "embed": {
        "@architectures": "spacy.MultiHashEmbed.v2",
        "width": 64,
        "rows": [2000, 2000, 500, 1000, 500],
        "attrs": ["NORM", "LOWER", "PREFIX", "SUFFIX", "SHAPE"],
        "include_static_vectors": False,
    },
    "encode": {
        "@architectures": "spacy.MaxoutWindowEncoder.v2",
        "width": 64,
        "window_size": 1,
        "maxout_pieces": 3,
        "depth": 2,
    },
}
MODELS: dict[str, dict[str, Any]] = {
    "bow": BAG_OF_WORDS,
    "ensemble": {
        "@architectures": "spacy.TextCatEnsemble.v2",
        "linear_model": BAG_OF_WORDS,
        "tok2vec": TOKENS_TO_VECTORS,
    },
}
"""spaCy's own default configurations of the two architectures."""


class SpacyTextcat:
    """`spacy.blank("en")` with `textcat` and nothing else."""

    name = "spacy"

    def __init__(
        self,
        architecture: str = "ensemble",
        epochs: int = 20,
        batch_size: int = 64,
        dropout: float = 0.2,
    ) -> None:
        """Takes `ensemble` or `bow`, passes over the data, and the training's settings.

        Raises:
            ValueError: another architecture.
        """
        if architecture not in MODELS:
            raise ValueError(f"architecture must be one of {sorted(MODELS)}, not {architecture!r}")
        self._architecture = architecture
        self._epochs = epochs
        self._batch_size = batch_size
        self._dropout = dropout
        self._pipeline: Any = None

    def fit(self, rows: Sequence[Row], seed: int) -> None:
        """Trains for the given number of epochs on shuffled batches."""
        import spacy
        from spacy.training import Example
        from spacy.util import minibatch
        from thinc.api import fix_random_seed

        fix_random_seed(seed)
        pipeline = spacy.blank("en")
        labels = sorted({row.label for row in rows})
        model = MODELS[self._architecture]
        pipeline.add_pipe("textcat", config={"model": model})
        examples = [
            Example.from_dict(
                pipeline.make_doc(row.text),
                {"cats": {label: float(label == row.label) for label in labels}},
            )
            for row in rows
        ]
        optimiser = pipeline.initialize(lambda: examples)
        rng = random.Random(seed)
        for _ in range(self._epochs):
            rng.shuffle(examples)
            for batch in minibatch(examples, size=self._batch_size):
                pipeline.update(batch, sgd=optimiser, drop=self._dropout)
        self._pipeline = pipeline

    def probabilities(self, texts: Sequence[str]) -> Probabilities:
        """`doc.cats` of each text; exclusive classes, so they sum to 1."""
        labels = list(self._pipeline.get_pipe("textcat").labels)
        documents = self._pipeline.pipe(texts, batch_size=64)
        rows = [[document.cats[label] for label in labels] for document in documents]
        return labels, np.array(rows, dtype=np.float64).reshape(len(rows), len(labels))

    def save(self, folder: Path) -> None:
        """Writes spaCy's pipeline folder."""
        self._pipeline.to_disk(folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Reads it back; the architecture is in its configuration."""
        import spacy

        made = cls()
        made._pipeline = spacy.load(folder)
        return made
