"""Messages on their way to the open sockets of a sender, in order; kept while there is none."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from typing import Any

MAX_SENDERS = 10_000


class Outbox:
    """One queue for each sender.

    Args:
        deliver: Sends one message to every socket of a sender.
        max_waiting: Messages kept for a sender without an open socket; the oldest go first.
    """

    def __init__(self, deliver: Callable[[str, Any], Awaitable[None]], max_waiting: int) -> None:
        self._deliver = deliver
        self._max_waiting = max_waiting
        self._queues: OrderedDict[str, deque[Any]] = OrderedDict()
        self._sockets: dict[str, set[str]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def put(self, sender_id: str, message: Any) -> None:
        """Queue a message and send it as soon as a socket is open."""
        queue = self._queues.setdefault(sender_id, deque())
        queue.append(message)
        if not self._sockets.get(sender_id):
            while len(queue) > self._max_waiting:
                queue.popleft()
            while len(self._queues) > MAX_SENDERS:
                self._queues.popitem(last=False)
        self._send(sender_id)

    def join(self, sender_id: str, sid: str) -> None:
        """Note an open socket of a sender and send what waits."""
        self._sockets.setdefault(sender_id, set()).add(sid)
        self._send(sender_id)

    def leave(self, sender_id: str, sid: str) -> None:
        """Forget a socket that was closed."""
        sockets = self._sockets.get(sender_id, set())
        sockets.discard(sid)
        if not sockets:
            self._sockets.pop(sender_id, None)

    async def close(self) -> None:
        """Stop sending."""
        for task in list(self._tasks.values()):
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _send(self, sender_id: str) -> None:
        if sender_id in self._tasks or not self._sockets.get(sender_id):
            return
        task = asyncio.get_running_loop().create_task(self._drain(sender_id))
        self._tasks[sender_id] = task

    async def _drain(self, sender_id: str) -> None:
        try:
            queue = self._queues.get(sender_id)
            while queue and self._sockets.get(sender_id):
                await self._deliver(sender_id, queue.popleft())
            if not queue:
                self._queues.pop(sender_id, None)
        finally:
            self._tasks.pop(sender_id, None)
