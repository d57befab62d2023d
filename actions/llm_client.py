"""Stream a completion from an OpenAI-compatible server, and a fake that does the same.

The client knows HTTP and SSE only: deadlines, sentences and safety belong to the responder.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx

from actions.errors import LLMError, LLMFailed, LLMOverloaded, LLMUnreachable
from actions.history import ChatMessage

_OVERLOAD_STATUS = frozenset({429, 503})


@dataclass(frozen=True)
class Chunk:
    """A piece of a completion: a text delta, and on the last one why it finished."""

    text: str = ""
    finish_reason: str | None = None


class LLMClient(Protocol):
    """Anything that can stream one completion for a list of chat messages."""

    @property
    def model(self) -> str:
        """The model's name for metadata."""
        ...

    def stream(self, messages: Sequence[ChatMessage], *, person: str = "") -> AsyncIterator[Chunk]:
        """Yield chunks; the last one has a ``finish_reason``.

        ``person`` is whose turn it is; servers share their slots between persons by it.

        Raises:
            LLMUnreachable, LLMOverloaded, LLMFailed
        """
        ...

    async def aclose(self) -> None:
        """Release connections."""
        ...


class HttpxLLMClient:
    """Chat completions over SSE at ``base_url``.

    The server learns of a person only a number that this process makes anew at each start.
    """

    def __init__(
        self,
        *,
        base_url: str,
        model: str,
        sampling: Mapping[str, Any],
        api_key: str | None = None,
        shown_as: str = "",
        read_timeout_s: float = 30.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._model = model
        self._shown_as = shown_as or model
        self._sampling = dict(sampling)
        self._salt = secrets.token_bytes(16)
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._http = httpx.AsyncClient(
            base_url=base_url,
            headers=headers,
            timeout=httpx.Timeout(read_timeout_s, connect=2.0, pool=2.0),
            transport=transport,
            trust_env=False,
        )

    @property
    def model(self) -> str:
        return self._shown_as

    async def stream(
        self, messages: Sequence[ChatMessage], *, person: str = ""
    ) -> AsyncIterator[Chunk]:
        body: dict[str, Any] = {"messages": list(messages), "stream": True, **self._sampling}
        if person:
            digest = hashlib.blake2b(person.encode(), key=self._salt, digest_size=12)
            body["user"] = digest.hexdigest()
        if self._model:
            body["model"] = self._model
        try:
            async with self._http.stream("POST", "/chat/completions", json=body) as response:
                if response.status_code in _OVERLOAD_STATUS:
                    raise LLMOverloaded(f"status {response.status_code}")
                if response.status_code != 200:
                    raise LLMFailed(f"status {response.status_code}")
                finished = False
                async for line in response.aiter_lines():
                    chunk = _parsed(line)
                    if chunk is None:
                        continue
                    finished = finished or chunk.finish_reason is not None
                    yield chunk
                if not finished:
                    raise LLMFailed("the stream ended before the completion did")
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise LLMUnreachable(type(error).__name__) from None
        except httpx.HTTPError as error:
            raise LLMFailed(type(error).__name__) from None

    async def aclose(self) -> None:
        await self._http.aclose()


def _parsed(line: str) -> Chunk | None:
    """Read one SSE line; None for comments, other fields, blank lines and ``[DONE]``."""
    if line.startswith("error:"):
        raise LLMFailed("the server reported an error inside the stream")
    if not line.startswith("data:"):
        return None
    data = line[len("data:") :].strip()
    if not data or data == "[DONE]":
        return None
    try:
        payload = json.loads(data)
        if "error" in payload:
            raise LLMFailed("the server reported an error inside the stream")
        choices = payload.get("choices") or []
        if not choices:
            return None
        text = (choices[0].get("delta") or {}).get("content") or ""
        finish_reason = choices[0].get("finish_reason")
    except (ValueError, AttributeError, TypeError, KeyError, IndexError):
        raise LLMFailed("a line of the stream is not a chat completion chunk") from None
    if not isinstance(text, str):
        raise LLMFailed("a line of the stream is not a chat completion chunk")
    return Chunk(text, str(finish_reason) if finish_reason else None)


@dataclass
class FakeLLMClient:
    """An LLM client that follows a script, for tests and demonstrations without a model.

    The script's steps are played in order: a string is one delta, a number is a pause in
    seconds, an :class:`LLMError` is raised. After the last step the completion ends with
    ``finish_reason``. ``prompts`` keeps the messages of every call, ``closed_early`` counts
    streams that were abandoned before their end.
    """

    script: Sequence[str | float | LLMError]
    finish_reason: str = "stop"
    model: str = "fake"
    prompts: list[list[ChatMessage]] = field(default_factory=list)
    closed_early: int = 0

    async def stream(
        self, messages: Sequence[ChatMessage], *, person: str = ""
    ) -> AsyncIterator[Chunk]:
        self.prompts.append(list(messages))
        finished = False
        try:
            for step in self.script:
                if isinstance(step, str):
                    yield Chunk(step)
                elif isinstance(step, LLMError):
                    raise step
                else:
                    await asyncio.sleep(step)
            finished = True
            yield Chunk(finish_reason=self.finish_reason)
        finally:
            if not finished:
                self.closed_early += 1

    async def aclose(self) -> None:
        return None
