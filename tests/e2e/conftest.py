"""Fixtures of the end-to-end tests: stacks that tests share."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import pytest
from playwright.sync_api import Browser

from tests.e2e.browsers import chromium
from tests.e2e.stack import Stack, start_stack


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for every test; contexts keep people apart."""
    with chromium() as running:
        yield running


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One stack with the house model, shared by the tests that do not break it."""
    running = start_stack(tmp_path_factory.mktemp("stack"))
    yield running
    running.stop()


@pytest.fixture(scope="session")
def slow_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack whose model is the LLM server's fake: several sentences, deliberately slow."""
    running = start_stack(
        tmp_path_factory.mktemp("slow"),
        STILLPOINT_TESTING="1",
        LLM_ENGINE="fake",
        LLM_PROFILE="general",
        LLM_FAKE_DELAY_MS="250",
        LLM_FAKE_REPLY=(
            "It sounds like the evenings have become the heavy part of the day. "
            "You said the flat is quiet since then, and that it presses on you. "
            "What do the evenings look like, from coming home to going to bed?"
        ),
    )
    yield running
    running.stop()


@pytest.fixture
def say() -> Callable[..., list[dict[str, object]]]:
    """Sends one message over the stock REST channel; returns the bot's messages."""

    def send(stack: Stack, sender: str, text: str, timeout: float = 60) -> list[dict[str, object]]:
        answer = httpx.post(
            f"{stack.rasa}/webhooks/rest/webhook",
            json={"sender": sender, "message": text},
            timeout=timeout,
        )
        answer.raise_for_status()
        found: list[dict[str, object]] = answer.json()
        return found

    return send
