"""A real Sanic server with Rasa's own channel wiring, a fake agent and a fake action server."""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

RASA_PROJECT = Path(__file__).resolve().parents[3] / "rasa_project"
if str(RASA_PROJECT) not in sys.path:
    sys.path.insert(0, str(RASA_PROJECT))

import rasa.server  # noqa: E402
from rasa.core.channels.channel import UserMessage, register  # noqa: E402
from rasa.core.lock_store import InMemoryLockStore  # noqa: E402
from rasa.core.nlg import TemplatedNaturalLanguageGenerator  # noqa: E402
from rasa.core.tracker_store import FailSafeTrackerStore, InMemoryTrackerStore  # noqa: E402
from rasa.shared.core.domain import Domain  # noqa: E402
from rasa.shared.core.events import BotUttered, UserUttered  # noqa: E402
from rasa.utils.endpoints import EndpointConfig  # noqa: E402
from sanic import Sanic  # noqa: E402

_app_numbers = itertools.count()
CRISIS_WORDS = "i want to end my life"
CRISIS_REPLY = "Please call 112 now.\n\nI'm staying here with you."
Answer = Callable[["FakeAgent", UserMessage], Awaitable[None]]


class FakeAgent:
    """Implements what the channels use of `rasa.core.agent.Agent`, with Rasa's own lock store,
    tracker store and response generator behind it.

    Each message is stored in the tracker with the bot messages that `answer` utters.
    """

    def __init__(self, answer: Answer | None = None, domain: Domain | None = None) -> None:
        self.domain = domain or Domain.empty()
        self.lock_store = InMemoryLockStore()
        self.tracker_store: Any = FailSafeTrackerStore(InMemoryTrackerStore(self.domain))
        self.nlg = TemplatedNaturalLanguageGenerator(self.domain.responses)
        self.action_endpoint: EndpointConfig | None = None
        self.processor = self
        self.answer = answer or echo
        self.ready = True
        self.parsed: list[str] = []
        self.handled: list[UserMessage] = []
        self._uttered: dict[str, list[BotUttered]] = {}

    def is_ready(self) -> bool:
        return self.ready

    async def parse_message(self, text: str) -> dict[str, Any]:
        self.parsed.append(text)
        level = "high" if CRISIS_WORDS in text.lower() else "none"
        return {
            "text": text,
            "intent": {"name": "crisis" if level == "high" else "share", "confidence": 1.0},
            "entities": [],
            "risk": {"level": level, "kind": "self_harm", "about": "self", "score": 0.9},
        }

    async def handle_message(self, message: UserMessage) -> None:
        async with self.lock_store.lock(message.sender_id, wait_time_in_seconds=0.05):
            self.handled.append(message)
            tracker = await self.tracker_store.get_or_create_tracker(message.sender_id)
            parse_data = message.parse_data or await self.parse_message(message.text or "")
            tracker.update(
                UserUttered(
                    message.text,
                    parse_data["intent"],
                    parse_data=parse_data,
                    message_id=message.message_id,
                    metadata=message.metadata,
                    input_channel=message.input_channel,
                )
            )
            if parse_data["risk"]["level"] == "high":
                await utter(self, message, CRISIS_REPLY, flow="crisis", source="scripted")
            else:
                await self.answer(self, message)
            for event in self._uttered.pop(message.message_id, []):
                tracker.update(event)
            await self.tracker_store.save(tracker)


async def utter(agent: FakeAgent, message: UserMessage, text: str, **extra: Any) -> None:
    """Say something as Rasa does: as a BotUttered whose metadata is flat."""
    buttons = extra.pop("buttons", None)
    event = BotUttered(text, {"buttons": buttons}, metadata=extra)
    agent._uttered.setdefault(message.message_id, []).append(event)
    await message.output_channel.send_response(message.sender_id, event.message())


async def echo(agent: FakeAgent, message: UserMessage) -> None:
    await utter(agent, message, f"You said: {message.text}", source="scripted", flow="chat")


async def through_action_server(agent: FakeAgent, message: UserMessage) -> None:
    """Call the action server as Rasa's RemoteAction does and say what it answers."""
    assert agent.action_endpoint is not None
    body = {
        "next_action": "action_llm_fallback",
        "sender_id": message.sender_id,
        "tracker": {"latest_message": {"message_id": message.message_id}},
    }
    answer = await agent.action_endpoint.request(json=body, method="post", timeout=300)
    for response in (answer or {})["responses"]:
        await utter(agent, message, response.pop("text"), **response)


