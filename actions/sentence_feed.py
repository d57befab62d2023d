"""Complete sentences of a completion, awaited with a deadline and a cancel.

The completion is read by a task of its own, so that waiting can end at once without waiting
for the LLM connection to close.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import TracebackType

from actions.errors import LLMError
from actions.llm_client import Chunk
from actions.sentences import SentenceSplitter

_PENDING_LIMIT = 600

# asyncio keeps only weak references to tasks; those still closing their connection stay here.
_closing: set[asyncio.Task[None]] = set()


class Stopped(Exception):
    """The completion ended early; ``str()`` is the ``fallback_reason``, "" for a cancel."""


class SentenceFeed:
    """A context manager around one running completion; leaving it abandons the completion."""

    def __init__(self, completion: AsyncIterator[Chunk], cancelled: asyncio.Event) -> None:
        self._completion = completion
        self._cancelled = cancelled
        self._items: asyncio.Queue[str | Stopped | None] = asyncio.Queue()

    def __enter__(self) -> SentenceFeed:
        self._tasks = (
            asyncio.create_task(self._read()),
            asyncio.create_task(self._watch_for_cancel()),
        )
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for task in self._tasks:
            _closing.add(task)
            task.add_done_callback(_closing.discard)
            task.cancel()

    async def next(self, timeout_s: float) -> str | None:
        """The next complete sentence, or None at the end of the completion.

        Raises:
            Stopped: "slow" after ``timeout_s``, the LLM error's reason, "" after a cancel.
        """
        try:
            item = await asyncio.wait_for(self._items.get(), max(timeout_s, 0.0))
        except TimeoutError:
            raise Stopped("" if self._cancelled.is_set() else "slow") from None
        if self._cancelled.is_set():
            raise Stopped("")
        if isinstance(item, Stopped):
            raise item
        return item

    async def _watch_for_cancel(self) -> None:
        await self._cancelled.wait()
        self._items.put_nowait(None)

    async def _read(self) -> None:
        """Put sentences, then None; an error of any kind is put as the reason to stop.

        When the completion was cut for length, its unfinished last sentence is dropped,
        unless it is the only one.
        """
        splitter = SentenceSplitter()
        count = 0
        is_cut = False
        try:
            async for chunk in self._completion:
                for sentence in splitter.feed(chunk.text):
                    count += 1
                    self._items.put_nowait(sentence)
                if len(splitter.pending) > _PENDING_LIMIT:
                    raise Stopped("refused:too_long")
                is_cut = is_cut or chunk.finish_reason == "length"
            if not (is_cut and count):
                for sentence in splitter.flush():
                    self._items.put_nowait(sentence)
            self._items.put_nowait(None)
        except Stopped as stop:
            self._items.put_nowait(stop)
        except LLMError as error:
            self._items.put_nowait(Stopped(error.fallback_reason))
        except Exception:
            self._items.put_nowait(Stopped("error"))
        finally:
            close = getattr(self._completion, "aclose", None)
            if close is not None:
                await close()
