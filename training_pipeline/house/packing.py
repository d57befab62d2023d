"""Turns documents into rows of equal length, filled with whole documents."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from training_pipeline.corpus.chat import Piece
from training_pipeline.house.tokenizer import SEPARATOR

if TYPE_CHECKING:
    import numpy as np
    from tokenizers import Tokenizer

_OPEN_ROWS = 48


@dataclass(frozen=True)
class Rows:
    """Packed training data.

    Attributes:
        tokens: (rows, length) uint16.
        weights: (rows, length) float32, how much predicting that token counts in the loss; a
            row's first token and the padding weigh nothing.
        texts: number of documents inside.
    """

    tokens: "np.ndarray"
    weights: "np.ndarray"
    texts: int


def encode(
    tokenizer: "Tokenizer", document: list[Piece], other_weight: float
) -> tuple[list[int], list[float]]:
    """Token ids of a document, closed by a separator, and the weight of each in the loss."""
    tokens: list[int] = []
    weights: list[float] = []
    for text, own in document:
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        tokens += ids
        weights += [1.0 if own else other_weight] * len(ids)
    separator = tokenizer.token_to_id(SEPARATOR)
    return [*tokens, separator], [*weights, other_weight]


def pack(
    tokenizer: "Tokenizer", documents: Iterable[list[Piece]], length: int, other_weight: float
) -> Rows:
    """Fill rows with whole documents, first fit; a document longer than a row is cut.

    Args:
        tokenizer: encodes the pieces; special tokens in the text become their ids.
        documents: pieces with whether their prediction counts in full.
        length: tokens per row.
        other_weight: weight, 0..1, of the pieces that do not count in full.
    """
    import numpy as np

    separator = tokenizer.token_to_id(SEPARATOR)
    done: list[tuple[list[int], list[float]]] = []
    rows: list[tuple[list[int], list[float]]] = []
    texts = 0
    for document in documents:
        tokens, weights = encode(tokenizer, document, other_weight)
        tokens, weights, texts = tokens[:length], weights[:length], texts + 1
        place = next((row for row in rows if len(row[0]) + len(tokens) <= length), None)
        if place is None:
            place = ([], [])
            rows.append(place)
            if len(rows) > _OPEN_ROWS:
                fullest = max(range(len(rows)), key=lambda index: len(rows[index][0]))
                done.append(rows.pop(fullest))
        place[0].extend(tokens)
        place[1].extend(weights)
    done += rows
    ids = np.full((len(done), length), separator, dtype=np.uint16)
    counts = np.zeros((len(done), length), dtype=np.float32)
    for index, (tokens, weights) in enumerate(done):
        ids[index, : len(tokens)] = tokens
        counts[index, : len(weights)] = weights
    counts[:, 0] = 0.0
    return Rows(ids, counts, texts)
