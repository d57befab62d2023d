"""A person in a real browser on the real stack."""

from __future__ import annotations

import re
import sqlite3
import time

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.browsers import PATIENCE_MS
from tests.e2e.stack import Stack

pytestmark = pytest.mark.e2e


def open_chat(browser: Browser, stack: Stack) -> Page:
    context = browser.new_context(locale="en-GB", timezone_id="Europe/London")
    context.set_default_timeout(PATIENCE_MS)
    context.route("https://**", lambda route: route.fulfill(body="elsewhere"))
    page = context.new_page()
    page.goto(stack.page)
    return page


def write(page: Page, text: str) -> None:
    page.fill("#message", text)
    page.keyboard.press("Enter")


def test_first_sentence_is_seen_before_the_last_is_written(
    browser: Browser, slow_stack: Stack
) -> None:
    page = open_chat(browser, slow_stack)
    write(page, "since the merger nobody at work talks to me anymore")
    log = page.locator("#log")
    expect(log).to_contain_text("evenings have become the heavy part")
    assert "coming home" not in log.inner_text()
    expect(log).to_contain_text("from coming home to going to bed?")
    # Finished sentences are spoken in a status region of their own, once.
    spoken = page.locator("#spoken[role=status]")
    expect(spoken).to_contain_text("from coming home to going to bed?")
    assert spoken.inner_text().count("heavy part of the day") == 1


def test_a_crisis_message_stops_a_running_reply_and_shows_the_card(
    browser: Browser, slow_stack: Stack
) -> None:
    page = open_chat(browser, slow_stack)
    write(page, "the flat is so quiet since she left")
    expect(page.locator("#log")).to_contain_text("evenings have become")
    started = time.monotonic()
    write(page, "i want to end my life")
    expect(page.locator("#log")).to_contain_text("116 123")
    waited = time.monotonic() - started
    expect(page.locator("#log a[href='tel:116123']").first).to_be_visible()
    expect(page.locator("#log")).to_contain_text("are you thinking about suicide right now, today?")
    assert waited < 3, f"{waited:.1f} s in the browser"
    assert "coming home" not in page.locator("#log").inner_text()
    with sqlite3.connect(slow_stack.var / "trackers.db") as database:
        query = "select data from events where type_name = 'user' order by id desc limit 2"
        last, earlier = (row[0] for row in database.execute(query))
    assert "end my life" in last
    assert "so quiet" in earlier


def test_buttons_answer_the_direct_question(browser: Browser, stack: Stack) -> None:
    page = open_chat(browser, stack)
    write(page, "i don't want to be alive anymore")
    page.get_by_role("button", name="Yes", exact=True).click()
    expect(page.locator("#log")).to_contain_text("Start with whoever is easiest")
    expect(page.locator("#log")).to_contain_text("Have you thought about how you might do it?")
    expect(page.get_by_role("button", name="I'm not sure").last).to_be_visible()


def test_help_is_one_click_away_and_needs_no_server(browser: Browser, stack: Stack) -> None:
    page = open_chat(browser, stack)
    page.context.set_offline(True)
    page.click("#help-open")
    dialog = page.locator("#help")
    expect(dialog).to_be_visible()
    expect(dialog.locator("a[href='tel:116123']").first).to_be_visible()


def test_quick_exit_leaves_and_forgets(browser: Browser, stack: Stack) -> None:
    page = open_chat(browser, stack)
    write(page, "hello")
    expect(page.locator("#log")).to_contain_text("Stillpoint")
    page.click("#leave")
    page.wait_for_url(re.compile("wikipedia"))
    page.goto(stack.page)
    assert "hello" not in page.locator("#messages").inner_text()


def test_two_people_never_see_each_others_words(browser: Browser, stack: Stack) -> None:
    first, second = open_chat(browser, stack), open_chat(browser, stack)
    write(first, "my word is heron, what can you do")
    write(second, "my word is magpie, what can you do")
    for page in (first, second):
        expect(page.locator("#log .buttons, #log [role=group]").first).to_be_visible()
    assert "magpie" not in first.locator("body").inner_text()
    assert "heron" not in second.locator("body").inner_text()


def test_feedback_reaches_the_analytics_store(browser: Browser, stack: Stack) -> None:
    page = open_chat(browser, stack)
    write(page, "thank you")
    page.get_by_role("button", name="That helped").first.click()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with sqlite3.connect(stack.var / "analytics.db") as database:
            rated = database.execute("select count(*) from reply_rating where helpful = 1")
            if rated.fetchone()[0]:
                return
        time.sleep(0.3)
    raise AssertionError("the rating did not arrive")


def test_rasa_webchat_exchanges_messages(browser: Browser, stack: Stack) -> None:
    page = open_chat(browser, stack)
    page.goto(f"{stack.rasa}/webhooks/socketio/demo")
    page.locator(".rw-launcher").click()
    page.fill(".rw-new-message", "are you a bot")
    page.keyboard.press("Enter")
    expect(page.locator(".rw-conversation-container")).to_contain_text("I'm a computer program")
