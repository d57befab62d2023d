"""What goes along: nothing that somebody wrote without their consent, and nothing of it is kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

MINIMAL = {
    "version", "id", "event", "occurred_at", "attempt", "deployment", "person", "level", "kind",
    "consent",
}  # fmt: skip


@pytest.fixture
def sent(make: Callable[..., Any], receiver: Any) -> Callable[..., dict[str, Any]]:
    """Delivers what is due; gives the last body."""

    def deliver(**others: Any) -> dict[str, Any]:
        import threading

        service = make(**others)
        service.once(threading.Event())
        return dict(receiver.requests[-1].json)

    return deliver


@pytest.mark.parametrize("value", [None, "no", "maybe", 1, True, "Yes", "yes "])
def test_without_consent_only_what_happened(
    value: Any, tracker: Any, rasa: Any, sent: Any, receiver: Any, words: str
) -> None:
    tracker.add(
        "web-1",
        rasa.user(),
        rasa.slot("handoff_consent", value),
        rasa.slot("handoff_contact", "0123 456"),
        *rasa.crisis("high"),
    )
    body = sent()
    assert set(body) == MINIMAL
    assert body["consent"] == ("no" if value == "no" else "not_asked")
    assert (body["event"], body["level"], body["kind"]) == ("risk_raised", "high", "self_harm")
    assert body["deployment"] == "stillpoint"
    assert words.encode() not in receiver.requests[-1].body
    assert b"0123 456" not in receiver.requests[-1].body
    assert b"web-1" not in receiver.requests[-1].body


def test_with_consent_the_last_messages_and_the_contact(tracker: Any, rasa: Any, sent: Any) -> None:
    for number in range(10):
        tracker.add("web-1", rasa.user(f"message {number}"), rasa.bot(f"reply {number}"))
    tracker.add("web-1", rasa.user("yes, tell someone"), rasa.slot("handoff_contact", " 0123 456 "))
    tracker.add("web-1", rasa.user("yes"), rasa.slot("handoff_consent", "yes"), rasa.bot("Done."))
    body = sent(handoff_messages=3)
    assert body["event"] == "human_requested"
    assert body["consent"] == "yes"
    said = [(message["from"], message["text"]) for message in body["messages"]]
    assert said == [("person", "yes, tell someone"), ("person", "yes"), ("stillpoint", "Done.")]
    assert body["contact"] == " 0123 456 "


def test_the_person_may_choose_the_contact_alone(tracker: Any, rasa: Any, sent: Any) -> None:
    tracker.add(
        "web-1",
        rasa.user(),
        rasa.slot("handoff_share", "contact"),
        rasa.slot("handoff_contact", "0123 456"),
        rasa.slot("handoff_consent", "yes"),
    )
    body = sent()
    assert "messages" not in body
    assert body["contact"] == "0123 456"


def test_the_operator_may_leave_messages_out(tracker: Any, rasa: Any, sent: Any) -> None:
    tracker.add("web-1", rasa.user(), rasa.slot("handoff_consent", "yes"))
    assert "messages" not in sent(handoff_messages=0)


@pytest.mark.parametrize("boundary", ["session_started", "restart", "reset_slots"])
def test_a_consent_ends_with_its_session(
    boundary: str, tracker: Any, rasa: Any, sent: Any, words: str, receiver: Any
) -> None:
    tracker.add("web-1", rasa.user(), rasa.slot("handoff_consent", "yes"))
    tracker.add("web-1", rasa.other(boundary), rasa.slot("handoff_consent", "yes"))
    tracker.add("web-1", *rasa.crisis("imminent", text="later"))
    body = sent()
    assert [json.loads(request.body)["consent"] for request in receiver.requests] == [
        "not_asked"
    ] * 2
    assert set(body) == MINIMAL
    assert all(words.encode() not in request.body for request in receiver.requests)


def test_a_consent_taken_back_before_the_next_attempt_holds(
    tracker: Any, rasa: Any, make: Any, receiver: Any, words: str
) -> None:
    import threading
    import time

    receiver.answers = [500]
    tracker.add("web-1", rasa.user(), rasa.slot("handoff_consent", "yes"))
    service = make()
    service.once(threading.Event())
    assert words.encode() in receiver.requests[0].body
    tracker.add("web-1", rasa.user(), rasa.slot("handoff_consent", "no"))
    time.sleep(0.25)
    service.once(threading.Event())
    assert set(receiver.requests[1].json) == MINIMAL
    assert receiver.requests[1].json["consent"] == "no"
    assert receiver.requests[1].id == receiver.requests[0].id


def test_an_erased_conversation_is_told_without_a_word(
    tracker: Any, rasa: Any, make: Any, receiver: Any
) -> None:
    import threading
    import time

    receiver.answers = [500]
    tracker.add("web-1", rasa.user(), rasa.slot("handoff_consent", "yes"))
    service = make()
    service.once(threading.Event())
    tracker.run("DELETE FROM events")
    time.sleep(0.25)
    service.once(threading.Event())
    assert set(receiver.requests[1].json) == MINIMAL


def test_nobody_elses_words_go_along(tracker: Any, rasa: Any, sent: Any, receiver: Any) -> None:
    tracker.add("web-2", rasa.user("somebody else's"), rasa.slot("handoff_consent", "yes"))
    tracker.add("web-1", rasa.user("mine"), rasa.slot("handoff_consent", "yes"))
    sent()
    texts = {request.json["person"]: request.json["messages"] for request in receiver.requests}
    assert [[m["text"] for m in said] for said in texts.values()] == [["somebody else's"], ["mine"]]


def test_odd_texts_make_a_readable_body(tracker: Any, rasa: Any, sent: Any) -> None:
    tracker.add(
        "web-1", rasa.user("\ud800 \x00 ü 🙂 " + "x" * 5000), rasa.slot("handoff_consent", "yes")
    )
    text = sent()["messages"][0]["text"]
    assert text.startswith("?  ü 🙂 x")
    assert len(text) <= 2000


def test_the_services_own_files_hold_no_word_and_no_sender(
    tracker: Any, rasa: Any, sent: Any, var: Path, words: str, receiver: Any
) -> None:
    receiver.answers = [500, 204]
    tracker.add("web-somebody", *rasa.crisis("high"), rasa.slot("handoff_consent", "yes"))
    sent()
    for path in var.rglob("*"):
        if path.is_file() and not path.name.startswith("trackers.db"):
            content = path.read_bytes()
            assert words.encode() not in content, path
            assert b"web-somebody" not in content, path
