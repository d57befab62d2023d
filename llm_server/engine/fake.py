"""An engine for tests: deterministic text, one word at a time, as slow as asked.

It knows nothing of what it is asked and must never meet a person; the settings refuse it unless
``STILLPOINT_TESTING=1``.
"""

import asyncio
import re
import time
from collections.abc import AsyncGenerator
from typing import Any

from llm_server.chat_request import ChatRequest
from llm_server.engine.base import EngineState
from llm_server.errors import ContextTooLong

_CONTEXT_TOKENS = 4096


class FakeEngine:
    """Implements :class:`~llm_server.engine.base.Engine` without a model.

    A "token" is a word with the space before it. ``stop`` and ``max_tokens`` are honoured.

    Args:
        reply: the text of every completion.
        delay_ms: pause before each token after the first.
        first_delay_ms: pause before the first token.
    """

    name = "fake"

    def __init__(self, reply: str, delay_ms: int, first_delay_ms: int) -> None:
        self.state = EngineState.STARTING
        self.restarts = 0
        self.model_id = "fake"
        self.context_length: int | None = _CONTEXT_TOKENS
        self.adapters: tuple[str, ...] = ()
        self.generating = 0
        self._reply = reply
        self._delay_s = delay_ms / 1000
        self._first_delay_s = first_delay_ms / 1000

    def ready_in_s(self) -> int:
        """See :meth:`Engine.ready_in_s`."""
        return 1

    async def run(self) -> None:
        """Be ready until cancelled."""
        self.state = EngineState.READY
        try:
            await asyncio.Event().wait()
        finally:
            self.state = EngineState.STOPPED

    async def stream(self, request: ChatRequest, max_tokens: int) -> AsyncGenerator[dict[str, Any]]:
        """Write the reply; see :meth:`Engine.stream`."""
        prompt_tokens = sum(len(_words(message.content)) for message in request.messages)
        if prompt_tokens >= _CONTEXT_TOKENS:
            raise ContextTooLong(
                f"the prompt has {prompt_tokens} tokens, the context is {_CONTEXT_TOKENS} tokens",
                param="messages",
            )
        self.generating += 1
        try:
            tokens = _words(_before_stop(self._reply, request.stop or []))
            written = tokens[:max_tokens]
            for number, token in enumerate(written):
                await asyncio.sleep(self._delay_s if number else self._first_delay_s)
                delta = {"content": token} if number else {"role": "assistant", "content": token}
                yield _chunk([{"index": 0, "delta": delta, "finish_reason": None}])
            reason = "stop" if len(written) == len(tokens) else "length"
            yield _chunk([{"index": 0, "delta": {}, "finish_reason": reason}])
            yield {
                **_chunk([]),
                "usage": {
                    "prompt_tokens": prompt_tokens,
                    "completion_tokens": len(written),
                    "total_tokens": prompt_tokens + len(written),
                },
            }
        finally:
            self.generating -= 1


def _words(text: str) -> list[str]:
    return re.findall(r"\s*\S+\s*$|\s*\S+", text)


def _before_stop(text: str, stops: list[str]) -> str:
    cuts = [at for stop in stops if (at := text.find(stop)) >= 0]
    return text[: min(cuts)] if cuts else text


def _chunk(choices: list[dict[str, Any]]) -> dict[str, Any]:
    return {"object": "chat.completion.chunk", "created": int(time.time()), "choices": choices}
