"""Sentence embeddings from the committed MiniLM ONNX file, without torch.

The file is made by `training_pipeline run --stage sentence_encoder`; `minilm/README.md` is its
card. One embedding serves intents, the risk gate, the misuse gate and novelty.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, Sequence

import numpy as np

DEFAULT_FOLDER = Path(__file__).parent / "minilm"
DIMENSION = 384
MAX_TOKENS = 256


class EncoderFilesMissing(FileNotFoundError):
    """`model.onnx` or `tokenizer.json` is not where the configuration says."""


class SentenceEncoder:
    """Turns texts into L2-normalised embeddings of shape (n, 384), float32."""

    def __init__(self, folder: Path = DEFAULT_FOLDER, threads: int = 1) -> None:
        """Loads tokenizer and graph.

        Args:
            folder: holds `model.onnx` and `tokenizer.json`.
            threads: intra-op threads of onnxruntime; one keeps latency steady under load.

        Raises:
            EncoderFilesMissing: a file is absent; the message names it.
        """
        import onnxruntime
        from tokenizers import Tokenizer

        for name in ("model.onnx", "tokenizer.json"):
            if not (folder / name).is_file():
                raise EncoderFilesMissing(f"{folder / name} is missing; run `make encoder`.")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._whole = Tokenizer.from_file(str(folder / "tokenizer.json"))

    def windows(self, text: str, tokens: int, most: int) -> list[str]:
        """`text` cut into stretches of at most `tokens` tokens that overlap by a quarter.

        A short text is one window. Of a text with more than `most` windows the first ones and the
        last are kept.
        """
        offsets = [span for span, special in zip(*_spans(self._whole.encode(text))) if not special]
        inner = tokens - 2
        if len(offsets) <= inner:
            return [text]
        starts = list(range(0, len(offsets) - inner, inner * 3 // 4)) + [len(offsets) - inner]
        if len(starts) > most:
            starts = [*starts[: most - 1], starts[-1]]
        return [text[offsets[at][0] : offsets[at + inner - 1][1]] for at in starts]

    def encode(self, texts: Sequence[str], batch_size: int = 32) -> np.ndarray:
        """Embeds `texts`, sorted by length inside so that batches carry little padding.

        Returns:
            Array of shape (len(texts), 384), rows in the order of `texts`.
        """
        encodings = [self._tokenizer.encode(text) for text in texts]
        order = sorted(range(len(texts)), key=lambda i: len(encodings[i].ids))
        result = np.zeros((len(texts), DIMENSION), dtype=np.float32)
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            width = len(encodings[rows[-1]].ids)
            ids = np.zeros((len(rows), width), dtype=np.int64)
            mask = np.zeros((len(rows), width), dtype=np.int64)
            for position, row in enumerate(rows):
                tokens = encodings[row].ids
                ids[position, : len(tokens)] = tokens
                mask[position, : len(tokens)] = 1
            inputs = {"input_ids": ids, "attention_mask": mask}
            result[rows] = self._session.run(["embedding"], inputs)[0]
        return result

    def encode_with_trunk(self, text: str) -> tuple[np.ndarray, np.ndarray]:
        """One text's embedding, shape (384,), and its trunk states, shape (tokens, 384)."""
        ids = np.array([self._tokenizer.encode(text).ids], dtype=np.int64)
        inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        embedding, trunk = self._session.run(["embedding", "trunk"], inputs)
        return embedding[0], trunk[0]


def _spans(encoding: Any) -> tuple[list[tuple[int, int]], list[int]]:
    return encoding.offsets, encoding.special_tokens_mask


@lru_cache(maxsize=2)
def shared_encoder(folder: str = str(DEFAULT_FOLDER), threads: int = 1) -> SentenceEncoder:
    """The process's encoder for `folder`; graph components share it."""
    return SentenceEncoder(Path(folder), threads)
