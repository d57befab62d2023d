"""A hosted upstream: our own server plays it, and a raw socket shows what is sent to it."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import httpx
import pytest

from llm_server.admission import Admission
from llm_server.app import create_app
from llm_server.bootstrap import check, create_engine
from llm_server.engine import hosted
from llm_server.engine.base import Engine, EngineState
from llm_server.settings import Settings
from tests.llm_server.conftest import (
    ROOT,
    ask,
    engine_state,
    free_port,
    run_to_end,
    running_server,
    server_environment,
    sse_documents,
)

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


class Upstream:
    """Plays a hosted API: keeps each chat body, answers with what the test scripted."""

    def __init__(self, *deltas: str) -> None:
        self.deltas = deltas
        self.refusals: list[dict[str, str]] = []
        self.bodies: list[dict[str, object]] = []
        self.raw = b""

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if head.startswith(b"POST"):
            lengths = [line for line in head.lower().split(b"\r\n") if b"content-length:" in line]
            body = await reader.readexactly(int(lengths[0].partition(b":")[2]))
            self.raw += head + body
            self.bodies.append(json.loads(body))
        if head.startswith(b"POST") and self.refusals:
            status, payload = "400 Bad Request", json.dumps({"error": self.refusals.pop(0)})
        else:
            events = [{"choices": [{"delta": {"content": text}}]} for text in self.deltas]
            events.append({"choices": [{"delta": {}, "finish_reason": "stop"}]})
            status = "200 OK"
            payload = "".join(f"data: {json.dumps(event)}\n\n" for event in events)
            payload += "data: [DONE]\n\n"
        writer.write(f"HTTP/1.1 {status}\r\nConnection: close\r\n\r\n{payload}".encode())
        await writer.drain()
        writer.close()


@asynccontextmanager
async def behind(upstream: Upstream, **settings: object) -> AsyncIterator[httpx.AsyncClient]:
    """A client of our server, whose engine is ``upstream``."""
    server = await asyncio.start_server(upstream.answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    address = {"base_url": f"http://127.0.0.1:{port}/v1", "model": "big-one"}
    engine = create_engine(Settings.model_validate({**address, **settings}))
    task = asyncio.create_task(engine.run())
    try:
        await engine_state(engine, EngineState.READY)
        async with front(engine) as client:
            yield client
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        server.close()


TOLD = "my name is Sarah, ring +44 7911 123456 or jane.doe@example.org"
REPLY = ("Thank you, [na", "me]. I saw [phone", "] and [email] [", "sic] [name")


@pytest.mark.parametrize("stream", [False, True])
def test_personal_data_stays_here_and_comes_back_in_the_reply(stream: bool) -> None:
    upstream = Upstream(*REPLY)

    async def scenario() -> str:
        async with behind(upstream) as client:
            answer = await client.post("/v1/chat/completions", json=ask(TOLD, stream=stream))
        if not stream:
            return str(answer.json()["choices"][0]["message"]["content"])
        deltas = [chunk["choices"][0]["delta"] for chunk in sse_documents(answer.text)]  # type: ignore[index]
        return "".join(delta.get("content", "") for delta in deltas)

    said = asyncio.run(scenario())
    assert said == "Thank you, Sarah. I saw +44 7911 123456 and jane.doe@example.org [sic] [name"
    for secret in (b"Sarah", b"7911", b"jane", b"example.org"):
        assert secret not in upstream.raw
    assert upstream.bodies[0]["messages"] == [
        {"role": "user", "content": "my name is [name], ring [phone] or [email]"}
    ]


def test_ones_own_server_gets_the_messages_as_they_are() -> None:
    upstream = Upstream("ok")

    async def scenario() -> None:
        async with behind(upstream, hosted_consent="own-server") as client:
            await client.post("/v1/chat/completions", json=ask(TOLD))

    asyncio.run(scenario())
    assert upstream.bodies[0]["messages"] == [{"role": "user", "content": TOLD}]


def test_fields_that_a_model_refuses_are_renamed_or_left_out_from_then_on() -> None:
    upstream = Upstream("ok")
    upstream.refusals = [
        {"code": "unsupported_parameter", "param": "max_tokens", "message": "…"},
        {"code": "unsupported_value", "param": "temperature", "message": "…"},
    ]

    async def scenario() -> list[int]:
        async with behind(upstream) as client:
            body = ask(temperature=0.5, top_p=0.9, max_tokens=7)
            return [
                (await client.post("/v1/chat/completions", json=body)).status_code for _ in range(2)
            ]

    assert asyncio.run(scenario()) == [200, 200]
    assert len(upstream.bodies) == 4
    for body in upstream.bodies[2:]:
        assert body["max_completion_tokens"] == 7
        assert "max_tokens" not in body
        assert "temperature" not in body
        assert body["top_p"] == 0.9


def test_a_field_that_cannot_be_left_out_ends_in_a_refusal() -> None:
    upstream = Upstream("ok")
    upstream.refusals = [{"code": "unsupported_value", "param": "messages", "message": "…"}] * 9

    async def scenario() -> httpx.Response:
        async with behind(upstream) as client:
            return await client.post("/v1/chat/completions", json=ask())

    assert asyncio.run(scenario()).status_code == 400
    assert len(upstream.bodies) == 1


def test_a_start_without_consent_ends_and_with_it_warns(tmp_path: Path) -> None:
    ended = run_to_end(LLM_BASE_URL="https://api.example.org/v1", LLM_UPSTREAM_API_KEY="sk-x")
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert "LLM_HOSTED_CONSENT=yes" in ended.stderr
    told = subprocess.Popen(
        [sys.executable, "-m", "llm_server"],
        cwd=ROOT,
        env=server_environment(
            LLM_BASE_URL="https://127.0.0.2:9/v1",
            LLM_HOSTED_CONSENT="yes",
            LLM_PORT=free_port(),
            LLM_UPSTREAM_API_KEY="sk-x",
        ),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert told.stderr is not None
    first = json.loads(told.stderr.readline())
    told.terminate()
    told.communicate()
    assert (first["level"], first["event"]) == ("warning", "messages_leave_this_machine")
    assert first["to"] == "https://127.0.0.2:9/v1"


@pytest.mark.parametrize(
    ("consent", "told"),
    [
        ("yes", "; people are told"),
        ("own-server", "; people are not told of it"),
        (None, "; people are not told of it"),
    ],
)
def test_a_check_says_whether_people_are_told(
    consent: Literal["yes", "own-server"] | None, told: str
) -> None:
    settings = Settings(base_url="https://127.0.0.1:9/v1", hosted_consent=consent, port=8081)
    assert check(settings).endswith(told)


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
