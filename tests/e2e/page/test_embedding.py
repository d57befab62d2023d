"""The widget on another site, and the demo page of rasa-webchat."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, Route, expect

from tests.e2e.page.conftest import OpenPage
from tests.e2e.page.fake_channel import WEB_DIR, FakeChannel

pytestmark = pytest.mark.e2e

VENDORED = WEB_DIR / "static" / "vendor" / "rasa-webchat" / "index.js"


def open_host(open_page: OpenPage, channel: FakeChannel) -> Page:
    """A site of another origin with nothing but the widget's script, under a strict CSP."""
    channel.site = (
        "<!doctype html><html lang=en><title>A site</title><h1>A site</h1>"
        f'<script src="{channel.url}static/embed.js" data-label="Talk now"'
        ' data-exit-url="https://neutral.example/"></script>'
    )
    page = open_page()
    page.goto(f"http://localhost:{channel.port}/site")
    return page


def test_the_widget_opens_the_page_in_a_frame_on_the_first_click(
    channel: FakeChannel, open_page: OpenPage
) -> None:
    page = open_host(open_page, channel)
    frame = page.frame_locator("iframe")
    assert page.locator("iframe").get_attribute("src") is None
    page.get_by_role("button", name="Talk now").click()
    expect(frame.locator("#starters")).to_be_visible()
    frame.get_by_label("Your message").fill("hello")
    frame.get_by_label("Your message").press("Enter")
    expect(frame.locator(".bot .bubble")).to_contain_text("You said: hello")
    page.get_by_role("button", name="Hide").click()
    expect(page.locator("iframe")).to_be_hidden()
    expect(page.get_by_role("button", name="Talk now")).to_be_focused()
    page.get_by_role("button", name="Talk now").click()
    expect(frame.locator(".bot .bubble")).to_contain_text("You said: hello")


@pytest.mark.parametrize("way", ["click", "escape"])
def test_quick_exit_in_the_frame_takes_the_whole_site_along(
    channel: FakeChannel, open_page: OpenPage, way: str
) -> None:
    page = open_host(open_page, channel)
    page.get_by_role("button", name="Talk now").click()
    frame = page.frame_locator("iframe")
    expect(frame.locator("#starters")).to_be_visible()
    if way == "click":
        frame.get_by_role("link", name="Quick exit").click()
    else:
        frame.get_by_label("Your message").focus()
        for _ in range(3):
            page.keyboard.press("Escape")
    page.wait_for_function("location.protocol === 'https:'")
    assert page.url.startswith(("https://neutral.example", "https://www.wikipedia.org"))


def test_a_message_from_elsewhere_does_not_make_the_site_leave(
    channel: FakeChannel, open_page: OpenPage
) -> None:
    page = open_host(open_page, channel)
    page.get_by_role("button", name="Talk now").click()
    page.evaluate("window.postMessage({type: 'stillpoint:exit'}, '*')")
    page.wait_for_timeout(300)
    assert page.url.endswith("/site")


def test_the_demo_page_says_what_to_run_if_the_widget_is_missing(
    channel: FakeChannel, open_page: OpenPage
) -> None:
    page = open_page()
    page.route("**/vendor/**", lambda route: route.fulfill(status=404))
    page.goto(channel.url.replace("web/", "socketio/demo"))
    expect(page.locator("#missing")).to_contain_text("npm run vendor")


@pytest.mark.skipif(not VENDORED.exists(), reason="run `npm run vendor` in rasa_project/web")
def test_the_demo_page_starts_the_widget(channel: FakeChannel, open_page: OpenPage) -> None:
    page = open_page()
    polled: list[str] = []

    def refuse(route: Route) -> None:
        polled.append(route.request.url)
        route.abort()

    page.route("**/socket.io/**", refuse)
    page.goto(channel.url.replace("web/", "socketio/demo"))
    expect(page.locator("#missing")).to_be_hidden()
    page.locator(".rw-launcher").click()
    expect(page.locator(".rw-header")).to_contain_text("AI program, not a person")
    assert "/socket.io/?" in polled[0]
    assert page.evaluate("localStorage.length") == 0
