"""The real stack for end-to-end tests: `make run` in a state folder and on ports of its own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]
START_DEADLINE_S = 240


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Stack:
    """A running `make run`."""

    process: subprocess.Popen[str]
    var: Path
    ports: dict[str, int]
    ready_s: float
    output: list[str] = field(default_factory=list)

    @property
    def rasa(self) -> str:
        """Base address of Rasa."""
        return f"http://127.0.0.1:{self.ports['RASA_PORT']}"

    @property
    def page(self) -> str:
        """Address of the chat page."""
        return f"{self.rasa}/webhooks/web/"

    @property
    def actions(self) -> str:
        """Base address of the action server."""
        return f"http://127.0.0.1:{self.ports['ACTIONS_PORT']}"

    @property
    def llm(self) -> str:
        """Base address of the LLM server."""
        return f"http://127.0.0.1:{self.ports['LLM_PORT']}"

    def service_processes(self, name: str) -> list[psutil.Process]:
        """The live processes of one service."""
        marks = {
            "rasa": ["rasa", "run"],
            "actions": ["-m", "actions"],
            "llm": ["-m", "llm_server"],
            "analytics": ["-m", "analytics", "ingest"],
        }
        return [
            child
            for child in psutil.Process(self.process.pid).children(recursive=True)
            if _has(child, marks[name])
        ]

    def tree(self) -> list[psutil.Process]:
        """Every process that the stack has started."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ends the stack as a person would; returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(40)


def _has(process: psutil.Process, words: list[str]) -> bool:
    try:
        line = process.cmdline()
    except psutil.Error:
        return False
    return any(line[i : i + len(words)] == words for i in range(len(line)))


def start_stack(var: Path, **environment: str) -> Stack:
    """Starts `make run` and waits for its `ready` line.

    The trained model of the repository is reused, so that only the first stack trains.
    """
    models = Path(os.environ.get("STILLPOINT_VAR") or ROOT / "var") / "models"
    (var / "models").mkdir(parents=True, exist_ok=True)
    for file in models.glob("stillpoint*"):
        shutil.copy2(file, var / "models" / file.name)
    ports = {name: free_port() for name in ("RASA_PORT", "ACTIONS_PORT", "LLM_PORT")}
    variables = {
        **os.environ,
        "STILLPOINT_VAR": str(var),
        **{name: str(number) for name, number in ports.items()},
        **environment,
    }
    started = time.monotonic()
    process = subprocess.Popen(
        ["make", "--no-print-directory", "run"],
        cwd=ROOT,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    output: list[str] = []
    assert process.stdout is not None
    for line in process.stdout:
        output.append(line.rstrip())
        if line.startswith("ready"):
            return Stack(process, var, ports, time.monotonic() - started, output)
        if time.monotonic() - started > START_DEADLINE_S:
            break
    process.kill()
    logs = "\n".join(
        f"--- {path.name}\n{path.read_text(errors='replace')[-2000:]}"
        for path in sorted((var / "log").glob("*.log"))
    )
    raise AssertionError(f"no ready line:\n{chr(10).join(output[-20:])}\n{logs}")


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One stack with the house model, shared by the tests that do not break it."""
    running = start_stack(tmp_path_factory.mktemp("stack"))
    yield running
    running.stop()


@pytest.fixture(scope="session")
def slow_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack whose model is the LLM server's fake: several sentences, deliberately slow."""
    running = start_stack(
        tmp_path_factory.mktemp("slow"),
        STILLPOINT_TESTING="1",
        LLM_ENGINE="fake",
        LLM_FAKE_DELAY_MS="250",
        LLM_FAKE_REPLY=(
            "It sounds like the evenings have become the heavy part of the day. "
            "You said the flat is quiet since then, and that it presses on you. "
            "What do the evenings look like, from coming home to going to bed?"
        ),
    )
    yield running
    running.stop()


@pytest.fixture
def say() -> Callable[..., list[dict[str, object]]]:
    """Sends one message over the stock REST channel; returns the bot's messages."""

    def send(stack: Stack, sender: str, text: str, timeout: float = 60) -> list[dict[str, object]]:
        answer = httpx.post(
            f"{stack.rasa}/webhooks/rest/webhook",
            json={"sender": sender, "message": text},
            timeout=timeout,
        )
        answer.raise_for_status()
        found: list[dict[str, object]] = answer.json()
        return found

    return send
