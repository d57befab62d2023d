"""``python -m analytics ingest | people | reconcile``."""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

import sqlalchemy as sa

from analytics.errors import AnalyticsError, StoreAbsent, TrackerStoreAbsent
from analytics.feedback_ingest import FeedbackIngest
from analytics.ingest import Ingest
from analytics.json_logs import configure_logging
from analytics.projection import Projection
from analytics.pseudonym import load_pseudonyms
from analytics.reconcile import Comparison, Reconciler
from analytics.settings import Settings, load_settings
from analytics.store import Store
from analytics.tracker_store import TrackerStore

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger("analytics")

SHOWN_DIFFERENCES = 50


def main(arguments: list[str] | None = None) -> int:
    """Run one command; gives the exit status (2 for a bad setting or an unusable store)."""
    chosen = _parser().parse_args(arguments)
    os.umask(0o077)
    try:
        settings = load_settings()
        configure_logging(settings.analytics_log_level)
        if chosen.command == "ingest":
            return ingest(settings, chosen.once)
        if chosen.command == "people":
            return people(settings, chosen.format)
        return reconcile(settings)
    except AnalyticsError as error:
        print(f"analytics: {error}", file=sys.stderr)
    except (sa.exc.SQLAlchemyError, OSError) as error:
        print(f"analytics: cannot go on: {_short(error)}", file=sys.stderr)
    return 2


def ingest(settings: Settings, once: bool) -> int:
    """Tail the tracker store until SIGTERM or SIGINT, or take what is there and end."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    service = Ingest(settings)
    try:
        service.prepare()
        log.info("ingest_started", extra={"facts": {"once": once}})
        if once:
            taken = service.poll(stop)
            log.info("ingested", extra={"facts": {"events": taken}})
        else:
            service.run(stop)
    finally:
        service.close()
    log.info("ingest_stopped")
    return 0


def people(settings: Settings, output_format: str) -> int:
    """Print the people DataFrame; without a store it is empty, and stderr says so."""
    from analytics import frames  # pandas takes a second to import, and only this needs it

    store = Store(settings.store_url)
    try:
        store.require()
        frame = frames.people(store)
    except StoreAbsent as error:
        print(f"analytics: {error}", file=sys.stderr)
        frame = frames.empty_people()
    finally:
        store.close()
    print(_formatted(frame, output_format), end="")
    return 0


def reconcile(settings: Settings) -> int:
    """Compare the stores and print the differences; 1 if there are any."""
    store, tracker = Store(settings.store_url), TrackerStore(settings.tracker_url)
    pseudonyms = load_pseudonyms(settings)
    feedback = FeedbackIngest(settings.feedback_url, store, pseudonyms, store_text=False)
    projection = Projection(store_text=False, kept_slots=settings.kept_slots)
    try:
        store.require(pseudonyms.fingerprint)
        tracker.require()
        found = Reconciler(tracker, feedback, store, pseudonyms, projection).compare()
    except TrackerStoreAbsent as error:
        print(f"analytics: {error}", file=sys.stderr)
        return 2
    finally:
        feedback.close()
        tracker.close()
        store.close()
    _print_comparison(found)
    return 1 if found.differences else 0


def _print_comparison(found: Comparison) -> None:
    print(f"tracker store    {found.tracker_rows} events")
    print(f"analytics store  {found.store_events} events, {found.bad_events} put aside")
    print(f"on their way     {found.in_flight}")
    print(f"differences      {len(found.differences)}")
    for one in found.differences[:SHOWN_DIFFERENCES]:
        print(f"{one.kind:9}  {one.person_id:14}  {one.table:12}  {one.key}")
    if len(found.differences) > SHOWN_DIFFERENCES:
        print(f"and {len(found.differences) - SHOWN_DIFFERENCES} more")


def _formatted(frame: pd.DataFrame, output_format: str) -> str:
    if output_format == "csv":
        return str(frame.to_csv(index=False, date_format="%Y-%m-%dT%H:%M:%SZ"))
    if output_format == "json":
        rows = json.loads(frame.to_json(orient="records", date_format="iso", date_unit="s"))
        return json.dumps(rows, indent=2) + "\n"
    if frame.empty:
        return "nobody yet\n"
    shown = frame.copy()
    shown["last_contact"] = shown["last_contact"].dt.strftime("%Y-%m-%d %H:%M:%S")
    return str(shown.to_string(index=False, na_rep="-", float_format="{:.2f}".format)) + "\n"


def _short(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"{error.strerror or type(error).__name__} ({error.filename or 'no file'})"
    origin = getattr(error, "orig", None)
    return f"the database failed ({type(origin or error).__name__})"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m analytics", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    tail = commands.add_parser("ingest", help="bring the analytics store up to the tracker store")
    tail.add_argument("--once", action="store_true", help="take what is there and end")
    show = commands.add_parser("people", help="print one row a person")
    show.add_argument("--format", choices=("table", "csv", "json"), default="table")
    commands.add_parser("reconcile", help="compare the two stores; status 1 if they differ")
    return parser


if __name__ == "__main__":
    sys.exit(main())
