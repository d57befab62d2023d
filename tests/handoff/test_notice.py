"""Which slot events are told: rises to high or imminent, and a consent; nothing carried over."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handoff.notice import LEVELS, WATCHED_SLOTS, Judge, Notice
from handoff.pseudonym import Pseudonyms
from handoff.tracker_store import TrackerStore

NAMES = Pseudonyms(b"a key for tests only, long enough")
COUNTER = itertools.count()


@pytest.fixture
def told(tracker: Any, var: Path) -> Callable[[], list[Notice]]:
    def judge_all() -> list[Notice]:
        store = TrackerStore(_url(tracker.path))
        judge = Judge(store, NAMES)
        found = [judge.notice(row) for row in store.slots(WATCHED_SLOTS, 0, 10_000)]
        return [notice for notice in found if notice is not None]

    return judge_all


def _url(path: Path) -> Any:
    import sqlalchemy as sa

    return sa.URL.create("sqlite", database=str(path))


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        (["high"], ["high"]),
        (["imminent"], ["imminent"]),
        (["none", "low", "moderate"], []),
        (["moderate", "high", "imminent"], ["high", "imminent"]),
        (["imminent", "high"], ["imminent"]),
        (["high", "low", "high"], ["high", "high"]),
        (["high", "high"], ["high"]),
        (["high", None, "high"], ["high", "high"]),
        (["nonsense", 7, {"a": 1}, "high"], ["high"]),
    ],
)
def test_only_a_rise_is_told(
    levels: list[Any], expected: list[str], tracker: Any, rasa: Any, told: Any
) -> None:
    tracker.add("web-1", *rasa.session(1.0))
    for level in levels:
        tracker.add("web-1", rasa.user(), rasa.slot("risk_level", level))
    assert [notice.level for notice in told()] == expected


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(walk=st.lists(st.tuples(st.integers(0, 2), st.sampled_from(LEVELS)), max_size=25))
def test_any_walk_of_any_people_tells_exactly_the_rises(
    walk: list[tuple[int, str]], tmp_path: Path, new_tracker: Any, rasa: Any
) -> None:
    tracker = new_tracker(tmp_path / f"{next(COUNTER)}.db")
    before = dict.fromkeys(range(3), "none")
    expected = []
    for who, level in walk:
        ids = tracker.add(f"web-{who}", rasa.user(), rasa.slot("risk_level", level))
        is_rise = LEVELS.index(level) > LEVELS.index(before[who])
        if is_rise and level in ("high", "imminent"):
            expected.append((NAMES.of(f"web-{who}"), ids[1], level))
        before[who] = level
    store = TrackerStore(_url(tracker.path))
    judge = Judge(store, NAMES)
    found = [judge.notice(row) for row in store.slots(WATCHED_SLOTS, 0, 10_000)]
    assert [(n.person_id, n.event_id, n.level) for n in found if n] == expected


def test_people_do_not_mix(tracker: Any, rasa: Any, told: Any) -> None:
    tracker.add("web-1", *rasa.crisis("high"))
    tracker.add("web-2", *rasa.crisis("high"))
    assert [notice.person_id for notice in told()] == [NAMES.of("web-1"), NAMES.of("web-2")]


def test_what_a_new_session_carries_over_is_no_news(tracker: Any, rasa: Any, told: Any) -> None:
    """Rasa writes every slot event of the last session again, in order: rises among them."""
    again = [rasa.slot("risk_level", level) for level in ("high", "low", "imminent")]
    tracker.add("web-1", *rasa.session(1.0), *rasa.crisis("high"))
    tracker.add("web-1", *rasa.crisis("low"))
    tracker.add("web-1", *rasa.crisis("imminent"), rasa.slot("handoff_consent", "yes"))
    opened = [*rasa.session(2.0)[:2], *again, rasa.slot("handoff_consent", "yes")]
    tracker.add("web-1", *opened, rasa.session(2.0)[2])
    assert [n.event for n in told()] == ["risk_raised", "risk_raised", "human_requested"]
    tracker.add("web-1", rasa.user(), rasa.slot("risk_level", "low"))
    tracker.add("web-1", rasa.user(), rasa.slot("risk_level", "high"))
    assert len(told()) == 4


@pytest.mark.parametrize("reset", ["restart", "reset_slots"])
def test_after_a_reset_the_same_level_is_a_rise(
    reset: str, tracker: Any, rasa: Any, told: Any
) -> None:
    tracker.add("web-1", *rasa.crisis("high"), rasa.other(reset), *rasa.crisis("high"))
    assert len(told()) == 2


def test_a_consent_is_told_once_and_with_the_level(tracker: Any, rasa: Any, told: Any) -> None:
    tracker.add("web-1", rasa.user(), rasa.slot("risk_level", "moderate"))
    for value in ("no", "yes", "yes", "maybe", None, "no"):
        tracker.add("web-1", rasa.user(), rasa.slot("handoff_consent", value))
    assert [(n.event, n.level) for n in told()] == [("human_requested", "moderate")]


@pytest.mark.parametrize(
    ("state", "risk", "expected"),
    [
        ({"kind": "abuse"}, {"kind": "self_harm"}, "abuse"),
        ({"stage": "asked"}, {"kind": "eating"}, "eating"),
        ("not a mapping", {"kind": "medical"}, "medical"),
        (None, {"kind": "a whole sentence"}, "unknown"),
        (None, {}, "unknown"),
    ],
)
def test_the_kind_is_the_crisis_flows_or_the_gates(
    state: Any, risk: dict[str, Any], expected: str, tracker: Any, rasa: Any, told: Any
) -> None:
    tracker.add(
        "web-1",
        rasa.user(**risk),
        rasa.slot("crisis_state", state),
        rasa.slot("risk_level", "high"),
    )
    assert [notice.kind for notice in told()] == [expected]


def test_damaged_rows_are_no_notice_and_stop_nothing(tracker: Any, rasa: Any, told: Any) -> None:
    insert = (
        "INSERT INTO events (sender_id, type_name, timestamp, action_name, data) VALUES (?,?,?,?,?)"
    )
    for data in (None, "{", "[]", '{"value": ["high"]}', "9" * 5000, b"\xff\xfe"):
        tracker.run(insert, ("web-1", "slot", 1.0, "risk_level", data))
    tracker.run(insert, (None, "slot", 1.0, "risk_level", '{"value": "high"}'))
    tracker.add("web-1", *rasa.crisis("high"))
    assert len(told()) == 1


def test_the_golden_conversation(tracker: Any, told: Any) -> None:
    """Events as Rasa stores them, with two sessions and what the second one carries over."""
    path = Path(__file__).resolve().parents[1] / "contracts" / "rasa_events.jsonl"
    for line in path.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        tracker.add(entry["sender_id"], entry["event"])
    assert [(n.event, n.level) for n in told()] == [("risk_raised", "high")]
