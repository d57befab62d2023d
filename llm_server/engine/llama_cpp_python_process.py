"""Runs a model through ``llama_cpp.Llama`` (llama-cpp-python), in the engine process.

Serial: one completion at a time. Its own server is not used: there a prompt that is too long breaks
a stream off without a word, streams tell no token counts, and a request can interrupt another.
"""

import asyncio
import hmac
import json
import socket
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

# Where the package's defaults differ from llama.cpp's own server.
_DEFAULTS: dict[str, Any] = {"temperature": 0.8}
_FIELDS = (
    "messages", "max_tokens", "temperature", "top_p", "top_k", "min_p", "repeat_penalty",
    "presence_penalty", "frequency_penalty", "seed", "stop",
)  # fmt: skip


class _PromptTooLong(Exception):
    """The prompt has more tokens than the context."""


def serve(config: dict[str, Any], ready: Callable[[str], None]) -> None:
    """Load the model, call ``ready`` with the address, and serve until the process ends.

    Raises:
        ImportError: llama-cpp-python is not installed.
        RuntimeError: llama.cpp cannot load the model.
    """
    model = _load(config)
    key = f"Bearer {config['api_key']}".encode()
    app = Starlette(
        routes=[
            Route("/health", _health),
            Route("/v1/chat/completions", _Completions(model, key), methods=["POST"]),
        ]
    )
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    ready(f"http://127.0.0.1:{listener.getsockname()[1]}")
    settings = uvicorn.Config(app, log_level="error", access_log=False, lifespan="off")
    uvicorn.Server(settings).run(sockets=[listener])


def _load(config: dict[str, Any]) -> Any:
    import llama_cpp

    class Model(llama_cpp.Llama):  # type: ignore[misc]
        """Counts the prompt before llama.cpp meets it."""

        prompt_tokens = 0

        def create_completion(self, prompt: Any, *args: Any, **fields: Any) -> Any:
            tokens = prompt if isinstance(prompt, list) else self.tokenize(prompt.encode())
            self.prompt_tokens = len(tokens)
            if self.prompt_tokens >= self.n_ctx():
                raise _PromptTooLong
            return super().create_completion(tokens, *args, **fields)

    try:
        return Model(
            model_path=config["model_path"],
            n_ctx=config["context_length"],
            n_threads=config["threads"],
            n_threads_batch=config["threads"],
            verbose=False,
        )
    except ValueError as error:  # the package's way to say that a model does not load
        raise RuntimeError(str(error)) from error


async def _health(_request: Request) -> Response:
    return JSONResponse({"status": "ok"})


class _Completions:
    """``POST /v1/chat/completions``, always streamed; an ASGI application."""

    def __init__(self, model: Any, key: bytes) -> None:
        self._model = model
        self._key = key
        self._lock = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        given = request.headers.get("authorization", "").encode()
        if not hmac.compare_digest(given, self._key):
            await JSONResponse({"error": {}}, status_code=401)(scope, receive, send)
            return
        body = await request.json()
        async with self._lock:
            try:
                chunks = await run_in_threadpool(self._begin, body)
            except _PromptTooLong:
                await self._too_long()(scope, receive, send)
                return
            try:
                await self._stream(chunks, request, send)
            finally:
                await run_in_threadpool(_close, chunks)

    def _begin(self, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        fields = {**_DEFAULTS, **{name: body[name] for name in _FIELDS if name in body}}
        if "logit_bias" in body:
            fields["logit_bias"] = {int(token): bias for token, bias in body["logit_bias"].items()}
        chunks: Iterator[dict[str, Any]] = self._model.create_chat_completion(stream=True, **fields)
        return chunks

    async def _stream(self, chunks: Iterator[dict[str, Any]], request: Request, send: Send) -> None:
        """Send each chunk as it comes; a client that has left ends it with the next token."""
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        while (chunk := await run_in_threadpool(next, chunks, None)) is not None:
            await _send(send, json.dumps(chunk))
            if await request.is_disconnected():
                return
        await _send(send, json.dumps({"choices": [], "usage": self._usage()}))
        await _send(send, "[DONE]", last=True)

    def _usage(self) -> dict[str, int]:
        prompt, total = self._model.prompt_tokens, self._model.n_tokens
        written = max(0, total - prompt)
        return {
            "prompt_tokens": prompt,
            "completion_tokens": written,
            "total_tokens": prompt + written,
        }

    def _too_long(self) -> Response:
        error = {
            "type": "exceed_context_size_error",
            "n_ctx": self._model.n_ctx(),
            "n_prompt_tokens": self._model.prompt_tokens,
        }
        return JSONResponse({"error": error}, status_code=400)


async def _send(send: Send, data: str, *, last: bool = False) -> None:
    body = f"data: {data}\n\n".encode()
    await send({"type": "http.response.body", "body": body, "more_body": not last})


def _close(chunks: Any) -> None:
    chunks.close()