class FakeActionServer:
    """The action server's wire contract: `/webhook`, `/turns/{id}/stream`, `/turns/{id}/cancel`.

    Args:
        sentences: What it says, one chunk each.
        pause_s: Seconds before each sentence.
        hung: Accept every request and never answer.
        deaf: Never answer `/webhook`, even when cancelled.
    """

    def __init__(
        self,
        sentences: tuple[str, ...] = ("One. ", "Two. ", "Three."),
        pause_s: float = 0.05,
        hung: bool = False,
        deaf: bool = False,
        token: str | None = None,
    ) -> None:
        self.sentences, self.pause_s, self.hung, self.deaf = sentences, pause_s, hung, deaf
        self.token = token
        self.requests: list[tuple[str, str]] = []
        self.url = ""
        self._turns: dict[str, list[str]] = {}
        self._ended: dict[str, asyncio.Event] = {}
        self._cancelled: dict[str, asyncio.Event] = {}

    async def start(self) -> FakeActionServer:
        application = web.Application()
        application.router.add_post("/webhook", self._webhook)
        application.router.add_get("/turns/{id}/stream", self._stream)
        application.router.add_post("/turns/{id}/cancel", self._cancel)
        self._runner = web.AppRunner(application, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"
        return self

    async def stop(self) -> None:
        await self._runner.cleanup()

    def _event(self, table: dict[str, asyncio.Event], key: str) -> asyncio.Event:
        return table.setdefault(key, asyncio.Event())

    async def _note(self, request: web.Request) -> None:
        self.requests.append((request.method, request.path))
        offered = (request.headers.get("X-Actions-Token"), request.query.get("token"))
        if self.token and self.token not in offered:
            raise web.HTTPUnauthorized
        if self.hung:
            await asyncio.sleep(3600)

    async def _webhook(self, request: web.Request) -> web.Response:
        await self._note(request)
        body = await request.json()
        message_id = body["tracker"]["latest_message"]["message_id"]
        said = self._turns.setdefault(message_id, [])
        cancelled = self._event(self._cancelled, message_id)
        for sentence in self.sentences:
            try:
                await asyncio.wait_for(cancelled.wait(), self.pause_s)
                break
            except asyncio.TimeoutError:
                said.append(sentence)
        self._event(self._ended, message_id).set()
        if self.deaf:
            await asyncio.sleep(3600)
        responses = []
        if said:
            extra = {"cancelled": True} if cancelled.is_set() else {}
            responses = [
                {
                    "text": "".join(said),
                    "source": "llm",
                    "flow": "chat",
                    "stream_id": message_id,
                    "model": "house",
                    **extra,
                }
            ]
        return web.json_response({"events": [], "responses": responses})

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        await self._note(request)
        message_id = request.match_info["id"]
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        sent = 0
        while not (ended := self._event(self._ended, message_id).is_set()) or sent < len(
            self._turns.get(message_id, [])
        ):
            for sentence in self._turns.get(message_id, [])[sent:]:
                data = json.dumps({"text": sentence})
                await answer.write(f"event: chunk\ndata: {data}\n\n".encode())
                sent += 1
            await asyncio.sleep(0.005)
        assert ended
        await answer.write(b'event: end\ndata: {"source": "llm"}\n\n')
        return answer

    async def _cancel(self, request: web.Request) -> web.Response:
        await self._note(request)
        self._event(self._cancelled, request.match_info["id"]).set()
        return web.json_response({"cancelled": True})


class Running:
    """A started server: its address, its app and its agent."""

    def __init__(self, app: Sanic, url: str, agent: FakeAgent) -> None:
        self.app, self.url, self.agent = app, url, agent


@pytest.fixture
async def serve(
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Callable[..., Awaitable[Running]]]:
    """Return a function that starts a server with the given channels and agent."""
    started = []
    monkeypatch.setattr(Sanic, "test_mode", True)

    async def start(channels: list[Any], agent: FakeAgent) -> Running:
        app = Sanic(f"channels_test_{next(_app_numbers)}", configure_logging=False)
        rasa.server.configure_cors(app)
        app.ctx.agent = agent
        register(channels, app, route="/webhooks/")
        listening = socket.create_server(("127.0.0.1", 0))
        server = await app.create_server(sock=listening, return_asyncio_server=True)
        await server.startup()
        await server.before_start()
        await server.start_serving()
        await server.after_start()
        started.append((app, server))
        port = listening.getsockname()[1]
        return Running(app, f"http://127.0.0.1:{port}", agent)

    yield start
    for app, server in started:
        await server.before_stop()
        server.close()
        await server.wait_closed()
        await server.after_stop()
        Sanic._app_registry.pop(app.name, None)


@pytest.fixture
async def action_server() -> AsyncIterator[Callable[..., Awaitable[FakeActionServer]]]:
    """Return a function that starts a fake action server."""
    started: list[FakeActionServer] = []

    async def start(**settings: Any) -> FakeActionServer:
        server = await FakeActionServer(**settings).start()
        started.append(server)
        return server

    yield start
    for server in started:
        await server.stop()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """An HTTP client."""
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Give every test a state folder of its own and an action server address nobody answers."""
    for name in ("STILLPOINT_SECRET", "ACTIONS_TOKEN", "PARTNER_KEYS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("STILLPOINT_VAR", str(tmp_path / "var"))
    monkeypatch.setenv("ACTIONS_URL", "http://127.0.0.1:9")
    return tmp_path / "var"


class SentEvent:
    """One event as a client reads it."""

    def __init__(self, name: str, id: int | None, data: Any, at: float) -> None:
        self.name, self.id, self.data, self.at = name, id, data, at

    def __repr__(self) -> str:
        return f"{self.id}:{self.name}:{self.data}"


async def read_events(
    answer: aiohttp.ClientResponse, until: str | None = "done", comments: list[str] | None = None
) -> AsyncIterator[SentEvent]:
    """Yield the events of a stream up to and including the first named ``until``."""
    name, event_id, data = "message", None, []
    async for raw in answer.content:
        line = raw.decode().rstrip("\n")
        if line.startswith(":") and comments is not None:
            comments.append(line)
        elif line.startswith("event: "):
            name = line[7:]
        elif line.startswith("id: "):
            event_id = int(line[4:])
        elif line.startswith("data: "):
            data.append(line[6:])
        elif not line and data:
            assert len(data) == 1
            yield SentEvent(name, event_id, json.loads(data[0]), time.monotonic())
            if name == until:
                return
            name, event_id, data = "message", None, []


@pytest.fixture
def helpers() -> Any:
    """The classes and functions above, for test modules."""
    return sys.modules[__name__]
