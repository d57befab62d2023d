"""Tunes the intent classifier's branch on the sentence encoder's trunk, with its head.

The layers above the trunk start as MiniLM's own and the head's rows as the mean direction of each
intent, so that the first step already stands where nearest means would. Both are tuned together
with cross-entropy on a scaled linear layer over the L2-normalised mean of the last states.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from training_pipeline.gates import encoder, trunk

MAX_TOKENS = 128
SCALE = 16.0
"""Length of a head row at the start; the logits of unit vectors lie within it."""
HEAD_RATE = 10.0
"""The head learns this much faster than the layers below it."""


class Branch:
    """Layers above the trunk and a head, while they are tuned.

    Attributes:
        labels: intents, sorted, (k,).
    """

    def __init__(self, folder: Path, labels: Sequence[str], dropout: float) -> None:
        """Starts from MiniLM in `folder`."""
        import torch

        self.labels = list(labels)
        self._folder = folder
        self._bert = trunk.load(folder)
        self._head = torch.nn.Linear(self._bert.config.hidden_size, len(self.labels))
        self._dropout = torch.nn.Dropout(dropout)
        self._started = False

    def tune(
        self,
        texts: Sequence[str],
        labels: Sequence[str],
        params: dict[str, Any],
        epochs: int,
        rate: float,
    ) -> None:
        """Tunes for `epochs` passes at most rate `rate`.

        Args:
            texts, labels: the examples.
            params: section `intents` of `params.yaml`, with `seed`.
            epochs, rate: see above; the rate rises over a tenth of the steps and falls to nothing.
        """
        import torch

        torch.manual_seed(params["seed"])
        rng = random.Random(params["seed"])
        encodings = trunk.token_ids(texts, self._folder, MAX_TOKENS)
        states = trunk.states(self._bert, encodings)
        targets = torch.tensor([self.labels.index(label) for label in labels])
        if not self._started:
            self._start_head(states, encodings, targets)
        body = [p for p in self._bert.parameters() if p.requires_grad]
        head = list(self._head.parameters())
        optimiser = torch.optim.AdamW(
            [{"params": body, "lr": rate}, {"params": head, "lr": HEAD_RATE * rate}],
            weight_decay=0.01,
        )
        rounds = [trunk.shuffled(encodings, params["batch_size"], rng) for _ in range(epochs)]
        steps = [batch for one in rounds for batch in one]
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, [rate, HEAD_RATE * rate], total_steps=len(steps) + 1, pct_start=0.1
        )
        self._bert.train()
        self._dropout.train()
        for chosen in steps:
            vectors = self._vectors([states[place] for place in chosen])
            loss = torch.nn.functional.cross_entropy(
                SCALE * self._head(self._dropout(vectors)),
                targets[chosen],
                label_smoothing=params["label_smoothing"],
            )
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_([*body, *head], 1.0)
            optimiser.step()
            schedule.step()
        self._bert.eval()
        self._dropout.eval()

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Tuned embeddings of unit length, (n, 384)."""
        encodings = trunk.token_ids(texts, self._folder, MAX_TOKENS)
        return np.asarray(self._embed(trunk.states(self._bert, encodings), encodings).numpy())

    def head(self) -> tuple[np.ndarray, np.ndarray]:
        """The head's rows (k, 384) and bias (k,), scale included."""
        weights, bias = self._head.weight.detach(), self._head.bias.detach()
        return SCALE * weights.numpy(), SCALE * bias.numpy()

    def export(self, target: Path) -> None:
        """Writes trunk states + mask -> `embedding` as int8-block ONNX."""
        import torch

        class Embedding(torch.nn.Module):
            def __init__(self, bert: Any) -> None:
                super().__init__()
                self.bert = bert

            def forward(self, states: Any, attention_mask: Any) -> Any:
                mean = trunk.upper(self.bert, states, attention_mask)
                return torch.nn.functional.normalize(mean, dim=-1)

        full = target.with_suffix(".f32.onnx")
        axes = {0: "batch", 1: "tokens"}
        mask = torch.ones(2, 7, dtype=torch.long)
        torch.onnx.export(
            Embedding(self._bert).eval(),
            (torch.zeros(2, 7, self._bert.config.hidden_size), mask),
            str(full),
            input_names=["trunk", "attention_mask"],
            output_names=["embedding"],
            dynamic_axes={"trunk": axes, "attention_mask": axes, "embedding": {0: "batch"}},
            opset_version=17,
            dynamo=False,
        )
        encoder.quantise_weights(full, target)
        full.unlink()

    def _vectors(self, states: list[Any]) -> Any:
        import torch

        mean = trunk.upper(self._bert, *trunk.padded(states))
        return torch.nn.functional.normalize(mean, dim=-1)

    def _embed(self, states: list[Any], encodings: list[list[int]]) -> Any:
        import torch

        found = torch.zeros(len(states), self._bert.config.hidden_size)
        self._bert.eval()
        with torch.no_grad():
            for chosen in trunk.by_length(encodings, 64):
                found[chosen] = self._vectors([states[place] for place in chosen])
        return found

    def _start_head(self, states: list[Any], encodings: list[list[int]], targets: Any) -> None:
        import torch

        vectors = self._embed(states, encodings)
        with torch.no_grad():
            for row in range(len(self.labels)):
                mean = vectors[targets == row].mean(0)
                self._head.weight[row] = mean / mean.norm().clamp(min=1e-9)
            self._head.bias.zero_()
        self._started = True
