"""The safety floor: a crisis message is answered whatever else is broken."""

from __future__ import annotations

import json
import re
import signal
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.e2e.stack import Stack, start_stack

pytestmark = pytest.mark.e2e

CRISIS = "I can't do this any more, I want to kill myself"
LINE = re.compile(r"988|116 123|14416|findahelpline")


class WebPerson:
    """A person on the web channel, as the page's script speaks it."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        answer = httpx.post(f"{stack.rasa}/webhooks/web/session", json={}, timeout=10)
        answer.raise_for_status()
        self.headers = {"Authorization": f"Bearer {answer.json()['token']}"}

    def say(self, text: str, timeout: float = 60) -> Iterator[tuple[float, str, dict[str, object]]]:
        """Yields (seconds since sending, event, data)."""
        started = time.monotonic()
        with httpx.stream(
            "POST",
            f"{self.stack.rasa}/webhooks/web/webhook",
            headers=self.headers,
            json={"message": text, "client_message_id": uuid.uuid4().hex},
            timeout=timeout,
        ) as answer:
            answer.raise_for_status()
            event = ""
            for line in answer.iter_lines():
                if line.startswith("event:"):
                    event = line[6:].strip()
                elif line.startswith("data:"):
                    yield time.monotonic() - started, event, json.loads(line[5:])

    def first_text(self, text: str) -> tuple[float, str]:
        """Seconds until the first words, and the words."""
        for seconds, event, data in self.say(text):
            if event in ("message", "stream_chunk", "stream_end"):
                return seconds, str(data["text"])
        raise AssertionError("no answer")

    def whole_reply(self, text: str) -> tuple[float, str]:
        """Seconds until the last words of a scripted reply, and all of them."""
        said = [(s, str(d["text"])) for s, event, d in self.say(text) if event == "message"]
        assert said, "no answer"
        return said[-1][0], " ".join(words for _, words in said)


@pytest.fixture(scope="module")
def own_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    running = start_stack(tmp_path_factory.mktemp("floor"))
    yield running
    running.stop()


def test_parse_carries_risk_and_misuse_for_every_input(own_stack: Stack) -> None:
    def parse(text: str) -> dict[str, dict[str, object]]:
        answer = httpx.post(f"{own_stack.rasa}/model/parse", json={"text": text}, timeout=20)
        answer.raise_for_status()
        found: dict[str, dict[str, object]] = answer.json()
        return found

    for text in ("hello", "/affirm", "/greet and more", "", "😞", CRISIS, "/" + CRISIS):
        parsed = parse(text)
        assert set(parsed["risk"]) == {"level", "kind", "about", "score"}, text
        assert set(parsed["misuse"]) == {"category", "score"}, text
    assert parse(CRISIS)["risk"]["level"] in ("high", "imminent")
    assert parse(CRISIS)["intent"]["name"] == "crisis"
    assert parse("/greet " + CRISIS)["intent"]["name"] == "crisis"
    assert parse("hello")["risk"]["level"] == "none"


def test_crisis_breaks_into_a_form_and_its_text_is_not_taken_as_the_answer(
    own_stack: Stack, say: object
) -> None:
    sender = uuid.uuid4().hex
    first = say(own_stack, sender, "can you help me find a therapist")  # type: ignore[operator]
    assert any("free" in str(m["text"]) for m in first)
    answer = say(own_stack, sender, CRISIS)  # type: ignore[operator]
    assert any(LINE.search(str(m["text"])) for m in answer)
    tracker = httpx.get(f"{own_stack.rasa}/conversations/{sender}/tracker", timeout=20).json()
    assert tracker["slots"]["referral_cost"] is None
    assert tracker["active_loop"] == {}
    assert tracker["slots"]["risk_level"] in ("high", "imminent")


def test_hung_action_server_does_not_delay_a_crisis_reply(own_stack: Stack) -> None:
    person = WebPerson(own_stack)
    person.first_text("hello")
    hung = own_stack.service_processes("actions")
    assert hung
    for process in hung:
        process.send_signal(signal.SIGSTOP)
    try:
        waiting = threading.Thread(
            target=lambda: list(person.say("work has been so heavy since the merger")), daemon=True
        )
        waiting.start()
        time.sleep(1.0)
        seconds, text = person.whole_reply(CRISIS)
        assert LINE.search(text), text
        assert seconds < 1.0, f"{seconds:.2f} s"
    finally:
        for process in hung:
            process.send_signal(signal.SIGCONT)
    waiting.join(30)


def test_dead_action_and_llm_servers_do_not_delay_a_crisis_reply(own_stack: Stack) -> None:
    person = WebPerson(own_stack)
    person.first_text("hello")
    stop = threading.Event()

    def keep_dead() -> None:
        while not stop.is_set():
            for name in ("actions", "llm"):
                for process in own_stack.service_processes(name):
                    process.kill()
            time.sleep(0.05)

    killer = threading.Thread(target=keep_dead, daemon=True)
    killer.start()
    try:
        time.sleep(0.5)
        seconds, text = person.whole_reply(CRISIS)
        assert LINE.search(text), text
        assert seconds < 1.0, f"{seconds:.2f} s"
        other = WebPerson(own_stack)
        _, text = other.first_text("i feel so alone since we moved")
        assert text.strip(), "an open-ended message must not meet silence"
    finally:
        stop.set()
        killer.join(5)


def test_killed_services_come_back_and_the_conversation_goes_on(own_stack: Stack) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        try:
            if all(
                httpx.get(f"{base}/health", timeout=2).status_code == 200
                for base in (own_stack.actions, own_stack.llm)
            ):
                break
        except httpx.HTTPError:
            pass
        time.sleep(0.5)
    person = WebPerson(own_stack)
    events = list(person.say("my manager keeps giving me his work and i can't say no"))
    assert events[-1][1] == "done"
    assert any(event in ("stream_end", "message") for _, event, _ in events)


def test_no_message_text_in_any_log(own_stack: Stack) -> None:
    mark = f"zebrafinch{uuid.uuid4().hex[:8]}"
    person = WebPerson(own_stack)
    list(person.say(f"my neighbour {mark} is loud and i cannot sleep"))
    for path in sorted(Path(own_stack.var, "log").glob("*.log")):
        assert mark not in path.read_text(errors="replace"), path.name
