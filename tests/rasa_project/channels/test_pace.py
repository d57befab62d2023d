"""Misuse that goes on slows the next message down, and never one that carries risk."""

from __future__ import annotations

import asyncio
import time

import pytest

from channels.actions_client import ActionsClient
from channels.output import TurnOutput
from channels.turns import Turn, Turns

CRISIS = "I want to end my life"
SLOW_S = 0.6


@pytest.fixture
async def talk(helpers):
    async def answer(agent, message):
        pace = {"pace": "slow"} if "again" in message.text else {}
        await helpers.utter(agent, message, "I can't do that one.", source="scripted", **pace)

    agent = helpers.FakeAgent(answer)
    turns = Turns(
        "web",
        agent.handle_message,
        lambda: agent,
        ActionsClient("http://127.0.0.1:9"),
        max_pending=5,
        timeout_s=30,
        slow_s=SLOW_S,
    )

    async def submit(text, sender="web-1"):
        output = TurnOutput("web", text, lambda name, data: None)
        turn = Turn(sender, text, text, output, lambda name, data: None)
        await turns.submit(turn)
        return turn

    async def timed(text, sender="web-1"):
        started = time.monotonic()
        turn = await submit(text, sender)
        await turn.finished.wait()
        return time.monotonic() - started

    talk.submit, talk.timed, talk.agent = submit, timed, agent
    yield talk
    await turns.close()


async def test_the_message_after_a_slow_reply_waits(talk):
    assert await talk.timed("once") < SLOW_S / 2
    assert await talk.timed("again") < SLOW_S / 2
    assert await talk.timed("next") >= SLOW_S * 0.8
    assert await talk.timed("after that") < SLOW_S / 2


async def test_nobody_else_waits(talk):
    await talk.timed("again")
    assert await talk.timed("hello", sender="web-2") < SLOW_S / 2


async def test_risk_never_waits_and_goes_before_what_does(talk):
    await talk.timed("again")
    waiting = await talk.submit("again and again")
    await asyncio.sleep(0.05)
    assert await talk.timed(CRISIS) < SLOW_S / 2
    await waiting.finished.wait()
    assert [m.text for m in talk.agent.handled] == ["again", CRISIS, "again and again"]


async def test_risk_alone_never_waits(talk):
    await talk.timed("again")
    assert await talk.timed(CRISIS) < SLOW_S / 2
