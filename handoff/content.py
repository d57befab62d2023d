"""The body of a notice, with no more in it than the person has agreed to.

Without consent: what happened, level, kind, time, pseudonym, deployment. With the slot
`handoff_consent` at "yes": also the latest messages of this session, and the contact that the
person left in `handoff_contact`; `handoff_share: contact` leaves the messages out. It is read from
the tracker store for each attempt, so a consent that was taken back holds from then on, and this
service's own database never holds a word that somebody wrote.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from handoff.notice import CONSENT_SLOT, RESETS, UNKNOWN
from handoff.pseudonym import Pseudonyms
from handoff.store import Due
from handoff.tracker_store import Row, TrackerStore

VERSION = 1
SHARE_SLOT = "handoff_share"
CONTACT_SLOT = "handoff_contact"
CONSENT_SLOTS = (CONSENT_SLOT, SHARE_SLOT, CONTACT_SLOT)
MOST_CHARS = 2000
MOST_CONTACT_CHARS = 200


class Contents:
    """Writes bodies.

    Args:
        tracker: Where the conversation is.
        pseudonyms: Who is who.
        deployment: The name by which the receiver knows this installation.
        messages: How many messages go along at most, if the person agreed.
    """

    def __init__(
        self, tracker: TrackerStore, pseudonyms: Pseudonyms, deployment: str, messages: int
    ) -> None:
        self._tracker = tracker
        self._pseudonyms = pseudonyms
        self._deployment = deployment
        self._messages = messages

    def body(self, due: Due) -> bytes:
        """The JSON of one attempt, UTF-8. If the tracker store fails, nothing shared is in it."""
        try:
            consent, shared = self._shared(due)
        except sa.exc.SQLAlchemyError:
            consent, shared = UNKNOWN, {}
        content: dict[str, Any] = {
            "version": VERSION,
            "id": due.key,
            "event": due.notice.event,
            "occurred_at": iso(due.notice.row_at),
            "attempt": due.attempt,
            "deployment": self._deployment,
            "person": due.notice.person_id,
            "level": due.notice.level,
            "kind": due.notice.kind,
            "consent": consent,
            **shared,
        }
        return json.dumps(content, ensure_ascii=False).encode("utf-8", "replace")

    def _shared(self, due: Due) -> tuple[str, dict[str, Any]]:
        """The consent that holds now (`yes`, `no`, `not_asked`) and what it allows.

        Raises:
            sqlalchemy.exc.DBAPIError: the tracker store fails.
        """
        source = self._tracker.one(due.notice.event_id)
        if source is None or self._pseudonyms.of(source.sender_id) != due.notice.person_id:
            return "not_asked", {}
        last = self._tracker.last_before(source.sender_id, 2**62, (*RESETS, "session_started"))
        start = last.id if last is not None else 0
        rows = self._tracker.since(source.sender_id, start, ("user", "bot"), CONSENT_SLOTS)
        return _allowed(rows, self._messages)


def _allowed(rows: list[Row], most: int) -> tuple[str, dict[str, Any]]:
    """Consent and content of a session's rows. Slots before its first message are carried over."""
    slots: dict[str, object] = {}
    messages: list[dict[str, str]] = []
    has_begun = False
    for row in rows:
        has_begun = has_begun or row.type == "user"
        if row.type == "slot":
            if has_begun and row.name is not None:
                slots[row.name] = row.data.get("value")
        elif message := _message(row):
            messages.append(message)
    consent = slots.get(CONSENT_SLOT)
    if consent != "yes":
        return ("no" if consent == "no" else "not_asked"), {}
    shared: dict[str, Any] = {}
    if slots.get(SHARE_SLOT) != "contact" and most:
        shared["messages"] = messages[-most:]
    contact = slots.get(CONTACT_SLOT)
    if isinstance(contact, str) and contact.strip():
        shared["contact"] = _clean(contact)[:MOST_CONTACT_CHARS]
    return "yes", shared


def _message(row: Row) -> dict[str, str] | None:
    text = row.data.get("text")
    if not isinstance(text, str) or not text.strip():
        return None
    by = "person" if row.type == "user" else "stillpoint"
    return {"from": by, "at": iso(row.at), "text": _clean(text)[:MOST_CHARS]}


def iso(at: float) -> str:
    """Unix seconds as UTC, such as ``2026-11-23T18:05:00Z``."""
    try:
        return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return "1970-01-01T00:00:00Z"


def _clean(text: str) -> str:
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


def ping_body(deployment: str, key: str, at: float) -> bytes:
    """The body of `python -m handoff ping`: nobody is in danger."""
    content: Mapping[str, Any] = {
        "version": VERSION,
        "id": key,
        "event": "test",
        "occurred_at": iso(at),
        "attempt": 1,
        "deployment": deployment,
    }
    return json.dumps(content).encode()
