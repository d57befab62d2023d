"""Conversation locks that hand over within 50 ms and outlive the longest turn.

Rasa's waiters poll once a second and a lock lives 60 s; after expiry a second turn runs beside
the first and its user message is lost.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import AsyncGenerator, Optional

from rasa.core.lock import TicketLock
from rasa.core.lock_store import InMemoryLockStore
from rasa.utils.endpoints import EndpointConfig

LOCK_LIFETIME_S = 180.0
POLL_INTERVAL_S = 0.05


class PromptLockStore(InMemoryLockStore):
    """In-memory ticket locks for one Rasa process, polled every 50 ms."""

    def __init__(self, endpoint_config: Optional[EndpointConfig] = None) -> None:
        super().__init__()

    @asynccontextmanager
    async def lock(
        self,
        conversation_id: str,
        lock_lifetime: float = LOCK_LIFETIME_S,
        wait_time_in_seconds: float = POLL_INTERVAL_S,
    ) -> AsyncGenerator[TicketLock, None]:
        """See `LockStore.lock`; only the defaults differ."""
        async with super().lock(conversation_id, lock_lifetime, wait_time_in_seconds) as ticket:
            yield ticket
