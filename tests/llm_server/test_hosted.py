"""A hosted upstream: our own server plays it, and a raw socket shows what is sent to it."""

import asyncio
import json
from pathlib import Path

import httpx
import pytest

from llm_server.admission import Admission
from llm_server.app import create_app
from llm_server.bootstrap import create_engine
from llm_server.engine import hosted
from llm_server.engine.base import Engine, EngineState
from llm_server.settings import Settings
from tests.llm_server.conftest import ask, engine_state, running_server, sse_documents

pytestmark = pytest.mark.integration


def front(engine: Engine) -> httpx.AsyncClient:
    app = create_app(Settings(), engine, Admission(2, 4, 5))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://front")


def test_it_streams_through_an_openai_compatible_upstream(tmp_path: Path) -> None:
    async def scenario(url: str) -> None:
        engine = create_engine(
            Settings(base_url=f"{url}/v1", upstream_api_key="upstream-key", model="big-one")  # type: ignore[arg-type]
        )
        task = asyncio.create_task(engine.run())
        await engine_state(engine, EngineState.READY)
        async with front(engine) as client:
            answer = await client.post("/v1/chat/completions", json=ask(stream=True))
            chunks = sse_documents(answer.text)
            assert {chunk["model"] for chunk in chunks} == {"big-one"}
            parts = [chunk["choices"][0]["delta"].get("content", "") for chunk in chunks]  # type: ignore[index]
            assert "".join(parts) == "Four words are here."
            too_long = await client.post("/v1/chat/completions", json=ask("word " * 5000))
            assert too_long.json()["error"]["code"] == "context_length_exceeded"
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    with running_server(
        tmp_path / "log",
        LLM_ENGINE="fake",
        STILLPOINT_TESTING=1,
        LLM_FAKE_DELAY_MS=1,
        LLM_FAKE_REPLY="Four words are here.",
        LLM_API_KEY="upstream-key",
    ) as upstream:
        asyncio.run(scenario(upstream.url))


def test_nothing_that_identifies_a_client_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosted, "_PROBE_EVERY_WHILE_DOWN_S", 0.05)
    sent: list[bytes] = []

    async def upstream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        body = b""
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                body = await reader.readexactly(int(line.partition(b":")[2]))
        sent.append(head + body)
        event = {"choices": [{"delta": {"content": "ok"}, "finish_reason": "stop"}]}
        payload = b"data: " + json.dumps(event).encode() + b"\n\ndata: [DONE]\n\n"
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + payload)
        await writer.drain()
        writer.close()

    async def scenario() -> None:
        server = await asyncio.start_server(upstream, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        engine = create_engine(Settings(base_url=f"http://127.0.0.1:{port}/v1"))
        task = asyncio.create_task(engine.run())
        await engine_state(engine, EngineState.READY)
        async with front(engine) as client:
            answer = await client.post(
                "/v1/chat/completions",
                json=ask(user="sender-17", top_k=5, temperature=0.5, id_slot=0, model="m"),
                headers={"X-Conversation-Id": "sender-17", "Cookie": "sender-17"},
            )
            assert answer.json()["choices"][0]["message"]["content"] == "ok"
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        server.close()

    asyncio.run(scenario())
    (post,) = [request for request in sent if request.startswith(b"POST")]
    assert b"sender-17" not in post
    assert b"conversation" not in post.lower()
    body = json.loads(post.partition(b"\r\n\r\n")[2])
    assert set(body) == {
        "model", "messages", "max_tokens", "stream", "stream_options", "temperature",
    }  # fmt: skip


def test_an_upstream_out_of_reach_is_503() -> None:
    async def scenario() -> None:
        engine = create_engine(Settings(base_url="http://127.0.0.1:9/v1"))
        task = asyncio.create_task(engine.run())
        await engine_state(engine, EngineState.UNREACHABLE)
        async with front(engine) as client:
            assert (await client.get("/health")).status_code == 503
            refused = await client.post("/v1/chat/completions", json=ask())
            assert refused.status_code == 503
            assert "retry-after" in refused.headers
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(scenario())
