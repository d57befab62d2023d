"""Tracker events become chat messages: roles alternate, budgets hold, the prefix is stable."""

import itertools
import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from actions.bootstrap import build_layout
from actions.history import (
    CRISIS_NOTE,
    ChatMessage,
    PromptLayout,
    Said,
    chat_messages,
    conversation,
)
from actions.settings import Settings

HOUSE = PromptLayout("You are S.", 512, 120, 2.8, 2, keeps_crisis=False)
GENERAL = PromptLayout("You are S.", 1000, 200, 3.2, 8, keeps_crisis=True)


def _events(golden: dict[str, Any]) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = golden["tracker"]["events"]
    return events


def test_conversation_from_a_real_tracker(golden_request: dict[str, Any]) -> None:
    said = conversation(_events(golden_request))
    assert [item.role for item in said] == ["user", "assistant", "user"]
    assert said[1].source == "scripted"


def test_payloads_and_broken_events_are_left_out() -> None:
    events = [
        {"event": "user", "text": "/choose{}"},
        {"event": "user", "text": None},
        {"event": "bot", "text": "Hello.", "metadata": None},
        {"event": "bot"},
    ]
    assert conversation(events) == [Said("assistant", "Hello.")]


def test_latest_comes_last_and_once() -> None:
    said = [Said("user", "hi"), Said("assistant", "Hello."), Said("user", "i am sad")]
    expected = [
        ChatMessage(role="system", content="You are S."),
        ChatMessage(role="user", content="hi"),
        ChatMessage(role="assistant", content="Hello."),
        ChatMessage(role="user", content="i am sad"),
    ]
    assert chat_messages(said, "i am sad", HOUSE) == expected
    assert chat_messages(said[:2], "i am sad", HOUSE) == expected


def test_crisis_replies_are_shortened_or_dropped() -> None:
    said = [
        Said("user", "something grave"),
        Said("assistant", "A long scripted crisis text.", source="scripted", flow="crisis"),
        Said("user", "i am a bit calmer"),
    ]
    general = chat_messages(said, "now this", GENERAL)
    assert CRISIS_NOTE in [message["content"] for message in general]
    assert "scripted crisis" not in str(general)
    house = chat_messages(said, "now this", HOUSE)
    assert "grave" not in str(house)
    assert "crisis" not in str(house)


def test_prefix_stays_the_same_for_several_turns() -> None:
    said: list[Said] = []
    starts = []
    for number in range(40):
        starts.append(chat_messages(said, f"message {number} " * 6, GENERAL)[1]["content"])
        said.append(Said("user", f"message {number} " * 6))
        said.append(Said("assistant", f"reply {number} " * 6))
    changes = sum(a != b for a, b in itertools.pairwise(starts))
    assert 0 < changes <= 40 / 3


def test_the_house_prompt_is_exact() -> None:
    layout = build_layout(Settings())
    assert layout.system == (
        "You are Stillpoint, a support assistant. Listen, reflect, ask one open question."
    )
    assert layout.context_tokens == 512


TALK = st.lists(
    st.builds(
        Said,
        st.sampled_from(["user", "assistant"]),
        st.text(min_size=1, max_size=400),
        st.sampled_from(["", "llm", "scripted"]),
        st.sampled_from(["", "chat", "crisis"]),
    ),
    max_size=30,
)


@given(TALK, st.text(max_size=3000), st.sampled_from([HOUSE, GENERAL]))
def test_budget_and_alternation_hold(said: list[Said], latest: str, layout: PromptLayout) -> None:
    messages = chat_messages(said, latest, layout)
    assert messages[0]["role"] == "system"
    assert messages[-1]["role"] == "user"
    assert all(
        message["role"] == ("user" if index % 2 else "assistant")
        for index, message in enumerate(messages)
        if index
    )
    tokens = sum(
        math.ceil(len(message["content"].encode()) / layout.chars_per_token) for message in messages
    )
    assert tokens + layout.max_tokens <= layout.context_tokens
