"""A crisis message is answered within a second, whatever the turn before it is doing."""

from __future__ import annotations

import asyncio
import time

import pytest
from rasa.core.channels.channel import UserMessage

from channels.action_endpoint import BoundedActionEndpoint
from channels.actions_client import ActionsClient
from channels.event_log import EventLog
from channels.output import TurnOutput
from channels.turns import Turn, Turns

CRISIS = "I want to end my life"


class Conversation:
    """One sender's turns without HTTP in between."""

    def __init__(self, agent, actions_url):
        self.agent = agent
        self.log = EventLog(1000, 60)
        self.turns = Turns(
            "web",
            agent.handle_message,
            lambda: agent,
            ActionsClient(actions_url),
            max_pending=5,
            timeout_s=30,
        )

    async def submit(self, text, message_id):
        def emit(name, data):
            self.log.append(name, data, message_id)

        output = TurnOutput("web", message_id, emit)
        turn = Turn("web-1", text, message_id, output, emit, streams=True)
        await self.turns.submit(turn)
        return turn

    def names(self, message_id):
        return [event.name for event in self.log.after(0, message_id)]

    async def tracker(self):
        return await self.agent.tracker_store.retrieve("web-1")


@pytest.fixture
async def conversation(helpers, action_server):
    made = []

    async def start(answer=None, endpoint=True, **settings):
        actions = await action_server(**settings)
        agent = helpers.FakeAgent(answer or helpers.through_action_server)
        if endpoint:
            agent.action_endpoint = BoundedActionEndpoint(f"{actions.url}/webhook")
        made.append(Conversation(agent, actions.url))
        made[-1].actions = actions
        return made[-1]

    yield start
    for conversation in made:
        await conversation.turns.close(0.1)


async def crisis_after(conversation, pause_s):
    first = await conversation.submit("tell me something", "m1")
    await asyncio.sleep(pause_s)
    started = time.monotonic()
    crisis = await conversation.submit(CRISIS, "m2")
    await asyncio.wait_for(crisis.finished.wait(), 5)
    return first, crisis, time.monotonic() - started


async def test_hung_action_server(conversation, helpers):
    talk = await conversation(hung=True)
    first, _, seconds = await crisis_after(talk, 0.2)
    assert seconds < 1.0
    assert first.finished.is_set()
    assert talk.names("m1") == ["done"]
    assert talk.names("m2") == ["message", "done"]
    users = [event.text for event in (await talk.tracker()).events if event.type_name == "user"]
    assert users == ["tell me something", CRISIS]


async def test_generation_is_cancelled_and_what_was_said_is_kept(conversation):
    talk = await conversation(sentences=tuple(f"S{n}. " for n in range(40)), pause_s=0.1)
    _first, _, seconds = await crisis_after(talk, 0.45)
    assert seconds < 0.5
    assert ("POST", "/turns/m1/cancel") in talk.actions.requests
    names = talk.names("m1")
    assert names[0] == "stream_start"
    assert names[-2:] == ["stream_end", "done"]
    final = next(event for event in talk.log.after(0, "m1") if event.name == "stream_end")
    assert final.data["text"].startswith("S0. S1. ")
    said = [event.text for event in (await talk.tracker()).events if event.type_name == "bot"]
    assert said[0] == final.data["text"]


async def test_server_that_ignores_cancel(conversation):
    talk = await conversation(deaf=True, pause_s=0.05)
    _first, _, seconds = await crisis_after(talk, 0.4)
    assert seconds < 1.0
    assert talk.names("m1")[-2:] == ["stream_end", "done"]


async def test_turn_that_hangs_outside_the_action_server(conversation):
    async def hang(agent, message):
        await asyncio.sleep(60)

    talk = await conversation(hang, endpoint=False)
    first, _, seconds = await crisis_after(talk, 0.1)
    assert seconds < 1.0
    assert first.interrupted


async def test_crisis_goes_before_waiting_messages(conversation, helpers):
    async def answer(agent, message):
        await asyncio.sleep(0.2)
        await helpers.echo(agent, message)

    talk = await conversation(answer)
    turns = [await talk.submit("a", "m0")]
    await asyncio.sleep(0.05)
    turns += [await talk.submit(text, f"m{n}") for n, text in enumerate(("b", CRISIS, "c"), 1)]
    for turn in turns:
        await asyncio.wait_for(turn.finished.wait(), 5)
    assert [message.text for message in talk.agent.handled] == ["a", CRISIS, "b", "c"]


async def test_messages_without_risk_queue_in_order(conversation, helpers):
    async def answer(agent, message):
        await asyncio.sleep(0.05)
        await helpers.echo(agent, message)

    talk = await conversation(answer)
    turns = [await talk.submit(text, f"m{n}") for n, text in enumerate("abcd")]
    for turn in turns:
        await asyncio.wait_for(turn.finished.wait(), 5)
    assert [message.text for message in talk.agent.handled] == list("abcd")
    assert not any(turn.interrupted for turn in turns)


async def test_second_crisis_message_does_not_cancel_the_first(conversation):
    talk = await conversation()
    one = await talk.submit(CRISIS, "m1")
    two = await talk.submit(CRISIS + " now", "m2")
    await asyncio.wait_for(two.finished.wait(), 5)
    assert not one.interrupted
    assert talk.names("m1") == talk.names("m2") == ["message", "done"]


async def test_crisis_is_admitted_to_a_full_queue(conversation):
    async def answer(agent, message):
        await asyncio.sleep(0.1)

    talk = await conversation(answer)
    for n in range(5):
        await talk.submit("hello", f"m{n}")
    crisis = await talk.submit(CRISIS, "crisis")
    await asyncio.wait_for(crisis.finished.wait(), 1)
    assert talk.names("crisis") == ["message", "done"]


async def test_parse_data_is_passed_on(conversation):
    talk = await conversation()
    turn = await talk.submit(CRISIS, "m1")
    await turn.finished.wait()
    message: UserMessage = talk.agent.handled[0]
    assert message.parse_data["risk"]["level"] == "high"
    assert talk.agent.parsed == [CRISIS]


async def test_no_task_is_left_behind(conversation):
    talk = await conversation(hung=True)
    await crisis_after(talk, 0.1)
    await talk.submit("hello", "m3")
    await talk.turns.close(0.1)
    await asyncio.sleep(0)
    own = {"_serve", "_run", "_forward", "interrupt"}
    left = [task for task in asyncio.all_tasks() if task.get_coro().__name__ in own]
    assert left == []
