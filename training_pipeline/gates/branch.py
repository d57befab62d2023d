"""The gates' branch on the sentence encoder's trunk: model, tuning, prediction, export.

A copy of MiniLM's upper layers continues the shared trunk (`encoder.TRUNK_LAYERS`) and ends in
four heads on the mean of its states: level, kind, about, misuse. One pass serves both gates.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from training_pipeline.gates import encoder, trunk
from training_pipeline.gates.messages import ABOUT, KINDS, LEVELS, MISUSE, MODERATE, Row
from training_pipeline.gates.spelling import misspell

MAX_TOKENS = 128
HEADS = ("level", "kind", "about", "misuse")
UNKNOWN = -100
"""Target of a head that a row says nothing about (torch's `ignore_index`)."""


def build(folder: Path, dropout: float) -> Any:
    """The torch module: frozen trunk, tunable upper layers, four linear heads."""
    import torch

    class Branch(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bert = trunk.load(folder)
            width = self.bert.config.hidden_size
            self.dropout = torch.nn.Dropout(dropout)
            self.head_level = torch.nn.Linear(width, len(LEVELS))
            self.head_kind = torch.nn.Linear(width, len(KINDS))
            self.head_about = torch.nn.Linear(width, len(ABOUT))
            self.head_misuse = torch.nn.Linear(width, len(MISUSE))

        def forward(self, hidden: Any, mask: Any) -> tuple[Any, ...]:
            """Trunk states (n, tokens, width) and mask -> logits of HEADS."""
            pooled = self.dropout(trunk.upper(self.bert, hidden, mask))
            return (
                self.head_level(pooled),
                self.head_kind(pooled),
                self.head_about(pooled),
                self.head_misuse(pooled),
            )

    return Branch()


def tune(rows: Sequence[Row], params: dict[str, Any], folder: Path, start: Any = None) -> Any:
    """Tunes upper layers and heads on `rows`; gives the module in evaluation mode.

    Args:
        rows: see `messages`.
        params: section `safety_gates` of `params.yaml`, with `seed`.
        folder: MiniLM's weights and tokenizer.
        start: a tuned module to go on from (it is changed); None begins with MiniLM.
    """
    import torch

    torch.manual_seed(params["seed"])
    rng = random.Random(params["seed"])
    model = start or build(folder, params["dropout"])
    rows = list(rows) + misspelt(rows, params["misspelt_share"], rng)
    encodings = trunk.token_ids([row["text"] for row in rows], folder, MAX_TOKENS)
    targets, states = _targets(rows), trunk.states(model.bert, encodings)
    heads = [p for name, p in model.named_parameters() if name.startswith("head")]
    body = [
        p for name, p in model.named_parameters() if p.requires_grad and not name.startswith("head")
    ]
    rate, batch, epochs = params["learning_rate"], params["batch_size"], params["epochs"]
    optimiser = torch.optim.AdamW(
        [{"params": body, "lr": rate}, {"params": heads, "lr": 10 * rate}], weight_decay=0.01
    )
    steps = epochs * ((len(rows) + batch - 1) // batch) + epochs * 8
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, [rate, 10 * rate], total_steps=steps, pct_start=0.1
    )
    model.train()
    for _ in range(epochs):
        for chosen in trunk.shuffled(encodings, batch, rng):
            hidden, mask = trunk.padded([states[i] for i in chosen])
            loss = _loss(model(hidden, mask), targets[chosen], params)
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_([*body, *heads], 1.0)
            optimiser.step()
            schedule.step()
    return model.eval()


def misspelt(rows: Sequence[Row], share: float, rng: random.Random) -> list[Row]:
    """Misspelt copies of a `share` of `rows`, so that spelling decides nothing."""
    chosen = rng.sample(list(rows), round(share * len(rows)))
    return [{**row, "text": misspell(row["text"], rng)} for row in chosen]


def _loss(logits: tuple[Any, ...], target: Any, params: dict[str, Any]) -> Any:
    import torch
    from torch.nn.functional import cross_entropy

    level, kind, about, misuse = logits
    total = 0.0 * level.sum()
    known = target[:, 0] != UNKNOWN
    if known.any():
        log_p = torch.log_softmax(level[known], dim=-1)
        truth = target[known]
        risky = truth[:, 0] >= MODERATE
        above = torch.logsumexp(log_p[:, MODERATE:], dim=1)
        below = torch.logsumexp(log_p[:, :MODERATE], dim=1)
        weight = torch.where(truth[:, 0] > MODERATE, params["high_weight"], params["risk_weight"])
        gate = -torch.where(risky, weight * above, below).mean()
        fine = cross_entropy(level[known], truth[:, 0], label_smoothing=0.05)
        total = total + gate + 0.5 * fine
        total = total + 0.3 * cross_entropy(kind[known], truth[:, 1])
        total = total + 0.3 * cross_entropy(about[known], truth[:, 2])
    known = target[:, 3] != UNKNOWN
    if known.any():
        total = total + params["misuse_weight"] * cross_entropy(
            misuse[known], target[known, 3], label_smoothing=0.05
        )
    return total


def _targets(rows: Sequence[Row]) -> Any:
    """Class numbers of HEADS per row, shape (n, 4)."""
    import torch

    targets = []
    for row in rows:
        risk = [UNKNOWN] * 3
        if row["level"] is not None:
            risk = [
                LEVELS.index(row["level"]),
                KINDS.index(row["kind"]),
                ABOUT.index(row["about"]),
            ]
        misuse = UNKNOWN if row["misuse"] is None else MISUSE.index(row["misuse"])
        targets.append([*risk, misuse])
    return torch.tensor(targets)


def predict(model: Any, rows: Sequence[Row], folder: Path) -> dict[str, np.ndarray]:
    """Probabilities of each of HEADS for `rows`, shape (n, classes)."""
    import torch

    encodings = trunk.token_ids([row["text"] for row in rows], folder, MAX_TOKENS)
    states = trunk.states(model.bert, encodings)
    sizes = (len(LEVELS), len(KINDS), len(ABOUT), len(MISUSE))
    result = {name: np.zeros((len(rows), size)) for name, size in zip(HEADS, sizes, strict=True)}
    with torch.no_grad():
        for chosen in trunk.by_length(encodings, 64):
            logits = model(*trunk.padded([states[i] for i in chosen]))
            for name, values in zip(HEADS, logits, strict=True):
                result[name][chosen] = torch.softmax(values, dim=-1).numpy()
    return result


def export(model: Any, target: Path) -> None:
    """Writes trunk states + mask -> probabilities of HEADS as int8-block ONNX."""
    import torch

    class Probabilities(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, trunk: Any, attention_mask: Any) -> tuple[Any, ...]:
            return tuple(torch.softmax(head, dim=-1) for head in self.model(trunk, attention_mask))

    mask = torch.ones(2, 7, dtype=torch.long)
    axes = {0: "batch", 1: "tokens"}
    full = target.with_suffix(".f32.onnx")
    torch.onnx.export(
        Probabilities().eval(),
        (torch.zeros(2, 7, model.bert.config.hidden_size), mask),
        str(full),
        input_names=["trunk", "attention_mask"],
        output_names=list(HEADS),
        dynamic_axes={
            "trunk": axes,
            "attention_mask": axes,
            **{name: {0: "batch"} for name in HEADS},
        },
        opset_version=17,
        dynamo=False,
    )
    encoder.quantise_weights(full, target)
    full.unlink()
