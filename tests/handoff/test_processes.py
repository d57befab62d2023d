"""The real process: how soon it tells, killed, run twice at once, stopped, and what it prints."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.integration


def running(var: Path) -> Callable[[], bool]:
    return (var / "run" / "handoff.heartbeat").exists


def test_tells_within_two_seconds_of_the_turn_and_stops_on_sigterm(
    tracker: Any, rasa: Any, start: Any, wait_for: Any, receiver: Any, var: Path
) -> None:
    process = start("run")
    wait_for(running(var))
    waits = []
    for turn in range(5):
        tracker.add(f"web-{turn}", *rasa.crisis("imminent"))
        stored = time.time()
        wait_for(lambda turn=turn: len(receiver.requests) == turn + 1)
        waits.append(receiver.requests[-1].at - stored)
        time.sleep(0.17)
    assert max(waits) < 2.0, waits
    assert json.loads((var / "run" / "handoff.heartbeat").read_text())["state"] == "ok"
    stopping = time.monotonic()
    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=10)
    assert process.returncode == 0
    assert time.monotonic() - stopping < 3.0
    assert {json.loads(line)["level"] for line in log.splitlines()} == {"INFO"}


def test_killed_while_the_receiver_thinks_it_sends_again(
    tracker: Any, rasa: Any, start: Any, wait_for: Any, receiver: Any, command: Any
) -> None:
    receiver.answers = ["hang"]
    tracker.add("web-1", *rasa.crisis("high"))
    process = start("run", HANDOFF_TIMEOUT_S="0.5")
    wait_for(lambda: len(receiver.requests) == 1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    again = start("run", HANDOFF_TIMEOUT_S="0.5")
    wait_for(lambda: len(receiver.requests) == 2)
    assert len(set(receiver.ids())) == 1
    wait_for(lambda: json.loads(command("status", "--json").stdout)["counts"]["delivered"] == 1)
    again.terminate()


def test_sigterm_during_a_request_ends_at_once_and_loses_nothing(
    tracker: Any, rasa: Any, start: Any, wait_for: Any, receiver: Any, command: Any
) -> None:
    receiver.answers = ["hang"]
    tracker.add("web-1", *rasa.crisis("high"))
    process = start("run", HANDOFF_TIMEOUT_S="30")
    wait_for(lambda: len(receiver.requests) == 1)
    stopping = time.monotonic()
    process.terminate()
    process.communicate(timeout=10)
    assert process.returncode == 0
    assert time.monotonic() - stopping < 3.0
    assert command("once").returncode == 0
    assert len(receiver.requests) == 2
    assert len(set(receiver.ids())) == 1


def test_two_processes_and_a_writer(
    tracker: Any, rasa: Any, start: Any, wait_for: Any, receiver: Any, var: Path
) -> None:
    processes = [start("run"), start("run")]
    wait_for(running(var))
    for number in range(20):
        tracker.add(f"web-{number}", *rasa.crisis("high"))
    wait_for(lambda: len(set(receiver.ids())) == 20)
    time.sleep(0.5)
    assert len(receiver.ids()) == 20
    for process in processes:
        assert process.poll() is None
        process.terminate()


def test_neither_words_nor_senders_nor_secrets_are_logged(
    tracker: Any, rasa: Any, start: Any, wait_for: Any, receiver: Any, words: str
) -> None:
    receiver.answers = [500, "drop"]
    tracker.add("web-somebody", *rasa.crisis("high"), rasa.slot("handoff_consent", "yes"))
    process = start("run", HANDOFF_LOG_LEVEL="DEBUG")
    wait_for(lambda: len(set(receiver.ids())) == 2 and len(receiver.requests) >= 3)
    time.sleep(0.3)
    process.terminate()
    _, log = process.communicate(timeout=10)
    names = [json.loads(line)["event"] for line in log.splitlines()]
    assert {"handoff_started", "noticed", "not_delivered", "delivered"} <= set(names)
    for hidden in (words, "web-somebody", "a webhook secret", "t0k3n", "/hook"):
        assert hidden not in log


def test_status_shows_what_became_of_each(
    tracker: Any, rasa: Any, command: Any, receiver: Any
) -> None:
    before = command("status")
    assert before.returncode == 0
    assert "not running" in before.stdout
    tracker.add("web-1", *rasa.crisis("high"))
    assert command("once").returncode == 0
    receiver.answers = [503]
    tracker.add("web-2", *rasa.crisis("imminent", kind="abuse"))
    assert command("once").returncode == 1
    shown = command("status")
    assert shown.returncode == 1, "something of today is stuck"
    assert "http_503" in shown.stdout
    assert "imminent" in shown.stdout
    found = json.loads(command("status", "--json").stdout)
    assert found["counts"] == {"pending": 1, "delivered": 1, "failed": 0}
    by_state = {row["state"]: row for row in found["notices"]}
    assert by_state["pending"]["attempts"] == 1
    assert by_state["delivered"]["delivered"].endswith("Z")
    checked = command("check")
    assert checked.returncode == 0
    assert checked.stdout == "on, notices go to 127.0.0.1; 1 delivered, 1 pending\n"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"HANDOFF_WEBHOOK_URL": ""}, "handoff: HANDOFF_WEBHOOK_URL: is not set"),
        ({"HANDOFF_WEBHOOK_URL": "http://example.org/"}, "handoff: HANDOFF_WEBHOOK_URL: must be"),
        ({"HANDOFF_WEBHOOK_SECRET": ""}, "handoff: HANDOFF_WEBHOOK_SECRET: needs at least 32"),
        ({"HANDOFF_WEBHOOK_SECRET": "short"}, "handoff: HANDOFF_WEBHOOK_SECRET: "),
        ({"HANDOFF_POLL_S": "soon"}, "handoff: HANDOFF_POLL_S: "),
    ],
)
@pytest.mark.parametrize("name", ["run", "once", "check", "ping"])
def test_a_refused_setting_ends_it_with_one_line(
    name: str, changed: dict[str, str], said: str, command: Any, receiver: Any
) -> None:
    done = command(name, **changed)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith(said)
    assert done.stderr.count("\n") == 1
    assert receiver.requests == []


def test_ping_sends_a_signed_test_notice(command: Any, receiver: Any, secret: bytes) -> None:
    from handoff.signature import verify

    done = command("ping")
    assert (done.returncode, done.stdout) == (0, "127.0.0.1: http_204\n")
    [request] = receiver.requests
    headers = request.headers
    verify(
        secret, headers["X-Stillpoint-Timestamp"], headers["X-Stillpoint-Signature"], request.body
    )
    assert request.json["event"] == "test"
    receiver.answers = [500]
    done = command("ping")
    assert (done.returncode, done.stdout) == (1, "127.0.0.1: http_500, not delivered\n")


def test_waits_for_a_tracker_store_and_then_tells(
    var: Path, new_tracker: Any, rasa: Any, start: Any, wait_for: Any, receiver: Any
) -> None:
    start("run")
    beat = var / "run" / "handoff.heartbeat"
    wait_for(beat.exists)
    assert json.loads(beat.read_text())["state"] == "waiting"
    new_tracker(var / "trackers.db").add("web-1", *rasa.crisis("high"))
    wait_for(lambda: len(receiver.requests) == 1)
