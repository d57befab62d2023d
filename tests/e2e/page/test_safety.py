"""What a person in danger, or one who must hide this page, relies on."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.page.conftest import OpenPage, bubbles, say
from tests.e2e.page.fake_channel import FakeChannel, message

pytestmark = pytest.mark.e2e

CRISIS = "Thank you for telling me. You can call or text 988, or text 741741. I have 1988 reasons."


def test_the_page_says_at_once_what_it_is(open_page: OpenPage) -> None:
    page = open_page()
    intro = page.locator(".intro")
    for words in ("AI program", "not a person", "not a therapist", "Nobody is reading", "diagnose"):
        expect(intro).to_contain_text(words)
    expect(page.locator("header")).to_contain_text("AI program, not a person")


def test_help_opens_with_the_server_down(channel: FakeChannel, open_page: OpenPage) -> None:
    page = open_page()
    channel.stop()
    page.get_by_role("link", name="Get help now").first.click()
    dialog = page.get_by_role("dialog", name="Get help from a person")
    expect(dialog).to_be_visible()
    expect(dialog.locator("#chosen summary")).to_have_text("United States")
    expect(dialog.locator('#chosen a[href="tel:988"]')).to_be_visible()
    expect(dialog.locator('#chosen a[href="sms:988"]')).to_be_visible()
    expect(dialog.locator('#chosen a[href="tel:911"]')).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page.locator("#help-open")).to_be_focused()


@pytest.mark.parametrize(
    ("zone", "locale", "country", "href"),
    [
        ("Europe/London", "en-US", "United Kingdom", "tel:116123"),
        ("Asia/Kolkata", "en-GB", "India", "tel:14416"),
        ("Australia/Perth", "en-US", "Australia", "tel:131114"),
        ("America/Toronto", "en-US", "Canada", "tel:988"),
        ("Pacific/Auckland", "en-US", "New Zealand", "tel:1737"),
        ("UTC", "en-IE", "Ireland", "tel:116123"),
    ],
)
def test_the_probable_country_comes_first(
    open_page: OpenPage, zone: str, locale: str, country: str, href: str
) -> None:
    page = open_page(timezone_id=zone, locale=locale)
    page.locator("#help-open").click()
    expect(page.locator("#chosen summary")).to_have_text(country)
    expect(page.locator(f'#chosen a[href="{href}"]').first).to_be_visible()


def test_a_country_can_be_chosen_and_the_server_is_told(
    channel: FakeChannel, open_page: OpenPage
) -> None:
    page = open_page()
    page.locator("#help-open").click()
    page.get_by_label("Where are you?").select_option(label="New Zealand")
    expect(page.locator("#chosen summary")).to_have_text("New Zealand")
    page.get_by_role("link", name="Close").click()
    say(page, "hello")
    expect(page.locator(".bot .feedback")).to_be_visible()
    assert channel.session_requests == [{"country": "NZ"}]


def test_an_unlisted_country_gets_the_directories(
    channel: FakeChannel, open_page: OpenPage
) -> None:
    page = open_page(timezone_id="Asia/Ulaanbaatar")
    page.locator("#help-open").click()
    expect(page.locator("#chosen details")).to_have_count(0)
    expect(page.locator('dialog a[href="https://findahelpline.com"]')).to_be_visible()


def test_help_works_without_scripts(open_page: OpenPage) -> None:
    page = open_page(java_script_enabled=False)
    page.locator("#help-open").click()
    expect(page.locator("#help")).to_be_visible()
    page.locator("summary", has_text="India").click()
    expect(page.locator('.country[data-country="IN"] a[href="tel:14416"]')).to_be_visible()
    page.locator("#help-close").click()
    expect(page.locator("#help")).to_be_hidden()
    assert page.locator("#leave").get_attribute("href") == "https://www.wikipedia.org"


def test_a_crisis_message_is_a_card_with_numbers_to_tap(
    channel: FakeChannel, open_page: OpenPage
) -> None:
    channel.script["x"] = [message(CRISIS, flow="crisis", card="crisis")]
    page = open_page()
    say(page, "x")
    card = page.locator(".message.crisis .bubble")
    expect(card).to_be_visible()
    links = card.locator("p:first-child a").evaluate_all(
        "all => all.map(link => [link.textContent, link.getAttribute('href')])"
    )
    assert links == [["988", "tel:988"]]  # neither the unknown 741741 nor a part of 1988
    reach = card.locator(".reach")
    expect(reach.locator('a[href="tel:988"]')).to_be_visible()
    expect(reach.locator('a[href="sms:988"]')).to_be_visible()
    expect(reach.locator('a[href="tel:911"]')).to_be_visible()
    assert bubbles(page)[1] == CRISIS


def test_only_scripted_words_carry_links(channel: FakeChannel, open_page: OpenPage) -> None:
    text = "Call 112, see findahelpline.com or https://example.org/a. Not x.findahelpline.com.evil."
    channel.script["a"] = [message(text, flow="no_answer")]
    channel.script["b"] = [message(text, source="llm", flow="crisis")]
    channel.script["c"] = [message(text, source="scripted", flow="exercise")]
    page = open_page()
    for number, word in enumerate("abc"):
        say(page, word)
        expect(page.locator(".bot .feedback")).to_have_count(number + 1)
    links = page.locator("#messages .bubble p:not(.ways) a").evaluate_all(
        "all => all.map(link => link.getAttribute('href'))"
    )
    assert links == ["tel:112", "https://findahelpline.com", "https://example.org/a"]


def test_in_imminent_danger_the_emergency_number_comes_first(
    channel: FakeChannel, open_page: OpenPage
) -> None:
    channel.script["x"] = [message("Please call 911.", flow="crisis", card="crisis_imminent")]
    page = open_page(timezone_id="Europe/London", locale="en-GB")
    say(page, "x")
    expect(page.locator(".reach a").first).to_have_attribute("href", "tel:999")


def test_the_card_follows_the_country_named_in_the_conversation(
    channel: FakeChannel, open_page: OpenPage
) -> None:
    channel.script["x"] = [message("Say where you are.", flow="crisis", card="crisis")]
    told = message("Then it is 116 123.", flow="crisis", card="crisis", country="GB")
    channel.script["im in leeds"] = [told]
    page = open_page()
    say(page, "x")
    expect(page.locator('.reach a[href="tel:988"]')).to_be_visible()
    say(page, "im in leeds")
    expect(page.locator('.reach a[href="tel:116123"]')).to_be_visible()
    expect(page.locator('.reach a[href="tel:988"]')).to_have_count(0)
    page.reload()
    expect(page.locator('.reach a[href="tel:116123"]')).to_be_visible()


def test_only_the_last_card_repeats_the_ways_to_reach_someone(
    channel: FakeChannel, open_page: OpenPage
) -> None:
    channel.script["x"] = [
        message(CRISIS, flow="crisis", card="crisis"),
        ("message", {"id": "{id}.1", "text": "Are you safe?", "source": "scripted",
                     "flow": "crisis"}),
    ]  # fmt: skip
    page = open_page()
    say(page, "x")
    expect(page.locator(".message.crisis")).to_have_count(2)
    expect(page.locator(".reach")).to_have_count(1)
    expect(page.locator(".message.crisis").first.locator(".reach")).to_have_count(1)
    say(page, "x")
    expect(page.locator(".message.crisis")).to_have_count(4)
    expect(page.locator(".reach")).to_have_count(1)
    expect(page.locator(".message.crisis").nth(2).locator(".reach")).to_have_count(1)


def test_a_button_never_runs_script(channel: FakeChannel, open_page: OpenPage) -> None:
    buttons = [
        {"title": "Bad", "payload": "/a", "url": "javascript:document.title='broken'"},
        {"title": "Call", "payload": "tel:988"},
    ]
    channel.script["x"] = [message("Which?", buttons=buttons)]
    page = open_page()
    say(page, "x")
    expect(page.get_by_role("link", name="Call", exact=True)).to_have_attribute("href", "tel:988")
    page.get_by_role("button", name="Bad").click()
    expect(page.locator(".you")).to_have_count(2)
    assert page.title() == "Stillpoint"


def assert_left(page: Page) -> None:
    page.wait_for_url("https://www.wikipedia.org/**")
    assert page.text_content("body") == "elsewhere"


@pytest.mark.parametrize("way", ["click", "keyboard", "escape"])
def test_quick_exit_leaves_nothing_behind(
    channel: FakeChannel, open_page: OpenPage, way: str
) -> None:
    page = open_page()
    say(page, "a private thing")
    expect(page.locator(".bot .feedback")).to_be_visible()
    assert "a private thing" in str(page.evaluate("sessionStorage.getItem('stillpoint')"))
    if way == "click":
        page.get_by_role("link", name="Quick exit").click()
    elif way == "keyboard":
        page.locator("#leave").focus()
        page.keyboard.press("Enter")
    else:
        for _ in range(3):
            page.keyboard.press("Escape")
    assert_left(page)
    page.goto(channel.url)
    assert page.evaluate("sessionStorage.getItem('stillpoint') ?? ''").count("private") == 0
    assert bubbles(page) == []
    expect(page.locator("#message")).to_have_value("")


def test_quick_exit_replaces_the_page_in_the_history(
    channel: FakeChannel, open_page: OpenPage
) -> None:
    page = open_page()
    before = page.evaluate("history.length")
    page.locator("#leave").click()
    assert_left(page)
    assert page.evaluate("history.length") == before


def test_quick_exit_works_while_the_help_dialog_is_open(open_page: OpenPage) -> None:
    page = open_page()
    page.locator("#help-open").click()
    for _ in range(3):
        page.keyboard.press("Escape")
    assert_left(page)


def test_slow_escapes_do_not_leave(channel: FakeChannel, open_page: OpenPage) -> None:
    page = open_page()
    for _ in range(3):
        page.keyboard.press("Escape")
        page.wait_for_timeout(900)
    assert page.url == channel.url


def test_a_draft_survives_a_reload_in_this_tab_only(open_page: OpenPage) -> None:
    page = open_page()
    page.get_by_label("Your message").fill("half a sentence")
    page.reload()
    expect(page.get_by_label("Your message")).to_have_value("half a sentence")
    assert "half" in json.loads(page.evaluate("sessionStorage.getItem('stillpoint')"))["draft"]
