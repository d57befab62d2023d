"""The page sends, receives, resumes and repeats without losing or doubling a message."""

from __future__ import annotations

import time
from typing import Any

import pytest
from playwright.sync_api import Route, expect
from starlette.responses import JSONResponse, Response

from tests.e2e.page.conftest import OpenPage, bubbles, say, spoken
from tests.e2e.page.fake_channel import DROP, FakeChannel, message, streamed

pytestmark = pytest.mark.e2e

SENTENCES = ["That sounds heavy.", " It has been going on for weeks.", " What weighs most today?"]
WHOLE = "".join(SENTENCES)


def test_first_sentence_is_visible_before_the_last_is_written(
    channel: FakeChannel, open_page: OpenPage
) -> None:
    channel.script["hello"] = streamed(SENTENCES, pause=0.5)
    page = open_page()
    say(page, "hello")
    expect(page.locator(".bot .bubble")).to_contain_text(SENTENCES[0])
    assert SENTENCES[2].strip() not in page.locator(".bot .bubble").inner_text()
    expect(page.locator("#writing")).to_be_visible()
    expect(page.locator(".bot .bubble")).to_contain_text("What weighs most today?")
    expect(page.locator("#writing")).to_be_hidden()
    assert bubbles(page) == ["hello", WHOLE]


def test_a_person_may_write_while_the_reply_is_being_written(
    channel: FakeChannel, open_page: OpenPage
) -> None:
    channel.script["one"] = streamed(SENTENCES, pause=0.5)
    channel.script["two"] = [message("Second answer.")]
    page = open_page()
    say(page, "one")
    expect(page.locator(".bot .bubble")).to_contain_text(SENTENCES[0])
    say(page, "two")
    expect(page.get_by_text("Second answer.").first).to_be_visible()
    expect(page.locator("#writing")).to_be_hidden()
    assert sorted(bubbles(page)) == sorted(["one", "two", WHOLE, "Second answer."])


def test_a_dropped_stream_is_resumed_from_its_last_event(
    channel: FakeChannel, open_page: OpenPage
) -> None:
    steps = streamed(SENTENCES, pause=0.3)
    channel.script["hello"] = [*steps[:2], 0.3, DROP, *steps[2:]]
    page = open_page()
    say(page, "hello")
    expect(page.locator(".bot .feedback")).to_be_visible()
    assert bubbles(page) == ["hello", WHOLE]
    session = next(iter(channel.sessions.values()))
    assert channel.resumed_from[0] == session.events[1][0]
    assert len(channel.received) == 1


def test_events_that_come_twice_are_shown_once(channel: FakeChannel, open_page: OpenPage) -> None:
    channel.replay_everything = True
    channel.script["first"] = [message("First answer.")]
    steps = streamed(SENTENCES, pause=0.3)
    channel.script["hello"] = [*steps[:2], 0.3, DROP, *steps[2:]]
    page = open_page()
    say(page, "first")
    expect(page.locator(".bot .feedback")).to_have_count(1)
    page.evaluate(
        """() => {
          window.grown = [];
          new MutationObserver(() => {
            const boxes = document.querySelectorAll('.bot .bubble p');
            window.grown.push(boxes[boxes.length - 1].lastChild.textContent);
          }).observe(document.getElementById('messages'), {childList: true, subtree: true});
        }"""
    )
    say(page, "hello")
    expect(page.locator(".bot .feedback")).to_have_count(2)
    assert channel.resumed_from
    assert bubbles(page) == ["first", "First answer.", "hello", WHOLE]
    grown = set(page.evaluate("window.grown")) - {"First answer."}
    assert SENTENCES[0] in grown
    assert all(WHOLE.startswith(text) for text in grown)


def test_a_reload_keeps_the_conversation_and_takes_up_the_reply(
    channel: FakeChannel, open_page: OpenPage
) -> None:
    channel.script["hello"] = streamed(SENTENCES, pause=0.8)
    page = open_page()
    say(page, "hello")
    expect(page.locator(".bot .bubble")).to_contain_text(SENTENCES[0])
    page.reload()
    expect(page.locator(".bot .feedback")).to_be_visible()
    assert bubbles(page) == ["hello", WHOLE]
    say(page, "again")
    expect(page.locator(".bot .feedback")).to_have_count(2)
    assert bubbles(page) == ["hello", WHOLE, "again", "You said: again"]
    assert len(channel.sessions) == 1


def test_nothing_of_the_conversation_outlives_the_tab(
    channel: FakeChannel, open_page: OpenPage
) -> None:
    page = open_page()
    say(page, "a private thing")
    expect(page.locator(".bot .feedback")).to_be_visible()
    assert page.evaluate("[localStorage.length, document.cookie]") == [0, ""]
    other_tab = page.context.new_page()
    other_tab.goto(channel.url)
    expect(other_tab.locator("#starters")).to_be_visible()
    assert bubbles(other_tab) == []


def test_a_message_written_without_a_server_is_kept_and_sent_later(
    channel: FakeChannel, open_page: OpenPage
) -> None:
    page = open_page()
    channel.stop()
    say(page, "are you there")
    say(page, "second")
    expect(page.locator("#connection")).to_contain_text("Your message is kept")
    expect(page.locator("#connection").get_by_role("link", name="Get help now")).to_be_visible()
    assert any("can’t reach the server" in line for line in spoken(page))
    channel.start()
    page.evaluate("document.getElementById('connection-retry').click()")  # it may retry first
    expect(page.locator(".bot .feedback")).to_have_count(2)
    expect(page.locator("#connection")).to_be_hidden()
    assert [body["message"] for body in channel.received] == ["are you there", "second"]


