"""`AutoModelForSequenceClassification` from the MiniLM checkpoint, every layer tuned."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from training_pipeline.intents.candidates.protocol import Probabilities
from training_pipeline.intents.datasets import Row

MAX_TOKENS = 128
WARM_UP = 0.1
"""Share of the steps in which the rate rises; it falls to nothing over the others."""


class AutoModel:
    """The tuned encoder with a linear layer on its pooled first token."""

    name = "auto-model"

    def __init__(
        self,
        source: str = "package",
        epochs: int = 10,
        batch_size: int = 16,
        rate: float = 2e-4,
        weight_decay: float = 0.01,
    ) -> None:
        """Takes where the weights come from (`gates.encoder.locate_weights`) and the settings."""
        self._source = source
        self._epochs = epochs
        self._batch_size = batch_size
        self._rate = rate
        self._weight_decay = weight_decay
        self._model: Any = None
        self._tokenizer: Any = None

    def fit(self, rows: Sequence[Row], seed: int) -> None:
        """Tunes with AdamW and cross-entropy, in batches of texts of like length.

        Raises:
            WeightsMismatch: the checkpoint is not the published one.
        """
        import torch
        from transformers import AutoModelForSequenceClassification, AutoTokenizer
        from transformers import logging as transformers_logging

        from training_pipeline.gates.encoder import locate_weights

        transformers_logging.set_verbosity_error()
        torch.manual_seed(seed)
        labels = sorted({row.label for row in rows})
        folder = locate_weights(self._source)
        self._tokenizer = AutoTokenizer.from_pretrained(folder)
        self._model = AutoModelForSequenceClassification.from_pretrained(
            folder,
            num_labels=len(labels),
            id2label=dict(enumerate(labels)),
            label2id={label: place for place, label in enumerate(labels)},
        )
        ids = self._encoded([row.text for row in rows])
        targets = [labels.index(row.label) for row in rows]
        filler = self._tokenizer.pad_token_id
        tune(
            self._model,
            lambda batch: padded([ids[place] for place in batch], filler),
            [len(one) for one in ids],
            targets,
            Tuning(self._epochs, self._batch_size, self._rate, self._weight_decay, seed),
        )

    def probabilities(self, texts: Sequence[str]) -> Probabilities:
        """Softmax over the labels, texts sorted by length inside."""
        import torch

        ids = self._encoded(texts)
        order = sorted(range(len(ids)), key=lambda place: len(ids[place]))
        filler = self._tokenizer.pad_token_id
        result = np.zeros((len(ids), self._model.config.num_labels))
        self._model.eval()
        with torch.inference_mode():
            for start in range(0, len(order), 32):
                batch = order[start : start + 32]
                logits = self._model(**padded([ids[place] for place in batch], filler)).logits
                result[batch] = logits.softmax(dim=-1).numpy()
        names = self._model.config.id2label
        return [names[place] for place in range(len(names))], result

    def _encoded(self, texts: Sequence[str]) -> list[list[int]]:
        if not texts:
            return []
        encoded = self._tokenizer(list(texts), truncation=True, max_length=MAX_TOKENS)
        ids: list[list[int]] = encoded["input_ids"]
        return ids

    def save(self, folder: Path) -> None:
        """Writes weights, configuration and tokenizer."""
        self._model.save_pretrained(folder)
        self._tokenizer.save_pretrained(folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Reads them back with the Auto classes."""
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        made = cls()
        made._model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
        made._tokenizer = AutoTokenizer.from_pretrained(folder)
        return made


class Tuning:
    """Settings of `tune`."""

    def __init__(
        self, epochs: int, batch_size: int, rate: float, weight_decay: float, seed: int
    ) -> None:
        """Takes passes over the data, rows a step, AdamW's rate and decay, and the seed."""
        self.epochs = epochs
        self.batch_size = batch_size
        self.rate = rate
        self.weight_decay = weight_decay
        self.seed = seed


def padded(ids: Sequence[Sequence[int]], filler: int) -> dict[str, Any]:
    """Token ids filled up to one length, and the mask of those that count: (texts, tokens)."""
    import torch

    width = max(len(one) for one in ids)
    rows = [[*one, *[filler] * (width - len(one))] for one in ids]
    mask = [[1] * len(one) + [0] * (width - len(one)) for one in ids]
    return {"input_ids": torch.tensor(rows), "attention_mask": torch.tensor(mask)}


def batches(lengths: Sequence[int], size: int, rng: random.Random) -> list[list[int]]:
    """Places in batches of texts of like length, in random order; each place once."""
    jittered = sorted(range(len(lengths)), key=lambda place: lengths[place] + rng.random() * 4)
    made = [jittered[start : start + size] for start in range(0, len(jittered), size)]
    rng.shuffle(made)
    return made


def tune(
    model: Any,
    inputs: Any,
    lengths: Sequence[int],
    targets: Sequence[int],
    settings: Tuning,
) -> None:
    """Tunes every weight of `model` in place.

    Args:
        model: takes what `inputs` gives and answers with `logits`, shape (batch, labels).
        inputs: turns a list of places into the model's arguments.
        lengths: tokens of each text.
        targets: label of each text, as a number.
        settings: see `Tuning`.
    """
    import torch

    rng = random.Random(settings.seed)
    rounds = [batches(lengths, settings.batch_size, rng) for _ in range(settings.epochs)]
    steps = [batch for one in rounds for batch in one]
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=settings.rate, weight_decay=settings.weight_decay
    )
    rise = max(1, round(WARM_UP * len(steps)))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser,
        lambda step: min((step + 1) / rise, (len(steps) - step) / max(1, len(steps) - rise)),
    )
    model.train()
    for batch in steps:
        logits = model(**inputs(batch)).logits
        target = torch.tensor([targets[place] for place in batch])
        loss = torch.nn.functional.cross_entropy(logits, target)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    model.eval()
