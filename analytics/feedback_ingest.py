"""Taking the page's "that helped / that did not" into ``reply_rating``.

The channel's ``feedback`` table has one row for each rated message; a changed mind changes the
row in place. The newest rows are therefore read again on each poll, and all of them at start.
"""

from __future__ import annotations

import logging
import time
from typing import Any

import sqlalchemy as sa

from analytics.models import BadEvent, Person, ReplyRating
from analytics.pseudonym import Pseudonyms
from analytics.rasa_event import UNNAMED, name, number, storable
from analytics.read_only import is_there, read_only_engine
from analytics.store import FEEDBACK, Store, set_watermark

log = logging.getLogger(__name__)

ROWS = sa.table(
    "feedback",
    *(
        sa.column(column)
        for column in ("id", "sender_id", "message_id", "helpful", "comment", "created_at")
    ),
)
REREAD_ROWS = 1000


class FeedbackIngest:
    """Keeps ``reply_rating`` equal to the channel's feedback.

    Args:
        url: The feedback database; it may not exist yet.
        store: Where ratings go.
        pseudonyms: Who is who.
        store_text: Keep comments.
    """

    def __init__(self, url: sa.URL, store: Store, pseudonyms: Pseudonyms, store_text: bool) -> None:
        self._url = url
        self._engine = read_only_engine(url)
        self._store = store
        self._pseudonyms = pseudonyms
        self._store_text = store_text
        self._last_read: list[tuple[Any, ...]] | None = None

    def poll(self) -> int:
        """Take what is new or changed; gives the number of ratings written.

        Raises:
            sqlalchemy.exc.DBAPIError: a database fails.
        """
        rows = self.read(everything=self._last_read is None)
        if rows is None or rows == self._last_read:
            return 0
        written = self._take(rows) if rows else 0
        # The first read was of everything: compare the next with the newest rows only.
        self._last_read = rows[-REREAD_ROWS:]
        return written

    def read(self, everything: bool = True) -> list[tuple[Any, ...]] | None:
        """Rows by id, the newest or all; None if there is no feedback database."""
        if not is_there(self._engine, self._url, "feedback"):
            return None
        query = sa.select(ROWS).order_by(ROWS.c.id.desc())
        with self._engine.connect() as connection:
            found = connection.execute(query if everything else query.limit(REREAD_ROWS))
            return [tuple(row) for row in reversed(found.all())]

    def rating(self, row: tuple[Any, ...]) -> tuple[dict[str, Any] | None, str | None]:
        """A row as values of ``reply_rating``, or why it is none."""
        _, sender_id, message_id, helpful, comment, created_at = row
        if not isinstance(sender_id, str) or not sender_id:
            return None, "sender_id is not a text"
        if name(message_id) in (None, UNNAMED):
            return None, "message_id is not a name"
        if helpful not in (0, 1):
            return None, "helpful is not true or false"
        rated_at = number(created_at)
        if rated_at is None:
            return None, "created_at is not a number"
        return {
            "person_id": self._pseudonyms.of(sender_id),
            "message_id": message_id,
            "helpful": bool(helpful),
            "rated_at": rated_at,
            "comment": storable(comment) if self._store_text else None,
        }, None

    def close(self) -> None:
        """Give back the connections."""
        self._engine.dispose()

    def _take(self, rows: list[tuple[Any, ...]]) -> int:
        written = 0
        with self._store.writing(FEEDBACK) as (connection, watermark):
            for row in rows:
                values, reason = self.rating(row)
                if values is None:
                    self._put_aside(connection, row, str(reason))
                else:
                    written += _write(connection, values)
            set_watermark(connection, FEEDBACK, max(watermark, rows[-1][0]))
        return written

    def _put_aside(self, connection: sa.Connection, row: tuple[Any, ...], reason: str) -> None:
        key = {"source": FEEDBACK, "row_id": row[0]}
        if connection.execute(sa.select(BadEvent.row_id).filter_by(**key)).first():
            return
        is_sender = isinstance(row[1], str) and bool(row[1])
        aside = {
            **key,
            "person_id": self._pseudonyms.of(row[1]) if is_sender else None,
            "type": None,
            "row_at": number(row[5]),
            "reason": reason,
            "dropped": True,
            "characters": None,
            "noticed_at": time.time(),
        }
        connection.execute(sa.insert(BadEvent).values(aside))
        log.warning("bad_feedback", extra={"facts": {"row_id": row[0], "reason": reason}})


def _write(connection: sa.Connection, values: dict[str, Any]) -> int:
    """Insert or replace one rating; gives 1 if anything changed."""
    key = {"person_id": values["person_id"], "message_id": values["message_id"]}
    columns = ReplyRating.helpful, ReplyRating.rated_at, ReplyRating.comment
    old = connection.execute(sa.select(*columns).filter_by(**key)).first()
    if old is None:
        connection.execute(sa.insert(ReplyRating).values(values))
    elif tuple(old) == (values["helpful"], values["rated_at"], values["comment"]):
        return 0
    else:
        connection.execute(sa.update(ReplyRating).filter_by(**key).values(values))
    connection.execute(
        sa.update(Person)
        .where(Person.person_id == values["person_id"])
        .values(revision=Person.revision + 1)
    )
    return 1
