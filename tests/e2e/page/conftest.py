"""A browser on the chat page, answered by the fake channel."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.e2e.browsers import PATIENCE_MS
from tests.e2e.page.fake_channel import FakeChannel, running

EXPECTED = (
    "Failed to load resource",  # tests take the server away
    "fonts.googleapis.com",  # rasa-webchat asks for web fonts; the demo page's policy refuses
)


OpenPage = Callable[..., Page]


@pytest.fixture
def channel() -> Iterator[FakeChannel]:
    """A fake channel for one test."""
    with running() as fake:
        yield fake


@pytest.fixture
def open_page(browser: Browser, channel: FakeChannel) -> Iterator[OpenPage]:
    """Opens the page in a context of its own; keyword arguments go to the context.

    The test fails if the page logged an error: a blocked script, a broken module, an exception.
    """
    contexts: list[BrowserContext] = []
    errors: list[str] = []

    def opened(path: str = "", **options: object) -> Page:
        context = browser.new_context(
            **{"timezone_id": "America/New_York", "locale": "en-US", **options}  # type: ignore[arg-type]
        )
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        context.route("https://**", lambda route: route.fulfill(body="elsewhere"))
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on(
            "console",
            lambda entry: (
                errors.append(entry.text)
                if entry.type == "error" and not any(part in entry.text for part in EXPECTED)
                else None
            ),
        )
        page.goto(channel.url + path)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert errors == []


def say(page: Page, text: str) -> None:
    """Type a message and press Enter."""
    page.get_by_label("Your message").fill(text)
    page.get_by_label("Your message").press("Enter")


def bubbles(page: Page) -> list[str]:
    """Everything said so far, without the hidden names of the speakers."""
    texts = page.locator("#messages .bubble").evaluate_all(
        "boxes => boxes.map(box => { const copy = box.cloneNode(true);"
        " copy.querySelectorAll('.hidden, .reach').forEach(part => part.remove());"
        " return copy.innerText.trim(); })"
    )
    return [str(text) for text in texts]


def spoken(page: Page) -> list[str]:
    """What a screen reader has been told so far."""
    return page.locator("#spoken p").all_text_contents()
