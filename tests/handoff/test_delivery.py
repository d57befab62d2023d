"""Every notice arrives at least once, under one id, whatever fails on the way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from handoff.service import Handoff
from handoff.signature import verify

STOP = threading.Event()


def go_on(service: Handoff, until: Callable[[], bool], within_s: float = 10.0) -> None:
    deadline = time.monotonic() + within_s
    while not until():
        assert time.monotonic() < deadline, "not within the time"
        service.once(STOP)
        time.sleep(0.02)


def states(service: Handoff) -> list[tuple[str, int, str | None]]:
    return [(row["state"], row["attempts"], row["last_result"]) for row in service.store.rows(50)]


def test_a_request_is_signed_and_carries_its_id(
    tracker: Any, rasa: Any, make: Any, receiver: Any, secret: bytes
) -> None:
    ids = tracker.add("web-1", *rasa.crisis("imminent"))
    service = make()
    service.once(STOP)
    [request] = receiver.requests
    headers = request.headers
    verify(
        secret, headers["X-Stillpoint-Timestamp"], headers["X-Stillpoint-Signature"], request.body
    )
    assert request.id == f"{request.json['person']}:{ids[1]}"
    assert headers["X-Stillpoint-Event-Id"] == headers["Idempotency-Key"] == request.id
    assert headers["Content-Type"] == "application/json; charset=utf-8"
    assert states(service) == [("delivered", 1, "http_204")]
    service.once(STOP)
    assert len(receiver.requests) == 1


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        (500, "http_500"), (503, "http_503"), (401, "http_401"), (404, "http_404"),
        (302, "http_302"), ("drop", "connection_lost"), ("hang", "timeout"),
    ],
)  # fmt: skip
def test_what_is_not_taken_is_tried_again_under_the_same_id(
    answer: Any, word: str, tracker: Any, rasa: Any, make: Any, receiver: Any
) -> None:
    receiver.headers = {"Location": receiver.url} if answer == 302 else {}
    receiver.answers = [answer, answer, 200]
    tracker.add("web-1", *rasa.crisis("high"))
    service = make()
    service.once(STOP)
    assert states(service) == [("pending", 1, word)]
    go_on(service, lambda: service.store.counts()["delivered"] == 1)
    assert states(service) == [("delivered", 3, "http_200")]
    assert len(set(receiver.ids())) == 1
    assert receiver.requests[-1].json["attempt"] == 3


def test_a_receiver_that_is_not_there_is_tried_until_it_is_given_up(
    tracker: Any, rasa: Any, make: Any
) -> None:
    tracker.add("web-1", *rasa.crisis("high"))
    service = make(handoff_webhook_url="http://127.0.0.1:9/", handoff_give_up_h=0.01)
    service.once(STOP)
    assert states(service)[0][0::2] == ("pending", "refused")
    assert service.store.pending() == (1, 1)
    tracker.run("UPDATE events SET timestamp = timestamp - 100")
    later = make(handoff_webhook_url="http://127.0.0.1:9/", handoff_give_up_h=0.01)
    later.once(STOP)
    assert later.store.counts()["failed"] == 1


def test_waits_as_long_as_the_receiver_asks(
    tracker: Any, rasa: Any, make: Any, receiver: Any
) -> None:
    receiver.answers = [429]
    receiver.headers = {"Retry-After": "1"}
    tracker.add("web-1", *rasa.crisis("high"))
    service = make(handoff_retry_max_s=5.0)
    service.once(STOP)
    go_on(service, lambda: len(receiver.requests) == 2)
    assert receiver.requests[1].at - receiver.requests[0].at >= 0.99


def test_the_most_urgent_goes_first(tracker: Any, rasa: Any, make: Any, receiver: Any) -> None:
    for number in range(3):
        tracker.add(f"web-{number}", *rasa.crisis("high"))
    tracker.add("web-9", *rasa.crisis("imminent"))
    make().once(STOP)
    assert [r.json["level"] for r in receiver.requests] == ["imminent", "high", "high", "high"]


def test_a_crash_between_send_and_commit_sends_again_under_the_same_id(
    tracker: Any, rasa: Any, make: Any, receiver: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker.add("web-1", *rasa.crisis("high"))
    crashing = make()

    def crash(*_: Any) -> None:
        raise SystemExit("killed after the receiver had answered")

    monkeypatch.setattr(crashing.store, "settle_delivered", crash)
    with pytest.raises(SystemExit):
        crashing.once(STOP)
    assert len(receiver.requests) == 1
    fresh = make()
    fresh.once(STOP)
    assert len(receiver.requests) == 1, "the claim of the dead process still holds"
    fresh._lease_s = crashing._lease_s
    monkeypatch.setattr(time, "time", _later(crashing._lease_s + 1))
    fresh.once(STOP)
    assert len(set(receiver.ids())) == 1
    assert len(receiver.requests) == 2
    assert states(fresh) == [("delivered", 2, "http_204")]


def test_a_lost_answer_is_a_second_request_with_the_same_id(
    tracker: Any, rasa: Any, make: Any, receiver: Any
) -> None:
    receiver.answers = ["lose"]
    tracker.add("web-1", *rasa.crisis("high"))
    service = make()
    go_on(service, lambda: service.store.counts()["delivered"] == 1)
    assert len(receiver.requests) == 2
    assert len(set(receiver.ids())) == 1


def test_a_restart_loses_nothing(tracker: Any, rasa: Any, make: Any, receiver: Any) -> None:
    receiver.answers = [500] * 3
    for number in range(3):
        tracker.add(f"web-{number}", *rasa.crisis("high"))
    first = make()
    first.once(STOP)
    first.close()
    tracker.add("web-while-down", *rasa.crisis("imminent"))
    second = make()
    go_on(second, lambda: second.store.counts()["delivered"] == 4)
    assert len(set(receiver.ids())) == 4


def test_two_services_tell_everything_and_nothing_twice(
    tracker: Any, rasa: Any, make: Any, receiver: Any
) -> None:
    services = [make(handoff_timeout_s=5.0), make(handoff_timeout_s=5.0)]
    stop = threading.Event()
    threads = [threading.Thread(target=service.run, args=(stop,)) for service in services]
    for thread in threads:
        thread.start()
    try:
        for number in range(40):
            tracker.add(f"web-{number}", *rasa.crisis("high"))
        deadline = time.monotonic() + 30
        while len(set(receiver.ids())) < 40:
            assert time.monotonic() < deadline, len(set(receiver.ids()))
            time.sleep(0.05)
    finally:
        stop.set()
        for thread in threads:
            thread.join(10)
    assert sorted(receiver.ids()) == sorted(set(receiver.ids()))
    assert services[0].store.counts() == {"pending": 0, "delivered": 40, "failed": 0}


def test_events_committed_out_of_order_are_told(
    tracker: Any, rasa: Any, make: Any, receiver: Any
) -> None:
    """PostgreSQL gives ids before it commits: 101 to 103 become visible after 201 to 203."""
    service = make()
    tracker.add("web-late", *rasa.crisis("high"), first_id=201)
    service.once(STOP)
    assert len(receiver.requests) == 1
    tracker.add("web-early", *rasa.crisis("imminent"), first_id=101)
    service.once(STOP)
    assert [request.json["level"] for request in receiver.requests] == ["high", "imminent"]
    service.once(STOP)
    assert len(receiver.requests) == 2


def test_what_is_older_than_the_window_is_not_read_again(
    tracker: Any, rasa: Any, make: Any, receiver: Any
) -> None:
    service = make(handoff_window_events=10)
    tracker.add("web-1", *rasa.crisis("high"), first_id=201)
    service.once(STOP)
    tracker.add("web-2", *rasa.crisis("high"), first_id=101)
    service.once(STOP)
    assert len(receiver.requests) == 1


def test_the_first_start_does_not_tell_of_long_ago(
    tracker: Any, rasa: Any, make: Any, receiver: Any
) -> None:
    old = time.time() - 3600
    tracker.add("web-old", rasa.user(at=old), rasa.slot("risk_level", "high", at=old))
    tracker.add("web-new", *rasa.crisis("high"))
    service = make()
    service.once(STOP)
    service.once(STOP)
    assert len(receiver.requests) == 1
    assert service.store.counts() == {"pending": 0, "delivered": 1, "failed": 0}


def test_after_a_long_outage_the_oldest_is_kept_as_failed(
    tracker: Any, rasa: Any, make: Any, receiver: Any
) -> None:
    service = make(handoff_give_up_h=1.0)
    tracker.add("web-0", rasa.user())
    service.once(STOP)
    old = time.time() - 7200
    tracker.add("web-1", rasa.user(at=old), rasa.slot("risk_level", "high", at=old))
    service.once(STOP)
    assert receiver.requests == []
    assert states(service) == [("failed", 0, "too_old")]


def test_a_replaced_tracker_store_is_read_from_its_beginning(
    tracker: Any, rasa: Any, make: Any, receiver: Any, new_tracker: Any
) -> None:
    tracker.add("web-1", *rasa.crisis("high"), first_id=5000)
    service = make()
    service.once(STOP)
    for path in tracker.path.parent.glob("trackers.db*"):
        path.unlink()
    replaced = new_tracker(tracker.path)
    replaced.add("web-1", *rasa.crisis("high"), first_id=5000)
    service.once(STOP)
    replaced.run("DELETE FROM events")
    replaced.add("web-2", *rasa.crisis("high"), first_id=1)
    service.once(STOP)
    ids = receiver.ids()
    assert len(ids) == len(set(ids)) == 3
    assert ids[1] == f"{ids[0]}:1", "the same id given anew is another event"


def test_a_failing_tracker_store_does_not_hold_back_what_was_noticed(
    tracker: Any, rasa: Any, make: Any, receiver: Any
) -> None:
    receiver.answers = [500]
    tracker.add("web-1", rasa.user(), rasa.slot("handoff_consent", "yes"))
    service = make()
    service.once(STOP)
    tracker.run("DROP TABLE events")
    go_on(service, lambda: service.store.counts()["delivered"] == 1)
    assert receiver.requests[1].json["consent"] == "unknown"
    assert "messages" not in receiver.requests[1].json


def test_another_pseudonym_key_is_refused(make: Any) -> None:
    make()
    with pytest.raises(Exception, match="STILLPOINT_PSEUDONYM_KEY"):
        make(stillpoint_pseudonym_key="another key, also long enough")


def test_settled_notices_are_forgotten_after_a_while(
    tracker: Any, rasa: Any, make: Any, receiver: Any
) -> None:
    tracker.add("web-1", *rasa.crisis("high"))
    service = make()
    service.once(STOP)
    assert service.store.forget(time.time() - 3600) == 0
    assert service.store.forget(time.time() + 1) == 1
    service.once(STOP)
    assert len(receiver.requests) == 1


def _later(seconds: float) -> Callable[[], float]:
    real = time.time
    return lambda: real() + seconds
