"""Shared pieces: a bank of real replies, turns, and a running action server with a fake LLM."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from sanic import Sanic

from actions.bootstrap import build_app
from actions.guardrails.output import OutputGuardrail
from actions.history import PromptLayout, Said
from actions.llm_client import LLMClient
from actions.reply_bank import ReplyBank, load_reply_bank
from actions.responders.base import OpenTurn
from actions.responders.single import Limits, SingleResponder
from actions.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
LAYOUT = PromptLayout("system", 512, 120, 2.8, 2, keeps_crisis=False)
FAST = Limits(first_sentence_s=0.3, sentence_gap_s=0.3, total_s=1.0)

Serve = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture(scope="session")
def bank() -> ReplyBank:
    return load_reply_bank(ROOT / "data" / "replies")


@pytest.fixture
def make_turn() -> Callable[..., OpenTurn]:
    def make(text: str = "my boss shouted at me", *said: Said, **more: Any) -> OpenTurn:
        return OpenTurn("sender", more.pop("message_id", "m1"), text, tuple(said), **more)

    return make


@pytest.fixture
def make_responder(bank: ReplyBank) -> Callable[..., SingleResponder]:
    def make(llm: LLMClient, limits: Limits = FAST) -> SingleResponder:
        return SingleResponder(
            llm=llm, guardrail=OutputGuardrail(), bank=bank, layout=LAYOUT, limits=limits
        )

    return make


@pytest.fixture
def golden_request() -> dict[str, Any]:
    file = ROOT / "tests" / "contracts" / "action_webhook_request.json"
    request: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return request


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Serve the whole application on a free port: ``async with serve(llm=…) as http:``."""
    monkeypatch.setattr(Sanic, "test_mode", True)

    @asynccontextmanager
    async def running(*, llm: LLMClient, **settings: Any) -> AsyncIterator[httpx.AsyncClient]:
        app = build_app(Settings(**settings), llm=llm)
        listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        server = await app.create_server(sock=listening, return_asyncio_server=True)
        assert server is not None
        await server.startup()
        await server.start_serving()
        try:
            async with httpx.AsyncClient(base_url=address, timeout=10, trust_env=False) as http:
                yield http
        finally:
            await server.before_stop()
            server.close()
            for connection in list(server.connections or ()):
                connection.close_if_idle()
            await asyncio.wait_for(server.wait_closed(), 5)
            await server.after_stop()
            Sanic.unregister_app(app)

    return running
