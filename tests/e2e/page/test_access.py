"""The page with the keyboard alone, with a screen reader, small, zoomed and dark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.page.conftest import OpenPage, bubbles, say, spoken
from tests.e2e.page.fake_channel import WEB_DIR, FakeChannel, message, streamed

pytestmark = pytest.mark.e2e

AXE = WEB_DIR / "node_modules" / "axe-core" / "axe.min.js"
SENTENCES = ["That sounds heavy.", " It has been going on for weeks.", " What weighs most today?"]
BUTTONS = [{"title": "Yes", "payload": "/affirm"}, {"title": "No", "payload": "/deny"}]


def test_only_finished_sentences_are_spoken_and_each_once(
    channel: FakeChannel, open_page: OpenPage
) -> None:
    steps = streamed(SENTENCES, pause=0.2)
    pieces = [
        ("stream_chunk", {"id": "{id}", "text": part}) for part in ("That sou", "nds hea", "vy.")
    ]
    channel.script["hello"] = [steps[0], pieces[0], 0.2, pieces[1], 0.2, pieces[2], *steps[2:]]
    page = open_page()
    page.evaluate(
        """() => {
          window.said = [];
          new MutationObserver(records => records.forEach(record => record.addedNodes.forEach(
            node => window.said.push(node.textContent)))).observe(
              document.getElementById('spoken'), {childList: true});
        }"""
    )
    say(page, "hello")
    expect(page.locator(".bot .feedback")).to_be_visible()
    said = [line for line in page.evaluate("window.said") if line != "Stillpoint is writing."]
    assert said == [sentence.strip() for sentence in SENTENCES]
    assert page.locator("#spoken").get_attribute("role") == "status"
    assert page.locator("#log").get_attribute("role") == "log"
    assert page.locator("#log").get_attribute("aria-live") == "off"


def test_choices_are_spoken(channel: FakeChannel, open_page: OpenPage) -> None:
    channel.script["hello"] = [message("Are you safe?", flow="crisis", buttons=BUTTONS)]
    page = open_page()
    say(page, "hello")
    expect(page.locator(".choices")).to_be_visible()
    assert spoken(page) == [
        "Are you safe?",
        "You can choose: Yes, No. Or write your own answer.",
    ]


def test_everything_can_be_done_with_the_keyboard(
    channel: FakeChannel, open_page: OpenPage
) -> None:
    channel.script["hello"] = [message("Which?", buttons=BUTTONS)]
    page = open_page()
    page.keyboard.press("Tab")
    assert focused(page) == "Skip to writing"
    page.keyboard.press("Tab")
    assert focused(page) == "Get help now"
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    assert focused(page) == "Get help now"
    page.keyboard.press("Tab")
    assert focused(page) == "Quick exit"
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#message")).to_be_focused()
    page.keyboard.type("hello")
    page.keyboard.press("Enter")
    expect(page.locator(".choices")).to_be_visible()
    expect(page.locator("#message")).to_be_focused()
    tab_back_to(page, "No")
    page.keyboard.press("Enter")
    expect(page.locator("#message")).to_be_focused()
    expect(page.locator(".bot .bubble")).to_have_count(2)
    tab_back_to(page, "That helped")
    page.keyboard.press("Space")
    expect(page.locator('.vote[aria-pressed="true"]')).to_have_count(1)


def test_shift_enter_writes_a_new_line_and_an_empty_message_is_not_sent(
    channel: FakeChannel, open_page: OpenPage
) -> None:
    page = open_page()
    page.locator("#message").focus()
    page.keyboard.press("Enter")
    page.keyboard.type("one")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("two")
    page.keyboard.press("Enter")
    expect(page.locator(".bot .feedback")).to_be_visible()
    assert [body["message"] for body in channel.received] == ["one\ntwo"]


def test_a_starter_fills_the_field_and_sends_nothing(
    channel: FakeChannel, open_page: OpenPage
) -> None:
    page = open_page()
    page.get_by_role("button", name="I feel alone with").click()
    expect(page.locator("#message")).to_have_value("I feel alone with ")
    expect(page.locator("#message")).to_be_focused()
    assert channel.received == []


@pytest.mark.parametrize(
    "size", [(320, 640), (375, 740), (640, 360), (320, 256), (1280, 800)], ids=str
)
def test_nothing_is_cut_off(
    channel: FakeChannel, open_page: OpenPage, size: tuple[int, int]
) -> None:
    channel.script["x"] = [message("Call 988. " * 30, flow="crisis", card="crisis")]
    page = open_page(viewport={"width": size[0], "height": size[1]})
    say(page, "x")
    expect(page.locator(".reach")).to_have_count(1)
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    assert page.locator("#scroll").evaluate("area => area.scrollWidth - area.clientWidth") <= 0
    assert page.locator("#scroll").evaluate("area => area.clientHeight") >= 70
    for control in ("#help-open", "#leave", "#message", "#send"):
        box = page.locator(control).bounding_box()
        assert box is not None
        assert 0 <= box["x"] <= size[0] - box["width"]
        assert 0 <= box["y"] <= size[1] - box["height"]
    page.locator("#help-open").click()
    dialog = page.locator("#help")
    assert dialog.evaluate("box => box.scrollWidth - box.clientWidth") <= 0


def test_a_long_answer_keeps_its_beginning_in_view(
    channel: FakeChannel, open_page: OpenPage
) -> None:
    text = "\n\n".join(f"Paragraph {n} of a long answer." for n in range(30))
    channel.script["x"] = [message(text)]
    page = open_page(viewport={"width": 375, "height": 640})
    say(page, "x")
    expect(page.locator("#latest")).to_be_visible()
    expect(page.locator("#messages p", has_text="Paragraph 0 of")).to_be_in_viewport()
    page.locator("#latest").click()
    expect(page.locator("#messages p", has_text="Paragraph 29 of")).to_be_in_viewport()
    expect(page.locator("#latest")).to_be_hidden()


@pytest.mark.parametrize("direction", ["ltr", "rtl"])
def test_reading_back_is_not_disturbed(
    channel: FakeChannel, open_page: OpenPage, direction: str
) -> None:
    channel.script["y"] = [2.5, message("Late answer.")]
    page = open_page(viewport={"width": 375, "height": 640})
    page.evaluate("dir => { document.documentElement.dir = dir }", direction)
    for n in range(6):
        say(page, f"message {n}")
        expect(page.locator(".bot .feedback")).to_have_count(n + 1)
    say(page, "y")
    page.locator("#scroll").hover()
    page.mouse.wheel(0, -5000)
    page.wait_for_function("document.getElementById('scroll').scrollTop === 0")
    expect(page.locator(".bot .feedback")).to_have_count(7)
    page.wait_for_timeout(300)
    assert page.locator("#scroll").evaluate("area => area.scrollTop") == 0
    expect(page.locator("#latest")).to_be_visible()
    assert "Late answer." in bubbles(page)


def test_reduced_motion_is_respected(channel: FakeChannel, open_page: OpenPage) -> None:
    channel.script["x"] = [2.0, message("Done.")]
    page = open_page(reduced_motion="reduce")
    say(page, "x")
    expect(page.locator("#writing")).to_be_visible()
    assert page.evaluate("document.getAnimations().length") == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", ["start", "conversation", "help"])
def test_axe_finds_nothing(
    channel: FakeChannel, open_page: OpenPage, scheme: str, view: str
) -> None:
    if not AXE.exists():
        pytest.skip("axe-core is missing: run `npm ci` in rasa_project/web")
    channel.script["x"] = [
        message("Call 988.", flow="crisis", card="crisis"),
        ("message", {"id": "{id}.1", "text": "Safe?", "source": "scripted", "buttons": BUTTONS}),
    ]
    page = open_page(color_scheme=scheme, reduced_motion="reduce")
    if view != "start":
        say(page, "hello")
        expect(page.locator(".bot .feedback")).to_have_count(1)
        page.get_by_role("button", name="That did not").click()
        expect(page.locator(".comment")).to_be_visible()
        say(page, "x")
        expect(page.locator(".choices")).to_be_visible()
    if view == "help":
        page.locator("#help-open").click()
        page.locator("#others summary").first.click()
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = page.evaluate("axe.run().then(result => result.violations)")
    assert [(v["id"], v["impact"], [n["html"] for n in v["nodes"]][:3]) for v in found] == []


def focused(page: Page) -> str:
    """The name of what has the focus."""
    return str(page.evaluate("document.activeElement.innerText.trim()"))


def tab_back_to(page: Page, name: str) -> None:
    """Press Shift+Tab until the control with this name has the focus."""
    for _ in range(12):
        page.keyboard.press("Shift+Tab")
        if focused(page) == name:
            return
    raise AssertionError(f"{name} cannot be reached with the keyboard")


def test_the_version_is_the_projects() -> None:
    root = WEB_DIR.parents[1]
    version = (root / "pyproject.toml").read_text(encoding="utf-8").split('version = "')[1]
    page = Path(WEB_DIR / "index.html").read_text(encoding="utf-8")
    assert f'id="version">{version.split(chr(34))[0]}<' in page
