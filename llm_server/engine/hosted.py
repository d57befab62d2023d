"""A hosted OpenAI-compatible API as the engine."""

import asyncio
import logging
import math
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import httpx

from llm_server.chat_request import LLAMA_CPP_SAMPLING, OPENAI_SAMPLING, ChatRequest
from llm_server.engine.base import EngineState
from llm_server.engine.openai_stream import stream_chat
from llm_server.errors import EngineUnavailable, UnsupportedField
from llm_server.json_log import log
from llm_server.privacy.scrubber import Restorer, Scrubber

_PROBE_EVERY_S, _PROBE_TIMEOUT_S = 15.0, 5.0
_PROBE_EVERY_WHILE_DOWN_S = 2.0


class HostedEngine:
    """Forwards requests; nothing that identifies a client goes with them.

    With ``public_numbers``, personal data in the messages is replaced by placeholders before they
    leave, and put back into the reply. Without, messages leave as they are.

    Models differ in the fields they take (``max_tokens`` or ``max_completion_tokens``, a
    temperature or none): a field that the API refuses by name is renamed or left out from then on.

    Args:
        base_url: the API's root, such as ``https://host/v1``.
        api_key: its key, or ``None``.
        model: the model to ask for; ``None`` asks for the one a client names.
        dialect: ``openai`` sends OpenAI's sampling fields only, ``llama.cpp`` all of them.
        public_numbers: digits of numbers to leave alone, or ``None`` for a server of one's own.
    """

    name = "hosted"

    def __init__(
        self,
        base_url: str,
        api_key: str | None,
        model: str | None,
        dialect: str,
        public_numbers: frozenset[str] | None = None,
    ) -> None:
        self.state = EngineState.STARTING
        self.restarts = 0
        self.model_id = model or "hosted"
        self.context_length: int | None = None
        self.adapters: tuple[str, ...] = ()
        self._base_url = base_url
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._model = model
        self._fields = LLAMA_CPP_SAMPLING if dialect == "llama.cpp" else OPENAI_SAMPLING
        self._public_numbers = public_numbers
        self._limit_field = "max_tokens"
        self._left_out: set[str] = set()
        self._client: httpx.AsyncClient | None = None

    def ready_in_s(self) -> int:
        """See :meth:`Engine.ready_in_s`."""
        return math.ceil(_PROBE_EVERY_WHILE_DOWN_S)

    async def run(self) -> None:
        """Probe the API until cancelled; it may come and go."""
        timeout = httpx.Timeout(None, connect=5.0, pool=5.0)
        async with httpx.AsyncClient(headers=self._headers, timeout=timeout) as client:
            self._client = client
            try:
                while True:
                    state = await self._probe(client)
                    if state is not self.state:
                        log(logging.INFO, "upstream_state", state=state.value)
                        self.state = state
                    ready = state is EngineState.READY
                    await asyncio.sleep(_PROBE_EVERY_S if ready else _PROBE_EVERY_WHILE_DOWN_S)
            finally:
                self._client = None
                self.state = EngineState.STOPPED

    async def stream(self, request: ChatRequest, max_tokens: int) -> AsyncGenerator[dict[str, Any]]:
        """Write one completion; see :meth:`Engine.stream`."""
        if self._client is None:
            raise EngineUnavailable(
                f"the engine is {self.state.value}", retry_after=self.ready_in_s()
            )
        if self._public_numbers is None:
            messages = [message.model_dump() for message in request.messages]
            chunks = self._forward(request, messages, max_tokens)
        else:
            scrubber = Scrubber(self._public_numbers)
            messages = await asyncio.to_thread(scrubber.scrub, request.messages)
            chunks = _restored(self._forward(request, messages, max_tokens), Restorer(scrubber))
        async with aclosing(chunks):
            async for chunk in chunks:
                yield chunk

    async def _forward(
        self, request: ChatRequest, messages: list[dict[str, str]], max_tokens: int
    ) -> AsyncGenerator[dict[str, Any]]:
        assert self._client is not None
        url = f"{self._base_url}/chat/completions"
        while True:
            body = self._body(request, messages, max_tokens)
            try:
                chunks = stream_chat(self._client, url, body, self.context_length)
                async with aclosing(chunks):
                    async for chunk in chunks:
                        yield chunk
                return
            except UnsupportedField as error:
                # Raised before the first chunk only. What cannot be done without ends here.
                if error.param not in body or not self._do_without(error.param):
                    raise

    def _body(
        self, request: ChatRequest, messages: list[dict[str, str]], max_tokens: int
    ) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self._model or request.model or self.model_id,
            "messages": messages,
            self._limit_field: max_tokens,
            "stream": True,
            "stream_options": {"include_usage": True},
            **request.sampling(self._fields),
        }
        return {name: value for name, value in body.items() if name not in self._left_out}

    def _do_without(self, field: str) -> bool:
        """Never send ``field`` again; say whether requests make sense without it."""
        if field == "max_tokens":
            self._limit_field = "max_completion_tokens"
        elif field in self._fields:
            self._left_out.add(field)
        else:
            return False
        log(logging.WARNING, "upstream_refuses_field", field=field)
        return True

    async def _probe(self, client: httpx.AsyncClient) -> EngineState:
        try:
            response = await client.get(f"{self._base_url}/models", timeout=_PROBE_TIMEOUT_S)
        except httpx.HTTPError:
            return EngineState.UNREACHABLE
        # Some APIs have no model list; what counts is that it answers and takes the key.
        refused = response.status_code in (401, 403) or response.status_code >= 500
        return EngineState.UNREACHABLE if refused else EngineState.READY


async def _restored(
    chunks: AsyncGenerator[dict[str, Any]], restorer: Restorer
) -> AsyncGenerator[dict[str, Any]]:
    """The chunks with what the placeholders in their text stand for."""
    async with aclosing(chunks):
        async for chunk in chunks:
            for choice in chunk.get("choices") or []:
                delta = choice.get("delta") or {}
                text = restorer.feed(delta.get("content") or "")
                if choice.get("finish_reason") is not None:
                    text += restorer.rest()
                choice["delta"] = {**delta, "content": text}
            yield chunk
    if rest := restorer.rest():
        yield {"choices": [{"index": 0, "delta": {"content": rest}, "finish_reason": None}]}
