"""Turns what the bot says in one turn into channel events."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from rasa.core.channels.channel import OutputChannel

from channels.settings import PAYLOAD_PATTERN

Emit = Callable[[str, dict[str, Any]], None]

SCRIPTED = "scripted"
LINK_PATTERN = re.compile(r"(tel:|sms:|https://)", re.IGNORECASE)
METADATA_KEYS = ("source", "flow", "reply_id", "card", "country")


class TurnOutput(OutputChannel):
    """Output channel of one turn.

    A bot message becomes a ``message`` event, whole, however many blank lines it has; one whose
    text was already streamed becomes ``stream_end``.

    Args:
        channel: Name of the channel, which selects channel-specific responses in the domain.
        message_id: Id of the person's message; the turn's stream has the same id, and its n-th
            other bot message has the id ``<message_id>.<n>``.
        emit: Takes the name and the data of each event.
    """

    def __init__(self, channel: str, message_id: str, emit: Emit) -> None:
        self._channel = channel
        self._message_id = message_id
        self._emit = emit
        self._streamed = ""
        self._stream_closed = False
        self._spoken = 0
        self.is_slow = False
        """Whether a message was marked `pace: slow`: what comes next may wait a little."""

    def name(self) -> str:  # type: ignore[override]
        """Return the name of the channel that this output belongs to."""
        return self._channel

    @property
    def has_spoken(self) -> bool:
        """Whether the person has been sent anything in this turn."""
        return self._spoken > 0 or bool(self._streamed)

    @property
    def is_streaming(self) -> bool:
        """Whether a stream was started and not yet ended."""
        return bool(self._streamed) and not self._stream_closed

    def chunk(self, text: str) -> None:
        """Pass on a delta of the text being written; ignored once the whole text is out."""
        if not text or self._stream_closed:
            return
        if not self._streamed:
            self._emit("stream_start", {"id": self._message_id})
        self._streamed += text
        self._emit("stream_chunk", {"id": self._message_id, "text": text})

    async def send_response(self, recipient_id: str, message: dict[str, Any]) -> None:
        """Take one bot message from Rasa."""
        text = message.get("text")
        if not isinstance(text, str) or not text.strip():
            return
        self.is_slow = self.is_slow or _metadata(message).get("pace") == "slow"
        details = event_details(message)
        belongs_to_stream = _metadata(message).get("stream_id") == self._message_id
        if belongs_to_stream and self.is_streaming:
            self._end_stream(text, details)
            return
        if self.is_streaming:
            self._end_stream(self._streamed, {"source": "llm"})
        message_id = self._message_id
        if not belongs_to_stream or self._streamed:
            message_id = f"{self._message_id}.{self._spoken}"
        if belongs_to_stream:
            self._stream_closed = True
        self._spoken += 1
        self._emit("message", {"id": message_id, "text": text, **details})

    async def send_text_message(self, recipient_id: str, text: str, **kwargs: Any) -> None:
        """Send a text whole, without splitting it at blank lines."""
        await self.send_response(recipient_id, {"text": text, **kwargs})

    def break_off(self) -> None:
        """End a stream whose final text never came with the text so far."""
        if self.is_streaming:
            self._end_stream(self._streamed, {"source": "llm"})

    def _end_stream(self, text: str, details: dict[str, Any]) -> None:
        self._stream_closed = True
        self._spoken += 1
        self._emit("stream_end", {"id": self._message_id, "text": text, **details})


def event_details(message: dict[str, Any]) -> dict[str, Any]:
    """Return what a client may know of a bot message besides its text.

    That is ``source`` (``scripted`` unless said otherwise), ``flow``, ``reply_id``, ``card``,
    ``country`` (beside a card) and ``buttons``; any other metadata stays inside.
    """
    metadata = _metadata(message)
    details: dict[str, Any] = {"source": SCRIPTED}
    details.update({key: metadata[key] for key in METADATA_KEYS if metadata.get(key) is not None})
    buttons = _buttons(message)
    if buttons:
        details["buttons"] = buttons
    return details


def _metadata(message: dict[str, Any]) -> dict[str, Any]:
    nested: Any | None = message.get("metadata")
    return {**nested, **message} if isinstance(nested, dict) else message


def _buttons(message: dict[str, Any]) -> list[dict[str, str]]:
    offered = (message.get("buttons") or []) + (message.get("quick_replies") or [])
    return [button for button in map(_button, offered) if button]


def _button(offered: Any) -> dict[str, str] | None:
    """Return ``{"title", "payload"}``, or ``{"title", "url"}`` for a link; ``None`` if neither."""
    if not isinstance(offered, dict) or not isinstance(offered.get("title"), str):
        return None
    payload, url = offered.get("payload"), offered.get("url")
    if isinstance(url, str) and LINK_PATTERN.match(url):
        return {"title": offered["title"], "url": url}
    if isinstance(payload, str) and PAYLOAD_PATTERN.fullmatch(payload):
        return {"title": offered["title"], "payload": payload}
    return None
