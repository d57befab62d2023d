"""``people/<pseudonym>.txt``: a page of figures on each person, rewritten as messages arrive.

A file is replaced whole (written beside and renamed), so a reader never sees half of one. Which
files are out of date is kept in the store, so a kill between commit and writing loses nothing.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from analytics.models import Person
from analytics.people import PersonSummary, summarize
from analytics.store import TRACKER, Store

FILES_PER_ROUND = 500


class PeopleFiles:
    """Writes the files of people whose figures have changed.

    Args:
        folder: Where they go; made readable by its owner only.
        store: Where the figures are.
    """

    def __init__(self, folder: Path, store: Store) -> None:
        self._folder = folder
        self._store = store

    def write_changed(self) -> int:
        """Write up to ``FILES_PER_ROUND`` files that are out of date; gives how many.

        Raises:
            OSError: a file cannot be written.
            sqlalchemy.exc.DBAPIError: the store fails.
        """
        if not self._changed():
            return 0
        with self._one_writer():
            changed = self._changed()
            with self._store.reading() as connection:
                people = summarize(connection, list(changed))
            for person in people:
                replace_file(self._folder / f"{person.person_id}.txt", render(person))
            with self._store.writing(TRACKER) as (connection, _):
                for person_id, revision in changed.items():
                    connection.execute(
                        sa.update(Person)
                        .where(Person.person_id == person_id)
                        .values(written_revision=revision)
                    )
        return len(changed)

    def _changed(self) -> dict[str, int]:
        query = (
            sa.select(Person.person_id, Person.revision)
            .where(Person.revision != Person.written_revision)
            .limit(FILES_PER_ROUND)
        )
        with self._store.reading() as connection:
            return {row.person_id: row.revision for row in connection.execute(query)}

    @contextmanager
    def _one_writer(self) -> Iterator[None]:
        """Two ingesters write one after the other, so that the newer figures stay."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open(self._folder / ".lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def render(person: PersonSummary) -> str:
    """The text of one person's file."""
    lines = [
        f"Person {person.person_id}",
        "Figures from conversations with Stillpoint. Not a diagnosis.",
        "",
        f"sessions             {person.sessions}",
        f"messages             {person.messages}",
        f"last contact         {_time(person.last_contact_at)}",
        f"risk events          {person.risk_events} (moderate or above)",
        f"last risk event      {_last_risk(person)}",
        f"conversation level   {person.conversation_level}",
        f"replies              {person.replies}",
        f"  from the LLM       {_percent(person.share('llm'))}",
        f"  from the bank      {_percent(person.share('reply_bank'))}",
        f"  scripted           {_percent(person.share('scripted'))}",
        f"ratings              {person.helped} helped, {person.not_helped} did not",
    ]
    return "\n".join(lines) + "\n"


def replace_file(path: Path, text: str) -> None:
    """Write a file of mode 0600 so that it is the old one or the new one at any moment."""
    descriptor, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(draft, path)
    except BaseException:
        os.unlink(draft)
        raise


def _time(at: float | None) -> str:
    if at is None:
        return "-"
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.0f} %"


def _last_risk(person: PersonSummary) -> str:
    if person.last_risk_level is None:
        return "-"
    kind = f", {person.last_risk_kind}" if person.last_risk_kind else ""
    return f"{_time(person.last_risk_at)} ({person.last_risk_level}{kind})"
