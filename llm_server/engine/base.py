"""The interface that every engine implements."""

from collections.abc import AsyncGenerator
from enum import StrEnum
from typing import Any, Protocol

from llm_server.chat_request import ChatRequest


class EngineState(StrEnum):
    """Where an engine stands; only ``READY`` answers requests."""

    STARTING = "starting"
    READY = "ready"
    RESTARTING = "restarting"
    UNREACHABLE = "unreachable"
    STOPPED = "stopped"


class Engine(Protocol):
    """Writes completions.

    Attributes:
        name: the engine's name in ``/health`` and the logs.
        state: see :class:`EngineState`.
        restarts: how often the engine was started again.
        model_id: the model's name in answers and ``/v1/models``.
        context_length: tokens of prompt and completion together, or ``None`` if unknown.
        adapters: names of the LoRA adapters that a request may ask for.
    """

    name: str
    state: EngineState
    restarts: int
    model_id: str
    context_length: int | None
    adapters: tuple[str, ...]

    def ready_in_s(self) -> int:
        """While not ready: whole seconds until another try is worth it, at least 1."""
        ...

    async def run(self) -> None:
        """Keep the engine alive until cancelled, then leave nothing of it behind.

        Raises:
            EngineStartError: it has never been ready and cannot become so.
        """
        ...

    def stream(self, request: ChatRequest, max_tokens: int) -> AsyncGenerator[dict[str, Any]]:
        """Write one completion as OpenAI chunks; closing the generator ends the generation.

        Raises:
            ApiError: from the first step if the engine refuses, from a later one if it breaks.
        """
        ...
