"""Reads a chat completion stream from an OpenAI-compatible server."""

import json
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import httpx

from llm_server.errors import (
    ApiError,
    BadRequest,
    ContextTooLong,
    EngineUnavailable,
    Overloaded,
    UnsupportedField,
    UpstreamFailed,
)

_ERROR_BODY_LIMIT = 65_536
_EVENT_LIMIT = 1_048_576


async def stream_chat(
    client: httpx.AsyncClient, url: str, body: dict[str, Any], context_length: int | None
) -> AsyncGenerator[dict[str, Any]]:
    """POST ``body`` and yield each chunk. Closing the generator closes the connection.

    Raises:
        ApiError: the server cannot be reached, refuses, or breaks off before ``[DONE]``.
    """
    try:
        async with client.stream("POST", url, json=body) as response:
            if response.status_code != 200:
                raise await _refusal(response, context_length)
            async for data in _events(response.aiter_bytes()):
                if data == b"[DONE]":
                    return
                chunk = _document(data)
                if "error" in chunk:
                    raise _error_from(500, chunk, context_length)
                yield chunk
    except httpx.HTTPError:
        raise EngineUnavailable("the engine broke off or is out of reach", retry_after=2) from None
    raise UpstreamFailed("the engine ended the stream early")


async def _events(blocks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The ``data`` of each event. Splits at line feeds only: U+2028 may stand inside the JSON."""
    rest = b""
    async for block in blocks:
        *lines, rest = (rest + block).split(b"\n")
        if len(rest) > _EVENT_LIMIT:
            raise UpstreamFailed("the engine sent an oversized event")
        for line in lines:
            if line.startswith(b"data:"):
                yield line[5:].strip()


def _document(data: bytes) -> dict[str, Any]:
    try:
        document = json.loads(data.decode("utf-8", errors="replace"))
    except ValueError:
        raise UpstreamFailed("the engine sent malformed JSON") from None
    if not isinstance(document, dict):
        raise UpstreamFailed("the engine sent malformed JSON")
    return document


async def _refusal(response: httpx.Response, context_length: int | None) -> ApiError:
    data = b""
    async for block in response.aiter_bytes():
        data += block
        if len(data) > _ERROR_BODY_LIMIT:
            break
    try:
        document = _document(data)
    except UpstreamFailed:
        document = {}
    error = _error_from(response.status_code, document, context_length)
    after = response.headers.get("retry-after", "")
    if error.status == 503 and after.isascii() and after.isdigit():
        error.retry_after = min(int(after), 600)
    return error


def _error_from(status: int, document: dict[str, Any], context_length: int | None) -> ApiError:
    """Map a refusal to one of ours, by its machine-readable fields."""
    error = document.get("error")
    error = error if isinstance(error, dict) else {}
    kinds = {error.get("type"), error.get("code")}
    if kinds & {"exceed_context_size_error", "context_length_exceeded"}:
        limit = error.get("n_ctx") or context_length
        prompt = error.get("n_prompt_tokens")
        size = f"the prompt has {prompt} tokens" if isinstance(prompt, int) else "the prompt"
        verb = "," if isinstance(prompt, int) else " is too long:"
        bound = f" the context is {limit} tokens" if limit else " it exceeds the context"
        return ContextTooLong(f"{size}{verb}{bound}", param="messages")
    code = error.get("code")
    status = code if isinstance(code, int) and 400 <= code < 600 else status
    if status == 429:
        return Overloaded("the engine is overloaded; try again later", retry_after=5)
    if status == 503:
        return EngineUnavailable("the engine is not ready", retry_after=2)
    if status == 400 and kinds & {"unsupported_parameter", "unsupported_value"}:
        param = error.get("param")
        if isinstance(param, str):
            return UnsupportedField("the engine does not take this field", param=param)
    if status in (400, 413, 422):
        return BadRequest("the engine refused the request")
    if status in (401, 403):
        return UpstreamFailed("the engine refused this server's key")
    return UpstreamFailed("the engine failed")
