"""Completion chunks as clients see them: OpenAI's fields and nothing of the engine's own."""

import json
import time
import uuid
from typing import Any

Chunk = dict[str, Any]


class Completion:
    """One answer, built from engine chunks, as a stream of chunks or as one object.

    Attributes:
        finish_reason: ``stop`` or ``length`` once the engine has said so.
        usage: token counts once the engine has said so.
        has_text: whether any text has arrived.
    """

    def __init__(self, model: str, *, include_usage: bool) -> None:
        self.id = f"chatcmpl-{uuid.uuid4().hex}"
        self.model = model
        self.created = int(time.time())
        self.finish_reason: str | None = None
        self.usage: dict[str, int] | None = None
        self.has_text = False
        self._include_usage = include_usage
        self._parts: list[str] = []

    def add(self, chunk: Chunk) -> Chunk | None:
        """Take in an engine chunk; return the chunk to stream, or ``None`` if there is none."""
        if isinstance(usage := chunk.get("usage"), dict):
            self.usage = {
                name: int(usage.get(name) or 0)
                for name in ("prompt_tokens", "completion_tokens", "total_tokens")
            }
        choices = chunk.get("choices") or []
        if not choices:
            return None
        given = choices[0].get("delta") or {}
        text = given.get("content") or ""
        delta = {"role": "assistant"} if "role" in given else {}
        if text or delta:
            delta["content"] = text
        if text:
            self.has_text = True
            self._parts.append(text)
        finish = choices[0].get("finish_reason")
        if finish is not None:
            self.finish_reason = str(finish)
        elif not delta:
            return None
        return self._chunk([{"index": 0, "delta": delta, "finish_reason": finish}])

    def usage_chunk(self) -> Chunk | None:
        """The last chunk of a stream whose client asked for usage."""
        if not self._include_usage or self.usage is None:
            return None
        return {**self._chunk([]), "usage": self.usage}

    def as_object(self) -> dict[str, Any]:
        """The whole answer as one ``chat.completion``."""
        whole: dict[str, Any] = {
            "id": self.id,
            "object": "chat.completion",
            "created": self.created,
            "model": self.model,
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": "".join(self._parts)},
                    "finish_reason": self.finish_reason or "stop",
                }
            ],
        }
        if self.usage is not None:
            whole["usage"] = self.usage
        return whole

    def _chunk(self, choices: list[dict[str, Any]]) -> Chunk:
        return {
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "choices": choices,
        }


def sse(document: dict[str, Any]) -> bytes:
    """One server-sent event; the JSON is ASCII, so no line break can hide in it."""
    return b"data: " + json.dumps(document, separators=(",", ":")).encode("ascii") + b"\n\n"


SSE_DONE = b"data: [DONE]\n\n"