def test_sending_again_after_a_lost_answer_uses_the_same_id(
    channel: FakeChannel, open_page: OpenPage
) -> None:
    page = open_page()
    lost: list[str] = []

    def lose_the_first(route: Route) -> None:
        if not lost:
            lost.append(route.request.url)
            route.fetch()  # the server takes it, the page never hears of it
            route.abort()
        else:
            route.continue_()

    page.route("**/webhook", lose_the_first)
    say(page, "hello")
    expect(page.locator(".bot .feedback")).to_be_visible()
    assert len({body["client_message_id"] for body in channel.received}) == 1
    assert bubbles(page) == ["hello", "You said: hello"]


def test_a_rate_limit_is_said_kindly_and_the_message_goes_out_by_itself(
    channel: FakeChannel, open_page: OpenPage
) -> None:
    refused: list[float] = []

    def refuse(body: dict[str, Any]) -> Response | None:
        if refused:
            return None
        refused.append(time.monotonic())
        return JSONResponse({"error": {}}, 429, headers={"Retry-After": "2"})

    channel.refuse = refuse
    page = open_page()
    say(page, "hello")
    expect(page.locator("#connection")).to_contain_text("goes out by itself in 2 seconds")
    expect(page.locator(".bot .feedback")).to_be_visible()
    assert time.monotonic() - refused[0] >= 2
    expect(page.locator("#connection")).to_be_hidden()


def test_an_ended_session_becomes_a_new_one_with_a_line_that_says_so(
    channel: FakeChannel, open_page: OpenPage
) -> None:
    page = open_page()
    say(page, "hello")
    expect(page.locator(".bot .feedback")).to_have_count(1)
    channel.forget_sessions()
    say(page, "still there?")
    expect(page.locator(".bot .feedback")).to_have_count(2)
    assert bubbles(page)[-1] == "You said: still there?"
    order = page.locator("#messages > li").all_text_contents()
    assert "A new conversation has started" in order[2]
    assert "still there?" in order[3]
    assert len(channel.session_requests) == 2


def test_a_gap_in_the_events_makes_the_page_ask_again_under_the_same_id(
    channel: FakeChannel, open_page: OpenPage
) -> None:
    channel.script["hello"] = [DROP, 1.0, *streamed(SENTENCES, pause=0.05)]
    page = open_page()
    gap = 'event: error\nid: 1\ndata: {"code": "gap", "message": "lost"}\n\n'
    page.route(
        "**/events",
        lambda route: route.fulfill(body=gap, headers={"Content-Type": "text/event-stream"}),
    )
    channel.sessions.clear()
    say(page, "hello")
    page.wait_for_timeout(600)
    for session in channel.sessions.values():
        session.dropped.clear()
    expect(page.locator(".bot .feedback")).to_be_visible()
    assert bubbles(page) == ["hello", WHOLE]
    assert len({body["client_message_id"] for body in channel.received}) == 1
    assert len(channel.received) >= 2


def test_a_turn_that_breaks_can_be_sent_again(channel: FakeChannel, open_page: OpenPage) -> None:
    channel.script["hello"] = [("error", {"code": "turn_failed", "message": "broke off"})]
    page = open_page()
    say(page, "hello")
    expect(page.locator(".you .state")).to_contain_text("no full reply")
    channel.script["hello"] = [message("Now it works.")]
    page.get_by_role("button", name="Send again").click()
    expect(page.get_by_text("Now it works.").first).to_be_visible()
    first, second = channel.received
    assert first["client_message_id"] != second["client_message_id"]
    assert bubbles(page) == ["hello", "Now it works."]


def test_a_button_sends_its_payload_and_shows_its_title(
    channel: FakeChannel, open_page: OpenPage
) -> None:
    buttons = [{"title": "Just listen", "payload": "/deny"}, {"title": "An idea", "payload": "/a"}]
    channel.script["hello"] = [message("Which?", buttons=buttons)]
    channel.script["/deny"] = [message("I'm listening.")]
    page = open_page()
    say(page, "hello")
    page.get_by_role("button", name="Just listen").click()
    expect(page.get_by_text("I'm listening.").first).to_be_visible()
    assert channel.received[1]["payload"] == "/deny"
    assert "message" not in channel.received[1]
    assert bubbles(page) == ["hello", "Which?", "Just listen", "I'm listening."]
    expect(page.get_by_role("button", name="An idea")).to_have_count(0)


def test_feedback_is_stored_and_can_be_changed(channel: FakeChannel, open_page: OpenPage) -> None:
    page = open_page()
    say(page, "hello")
    page.get_by_role("button", name="That helped").click()
    expect(page.get_by_role("button", name="That helped")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="That did not").click()
    page.get_by_label("What would have been better?").fill("Ask more.")
    page.get_by_role("button", name="Send this note").click()
    expect(page.locator(".thanks")).to_contain_text("noted")
    message_id = next(iter(channel.sessions.values())).events[0][2]["id"]
    assert channel.feedback == [
        {"id": message_id, "helpful": True},
        {"id": message_id, "helpful": False},
        {"id": message_id, "helpful": False, "comment": "Ask more."},
    ]


def test_markup_in_a_reply_or_a_message_stays_text(
    channel: FakeChannel, open_page: OpenPage
) -> None:
    markup = "<img src=x onerror=\"document.title='broken'\"><b>bold</b>"
    channel.script[markup] = [message(markup, flow="crisis")]
    page = open_page()
    say(page, markup)
    expect(page.locator(".bot .bubble")).to_be_visible()
    assert bubbles(page) == [markup, markup]
    assert page.title() == "Stillpoint"
