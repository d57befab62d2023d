"""A web channel without Rasa: the page's wire contract, with what it says written by the test.

It keeps one event log per session and numbers events like the real channel, so that resuming
works; it knows nothing of tokens' lifetimes, rate limits or dialogue beyond what a test sets.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

WEB_DIR = Path(__file__).resolve().parents[3] / "rasa_project" / "web"
CSP = (
    "default-src 'self'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'self'"
)
DEMO_CSP = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self' data:; "
    "connect-src 'self' ws: wss:; object-src 'none'; base-uri 'none'; form-action 'self'"
)
DROP = object()

Step = float | tuple[str, dict[str, Any]] | object
"""A pause in seconds, an event (name, data), or DROP, which cuts the connection of the POST."""


@dataclass
class Session:
    """One conversation: its numbered events and the turns that were started in it."""

    events: list[tuple[int, str, dict[str, Any], str]] = field(default_factory=list)
    turns: dict[str, str] = field(default_factory=dict)
    dropped: set[str] = field(default_factory=set)
    next_id: int = field(default_factory=lambda: int(time.time() * 1000))


class FakeChannel:
    """Serves the page and answers it.

    `script` maps a person's text (or payload) to the steps of the answer; `{id}` in a step's data
    becomes the turn's message id. Unknown texts are answered with one plain message.
    """

    def __init__(self) -> None:
        self.script: dict[str, list[Step]] = {}
        self.sessions: dict[str, Session] = {}
        self.received: list[dict[str, Any]] = []
        self.session_requests: list[dict[str, Any]] = []
        self.feedback: list[dict[str, Any]] = []
        self.resumed_from: list[int] = []
        self.refuse: Callable[[dict[str, Any]], Response | None] = lambda body: None
        self.replay_everything = False
        self.site = ""
        """HTML of a page of another origin, served at `/site` under a strict policy."""
        self.port = _free_port()
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Address of the page."""
        return f"http://127.0.0.1:{self.port}/webhooks/web/"

    def start(self) -> None:
        """Listen; returns once requests are answered."""
        config = uvicorn.Config(
            self._app(),
            host="127.0.0.1",
            port=self.port,
            log_level="critical",
            timeout_graceful_shutdown=0,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        deadline = time.monotonic() + 10
        while not self._server.started:
            if time.monotonic() > deadline:
                raise TimeoutError("the fake channel did not start")
            time.sleep(0.01)

    def stop(self) -> None:
        """Stop listening and cut every connection; sessions are kept for the next start()."""
        if self._server and self._thread:
            self._server.should_exit = True
            self._server.force_exit = True
            self._thread.join(timeout=10)

    def forget_sessions(self) -> None:
        """Make every token unknown, as after its expiry."""
        self.sessions.clear()

    def _app(self) -> Any:
        async def page(request: Request) -> Response:
            return FileResponse(WEB_DIR / "index.html")

        async def demo(request: Request) -> Response:
            return FileResponse(WEB_DIR / "webchat-demo.html")

        async def site(request: Request) -> Response:
            return HTMLResponse(self.site)

        routes = [
            Route("/webhooks/web/", page),
            Route("/webhooks/web/session", self._session, methods=["POST"]),
            Route("/webhooks/web/webhook", self._webhook, methods=["POST"]),
            Route("/webhooks/web/events", self._events),
            Route("/webhooks/web/feedback", self._feedback, methods=["POST"]),
            Route("/webhooks/socketio/demo", demo),
            Route("/site", site),
            Mount("/webhooks/web/static", StaticFiles(directory=WEB_DIR / "static")),
        ]
        return self._with_csp(Starlette(routes=routes))

    def _with_csp(self, app: Any) -> Any:
        async def wrapped(scope: Any, receive: Any, send: Any) -> None:
            origin = f"http://127.0.0.1:{self.port}"
            policy = {
                "/webhooks/socketio/demo": DEMO_CSP,
                "/site": f"default-src {origin}",
            }.get(scope.get("path", ""), CSP)

            async def send_with_csp(event: Any) -> None:
                if event["type"] == "http.response.start":
                    event["headers"] = [
                        *event["headers"],
                        (b"content-security-policy", policy.encode()),
                        (b"cache-control", b"no-store"),
                    ]
                await send(event)

            await app(scope, receive, send_with_csp)

        return wrapped

    async def _session(self, request: Request) -> Response:
        self.session_requests.append(await request.json())
        token = secrets.token_hex(16)
        self.sessions[token] = Session()
        return JSONResponse({"token": token, "expires_in": 86400})

    async def _webhook(self, request: Request) -> Response:
        session = self._session_of(request)
        if session is None:
            return _error(401, "unauthorized")
        body = await request.json()
        refusal = self.refuse(body)
        if refusal is not None:
            return refusal
        self.received.append(body)
        turn = session.turns.get(body["client_message_id"])
        if turn is None:
            turn = session.turns[body["client_message_id"]] = secrets.token_hex(16)
            said = body.get("message") or body.get("payload")
            task = asyncio.create_task(self._run(session, turn, said))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return _stream(self._follow(session, after=0, turn=turn, may_drop=True))

    async def _events(self, request: Request) -> Response:
        session = self._session_of(request)
        if session is None:
            return _error(401, "unauthorized")
        after = int(request.headers.get("Last-Event-ID", "0"))
        self.resumed_from.append(after)
        return _stream(self._follow(session, 0 if self.replay_everything else after))

    async def _feedback(self, request: Request) -> Response:
        if self._session_of(request) is None:
            return _error(401, "unauthorized")
        self.feedback.append(await request.json())
        return JSONResponse({"stored": True})

    def _session_of(self, request: Request) -> Session | None:
        return self.sessions.get(request.headers.get("Authorization", "").removeprefix("Bearer "))

    async def _run(self, session: Session, turn: str, said: str) -> None:
        default: list[Step] = [message(f"You said: {said}")]
        for step in [*self.script.get(said, default), ("done", {})]:
            if isinstance(step, float | int):
                await asyncio.sleep(step)
            elif step is DROP:
                session.dropped.add(turn)
            elif isinstance(step, tuple):
                name, data = step
                data = json.loads(json.dumps(data).replace("{id}", turn))
                session.next_id += 1
                session.events.append((session.next_id, name, data, turn))

    async def _follow(
        self, session: Session, after: int, turn: str | None = None, may_drop: bool = False
    ) -> AsyncIterator[str]:
        yield ": still here\n\n"
        position = 0
        while True:
            while position < len(session.events):
                number, name, data, of_turn = session.events[position]
                position += 1
                if number <= after or turn not in (None, of_turn):
                    continue
                yield f"event: {name}\nid: {number}\ndata: {json.dumps(data)}\n\n"
                if turn is not None and name == "done":
                    return
            if may_drop and turn in session.dropped:
                raise ConnectionResetError
            await asyncio.sleep(0.01)


def message(text: str, source: str = "scripted", flow: str = "chat", **more: Any) -> Step:
    """A whole bot message."""
    return ("message", {"id": "{id}.0", "text": text, "source": source, "flow": flow, **more})


def streamed(sentences: list[str], pause: float, flow: str = "chat") -> list[Step]:
    """A reply that arrives sentence by sentence, `pause` seconds apart."""
    steps: list[Step] = [("stream_start", {"id": "{id}"})]
    for sentence in sentences:
        steps += [("stream_chunk", {"id": "{id}", "text": sentence}), pause]
    end = {"id": "{id}", "text": "".join(sentences), "source": "llm", "flow": flow}
    return [*steps, ("stream_end", end)]


@contextlib.contextmanager
def running() -> Iterator[FakeChannel]:
    """A fake channel that listens on a free port until the block ends."""
    channel = FakeChannel()
    channel.start()
    try:
        yield channel
    finally:
        channel.stop()


def _stream(events: AsyncIterator[str]) -> StreamingResponse:
    return StreamingResponse(events, media_type="text/event-stream")


def _error(status: int, code: str) -> JSONResponse:
    return JSONResponse({"error": {"code": code, "message": code, "field": None}}, status)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
