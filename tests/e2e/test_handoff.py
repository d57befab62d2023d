"""The hand-off through the whole stack: what leaves, when, and what the person hears of it."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from tests.e2e.stack import Stack, start_stack

pytestmark = pytest.mark.e2e

SECRET = "a-secret-that-only-this-test-and-its-receiver-know"
WAIT_S = 15.0


class Receiver:
    """An on-call webhook that keeps what is sent to it, if the signature is right."""

    def __init__(self) -> None:
        self.notices: list[dict[str, Any]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                stamp = self.headers["X-Stillpoint-Timestamp"].encode()
                digest = hmac.new(SECRET.encode(), stamp + b"." + body, hashlib.sha256).hexdigest()
                genuine = self.headers["X-Stillpoint-Signature"] == f"v1={digest}"
                if genuine:
                    outer.notices.append(json.loads(body))
                self.send_response(204 if genuine else 401)
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/on-call"

    def wait_for(self, event: str) -> dict[str, Any]:
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            for notice in self.notices:
                if notice["event"] == event:
                    return notice
            time.sleep(0.1)
        raise AssertionError(f"no {event} within {WAIT_S:.0f} s: {self.notices}")


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.server.shutdown()


@pytest.fixture(scope="module")
def told_stack(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> Iterator[Stack]:
    running = start_stack(
        tmp_path_factory.mktemp("handoff"),
        HANDOFF_WEBHOOK_URL=receiver.url,
        HANDOFF_WEBHOOK_SECRET=SECRET,
    )
    yield running
    running.stop()


def test_a_note_without_words_then_what_was_agreed_to(
    told_stack: Stack, receiver: Receiver, say: Callable[..., list[dict[str, Any]]]
) -> None:
    assert "are sent a short note" in httpx.get(told_stack.page, timeout=20).text
    sender = uuid.uuid4().hex

    def texts(message: str) -> str:
        return " ".join(str(reply.get("text")) for reply in say(told_stack, sender, message))

    assert "a short note" not in texts("i've been thinking about killing myself, the grey heron")
    notice = receiver.wait_for("risk_raised")
    assert (notice["level"], notice["kind"], notice["consent"]) == (
        "high",
        "self_harm",
        "not_asked",
    )
    assert "heron" not in json.dumps(notice)
    assert "messages" not in notice
    heard = [texts(answer) for answer in ("yes", "yes", "no", "no", "no")]
    assert sum("are sent a short note" in text for text in heard) == 1
    evenings = "the evenings are worst, says the heron"
    for message in (evenings, "no", "it's just a lot", "no", "i want a real person"):
        offered = texts(message)
        if "Would you like that?" in offered:
            break
    assert "Would you like that?" in offered
    assert "How could they reach you" in texts("/share_messages")
    assert "I can't see whether it arrives" in texts("heron@example.org")
    agreed = receiver.wait_for("human_requested")
    assert (agreed["consent"], agreed["contact"]) == ("yes", "heron@example.org")
    assert any("says the heron" in message["text"] for message in agreed["messages"])
    assert "none of your words go to them" in texts("please don't send anything else to them")
