"""A hosted OpenAI-compatible API as the engine."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import httpx

from llm_server.chat_request import LLAMA_CPP_SAMPLING, OPENAI_SAMPLING, ChatRequest
from llm_server.engine.base import EngineState
from llm_server.engine.openai_stream import stream_chat
from llm_server.errors import EngineUnavailable
from llm_server.json_log import log

_PROBE_EVERY_S, _PROBE_TIMEOUT_S = 15.0, 5.0
_PROBE_EVERY_WHILE_DOWN_S = 2.0


class HostedEngine:
    """Forwards requests; nothing that identifies a client goes with them.

    Args:
        base_url: the API's root, such as ``https://host/v1``.
        api_key: its key, or ``None``.
        model: the model to ask for; ``None`` asks for the one a client names.
        dialect: ``openai`` sends OpenAI's sampling fields only, ``llama.cpp`` all of them.
    """

    name = "hosted"

    def __init__(self, base_url: str, api_key: str | None, model: str | None, dialect: str) -> None:
        self.state = EngineState.STARTING
        self.restarts = 0
        self.model_id = model or "hosted"
        self.context_length: int | None = None
        self._base_url = base_url
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._model = model
        self._fields = LLAMA_CPP_SAMPLING if dialect == "llama.cpp" else OPENAI_SAMPLING
        self._client: httpx.AsyncClient | None = None

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
            raise EngineUnavailable(f"the engine is {self.state.value}", retry_after=2)
        body: dict[str, Any] = {
            "model": self._model or request.model or self.model_id,
            "messages": [message.model_dump() for message in request.messages],
            "max_tokens": max_tokens,
            "stream": True,
            "stream_options": {"include_usage": True},
            **request.sampling(self._fields),
        }
        url = f"{self._base_url}/chat/completions"
        chunks = stream_chat(self._client, url, body, self.context_length)
        async with aclosing(chunks):
            async for chunk in chunks:
                yield chunk

    async def _probe(self, client: httpx.AsyncClient) -> EngineState:
        try:
            response = await client.get(f"{self._base_url}/models", timeout=_PROBE_TIMEOUT_S)
        except httpx.HTTPError:
            return EngineState.UNREACHABLE
        # Some APIs have no model list; what counts is that it answers and takes the key.
        refused = response.status_code in (401, 403) or response.status_code >= 500
        return EngineState.UNREACHABLE if refused else EngineState.READY
