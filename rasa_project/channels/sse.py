"""Server-sent events on the wire: writing ours to a client, reading the action server's."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

from sanic.request import Request

from channels.event_log import Event

CONTENT_TYPE = "text/event-stream; charset=utf-8"
HEARTBEAT = ": still here\n\n"
HEADERS = {
    "Cache-Control": "no-store, no-transform",
    "X-Accel-Buffering": "no",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class ServerSentEvent(NamedTuple):
    """One event read from a stream."""

    name: str
    data: str


def format_event(event: Event) -> str:
    """Return an event as text: ``event:``, ``id:`` and one JSON ``data:`` line."""
    return f"event: {event.name}\nid: {event.id}\ndata: {json.dumps(event.data)}\n\n"


def format_detached(name: str, event_id: int, data: dict[str, Any]) -> str:
    """Return an event that belongs to one reader only and is in no log."""
    return f"event: {name}\nid: {event_id}\ndata: {json.dumps(data)}\n\n"


async def send_stream(
    request: Request, events: AsyncIterator[Event | None], first: str = ""
) -> None:
    """Answer ``request`` with a stream of events, a comment where the iterator yields ``None``.

    Args:
        request: The request to answer.
        events: What to send.
        first: Text sent before the events; the headers leave with it.
    """
    answer = await request.respond(content_type=CONTENT_TYPE, headers=dict(HEADERS))
    await answer.send(first + HEARTBEAT)
    async for event in events:
        await answer.send(HEARTBEAT if event is None else format_event(event))
    await answer.eof()


class EventParser:
    """Turns the lines of a stream into events; keeps the lines of an unfinished one."""

    def __init__(self) -> None:
        self._name = "message"
        self._data: list[str] = []

    def line(self, raw: bytes) -> ServerSentEvent | None:
        """Take one line with or without its line end; return an event if it is complete."""
        text = raw.decode("utf-8", errors="replace").rstrip("\r\n")
        if not text:
            name, data = self._name, self._data
            self._name, self._data = "message", []
            return ServerSentEvent(name, "\n".join(data)) if data else None
        key, _, value = text.partition(":")
        value = value[1:] if value.startswith(" ") else value
        if key == "event":
            self._name = value
        elif key == "data":
            self._data.append(value)
        return None
