"""What tuned branches share: MiniLM's frozen lower layers, computed once, and batches of states.

A branch (`gates.branch`, `intents.tuning`) is a copy of the layers above `encoder.TRUNK_LAYERS`,
tuned for its task. While it is tuned the trunk's states do not change, so they are kept.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from training_pipeline.gates import encoder


def load(folder: Path) -> Any:
    """MiniLM as a torch module whose embeddings and trunk layers are frozen."""
    from transformers import BertModel

    bert = BertModel.from_pretrained(folder, attn_implementation="eager", add_pooling_layer=False)
    for module in (bert.embeddings, *bert.encoder.layer[: encoder.TRUNK_LAYERS]):
        for parameter in module.parameters():
            parameter.requires_grad = False
    return bert


def lower(bert: Any, ids: Any, mask: Any) -> Any:
    """Token ids and mask (n, tokens) -> trunk states (n, tokens, width)."""
    hidden = bert.embeddings(ids)
    return _through(bert.encoder.layer[: encoder.TRUNK_LAYERS], hidden, mask)


def upper(bert: Any, hidden: Any, mask: Any) -> Any:
    """Trunk states and mask -> the mean of the last layer's states, (n, width)."""
    hidden = _through(bert.encoder.layer[encoder.TRUNK_LAYERS :], hidden, mask)
    weights = mask[:, :, None].float()
    return (hidden * weights).sum(1) / weights.sum(1).clamp(min=1e-9)


def _through(layers: Any, hidden: Any, mask: Any) -> Any:
    # The additive mask is made here: the exporter mangles transformers' own.
    bias = (1.0 - mask[:, None, None, :].float()) * -1e9
    for layer in layers:
        hidden = layer(hidden, bias)[0]
    return hidden


def token_ids(texts: Sequence[str], folder: Path, most: int) -> list[list[int]]:
    """Word pieces of each text, special ones included, at most `most`."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(most)
    return [tokenizer.encode(text).ids for text in texts]


def states(bert: Any, encodings: list[list[int]]) -> list[Any]:
    """The trunk's output per text, shape (tokens, width)."""
    import torch

    found: list[Any] = [None] * len(encodings)
    bert.eval()
    with torch.no_grad():
        for chosen in by_length(encodings, 64):
            rows = [torch.tensor(encodings[i]) for i in chosen]
            ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
            hidden = lower(bert, ids, _mask([len(row) for row in rows]))
            for position, index in enumerate(chosen):
                found[index] = hidden[position, : len(encodings[index])].clone()
    return found


def padded(rows: list[Any]) -> tuple[Any, Any]:
    """States of several texts as one batch, (n, tokens, width), and its mask (n, tokens)."""
    import torch

    hidden = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
    return hidden, _mask([len(row) for row in rows])


def _mask(lengths: list[int]) -> Any:
    import torch

    return (torch.arange(max(lengths))[None, :] < torch.tensor(lengths)[:, None]).long()


def by_length(encodings: list[list[int]], size: int) -> list[list[int]]:
    """Places in batches of texts of like length, shortest first."""
    order = sorted(range(len(encodings)), key=lambda i: len(encodings[i]))
    return [order[start : start + size] for start in range(0, len(order), size)]


def shuffled(encodings: list[list[int]], size: int, rng: random.Random) -> list[list[int]]:
    """Places in batches in random order, texts of about the same length together."""
    order = list(range(len(encodings)))
    rng.shuffle(order)
    batches = []
    for start in range(0, len(order), size * 8):
        bucket = sorted(order[start : start + size * 8], key=lambda i: len(encodings[i]))
        batches += [bucket[i : i + size] for i in range(0, len(bucket), size)]
    rng.shuffle(batches)
    return batches
