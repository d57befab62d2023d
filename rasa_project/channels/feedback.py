"""Where "that helped" and "that did not" are kept: ``<var_dir>/feedback.db`` (SQLite)."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import closing
from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS feedback (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    sender_id TEXT NOT NULL,
    message_id TEXT NOT NULL,
    helpful INTEGER NOT NULL,
    comment TEXT,
    created_at REAL NOT NULL,
    UNIQUE (sender_id, message_id)
)
"""
_UPSERT = """
INSERT INTO feedback (sender_id, message_id, helpful, comment, created_at)
VALUES (?, ?, ?, ?, ?)
ON CONFLICT (sender_id, message_id) DO UPDATE SET
    helpful = excluded.helpful, comment = COALESCE(excluded.comment, feedback.comment)
"""


class FeedbackStore:
    """One judgement for each bot message of a sender; a second one replaces the first.

    Args:
        path: The database file; made with its folder on first use.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    async def put(
        self, sender_id: str, message_id: str, helpful: bool, comment: str | None
    ) -> None:
        """Store a judgement; ``comment=None`` keeps an earlier comment."""
        row = (sender_id, message_id, int(helpful), comment, time.time())
        await asyncio.to_thread(self._execute, _UPSERT, row)

    async def erase(self, sender_id: str) -> None:
        """Delete everything that a sender gave."""
        if self._path.exists():
            await asyncio.to_thread(
                self._execute, "DELETE FROM feedback WHERE sender_id = ?", (sender_id,)
            )

    def _execute(self, statement: str, row: tuple) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(self._path, timeout=5)) as database:
            database.execute("PRAGMA secure_delete = ON")
            database.execute(_SCHEMA)
            with database:
                database.execute(statement, row)
