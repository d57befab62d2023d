"""How long a person waits on the real stack, healthy and with its servers dead, side by side."""

from __future__ import annotations

import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil

from bench.figures import milliseconds, quantile
from tests.e2e.stack import Stack, start_stack

ROUNDS = 20
OPEN_ENDED = [
    "since the merger nobody at work talks to me anymore",
    "my mum is ill and i drive there every weekend",
    "i can't sleep, my head goes round and round",
    "we broke up in march and the flat is so quiet",
    "i failed the exam again and haven't told my parents",
]
CRISIS = "i want to end my life"


def measure() -> dict[str, Any]:
    """Waits per kind of turn, start time, and memory per service (RSS, MiB)."""
    with tempfile.TemporaryDirectory() as folder:
        stack = start_stack(Path(folder))
        try:
            return {"later_start_s": round(stack.ready_s, 1), **_waits(stack)}
        finally:
            stack.stop()


def _waits(stack: Stack) -> dict[str, Any]:
    parse = [_timed_parse(stack) for _ in range(ROUNDS)]
    scripted = [_turn(stack, "what can you do")[0] for _ in range(ROUNDS)]
    crisis = [_turn(stack, CRISIS)[0] for _ in range(ROUNDS)]
    open_ended = [_turn(stack, OPEN_ENDED[i % len(OPEN_ENDED)]) for i in range(ROUNDS)]
    first, whole = [t[0] for t in open_ended], [t[1] for t in open_ended]
    memory = _memory(stack)
    with _dead(stack):
        crisis_dead = [_turn(stack, CRISIS)[0] for _ in range(ROUNDS)]
    return {
        "parse": milliseconds(parse),
        "scripted_reply": milliseconds(scripted),
        "crisis_reply": milliseconds(crisis),
        "crisis_reply_servers_dead": milliseconds(crisis_dead),
        "crisis_dead_to_healthy": round(quantile(crisis_dead, 0.5) / quantile(crisis, 0.5), 2),
        "open_ended_first_sentence": milliseconds(first),
        "open_ended_whole_reply": milliseconds(whole),
        "first_sentence_to_whole": round(quantile(first, 0.5) / quantile(whole, 0.5), 2),
        **memory,
    }


def _timed_parse(stack: Stack) -> float:
    started = time.perf_counter()
    httpx.post(f"{stack.rasa}/model/parse", json={"text": CRISIS}, timeout=20).raise_for_status()
    return time.perf_counter() - started


def _turn(stack: Stack, text: str) -> tuple[float, float]:
    """Seconds to the first words and to the end, for a new person."""
    session = httpx.post(f"{stack.rasa}/webhooks/web/session", json={}, timeout=20).json()
    headers = {"Authorization": f"Bearer {session['token']}"}
    body = {"message": text, "client_message_id": uuid.uuid4().hex}
    url = f"{stack.rasa}/webhooks/web/webhook"
    started, first = time.perf_counter(), 0.0
    with httpx.stream("POST", url, headers=headers, json=body, timeout=60) as answer:
        answer.raise_for_status()
        for event in _events(answer):
            if not first and event in ("message", "stream_chunk", "stream_end"):
                first = time.perf_counter() - started
    return first, time.perf_counter() - started


def _events(answer: httpx.Response) -> Iterator[str]:
    for line in answer.iter_lines():
        if line.startswith("event:"):
            yield line[6:].strip()


class _dead:  # noqa: N801
    """While inside, the action server and the LLM server are killed whenever they come back."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._kill, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()
        time.sleep(0.5)

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join(5)

    def _kill(self) -> None:
        while not self._done.is_set():
            for name in ("actions", "llm"):
                for process in self._stack.service_processes(name):
                    process.kill()
            time.sleep(0.2)


def _memory(stack: Stack) -> dict[str, Any]:
    found: dict[str, int] = {}
    for name in ("rasa", "actions", "llm", "analytics"):
        processes = [
            relative
            for process in stack.service_processes(name)
            for relative in (process, *process.children(recursive=True))
        ]
        total = 0
        for process in {p.pid: p for p in processes}.values():
            try:
                total += process.memory_info().rss
            except psutil.Error:
                continue
        found[name] = total // 2**20
    return {"memory_mib": found}
