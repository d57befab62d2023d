"""`make run`: starts, says ready, heals, stops without leaving anything behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import httpx
import psutil
import pytest

from tests.e2e.stack import ROOT, free_port, start_stack

pytestmark = pytest.mark.e2e


def test_sigterm_leaves_no_process_and_frees_the_ports(tmp_path: Path) -> None:
    stack = start_stack(tmp_path)
    family = stack.tree()
    assert len(family) >= 5
    for base in (stack.actions, stack.llm):
        assert httpx.get(f"{base}/health", timeout=5).status_code == 200
    stack.stop(signal.SIGTERM)
    _, alive = psutil.wait_procs(family, timeout=10)
    assert alive == []
    for number in stack.ports.values():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", number))


def test_killing_the_front_process_outright_ends_the_services_too(tmp_path: Path) -> None:
    stack = start_stack(tmp_path)
    family = stack.tree()
    front = [p for p in family if "ops" in " ".join(p.cmdline())]
    assert front
    front[0].kill()
    _, alive = psutil.wait_procs(family, timeout=30)
    assert alive == []
    stack.process.wait(10)


def run_once(**environment: str) -> subprocess.CompletedProcess[str]:
    """`make run` that is expected to refuse."""
    return subprocess.run(
        ["make", "--no-print-directory", "run"],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )


def own_ports() -> dict[str, str]:
    return {name: str(free_port()) for name in ("RASA_PORT", "ACTIONS_PORT", "LLM_PORT")}


def test_a_taken_port_is_one_clear_line(tmp_path: Path) -> None:
    ports = own_ports()
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", int(ports["LLM_PORT"])))
        holder.listen()
        done = run_once(STILLPOINT_VAR=str(tmp_path), **ports)
    assert done.returncode != 0
    assert f"Port {ports['LLM_PORT']} for the LLM server is taken" in done.stderr
    assert "LLM_PORT=" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("cut", [0, 5, 2000, -1000])
def test_a_damaged_language_model_is_one_clear_line(tmp_path: Path, cut: int) -> None:
    model = ROOT / "llm_server" / "models" / "stillpoint-house-q8_0.gguf"
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(model.read_bytes()[:cut])
    done = run_once(STILLPOINT_VAR=str(tmp_path), LLM_MODEL_PATH=str(broken), **own_ports())
    assert done.returncode != 0
    assert "broken.gguf" in done.stderr
    assert "LLM_MODEL_PATH" in done.stderr or "git checkout" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_language_model_is_one_clear_line(tmp_path: Path) -> None:
    done = run_once(STILLPOINT_VAR=str(tmp_path), LLM_MODEL_PATH="/nowhere/x.gguf", **own_ports())
    assert done.returncode != 0
    assert "/nowhere/x.gguf is missing" in done.stderr


def test_a_service_that_keeps_ending_does_not_stop_rasa(tmp_path: Path) -> None:
    stack = start_stack(tmp_path)
    try:
        deadline = time.monotonic() + 12
        while time.monotonic() < deadline:
            for process in stack.service_processes("llm"):
                process.kill()
            time.sleep(0.1)
        answer = httpx.get(f"{stack.rasa}/status", timeout=5)
        assert answer.status_code == 200
        assert stack.process.poll() is None
    finally:
        stack.stop()


def test_doctor_tells_everything_at_once(tmp_path: Path) -> None:
    ports = own_ports()
    done = subprocess.run(
        ["make", "--no-print-directory", "doctor"],
        cwd=ROOT,
        env={**os.environ, "STILLPOINT_VAR": str(tmp_path), **ports},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for part in ("Python 3.10", "Python 3.11", "disk", "port RASA_PORT", "language model"):
        assert part in done.stdout
