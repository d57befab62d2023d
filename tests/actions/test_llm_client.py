"""The LLM client reads completions over SSE and names each way in which one can fail."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from actions.errors import LLMError, LLMFailed, LLMOverloaded, LLMUnreachable
from actions.llm_client import Chunk, FakeLLMClient, HttpxLLMClient

Handler = Callable[[httpx.Request], httpx.Response]
MESSAGES: Any = [{"role": "user", "content": "hi"}]


def _line(text: str | None = None, finish: str | None = None) -> str:
    delta = {"content": text} if text is not None else {}
    return "data: " + json.dumps({"choices": [{"delta": delta, "finish_reason": finish}]}) + "\n\n"


def _client(handler: Handler, **more: Any) -> HttpxLLMClient:
    return HttpxLLMClient(
        base_url="http://llm.test/v1",
        model=more.pop("model", ""),
        sampling=more.pop("sampling", {"max_tokens": 5}),
        transport=httpx.MockTransport(handler),
        **more,
    )


async def _all(client: HttpxLLMClient) -> list[Chunk]:
    return [chunk async for chunk in client.stream(MESSAGES)]


async def test_stream_and_request() -> None:
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        body = (
            ": comment\n\n"
            + _line("Hel")
            + _line("lo.")
            + _line(finish="stop")
            + "data: [DONE]\n\n"
        )
        return httpx.Response(200, text=body)

    client = _client(handler, model="m", api_key="k", sampling={"min_p": 0.05})
    assert await _all(client) == [Chunk("Hel"), Chunk("lo."), Chunk("", "stop")]
    request = seen[0]
    assert str(request.url) == "http://llm.test/v1/chat/completions"
    assert request.headers["authorization"] == "Bearer k"
    assert json.loads(request.content) == {
        "messages": MESSAGES, "stream": True, "min_p": 0.05, "model": "m",
    }  # fmt: skip
    await client.aclose()


async def test_a_person_is_a_number_that_tells_nothing_but_who_is_the_same() -> None:
    bodies: list[dict[str, Any]] = []

    def handler(request: httpx.Request) -> httpx.Response:
        bodies.append(json.loads(request.content))
        return httpx.Response(200, text=_line("x") + _line(finish="stop"))

    one, other = _client(handler), _client(handler)
    for client, person in (
        (one, "sender-17"),
        (one, "sender-17"),
        (one, "b"),
        (other, "sender-17"),
    ):
        _ = [chunk async for chunk in client.stream(MESSAGES, person=person)]
    first, again, b, elsewhere = (body["user"] for body in bodies)
    assert first == again
    assert len({first, b, elsewhere}) == 3
    assert "sender-17" not in json.dumps(bodies)


@pytest.mark.parametrize(
    ("response", "error", "reason"),
    [
        (httpx.Response(503, headers={"Retry-After": "1"}), LLMOverloaded, "overloaded"),
        (httpx.Response(429), LLMOverloaded, "overloaded"),
        (httpx.Response(500), LLMFailed, "error"),
        (httpx.Response(400), LLMFailed, "error"),
        (httpx.Response(200, text=_line("half a")), LLMFailed, "error"),
        (httpx.Response(200, text="data: {no json\n\n"), LLMFailed, "error"),
        (httpx.Response(200, text="data: [1]\n\n"), LLMFailed, "error"),
        (httpx.Response(200, text='data: {"error": {"message": "x"}}\n\n'), LLMFailed, "error"),
        (httpx.Response(200, text='error: {"code": 500}\n\n'), LLMFailed, "error"),
        (httpx.Response(200, text='data: {"choices": [{"delta": {"content": 3}}]}\n\n'),
         LLMFailed, "error"),
        (httpx.Response(200, text="<html>hello</html>"), LLMFailed, "error"),
    ],
)  # fmt: skip
async def test_failures(response: httpx.Response, error: type[LLMError], reason: str) -> None:
    client = _client(lambda request: response)
    with pytest.raises(error) as caught:
        await _all(client)
    assert caught.value.fallback_reason == reason


@pytest.mark.parametrize(
    ("raised", "error"),
    [
        (httpx.ConnectError("no"), LLMUnreachable),
        (httpx.ConnectTimeout("no"), LLMUnreachable),
        (httpx.ReadTimeout("no"), LLMFailed),
        (httpx.RemoteProtocolError("cut"), LLMFailed),
    ],
)
async def test_transport_errors(raised: Exception, error: type[LLMError]) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        raise raised

    with pytest.raises(error):
        await _all(_client(handler))


async def test_connection_lost_in_the_middle() -> None:
    class Cut(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield _line("Half").encode()
            raise httpx.ReadError("cut")

    client = _client(lambda request: httpx.Response(200, stream=Cut()))
    stream = client.stream(MESSAGES)
    assert await anext(stream) == Chunk("Half")
    with pytest.raises(LLMFailed):
        await anext(stream)


async def test_fake_plays_its_script() -> None:
    fake = FakeLLMClient(["A ", 0.0, "b."], finish_reason="length")
    assert [c async for c in fake.stream(MESSAGES)] == [
        Chunk("A "), Chunk("b."), Chunk("", "length"),
    ]  # fmt: skip
    assert fake.prompts == [MESSAGES]
    with pytest.raises(LLMOverloaded):
        _ = [c async for c in FakeLLMClient([LLMOverloaded()]).stream(MESSAGES)]
