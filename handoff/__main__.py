"""``python -m handoff run | once | status | check | ping``."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
import time
import uuid

import sqlalchemy as sa

from handoff.content import ping_body
from handoff.errors import HandoffError, Stopped
from handoff.json_logs import configure_logging
from handoff.service import Handoff
from handoff.settings import Settings, load_settings
from handoff.status import as_json, as_text, check_line, is_in_trouble, report
from handoff.webhook import Webhook

log = logging.getLogger("handoff")

SHOWN_NOTICES = 20


def main(arguments: list[str] | None = None) -> int:
    """Run one command; gives the exit status (2 for a bad setting or an unusable store)."""
    chosen = _parser().parse_args(arguments)
    os.umask(0o077)
    try:
        settings = load_settings()
        configure_logging(settings.handoff_log_level)
        if chosen.command == "status":
            return status(settings, chosen.json, chosen.last)
        if chosen.command == "check":
            print(check_line(settings))
            return 0
        if chosen.command == "ping":
            return ping(settings)
        return serve(settings, once=chosen.command == "once")
    except HandoffError as error:
        print(f"handoff: {error}", file=sys.stderr)
    except (sa.exc.SQLAlchemyError, OSError) as error:
        print(f"handoff: cannot go on: {_short(error)}", file=sys.stderr)
    return 2


def serve(settings: Settings, once: bool) -> int:
    """Follow the tracker store until SIGTERM or SIGINT, or take and try what is there and end.

    Returns:
        0; with ``once``, 1 if something is still undelivered.
    """
    stop = threading.Event()
    service = Handoff(settings)

    def end(*_: object) -> None:
        stop.set()
        if service.is_sending:
            raise Stopped("stopped")

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    undelivered = 0
    try:
        service.prepare()
        log.info("handoff_started", extra={"facts": {"once": once}})
        if once:
            service.once(stop)
            undelivered, _ = service.store.pending()
        else:
            service.run(stop)
    except Stopped:
        pass
    finally:
        service.close()
    log.info("handoff_stopped")
    return 1 if undelivered else 0


def status(settings: Settings, is_json: bool, last: int) -> int:
    """Print what was noticed and what became of it; 1 if something of the last day is stuck."""
    found = report(settings, last)
    print(as_json(found) if is_json else as_text(found), end="")
    return 1 if is_in_trouble(found) else 0


def ping(settings: Settings) -> int:
    """Send one signed test notice, and say what came back; 1 if it was not taken."""
    url, secret = settings.require_webhook()
    webhook = Webhook(url, secret, settings.handoff_timeout_s)
    key = f"test:{uuid.uuid4().hex}"
    result = webhook.send(key, ping_body(settings.handoff_deployment, key, time.time()))
    print(f"{webhook.host}: {result.what}{'' if result.is_delivered else ', not delivered'}")
    return 0 if result.is_delivered else 1


def _short(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"{error.strerror or type(error).__name__} ({error.filename or 'no file'})"
    origin = getattr(error, "orig", None)
    return f"the database failed ({type(origin or error).__name__})"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m handoff", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run", help="follow the tracker store and deliver, until SIGTERM")
    commands.add_parser("once", help="take what is there, try everything that is due, and end")
    show = commands.add_parser("status", help="what was noticed and what became of it")
    show.add_argument("--json", action="store_true", help="for a program to read")
    show.add_argument("--last", type=int, default=SHOWN_NOTICES, help="how many notices")
    commands.add_parser("check", help="judge the settings, in one line")
    commands.add_parser("ping", help="send one signed test notice")
    return parser


if __name__ == "__main__":
    sys.exit(main())
