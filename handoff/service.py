"""The loop: look for new notices, deliver what is due, beat; one delivery between two looks."""

from __future__ import annotations

import logging
import threading
import time

import sqlalchemy as sa

from handoff.backoff import delay_s
from handoff.content import Contents
from handoff.errors import Stopped, TrackerStoreAbsent
from handoff.heartbeat import Heartbeat, State
from handoff.notice import WATCHED_SLOTS, Judge, Notice
from handoff.pseudonym import load_pseudonyms
from handoff.settings import Settings
from handoff.store import Due, Store
from handoff.tracker_store import Row, TrackerStore
from handoff.webhook import Result, Webhook

log = logging.getLogger(__name__)

FIRST_LOOK_BACK_S = 600.0
PAGE = 500
JUDGED_KEPT = 20_000
FORGET_EVERY_S = 3600.0
MAX_BACKOFF_S = 5.0


class Handoff:
    """Notices and delivers, once or for ever.

    Args:
        settings: All of them.

    Raises:
        ConfigurationError: there is no webhook, no secret, or no usable pseudonym key.
    """

    def __init__(self, settings: Settings) -> None:
        url, secret = settings.require_webhook()
        self._settings = settings
        self._pseudonyms = load_pseudonyms(settings)
        self.store = Store(settings.store_url)
        self._tracker = TrackerStore(settings.tracker_url)
        self._judge = Judge(self._tracker, self._pseudonyms)
        self._contents = Contents(
            self._tracker,
            self._pseudonyms,
            settings.handoff_deployment,
            settings.handoff_messages,
        )
        self._webhook = Webhook(url, secret, settings.handoff_timeout_s)
        # Longer than an attempt can take, so that a claim is not taken over while it is at work.
        self._lease_s = 2 * settings.handoff_timeout_s + 5.0
        self._heartbeat = Heartbeat(settings.heartbeat_path)
        self._judged: set[tuple[int, float]] = set()
        self._is_waiting = False
        self._forgot_at = 0.0
        self.is_sending = False

    def prepare(self) -> None:
        """Create or check the store.

        Raises:
            StoreError: the store was made with another key or version.
            sqlalchemy.exc.DBAPIError: it cannot be reached or written.
        """
        self.store.prepare(self._pseudonyms.fingerprint)

    def look(self) -> int:
        """Take what is new in the tracker store; gives the number of new notices.

        Raises:
            sqlalchemy.exc.DBAPIError: a database fails.
        """
        try:
            self._tracker.require()
        except TrackerStoreAbsent:
            if not self._is_waiting:
                log.info("waiting_for_tracker_store")
            self._is_waiting = True
            return 0
        self._is_waiting = False
        now = time.time()
        top = self._tracker.top()
        mark = self.store.mark()
        if mark is None:
            self.store.begin_at(self._tracker.top_before(now - FIRST_LOOK_BACK_S))
            mark = self.store.mark()
        if mark is not None and top < mark.top:
            log.warning("tracker_store_went_back", extra={"facts": {"top_event_id": top}})
            self.store.lower_to(top)
            mark = self.store.mark()
        if mark is None:
            return 0
        after = max(mark.floor, mark.top - self._settings.handoff_window_events)
        notices, judged = self._judge_after(after)
        added = 0
        if notices or top > mark.top:
            added = self.store.add(notices, top, now, self._settings.give_up_after_s)
        self._judged |= judged
        if len(self._judged) > JUDGED_KEPT:
            self._judged = judged
        if added:
            log.info("noticed", extra={"facts": {"notices": added}})
        return added

    def deliver(self) -> bool:
        """Try the most urgent notice that is due; False if none is.

        Raises:
            sqlalchemy.exc.DBAPIError: the store fails; the claim then runs out by itself.
            Stopped: SIGTERM came meanwhile; the notice stays due.
        """
        due = self.store.claim(time.time(), self._lease_s)
        if due is None:
            return False
        body = self._contents.body(due)
        try:
            self.is_sending = True
            result = self._webhook.send(due.key, body)
        except Stopped:
            self.is_sending = False
            self.store.release(due)
            raise
        finally:
            self.is_sending = False
        self._settle(due, result)
        return True

    def beat(self) -> None:
        """Say how things are.

        Raises:
            OSError: the heartbeat cannot be written. sqlalchemy.exc.DBAPIError: the store fails.
        """
        pending, failing = self.store.pending()
        state: State = "failing" if failing else "waiting" if self._is_waiting else "ok"
        self._heartbeat.beat(state, pending)

    def once(self, stop: threading.Event) -> None:
        """Take what is there and try everything that is due, once each.

        Raises:
            sqlalchemy.exc.DBAPIError, OSError: a database or the heartbeat fails.
        """
        self.look()
        while not stop.is_set() and self.deliver():
            pass
        self.beat()

    def run(self, stop: threading.Event) -> None:
        """Go on until ``stop`` is set; failures are logged and tried again, with back-off."""
        wait_s = self._settings.handoff_poll_s
        while not stop.is_set():
            try:
                self.look()
                did_deliver = self.deliver()
                self._forget()
                self.beat()
                wait_s = self._settings.handoff_poll_s
            except Stopped:
                return
            except (sa.exc.SQLAlchemyError, OSError):
                log.exception("round_failed", extra={"facts": {"retry_in_s": wait_s}})
                did_deliver = False
                wait_s = min(2 * wait_s, MAX_BACKOFF_S)
            if not did_deliver:
                stop.wait(wait_s)

    def close(self) -> None:
        """Give back all connections."""
        self._tracker.close()
        self.store.close()

    def _judge_after(self, after: int) -> tuple[list[Notice], set[tuple[int, float]]]:
        """Judge every watched slot event after an id that has not been judged yet."""
        notices: list[Notice] = []
        judged: set[tuple[int, float]] = set()
        while rows := self._tracker.slots(WATCHED_SLOTS, after, PAGE):
            after = rows[-1].id
            for row in rows:
                if (row.id, row.at) in self._judged:
                    continue
                judged.add((row.id, row.at))
                if (notice := self._judge_one(row)) is not None:
                    notices.append(notice)
            if len(rows) < PAGE:
                break
        return notices, judged

    def _judge_one(self, row: Row) -> Notice | None:
        """The row's notice. A row that nobody can make sense of must not stop the others."""
        try:
            return self._judge.notice(row)
        except sa.exc.SQLAlchemyError:
            raise
        except Exception:
            log.exception("unreadable_event", extra={"facts": {"event_id": row.id}})
            return None

    def _settle(self, due: Due, result: Result) -> None:
        now = time.time()
        facts = {"id": due.key, "attempt": due.attempt, "result": result.what}
        if result.is_delivered:
            self.store.settle_delivered(due, result.what, now)
            late_s = round(now - due.notice.row_at, 2)
            log.info("delivered", extra={"facts": {**facts, "after_s": late_s}})
            return
        wait_s = delay_s(
            due.attempt,
            self._settings.handoff_retry_s,
            self._settings.handoff_retry_max_s,
            result.retry_after_s,
        )
        if now + wait_s - due.notice.row_at > self._settings.give_up_after_s:
            self.store.settle_failed(due, result.what, None)
            log.error("gave_up", extra={"facts": facts})
            return
        self.store.settle_failed(due, result.what, now + wait_s)
        log.warning("not_delivered", extra={"facts": {**facts, "retry_in_s": round(wait_s, 2)}})

    def _forget(self) -> None:
        now = time.time()
        if now - self._forgot_at < FORGET_EVERY_S:
            return
        self._forgot_at = now
        self.store.forget(now - self._settings.handoff_keep_days * 86_400)
