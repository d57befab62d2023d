"""Admission control: who generates now, who waits, and who is turned away.

At most ``slots`` generations run. Up to ``queue_limit`` requests wait, first come first served
within a client and in turns between clients: next is who runs least, and among equals who was
served longest ago. A newcomer counts as served when it came, so that ever new clients cannot
starve one that waits.
When the queue is full, a client with fewer waiting requests takes the newest place of the
client that holds the most.
"""

import asyncio
import math
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from llm_server.errors import EngineUnavailable, Overloaded

_REMEMBERED = 4096


class Admission:
    """Hands out slots. Belongs to one event loop.

    Args:
        slots: generations that run at once.
        queue_limit: requests that may wait.
        wait_s: longest wait in seconds.
    """

    def __init__(self, slots: int, queue_limit: int, wait_s: float) -> None:
        self.slots = slots
        self.queue_limit = queue_limit
        self.wait_s = wait_s
        self.rejected: Counter[str] = Counter({"queue_full": 0, "queue_wait": 0, "stopping": 0})
        self._running: Counter[str] = Counter()
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        self._served: OrderedDict[str, int] = OrderedDict()
        self._turn = 0
        self._mean_s = 2.0
        self._closed = False

    @property
    def running(self) -> int:
        """Generations that hold a slot."""
        return self._running.total()

    @property
    def queued(self) -> int:
        """Requests that wait for a slot."""
        return sum(len(line) for line in self._waiting.values())

    @asynccontextmanager
    async def slot(self, client: str) -> AsyncIterator[None]:
        """Hold a slot for the body of the ``async with``; leaving it, however, frees the slot.

        Raises:
            Overloaded: no slot and no place in the queue, or none within ``wait_s``.
            EngineUnavailable: the server is stopping.
        """
        await self._acquire(client)
        started = asyncio.get_running_loop().time()
        try:
            yield
        finally:
            took = asyncio.get_running_loop().time() - started
            self._mean_s += 0.2 * (took - self._mean_s)
            self._release(client)

    def close(self) -> None:
        """Refuse new requests and send the waiting ones away."""
        self._closed = True
        for line in self._waiting.values():
            for waiter in line:
                if not waiter.done():
                    waiter.set_exception(self._stopping())
        self._waiting.clear()

    async def _acquire(self, client: str) -> None:
        if self._closed:
            raise self._stopping()
        if self.running < self.slots and not self._waiting:
            self._serve(client)
            return
        if self.queued >= self.queue_limit and not self._make_room_for(client):
            raise self._overloaded("queue_full")
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._served.setdefault(client, self._turn)
        self._waiting.setdefault(client, deque()).append(waiter)
        try:
            async with asyncio.timeout(self.wait_s):
                await waiter
        except BaseException as error:
            self._leave(client, waiter)
            if isinstance(error, TimeoutError):
                raise self._overloaded("queue_wait") from None
            raise

    def _leave(self, client: str, waiter: asyncio.Future[None]) -> None:
        """A waiter gives up: free its place, or its slot if it was handed one just now."""
        line = self._waiting.get(client)
        if line is not None and waiter in line:
            line.remove(waiter)
            if not line:
                del self._waiting[client]
        elif waiter.done() and not waiter.cancelled() and waiter.exception() is None:
            self._release(client)

    def _release(self, client: str) -> None:
        self._running[client] -= 1
        if not self._running[client]:
            del self._running[client]
        while self.running < self.slots and self._waiting:
            # min() takes the first of equals: who joined the queue first.
            turn = min(self._waiting, key=lambda name: (self._running[name], self._served[name]))
            line = self._waiting[turn]
            waiter = line.popleft()
            if not line:
                del self._waiting[turn]
            if not waiter.done():
                waiter.set_result(None)
                self._serve(turn)

    def _serve(self, client: str) -> None:
        self._running[client] += 1
        self._turn += 1
        self._served[client] = self._turn
        self._served.move_to_end(client)
        while len(self._served) > _REMEMBERED and next(iter(self._served)) not in self._waiting:
            self._served.popitem(last=False)

    def _make_room_for(self, client: str) -> bool:
        if not self._waiting:
            return False
        longest = max(self._waiting, key=lambda name: len(self._waiting[name]))
        if len(self._waiting[longest]) <= len(self._waiting.get(client, ())) + 1:
            return False
        waiter = self._waiting[longest].pop()
        if not waiter.done():
            waiter.set_exception(self._overloaded("queue_full"))
        return True

    def retry_after(self) -> int:
        """Seconds until everybody who waits now is likely to be served, from recent times.

        Nobody waits longer than ``wait_s``, so the queue is empty by then at the latest.
        """
        expected = (self.queued + 1) / self.slots * self._mean_s
        return max(1, math.ceil(min(expected, self.wait_s)))

    def _overloaded(self, reason: str) -> Overloaded:
        self.rejected[reason] += 1
        return Overloaded(
            "all slots and places in the queue are taken; try again later",
            retry_after=self.retry_after(),
        )

    def _stopping(self) -> EngineUnavailable:
        self.rejected["stopping"] += 1
        return EngineUnavailable("the server is stopping", retry_after=5)
