"""Asks a GGUF questions through real llama.cpp: tokens, templates, completions, probabilities."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any

from training_pipeline.corpus.chat import END
from training_pipeline.errors import ExportError

HOUSE_SAMPLING: dict[str, Any] = {
    "temperature": 0.7,
    "top_p": 0.9,
    "min_p": 0.05,
    "repeat_penalty": 1.1,
    "max_tokens": 120,
    "stop": [END],
}
_START_SECONDS = 30.0


class Llama:
    """A llama.cpp server for the length of a ``with`` block.

    Args:
        model: a GGUF file.
        context: size of the context in tokens.
    """

    def __init__(self, model: Path, context: int) -> None:
        self._model = model
        self._context = context
        self._process: subprocess.Popen[str] | None = None
        self._address = ""

    def __enter__(self) -> "Llama":
        """Start the server and wait until it is healthy.

        Raises:
            ExportError: llama.cpp refuses the file.
        """
        root = Path(__file__).resolve().parent.parent.parent
        command = [sys.executable, "-m", "training_pipeline.house.llama_process"]
        command += ["--model", str(self._model), "--context", str(self._context)]
        self._process = subprocess.Popen(
            command,
            cwd=root,
            env={**os.environ, "PYTHONPATH": str(root)},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        self._address = self._process.stdout.readline().strip()
        if not self._address:
            self._stop()
            raise ExportError(f"llama.cpp does not load {self._model.name}")
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            try:
                self._get("/health")
                return self
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        self._stop()
        raise ExportError(f"llama.cpp is not healthy with {self._model.name}")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def _stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=10)
            if self._process.stdout is not None:
                self._process.stdout.close()

    def _get(self, path: str) -> Any:
        with urllib.request.urlopen(self._address + path, timeout=60) as answer:
            return json.load(answer)

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        request = urllib.request.Request(
            self._address + path,
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def tokens(self, text: str, special: bool = True) -> list[int]:
        """Token ids of a text; ``special`` reads control tokens as such."""
        body = {"content": text, "add_special": True, "parse_special": special}
        return list(self._post("/tokenize", body)["tokens"])

    def rendered(self, messages: list[dict[str, str]]) -> str:
        """The prompt that the chat template makes of the messages."""
        return str(self._post("/apply-template", {"messages": messages})["prompt"])

    def greedy(self, prompt: list[int], count: int) -> list[int]:
        """The most probable continuation, token by token.

        Args:
            prompt: token ids.
            count: tokens at most; it ends before at the end of a turn.
        """
        body = {
            "prompt": prompt,
            "n_predict": count,
            "temperature": 0.0,
            "top_k": 1,
            "repeat_penalty": 1.0,
            "return_tokens": True,
            "cache_prompt": False,
        }
        return list(self._post("/completion", body)["tokens"])

    def reply(self, messages: list[dict[str, str]], seed: int) -> str:
        """A reply drawn with the sampling settings of the house model."""
        body = {"messages": messages, "seed": seed, **HOUSE_SAMPLING}
        found = self._post("/v1/chat/completions", body)
        return str(found["choices"][0]["message"]["content"]).strip()
