"""A real `make run` with a state folder and ports of its own, for tests and measurements."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil

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
        return list(psutil.Process(self.process.pid).children(recursive=True))

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
