"""Stands in for llama-cpp-python, which takes minutes to build.

Imitates what our engine process uses of ``Llama``, as read in release 0.3.36: a chat handler that
turns messages into token ids and calls ``create_completion``, which hands out a lazy stream.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class Llama:
    """One token a word, and an echo of the last message."""

    def __init__(
        self, *, model_path: str, n_ctx: int, n_threads: int, n_threads_batch: int, verbose: bool
    ) -> None:
        if b"GGUF" not in Path(model_path).read_bytes()[:4] or "refused" in model_path:
            raise ValueError(f"Failed to load model from file: {model_path}")
        self._n_ctx = n_ctx
        self.n_tokens = 0

    def n_ctx(self) -> int:
        return self._n_ctx

    def tokenize(self, text: bytes) -> list[int]:
        return [1] * len(text.split())

    def create_chat_completion(
        self,
        messages: list[dict[str, str]],
        temperature: float = 0.2,
        top_p: float = 0.95,
        top_k: int = 40,
        min_p: float = 0.05,
        stream: bool = False,
        stop: list[str] | None = None,
        seed: int | None = None,
        max_tokens: int | None = None,
        presence_penalty: float = 0.0,
        frequency_penalty: float = 0.0,
        repeat_penalty: float = 1.0,
        logit_bias: dict[int, float] | None = None,
    ) -> Iterator[dict[str, Any]]:
        assert stream
        assert all(isinstance(token, int) for token in logit_bias or {})
        self._words = messages[-1]["content"].split()
        prompt = self.tokenize(" ".join(message["content"] for message in messages).encode())
        chunks = self.create_completion(prompt=prompt, max_tokens=max_tokens)
        return self._as_chat(chunks)

    def _as_chat(self, words: Iterator[str]) -> Iterator[dict[str, Any]]:
        def chunk(delta: dict[str, str], reason: str | None = None) -> dict[str, Any]:
            choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
            return {"object": "chat.completion.chunk", "choices": [choice]}

        yield chunk({"role": "assistant"})
        for word in words:
            yield chunk({"content": word + " "})
        yield chunk({}, "stop")

    def create_completion(self, prompt: list[int], max_tokens: int | None) -> Iterator[str]:
        if len(prompt) >= self._n_ctx:
            raise ValueError(f"Requested tokens ({len(prompt)}) exceed context window")
        return self._words_one_by_one(len(prompt), max_tokens or 10)

    def _words_one_by_one(self, prompt: int, limit: int) -> Iterator[str]:
        self.n_tokens = prompt
        for word in self._words[:limit]:
            time.sleep(0.02)
            self.n_tokens += 1
            yield word
