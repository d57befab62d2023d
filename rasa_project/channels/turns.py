"""Runs the turns of every conversation of a channel: one at a time for each sender, each in a
task of its own, so that a client that goes away never ends a turn.

A message of risk level moderate or above is answered before the others that wait, and cancels a
turn of the same sender that is still being written. After a reply marked `pace: slow` (misuse that
goes on) the sender's next message waits a little, unless it is such a message.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import structlog
from rasa.core.channels.channel import UserMessage

from channels import screening
from channels.actions_client import ActionsClient
from channels.errors import TooManyRequests
from channels.interruption import interrupt
from channels.no_answer import no_answer_message
from channels.output import TurnOutput

log = structlog.get_logger(__name__)

OnNewMessage = Callable[[UserMessage], Awaitable[Any]]
TURN_FAILED = {"code": "turn_failed", "message": "The answer broke off. Please try again."}


@dataclass(eq=False)
class Turn:
    """One message of a person and everything said in answer to it.

    Attributes:
        sender_id: Whose conversation.
        text: Free text, or the payload of a button.
        message_id: Unguessable id; also the key of the action server's side stream.
        output: Where the answer goes.
        metadata: Stored with the message in the tracker (``country``, ``language``).
        streams: Whether to forward the text while it is written.
        urgent: Whether the risk gate judged it moderate or above; known once submitted.
        interrupted: Whether it was cancelled in favour of an urgent turn.
        finished: Set when its last event is out.
    """

    sender_id: str
    text: str
    message_id: str
    output: TurnOutput
    emit: Callable[[str, dict[str, Any]], None]
    metadata: dict[str, Any] | None = None
    streams: bool = False
    parse_data: dict[str, Any] | None = None
    urgent: bool = False
    interrupted: bool = False
    finished: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


@dataclass(eq=False)
class _Line:
    """The turns of one sender: the one that runs and those that wait."""

    waiting: deque[Turn] = field(default_factory=deque)
    running: Turn | None = None
    idle: asyncio.Event = field(default_factory=asyncio.Event)
    hurry: asyncio.Event = field(default_factory=asyncio.Event)

    def __len__(self) -> int:
        return len(self.waiting) + (self.running is not None)

    def join(self, turn: Turn) -> None:
        """Queue a turn; an urgent one goes before those that are not."""
        place = len(self.waiting)
        if turn.urgent:
            self.hurry.set()
            place = sum(1 for other in self.waiting if other.urgent)
        self.waiting.insert(place, turn)


class Turns:
    """Takes the messages of one channel and sees each through to its ``done`` event.

    Args:
        channel: Name of the channel.
        on_new_message: Rasa's handler; takes the conversation lock and runs the turn.
        agent: Returns the agent that is loaded now, or ``None``.
        actions: The action server's side channel.
        max_pending: Turns of one sender that may run and wait together.
        timeout_s: Seconds after which a turn is given up.
        slow_s: Seconds that the next message waits after a reply marked `pace: slow`.
    """

    def __init__(
        self,
        channel: str,
        on_new_message: OnNewMessage,
        agent: Callable[[], Any],
        actions: ActionsClient,
        *,
        max_pending: int,
        timeout_s: float,
        slow_s: float = 0.0,
    ) -> None:
        self._channel = channel
        self._on_new_message = on_new_message
        self._agent = agent
        self._actions = actions
        self._max_pending = max_pending
        self._timeout_s = timeout_s
        self._slow_s = slow_s
        self._slow_until: dict[str, float] = {}
        self._lines: dict[str, _Line] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False

    async def submit(self, turn: Turn) -> None:
        """Parse a message once, and run or queue its turn; return without waiting for it.

        Raises:
            TooManyRequests: Too many turns of this sender wait already, and this one is not
                urgent.
        """
        turn.parse_data = await screening.parse(self._agent(), turn.text)
        turn.urgent = screening.is_urgent(turn.parse_data)
        line = self._lines.get(turn.sender_id)
        if line is not None and len(line) >= self._max_pending and not turn.urgent:
            raise TooManyRequests("Please wait for the answer first.", retry_after_s=2)
        if line is None:
            line = self._lines[turn.sender_id] = _Line()
            self._spawn(self._serve(turn.sender_id, line))
        line.join(turn)
        running = line.running
        if turn.urgent and running and not running.urgent and not running.interrupted:
            running.interrupted = True
            self._spawn(interrupt(running, self._agent, self._actions))

    def is_busy(self, sender_id: str) -> bool:
        """Tell whether a turn of this sender runs or waits."""
        return sender_id in self._lines

    async def wait_idle(self, sender_id: str) -> None:
        """Wait until no turn of this sender runs or waits."""
        while sender_id in self._lines:
            await self._lines[sender_id].idle.wait()

    async def close(self, grace_s: float = 1.0) -> None:
        """Let running turns end for ``grace_s``, then cancel what is left."""
        self._closing = True
        for line in self._lines.values():
            line.waiting.clear()
            line.hurry.set()
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=grace_s)
        for task in set(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._actions.close()

    def _spawn(self, work: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _serve(self, sender_id: str, line: _Line) -> None:
        try:
            while line.waiting and not self._closing:
                await self._wait_if_slow(sender_id, line)
                if not line.waiting:
                    break
                turn = line.running = line.waiting.popleft()
                turn.task = self._spawn(self._run(turn))
                await asyncio.wait({turn.task})
                line.running = None
                if turn.output.is_slow and self._slow_s:
                    self._slow_down(sender_id)
        finally:
            del self._lines[sender_id]
            line.idle.set()

    def _slow_down(self, sender_id: str) -> None:
        now = time.monotonic()
        self._slow_until = {s: until for s, until in self._slow_until.items() if until > now}
        self._slow_until[sender_id] = now + self._slow_s

    async def _wait_if_slow(self, sender_id: str, line: _Line) -> None:
        """Wait out what is left of a slow-down; an urgent message ends it at once."""
        left = self._slow_until.get(sender_id, 0.0) - time.monotonic()
        if left <= 0 or self._closing:
            return
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(line.hurry.wait(), left)
        self._slow_until.pop(sender_id, None)

    async def _run(self, turn: Turn) -> None:
        started = time.monotonic()
        stream = None
        if turn.streams and not turn.urgent:
            stream = self._spawn(self._forward(turn))
        failure: str | None = None
        try:
            await asyncio.wait_for(self._on_new_message(self._user_message(turn)), self._timeout_s)
        except asyncio.CancelledError:
            failure = "cancelled"
        except Exception as error:
            failure = type(error).__name__
        finally:
            if stream is not None:
                stream.cancel()
        await self._finish(turn, failure)
        log.info(
            "channel.turn.finished",
            channel=self._channel,
            message_id=turn.message_id,
            urgent=turn.urgent,
            interrupted=turn.interrupted,
            failure=failure,
            ms=round((time.monotonic() - started) * 1000),
        )

    async def _finish(self, turn: Turn, failure: str | None) -> None:
        try:
            broke_off = turn.output.is_streaming
            turn.output.break_off()
            if not turn.output.has_spoken and not turn.interrupted:
                message = await no_answer_message(
                    self._agent(), turn.sender_id, self._channel, turn.metadata
                )
                await turn.output.send_response(turn.sender_id, message)
            elif not turn.interrupted and (failure or broke_off):
                turn.emit("error", dict(TURN_FAILED))
        finally:
            turn.emit("done", {})
            turn.finished.set()

    async def _forward(self, turn: Turn) -> None:
        async for delta in self._actions.chunks(turn.message_id):
            turn.output.chunk(delta)

    def _user_message(self, turn: Turn) -> UserMessage:
        return UserMessage(
            turn.text,
            turn.output,
            turn.sender_id,
            parse_data=turn.parse_data,  # type: ignore[arg-type]
            input_channel=self._channel,
            message_id=turn.message_id,
            metadata=turn.metadata,
        )
