"""Fixtures: a tiny random Llama in GGUF form, and real server processes."""

import asyncio
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import gguf
import httpx
import numpy as np
import pytest

from llm_server.engine.base import Engine, EngineState

ROOT = Path(__file__).resolve().parents[2]
END_OF_TURN = 258  # the token id of <|im_end|> in the tiny model
CHAT_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def write_tiny_gguf(path: Path, *, architecture: str = "llama", width: int = 128) -> Path:
    """Write a random byte-level model: valid for llama.cpp, talks nonsense, context 4096."""
    rng = np.random.default_rng(7)
    layers, heads, hidden = 3, 4, 2 * width
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    letters = {byte: chr(byte) for byte in printable}
    letters |= {byte: chr(256 + number) for number, byte in enumerate(others)}
    tokens = [letters[byte] for byte in range(256)] + ["Ġt", "<|im_start|>", "<|im_end|>"]

    writer = gguf.GGUFWriter(str(path), architecture)
    writer.add_context_length(4096)
    writer.add_embedding_length(width)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(hidden)
    writer.add_head_count(heads)
    writer.add_head_count_kv(heads)
    writer.add_rope_dimension_count(width // heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("llama-bpe")
    writer.add_token_list(tokens)
    writer.add_token_types([1] * 257 + [3, 3])
    writer.add_token_merges(["Ġ t"])
    writer.add_bos_token_id(257)
    writer.add_eos_token_id(END_OF_TURN)
    writer.add_add_bos_token(False)
    writer.add_chat_template(CHAT_TEMPLATE)

    def matrix(name: str, *shape: int) -> None:
        values = rng.standard_normal(shape) * 0.5 / np.sqrt(shape[-1])
        writer.add_tensor(name, values.astype(np.float32))

    def ones(name: str) -> None:
        writer.add_tensor(name, np.ones(width, np.float32))

    matrix("token_embd.weight", len(tokens), width)
    ones("output_norm.weight")
    matrix("output.weight", len(tokens), width)
    for layer in range(layers):
        block = f"blk.{layer}."
        ones(block + "attn_norm.weight")
        ones(block + "ffn_norm.weight")
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            matrix(f"{block}{name}.weight", width, width)
        matrix(block + "ffn_gate.weight", hidden, width)
        matrix(block + "ffn_up.weight", hidden, width)
        matrix(block + "ffn_down.weight", width, hidden)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests see only the settings that they make themselves."""
    for name in list(os.environ):
        if name.startswith(("LLM_", "HF_")) or name.startswith("STILLPOINT_"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def tiny_gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file that real llama.cpp loads in a moment."""
    return write_tiny_gguf(tmp_path_factory.mktemp("model") / "tiny.gguf")


def server_environment(**settings: object) -> dict[str, str]:
    """This environment with only the given ``LLM_*`` settings."""
    foreign = ("LLM_", "HF_", "STILLPOINT_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return kept | {name: str(value) for name, value in settings.items()}


def run_to_end(**settings: object) -> subprocess.CompletedProcess[str]:
    """Run the server with settings it must refuse."""
    return subprocess.run(
        [sys.executable, "-m", "llm_server"],
        cwd=ROOT, env=server_environment(**settings), capture_output=True, text=True,
        timeout=30, check=False,
    )  # fmt: skip


@dataclass
class RunningServer:
    """A server process and where to reach it."""

    process: subprocess.Popen[bytes]
    url: str
    log_path: Path

    def log(self) -> str:
        """All it has written to stderr so far."""
        return self.log_path.read_text()

    def metric(self, sample: str) -> float:
        """The value of one sample of ``/metrics``."""
        for line in httpx.get(f"{self.url}/metrics", trust_env=False).text.splitlines():
            name, _, value = line.rpartition(" ")
            if name == sample:
                return float(value)
        raise AssertionError(f"no sample {sample}")

    def wait_ready(self, seconds: float = 25.0) -> None:
        """Wait until ``/health`` says ok."""

        def ready() -> bool:
            assert self.process.poll() is None, self.log()
            try:
                answer = httpx.get(f"{self.url}/health", trust_env=False)
            except httpx.HTTPError:
                return False
            return answer.status_code == 200

        wait_until(ready, seconds)


def wait_until(condition: Callable[[], bool], seconds: float) -> float:
    """Wait for ``condition``; return how long it took. Fails after ``seconds``."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < seconds, "condition did not come true in time"
        time.sleep(0.02)
    return time.monotonic() - started


def free_port() -> int:
    """A loopback port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running_server(log_path: Path, **settings: object) -> Iterator[RunningServer]:
    """A ready server on a free port; ended at the end."""
    port = free_port()
    environment = server_environment(**{"LLM_PORT": port, **settings})
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "llm_server"], cwd=ROOT, env=environment, stderr=log
        )
    server = RunningServer(process, f"http://127.0.0.1:{port}", log_path)
    try:
        server.wait_ready()
        yield server
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


async def eventually(condition: Callable[[], Awaitable[bool]], seconds: float) -> None:
    """Wait for ``condition`` without blocking the loop; fails after ``seconds``."""
    async with asyncio.timeout(seconds):
        for pause in itertools.repeat(0.01):
            if await condition():
                return
            await asyncio.sleep(pause)


async def engine_state(engine: Engine, state: EngineState, seconds: float = 20) -> None:
    """Wait until ``engine`` is in ``state``."""

    async def reached() -> bool:
        return engine.state is state

    await eventually(reached, seconds)


def ask(text: str = "Hello", /, **fields: object) -> dict[str, object]:
    """A chat request body."""
    return {"messages": [{"role": "user", "content": text}], **fields}


def sse_documents(body: str) -> list[dict[str, object]]:
    """The JSON of each event; checks the framing and the final ``[DONE]``."""
    events = body.split("\n\n")
    assert events[-1] == "", "the stream must end with a blank line"
    assert events[-2] == "data: [DONE]"
    for event in events[:-2]:
        assert event.startswith("data: ")
        assert "\n" not in event
    return [json.loads(event.removeprefix("data: ")) for event in events[:-2]]
