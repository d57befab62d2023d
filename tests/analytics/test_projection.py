"""The golden Rasa events as rows, told by hand."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

import pytest

A = "web-6f0d2c1b9e8a47f0b3c5d7e9f1a2b4c6"
B = "partner/acme/u-17"
T = 1_790_000_000.0


@pytest.fixture
def ingested(tracker: Any, ingest: Any, golden: Any, rows: Any) -> Any:
    tracker.add(*golden)
    assert ingest.poll(threading.Event()) == len(golden)
    people = {sender: ingest._pseudonyms.of(sender) for sender in (A, B)}

    def read(table: str, sender: str) -> list[dict[str, Any]]:
        return rows(table, f"person_id = '{people[sender]}'")

    return read


def ids(golden: Any, sender: str, kind: str) -> list[int]:
    return [
        number
        for number, (who, event) in enumerate(golden, 1)
        if who == sender and event["event"] == kind
    ]


def test_every_event_is_in_the_ledger_once(ingested: Any, golden: Any) -> None:
    for sender in (A, B):
        ledger = ingested("event", sender)
        expected = [(n, e["event"]) for n, (s, e) in enumerate(golden, 1) if s == sender]
        assert sorted((row["event_id"], row["type"]) for row in ledger) == expected


def test_nothing_golden_is_bad(ingested: Any, rows: Any) -> None:
    assert rows("bad_event") == []


def test_sessions_and_turns(ingested: Any, golden: Any) -> None:
    starts = [
        n
        for n, (s, e) in enumerate(golden, 1)
        if s == A and e.get("name") == "action_session_start"
    ]
    sessions = ingested("session", A)
    assert [(row["session_id"], row["started_at"]) for row in sessions] == [
        (starts[0], T),
        (starts[1], T + 9000.0),
    ]
    turns = ingested("turn", A)
    users = ids(golden, A, "user")
    assert [row["turn_id"] for row in turns] == users
    assert [row["session_id"] for row in turns] == [starts[0]] * (len(users) - 1) + [starts[1]]
    first_listen = next(row for row in ingested("action", A) if row["name"] == "action_listen")
    assert first_listen["turn_id"] is None


def test_user_messages(ingested: Any) -> None:
    second = ingested("user_message", A)[1]
    text = "nobody at work talks to me anymore since the merger"
    assert second["intent"] == "share"
    assert second["intent_confidence"] == 0.83
    assert second["channel"] == "web"
    assert second["message_id"] == "5b7c9d1e3f2041628394a5b6c7d8e9f0"
    assert second["characters"] == len(text)
    assert second["text"] is None
    assert (second["risk_level"], second["misuse"]) == ("none", None)
    assert ingested("user_message", B)[-1]["misuse"] == "jailbreak"


def test_bot_messages_and_latency(ingested: Any, golden: Any) -> None:
    messages = ingested("bot_message", A)
    assert Counter(row["source"] for row in messages) == {
        "scripted": 4,
        "llm": 1,
        "reply_bank": 1,
    }
    llm, bank = messages[1], messages[2]
    assert (llm["flow"], llm["model"]) == ("chat", "stillpoint-house-q8_0")
    assert llm["stream_id"] == "5b7c9d1e3f2041628394a5b6c7d8e9f0"
    assert (bank["reply_id"], bank["fallback_reason"]) == ("open-012", "slow")
    assert messages[0]["utter_action"] == "utter_greet"
    assert llm["turn_id"] == ids(golden, A, "user")[1]
    latency = {row["event_id"]: row for row in ingested("latency", A)}[llm["event_id"]]
    assert (latency["first_sentence_ms"], latency["total_ms"]) == (812.4, 3391.0)
    assert latency["answer_ms"] == pytest.approx(3500.0)
    assert latency["is_first"] == 1


def test_actions(ingested: Any) -> None:
    found = {row["name"]: row for row in ingested("action", A)}
    assert found["utter_crisis_ask"]["policy"] == "policy_0_SafetyPolicy"
    assert found["utter_crisis_ask"]["confidence"] == 1.0


def test_slots_keep_names_but_no_mappings(ingested: Any) -> None:
    slots = {row["name"]: row for row in ingested("slot", A)}
    assert slots["country"]["value"] == '"GB"'
    assert slots["session_started_metadata"]["value"] is None
    assert slots["session_started_metadata"]["value_kept"] == 0
    last_asked = [row for row in ingested("slot", B) if row["name"] == "requested_slot"][-1]
    assert (last_asked["value"], last_asked["value_kept"]) == ("null", 1)


def test_risk_events(ingested: Any) -> None:
    told = [
        (row["origin"], row["previous_level"], row["level"], row["kind"], row["at"] - T)
        for row in ingested("risk_event", A)
    ]
    # The level carried over into the second session is no change; its fall to low is one.
    assert told == [
        ("message", None, "moderate", "self_harm", 200.0),
        ("slot", "none", "moderate", None, pytest.approx(200.01)),
        ("slot", "moderate", "high", None, pytest.approx(230.01)),
        ("slot", "high", "low", None, pytest.approx(9000.03)),
    ]
    assert ingested("risk_event", B) == []


def test_a_level_set_again_after_a_message_of_a_new_session_is_a_risk_event(
    tracker: Any, ingest: Any, rows: Any, make: Any
) -> None:
    high = make.slot(T + 2, "risk_level", "high")
    events = [*make.session(T), make.user(T + 1), high, *make.session(T + 3)]
    events += [make.user(T + 4), {**high, "timestamp": T + 5}]
    tracker.add(*(("s", event) for event in events))
    ingest.poll(threading.Event())
    changes = [(row["previous_level"], row["level"]) for row in rows("risk_event")]
    assert changes == [("none", "high"), ("none", "high")]


@pytest.mark.parametrize("level", ["none", "low", "moderate", "high", "imminent"])
def test_messages_count_as_risk_events_from_moderate_on(
    tracker: Any, ingest: Any, rows: Any, make: Any, level: str
) -> None:
    tracker.add(("s", make.user(T, risk={"level": level, "kind": "abuse", "score": 0.5})))
    ingest.poll(threading.Event())
    assert len(rows("risk_event")) == (level in ("moderate", "high", "imminent"))


def test_a_risk_that_cannot_be_read_keeps_the_message_and_is_put_aside(
    tracker: Any, ingest: Any, rows: Any, make: Any
) -> None:
    tracker.add(("s", make.user(T, risk={"level": "extreme"})))
    tracker.add(("s", make.user(T, risk="high")))
    ingest.poll(threading.Event())
    assert len(rows("user_message")) == 2
    assert [(row["reason"], row["dropped"]) for row in rows("bad_event")] == [
        ("parse_data.risk.level: not a risk level", 0),
        ("parse_data.risk: not an object", 0),
    ]


def test_first_event_opens_a_session_when_rasa_started_none(
    tracker: Any, ingest: Any, rows: Any, make: Any
) -> None:
    tracker.add(("s", make.bot(T)), ("s", make.user(T + 1)))
    ingest.poll(threading.Event())
    assert [row["session_id"] for row in rows("session")] == [1]
    assert rows("latency")[0]["answer_ms"] is None


def test_metadata_before_the_first_session_does_not_count_as_a_session(
    tracker: Any, ingest: Any, rows: Any
) -> None:
    sender, at = "web-1", T
    events = [
        {"event": "slot", "timestamp": at, "name": "session_started_metadata", "value": {}},
        {"event": "action", "timestamp": at, "name": "action_session_start"},
        {"event": "session_started", "timestamp": at},
        {"event": "slot", "timestamp": at, "name": "session_started_metadata", "value": {}},
        {"event": "action", "timestamp": at, "name": "action_listen"},
        {"event": "user", "timestamp": at, "text": "hello", "parse_data": {}},
    ]
    tracker.add(*[(sender, event) for event in events])
    ingest.poll(threading.Event())
    assert [row["session_id"] for row in rows("session")] == [1]
    assert [row["session_id"] for row in rows("turn")] == [1]
