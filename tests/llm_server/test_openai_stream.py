"""Reading an upstream's stream."""

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest

from llm_server.engine.openai_stream import stream_chat
from llm_server.errors import (
    ApiError,
    BadRequest,
    ContextTooLong,
    EngineUnavailable,
    Overloaded,
    UpstreamFailed,
)


def read(response: httpx.Response | Exception) -> list[dict[str, object]]:
    def answer(_request: httpx.Request) -> httpx.Response:
        if isinstance(response, Exception):
            raise response
        return response

    async def scenario() -> list[dict[str, object]]:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
            return [chunk async for chunk in stream_chat(client, "http://engine/", {}, 512)]

    return asyncio.run(scenario())


class Blocks(httpx.AsyncByteStream):
    def __init__(self, data: bytes, size: int) -> None:
        self._data, self._size = data, size

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for at in range(0, len(self._data), self._size):
            yield self._data[at : at + self._size]


@pytest.mark.parametrize("size", [1, 2, 7, 10_000])
def test_events_survive_any_split_and_any_line_break_inside_the_text(size: int) -> None:
    text = "one\u2028two\u0085three\x0bé"
    data = b": ping\n\ndata: " + json.dumps({"t": text}, ensure_ascii=False).encode()
    data += b"\r\n\r\ndata:{}\n\ndata: [DONE]\n\n"
    assert read(httpx.Response(200, stream=Blocks(data, size))) == [{"t": text}, {}]


def test_a_stream_without_its_end_is_an_error() -> None:
    with pytest.raises(UpstreamFailed):
        read(httpx.Response(200, content=b'data: {"a": 1}\n\n'))


def test_an_error_event_is_an_error() -> None:
    with pytest.raises(UpstreamFailed):
        read(httpx.Response(200, content=b'data: {"error": {"message": "boom"}}\n\n'))


@pytest.mark.parametrize(
    ("status", "error", "expected"),
    [
        (400, {"type": "exceed_context_size_error", "n_ctx": 512}, ContextTooLong),
        (400, {"code": "context_length_exceeded"}, ContextTooLong),
        (400, {"message": "secret words"}, BadRequest),
        (401, {}, UpstreamFailed),
        (429, {}, Overloaded),
        (500, {}, UpstreamFailed),
        (503, {}, EngineUnavailable),
    ],
)
def test_a_refusal_is_mapped_and_its_text_is_not_passed_on(
    status: int, error: dict[str, object], expected: type[ApiError]
) -> None:
    with pytest.raises(expected) as refusal:
        read(httpx.Response(status, json={"error": error}))
    assert "secret" not in str(refusal.value)


def test_the_context_limit_is_named() -> None:
    error = {"type": "exceed_context_size_error", "n_ctx": 512, "n_prompt_tokens": 3019}
    with pytest.raises(ContextTooLong, match=r"3019 tokens.* 512 tokens"):
        read(httpx.Response(400, json={"error": error}))


def test_a_retry_after_of_the_upstream_is_kept() -> None:
    with pytest.raises(Overloaded) as refusal:
        read(httpx.Response(429, headers={"Retry-After": "17"}))
    assert refusal.value.retry_after == 17


def test_no_connection_is_unavailable() -> None:
    with pytest.raises(EngineUnavailable):
        read(httpx.ConnectError("refused"))
