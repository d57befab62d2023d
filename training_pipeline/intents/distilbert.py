"""`DistilBertForSequenceClassification` against `AutoModelForSequenceClassification`.

One checkpoint is made here: a small DistilBERT with MiniLM's vocabulary, random weights from a
fixed seed, tuned on some of our own rows so that it is no empty shell. Both classes load it, answer
the same texts, and are tuned further from the same seed. Then both are given a BERT checkpoint.
"""

from __future__ import annotations

import copy
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training_pipeline.intents.candidates.auto_model import Tuning, padded, tune
from training_pipeline.intents.datasets import Row

LAYERS, WIDTH, HEADS = 2, 128, 4
PROBE = 32
"""Texts whose logits are compared."""
STEPS_SHARE = 2
"""The second tuning takes the rows of so many batches."""


@dataclass(frozen=True)
class Loaded:
    """A checkpoint as one class loaded it: the model, and the seconds that took (best of three)."""

    model: Any
    seconds: float


def make_checkpoint(rows: Sequence[Row], folder: Path, epochs: int, seed: int) -> None:
    """Writes a small tuned DistilBERT classifier and its tokenizer to `folder`."""
    import torch
    from transformers import (
        AutoTokenizer,
        DistilBertConfig,
        DistilBertForSequenceClassification,
    )

    from training_pipeline.gates.encoder import locate_weights

    tokenizer = AutoTokenizer.from_pretrained(locate_weights("package"))
    labels = sorted({row.label for row in rows})
    torch.manual_seed(seed)
    config = DistilBertConfig(
        vocab_size=len(tokenizer), n_layers=LAYERS, dim=WIDTH, n_heads=HEADS, hidden_dim=4 * WIDTH,
        num_labels=len(labels), id2label=dict(enumerate(labels)),
        label2id={label: place for place, label in enumerate(labels)},
        pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    model = DistilBertForSequenceClassification(config)
    _tune(model, tokenizer, rows, epochs, seed)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _tune(model: Any, tokenizer: Any, rows: Sequence[Row], epochs: int, seed: int) -> None:
    import torch

    torch.manual_seed(seed)
    ids = tokenizer([row.text for row in rows], truncation=True, max_length=64)["input_ids"]
    targets = [model.config.label2id[row.label] for row in rows]

    def inputs(batch: Sequence[int]) -> dict[str, Any]:
        return padded([ids[place] for place in batch], tokenizer.pad_token_id)

    settings = Tuning(epochs=epochs, batch_size=16, rate=5e-4, weight_decay=0.01, seed=seed)
    tune(model, inputs, [len(one) for one in ids], targets, settings)


def load(kind: Any, folder: Path) -> Loaded:
    """`folder` loaded three times by the class `kind`."""
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        model = kind.from_pretrained(folder)
        seconds.append(time.perf_counter() - began)
    return Loaded(model.eval(), min(seconds))


def largest_difference(one: Any, other: Any, tokenizer: Any, texts: Sequence[str]) -> float:
    """The largest absolute difference between two models' logits over `texts`."""
    import torch

    ids = tokenizer(list(texts), truncation=True, max_length=64)["input_ids"]
    inputs = padded(ids, tokenizer.pad_token_id)
    with torch.inference_mode():
        return float((one(**inputs).logits - other(**inputs).logits).abs().max())


def tuned_alike(
    one: Any, other: Any, tokenizer: Any, rows: Sequence[Row], seed: int
) -> tuple[float, float]:
    """Copies of both models tuned for a few steps from one seed.

    Returns:
        The largest difference between the copies' logits, and how far the tuning moved them.
    """
    texts = [row.text for row in rows[:PROBE]]
    some = rows[: 16 * STEPS_SHARE]
    first, second = copy.deepcopy(one), copy.deepcopy(other)
    _tune(first, tokenizer, some, epochs=2, seed=seed)
    _tune(second, tokenizer, some, epochs=2, seed=seed)
    moved = largest_difference(first, one, tokenizer, texts)
    return largest_difference(first, second, tokenizer, texts), moved


def on_a_bert_checkpoint(folder: Path, labels: int) -> dict[str, Any]:
    """What each class makes of MiniLM, which is a BERT: its class, and weights that do not fit.

    `missing` weights of the model are not in the checkpoint and stay random; `unexpected` ones of
    the checkpoint find no place in the model.
    """
    from transformers import (
        AutoModelForSequenceClassification,
        DistilBertForSequenceClassification,
    )
    from transformers import logging as transformers_logging

    transformers_logging.set_verbosity_error()
    found = {}
    kinds: tuple[Any, ...] = (
        AutoModelForSequenceClassification,
        DistilBertForSequenceClassification,
    )
    for name, kind in zip(("auto", "distilbert"), kinds):
        model, info = kind.from_pretrained(folder, num_labels=labels, output_loading_info=True)
        found[name] = {
            "class": type(model).__name__,
            "weights": len(model.state_dict()),
            "missing": len(info["missing_keys"]),
            "unexpected": len(info["unexpected_keys"]),
            "mismatched": len(info["mismatched_keys"]),
        }
    return found


def compare(rows: Sequence[Row], epochs: int = 3, seed: int = 7) -> dict[str, Any]:
    """Makes the checkpoint, loads it with both classes, and reports what is the same.

    Args:
        rows: at least as many as a few batches; all of them are trained on.
        epochs: of the tuning that makes the checkpoint.
        seed: of weights and order.

    Returns:
        `classes`, `same_class`, `parameters`, `load_s`, `logit_difference` (loaded),
        `tuned_difference` (after the same further tuning), `tuned_moved`, and `bert`.
    """
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DistilBertForSequenceClassification,
    )

    from training_pipeline.gates.encoder import locate_weights

    texts = [row.text for row in rows[:PROBE]]
    with tempfile.TemporaryDirectory(prefix="stillpoint-distilbert-") as scratch:
        folder = Path(scratch)
        make_checkpoint(rows, folder, epochs, seed)
        tokenizer = AutoTokenizer.from_pretrained(folder)
        named = load(DistilBertForSequenceClassification, folder)
        auto = load(AutoModelForSequenceClassification, folder)
        difference = largest_difference(named.model, auto.model, tokenizer, texts)
        tuned, moved = tuned_alike(named.model, auto.model, tokenizer, rows, seed)
    return {
        "rows": len(rows),
        "classes": {"distilbert": type(named.model).__name__, "auto": type(auto.model).__name__},
        "same_class": type(named.model) is type(auto.model),
        "parameters": sum(weight.numel() for weight in named.model.parameters()),
        "load_s": {"distilbert": round(named.seconds, 4), "auto": round(auto.seconds, 4)},
        "logit_difference": difference,
        "tuned_difference": tuned,
        "tuned_moved": moved,
        "bert": on_a_bert_checkpoint(locate_weights("package"), len({row.label for row in rows})),
    }
