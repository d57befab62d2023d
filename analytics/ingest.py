"""The ingest loop: poll the tracker store and the feedback, write people's files, beat."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass

import sqlalchemy as sa

from analytics.errors import TrackerStoreAbsent
from analytics.event_ingest import EventIngest
from analytics.feedback_ingest import FeedbackIngest
from analytics.heartbeat import Heartbeat
from analytics.people_files import PeopleFiles
from analytics.projection import Projection
from analytics.pseudonym import load_pseudonyms
from analytics.settings import Settings
from analytics.store import TRACKER, Store, set_watermark
from analytics.tracker_store import Span, TrackerStore

log = logging.getLogger(__name__)

MAX_BACKOFF_S = 5.0


@dataclass(frozen=True, slots=True)
class _Seen:
    """What lay after an id when nothing was left to take: as long as it does, nothing is new."""

    after: int
    span: Span


class Ingest:
    """Brings the analytics store up to the tracker store, once or for ever.

    Args:
        settings: All of them.

    Raises:
        ConfigurationError: the pseudonym key cannot be used.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._pseudonyms = load_pseudonyms(settings)
        self.store = Store(settings.store_url)
        self.tracker = TrackerStore(settings.tracker_url)
        projection = Projection(settings.analytics_store_text, settings.kept_slots)
        self._events = EventIngest(self.tracker, self.store, self._pseudonyms, projection)
        self._feedback = FeedbackIngest(
            settings.feedback_url, self.store, self._pseudonyms, settings.analytics_store_text
        )
        self._files = PeopleFiles(settings.people_dir, self.store)
        self._heartbeat = Heartbeat(settings.heartbeat_path)
        self._seen: _Seen | None = None
        self._is_waiting = False

    def prepare(self) -> None:
        """Create or check the store.

        Raises:
            StoreError: the store was made with another key or version.
            sqlalchemy.exc.DBAPIError: it cannot be reached or written.
        """
        self.store.prepare(self._pseudonyms.fingerprint)

    def poll(self, stop: threading.Event) -> int:
        """Take everything that is there, write the files, beat; gives the number of new events.

        Raises:
            sqlalchemy.exc.DBAPIError: a database fails; what was committed stays.
            OSError: a file cannot be written.
        """
        try:
            self.tracker.require()
        except TrackerStoreAbsent:
            if not self._is_waiting:
                log.info("waiting_for_tracker_store")
            self._is_waiting = True
            self._heartbeat.beat("waiting", self.store.watermark(TRACKER))
            return 0
        self._is_waiting = False
        taken = self._poll_events(stop)
        self._feedback.poll()
        while self._files.write_changed() and not stop.is_set():
            pass
        self._heartbeat.beat("ok", self.store.watermark(TRACKER))
        return taken

    def run(self, stop: threading.Event) -> None:
        """Poll until ``stop`` is set; failures are logged and tried again, with back-off."""
        backoff_s = self._settings.analytics_poll_s
        while not stop.is_set():
            try:
                taken = self.poll(stop)
            except (sa.exc.SQLAlchemyError, OSError):
                log.exception("poll_failed", extra={"facts": {"retry_in_s": backoff_s}})
                self._seen = None
                stop.wait(backoff_s)
                backoff_s = min(2 * backoff_s, MAX_BACKOFF_S)
                continue
            backoff_s = self._settings.analytics_poll_s
            if taken:
                log.info("ingested", extra={"facts": {"events": taken}})
            stop.wait(self._settings.analytics_poll_s)

    def close(self) -> None:
        """Give back all connections."""
        self.tracker.close()
        self._feedback.close()
        self.store.close()

    def _poll_events(self, stop: threading.Event) -> int:
        if self._seen and self.tracker.span(self._seen.after) == self._seen.span:
            return 0
        watermark = self.store.watermark(TRACKER)
        start = max(0, watermark - self._settings.analytics_window_events)
        span = self.tracker.span(start)
        top = span.top or self.tracker.top()
        if top < watermark:
            self._lower_watermark(top)
            start = max(0, top - self._settings.analytics_window_events)
            span = self.tracker.span(start)
        taken = 0
        cursor = start
        batch = self._settings.analytics_batch_events
        while not stop.is_set() and (heads := self.tracker.heads(cursor, batch)):
            taken += self._events.take(heads)
            cursor = heads[-1].id
            self._heartbeat.beat("ok", cursor)
        self._seen = None if taken or stop.is_set() else _Seen(start, span)
        return taken

    def _lower_watermark(self, top: int) -> None:
        """The tracker store has lost its newest rows: it was erased from, or restored."""
        log.warning("tracker_store_went_back", extra={"facts": {"top_event_id": top}})
        with self.store.writing(TRACKER) as (connection, watermark):
            if top < watermark:
                set_watermark(connection, TRACKER, top)
