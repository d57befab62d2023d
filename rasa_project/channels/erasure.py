"""Erasing a conversation from the tracker store."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from channels.errors import Unavailable


async def erase_tracker(agent: Any, sender_id: str) -> None:
    """Delete everything the tracker store holds of a sender, under the conversation lock.

    A store that keeps more than Rasa's ``events`` table offers a coroutine method
    ``erase(sender_id)``, which is then used instead.

    Raises:
        Unavailable: No agent is loaded, or the tracker store cannot erase.
    """
    if agent is None or not agent.is_ready():
        raise Unavailable("No model is loaded.", retry_after_s=5)
    async with agent.lock_store.lock(sender_id):
        store: Any = agent.tracker_store
        while True:
            fallback = getattr(store, "_fallback_tracker_store", None)
            if fallback is not None:
                await _erase_from(fallback, sender_id)
            inner = getattr(store, "_tracker_store", None)
            if inner is None:
                break
            store = inner
        await _erase_from(store, sender_id)


async def _erase_from(store: Any, sender_id: str) -> None:
    if callable(getattr(store, "erase", None)):
        await store.erase(sender_id)
    elif hasattr(store, "session_scope"):
        _erase_rows(store, sender_id)
    elif isinstance(getattr(store, "store", None), dict):
        store.store.pop(sender_id, None)
    else:
        raise Unavailable(f"The tracker store {type(store).__name__} cannot erase.")


def _erase_rows(store: Any, sender_id: str) -> None:
    is_sqlite = store.engine.dialect.name == "sqlite"
    with store.session_scope() as session:
        if is_sqlite:
            session.execute(sa.text("PRAGMA secure_delete = ON"))
        session.query(store.SQLEvent).filter(store.SQLEvent.sender_id == sender_id).delete(
            synchronize_session=False
        )
        session.commit()
        if is_sqlite:
            session.execute(sa.text("PRAGMA wal_checkpoint(TRUNCATE)"))
            session.commit()
