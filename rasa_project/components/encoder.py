"""MiniLM's trunk and sentence embeddings from the committed ONNX files, without torch.

The files are made by `training_pipeline run --stage sentence_encoder`; `minilm/README.md` is their
card. The trunk is computed once a message; the tuned branches of intents and gates go on from it.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, Sequence

import numpy as np

DEFAULT_FOLDER = Path(__file__).parent / "minilm"
DIMENSION = 384
MAX_TOKENS = 256
FILES = ("trunk.onnx", "upper.onnx", "tokenizer.json")


class EncoderFilesMissing(FileNotFoundError):
    """One of `FILES` is not where the configuration says."""


class SentenceEncoder:
    """Turns texts into trunk states, and these into L2-normalised embeddings (n, 384), float32."""

    def __init__(self, folder: Path = DEFAULT_FOLDER, threads: int = 1) -> None:
        """Loads tokenizer and trunk; the layers above it are loaded when they are first asked.

        Args:
            folder: holds `FILES`.
            threads: intra-op threads of onnxruntime; one keeps latency steady under load.

        Raises:
            EncoderFilesMissing: a file is absent; the message names it.
        """
        from tokenizers import Tokenizer

        for name in FILES:
            if not (folder / name).is_file():
                raise EncoderFilesMissing(f"{folder / name} is missing; run `make encoder`.")
        self._folder = folder
        self._threads = threads
        self._trunk = session(folder / "trunk.onnx", threads)
        self._upper: Any = None
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
        """MiniLM's own embeddings of `texts`.

        Returns:
            Array of shape (len(texts), 384), rows in the order of `texts`.
        """
        return self.through(self._above(), texts, batch_size)

    def embedding(self, states: np.ndarray) -> np.ndarray:
        """MiniLM's own embedding, shape (384,), of one text's trunk states (tokens, 384)."""
        mask = np.ones((1, len(states)), dtype=np.int64)
        inputs = {"trunk": states[None], "attention_mask": mask}
        found: np.ndarray = self._above().run(["embedding"], inputs)[0][0]
        return found

    def _above(self) -> Any:
        if self._upper is None:
            self._upper = session(self._folder / "upper.onnx", self._threads)
        return self._upper

    def through(self, branch: Any, texts: Sequence[str], batch_size: int = 32) -> np.ndarray:
        """Embeddings by a session that goes on from the trunk: `trunk`, `attention_mask` in.

        Texts are sorted by length inside so that batches carry little padding.

        Returns:
            Array of shape (len(texts), 384), rows in the order of `texts`.
        """
        encodings = [self._tokenizer.encode(text).ids for text in texts]
        order = sorted(range(len(texts)), key=lambda i: len(encodings[i]))
        result = np.zeros((len(texts), DIMENSION), dtype=np.float32)
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            width = len(encodings[rows[-1]])
            ids = np.zeros((len(rows), width), dtype=np.int64)
            mask = np.zeros((len(rows), width), dtype=np.int64)
            for position, row in enumerate(rows):
                ids[position, : len(encodings[row])] = encodings[row]
                mask[position, : len(encodings[row])] = 1
            inputs = {"input_ids": ids, "attention_mask": mask}
            states = {"trunk": self._trunk.run(["trunk"], inputs)[0], "attention_mask": mask}
            result[rows] = branch.run(["embedding"], states)[0]
        return result

    def trunk(self, text: str) -> np.ndarray:
        """The hidden states of one text after the trunk, shape (tokens, 384)."""
        ids = np.array([self._tokenizer.encode(text).ids], dtype=np.int64)
        inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        states: np.ndarray = self._trunk.run(["trunk"], inputs)[0][0]
        return states


def session(path: Path, threads: int = 1) -> Any:
    """An onnxruntime session on the CPU with `threads` intra-op threads."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _spans(encoding: Any) -> tuple[list[tuple[int, int]], list[int]]:
    return encoding.offsets, encoding.special_tokens_mask


@lru_cache(maxsize=2)
def shared_encoder(folder: str = str(DEFAULT_FOLDER), threads: int = 1) -> SentenceEncoder:
    """The process's encoder for `folder`; graph components share it."""
    return SentenceEncoder(Path(folder), threads)
