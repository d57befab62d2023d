"""One chat completion on its way to the client: wait for a slot, generate, stop when asked to."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from llm_server.admission import Admission
from llm_server.chat_request import ChatRequest
from llm_server.completion import SSE_DONE, Completion, sse
from llm_server.engine.base import Engine, EngineState
from llm_server.errors import ApiError, EngineUnavailable, GenerationTimeout, UpstreamFailed
from llm_server.json_log import log
from llm_server.metrics import Metrics


class ChatResponse:
    """An ASGI response. A client that goes away frees its slot or its place in the queue at once.

    Errors before the first chunk are raised and become a JSON answer; later ones become an SSE
    ``error`` event, and the stream then ends without ``[DONE]``.

    Args:
        request: the checked request.
        client: the key that the queue is fair between.
        engine, admission, metrics: the service's parts.
        max_tokens: the server's cap.
        timeout_s: longest time from arrival to end.
    """

    def __init__(
        self,
        request: ChatRequest,
        client: str,
        *,
        engine: Engine,
        admission: Admission,
        metrics: Metrics,
        max_tokens: int,
        timeout_s: float,
    ) -> None:
        self._request = request
        self._client = client
        self._engine = engine
        self._admission = admission
        self._metrics = metrics
        self._max_tokens = max_tokens
        self._timeout_s = timeout_s
        self._completion = Completion(engine.model_id, include_usage=request.include_usage)
        self._arrived = time.monotonic()
        self._queue_s: float | None = None
        self._first_token_s: float | None = None
        self._started = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        outcome = "error"
        try:
            finished = await _until_disconnect(receive, self._answer(scope, receive, send))
            outcome = "ok" if finished else "cancelled"
        except ApiError as error:
            outcome = _outcome(error)
            if not self._started:
                raise
            await _send_body(send, sse(error.body()), more=False)
        except asyncio.CancelledError:
            outcome = "cancelled"
            raise
        finally:
            self._record(outcome)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._engine.state is not EngineState.READY:
            raise EngineUnavailable(
                f"the engine is {self._engine.state.value}", retry_after=self._engine.ready_in_s()
            )
        try:
            async with asyncio.timeout(self._timeout_s), self._admission.slot(self._client):
                self._queue_s = time.monotonic() - self._arrived
                limit = self._request.limit(self._max_tokens)
                async with aclosing(self._engine.stream(self._request, limit)) as chunks:
                    if self._request.stream:
                        await self._stream(send, chunks)
                    else:
                        await self._collect(chunks)
        except TimeoutError:
            raise GenerationTimeout(f"the answer took longer than {self._timeout_s:g} s") from None
        if not self._request.stream:
            self._started = True
            await JSONResponse(self._completion.as_object())(scope, receive, send)

    async def _stream(self, send: Send, chunks: AsyncGenerator[dict[str, Any]]) -> None:
        async for raw in chunks:
            chunk = self._take(raw)
            if chunk is not None:
                await self._start_stream(send)
                await _send_body(send, sse(chunk), more=True)
        if not self._started:
            raise UpstreamFailed("the engine sent an empty answer")
        usage = self._completion.usage_chunk()
        await _send_body(send, (sse(usage) if usage else b"") + SSE_DONE, more=False)

    async def _collect(self, chunks: AsyncGenerator[dict[str, Any]]) -> None:
        async for raw in chunks:
            self._take(raw)

    def _take(self, raw: dict[str, Any]) -> dict[str, Any] | None:
        chunk = self._completion.add(raw)
        if self._first_token_s is None and self._completion.has_text:
            self._first_token_s = time.monotonic() - self._arrived
        return chunk

    async def _start_stream(self, send: Send) -> None:
        if self._started:
            return
        self._started = True
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [
                    (b"content-type", b"text/event-stream; charset=utf-8"),
                    (b"cache-control", b"no-store"),
                    (b"x-accel-buffering", b"no"),
                ],
            }
        )

    def _record(self, outcome: str) -> None:
        total_s = time.monotonic() - self._arrived
        usage = self._completion.usage or {}
        self._metrics.requests[outcome] += 1
        if self._queue_s is not None:
            self._metrics.queue_wait.observe(self._queue_s)
        if self._first_token_s is not None:
            self._metrics.first_token.observe(self._first_token_s)
        if outcome in ("ok", "error", "cancelled"):
            self._metrics.total.observe(total_s)
        self._metrics.tokens["prompt"] += usage.get("prompt_tokens", 0)
        self._metrics.tokens["completion"] += usage.get("completion_tokens", 0)
        log(
            logging.INFO,
            "chat",
            id=self._completion.id,
            outcome=outcome,
            stream=self._request.stream,
            finish_reason=self._completion.finish_reason,
            queue_ms=_milliseconds(self._queue_s),
            first_token_ms=_milliseconds(self._first_token_s),
            total_ms=_milliseconds(total_s),
            prompt_tokens=usage.get("prompt_tokens"),
            completion_tokens=usage.get("completion_tokens"),
        )


async def _until_disconnect(receive: Receive, work: Coroutine[Any, Any, None]) -> bool:
    """Run ``work`` to its end, or cancel it when the client goes; say whether it ended."""
    answer = asyncio.create_task(work)
    gone = asyncio.create_task(_disconnected(receive))
    try:
        await asyncio.wait({answer, gone}, return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            answer.result()
            return True
        return False
    finally:
        for task in (answer, gone):
            task.cancel()
        await asyncio.gather(answer, gone, return_exceptions=True)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send_body(send: Send, body: bytes, *, more: bool) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})


def _outcome(error: ApiError) -> str:
    if error.status == 503:
        return "rejected"
    return "bad_request" if error.status < 500 else "error"


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)
