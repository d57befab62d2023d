"""The socket.io channel with a real client, as rasa-webchat uses it."""

from __future__ import annotations

import asyncio

import pytest
import socketio

from channels.errors import ChannelConfigError
from channels.origins import is_allowed
from channels.socketio import TOO_FAST, TOO_LONG, GuardedSocketIOInput


class Widget:
    """Speaks the widget's protocol: session_request, session_confirm, user_uttered, bot_uttered."""

    def __init__(self, url):
        self.url = url
        self.client = socketio.AsyncClient(reconnection=False)
        self.received: asyncio.Queue = asyncio.Queue()
        self.confirmed: asyncio.Queue = asyncio.Queue()
        self.client.on("bot_uttered", self.received.put)
        self.client.on("session_confirm", self.confirmed.put)

    async def open(self, session_id=None, transports=("websocket",), **headers):
        await self.client.connect(self.url, transports=list(transports), headers=headers)
        await self.client.emit("session_request", {"session_id": session_id})
        self.session_id = await asyncio.wait_for(self.confirmed.get(), 3)
        return self

    async def say(self, message, session_id=None, **extra):
        body = {"message": message, "session_id": session_id or self.session_id, **extra}
        await self.client.emit("user_uttered", body)

    async def hear(self):
        return await asyncio.wait_for(self.received.get(), 5)

    async def hears_nothing(self):
        await asyncio.sleep(0.4)
        return self.received.empty()


@pytest.fixture
async def widgets(serve, helpers):
    """Return a function that starts a server and returns a maker of widgets."""
    made = []

    async def start(answer=None, credentials=None):
        channel = GuardedSocketIOInput.from_credentials(credentials)
        running = await serve([channel], helpers.FakeAgent(answer))

        def widget():
            made.append(Widget(running.url))
            return made[-1]

        widget.agent, widget.channel = running.agent, channel
        return widget

    yield start
    for widget in made:
        if widget.client.connected:
            await widget.client.disconnect()


@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_exchange(widgets, transport):
    new = await widgets()
    widget = await new().open(transports=(transport,))
    await widget.say("hello")
    assert await widget.hear() == {"text": "You said: hello"}
    assert new.agent.handled[0].sender_id.startswith("socketio-")


async def test_polling_that_upgrades(widgets):
    new = await widgets()
    widget = await new().open(transports=("polling", "websocket"))
    await widget.say("hello")
    assert (await widget.hear())["text"] == "You said: hello"
    assert widget.client.transport() == "websocket"


async def test_long_text_is_sent_whole(widgets, helpers):
    new = await widgets()
    widget = await new().open()
    await widget.say(helpers.CRISIS_WORDS)
    assert await widget.hear() == {"text": helpers.CRISIS_REPLY}


async def test_buttons_have_the_widgets_shape(widgets, helpers):
    async def answer(agent, message):
        buttons = [{"title": "Yes", "payload": "/affirm"}]
        await helpers.utter(agent, message, "Sure?", buttons=buttons, source="scripted")

    new = await widgets(answer)
    widget = await new().open()
    await widget.say("hello")
    reply = {"content_type": "text", "title": "Yes", "payload": "/affirm"}
    assert await widget.hear() == {"text": "Sure?", "quick_replies": [reply]}
    await widget.say("/affirm")
    await widget.hear()
    await widget.say("/restart")
    await widget.hear()
    assert [message.text for message in new.agent.handled] == ["hello", "/affirm", "restart"]


async def test_session_cannot_be_chosen(widgets):
    new = await widgets()
    victim = await new().open()
    sender = new.channel.tokens.verify(victim.session_id).sender_id
    await victim.say("my words")
    await victim.hear()
    for chosen in (sender, "socketio-1", "", 7, victim.session_id[:-4] + "AAAA"):
        intruder = await new().open(chosen)
        assert intruder.session_id != chosen
        await intruder.say("hello", session_id=sender)
        assert (await intruder.hear())["text"] == "You said: hello"
    assert await victim.hears_nothing()
    assert [m.sender_id for m in new.agent.handled].count(sender) == 1


async def test_two_rooms_never_mix(widgets):
    new = await widgets()
    anna, ben = await new().open(), await new().open()
    for n in range(5):
        await anna.say(f"anna {n}")
        await ben.say(f"ben {n}")
    for n in range(5):
        assert (await anna.hear())["text"] == f"You said: anna {n}"
        assert (await ben.hear())["text"] == f"You said: ben {n}"
    assert await anna.hears_nothing()
    assert await ben.hears_nothing()


async def test_session_is_kept_by_its_token(widgets):
    new = await widgets()
    widget = await new().open()
    await widget.say("one")
    await widget.hear()
    await widget.client.disconnect()
    again = await new().open(widget.session_id)
    assert again.session_id == widget.session_id
    await again.say("two")
    assert (await again.hear())["text"] == "You said: two"
    assert len({message.sender_id for message in new.agent.handled}) == 1


async def test_reply_waits_for_a_lost_connection(widgets, helpers):
    async def slow(agent, message):
        await asyncio.sleep(0.5)
        await helpers.echo(agent, message)

    new = await widgets(slow)
    widget = await new().open()
    await widget.say("hello")
    await asyncio.sleep(0.1)
    await widget.client.disconnect()
    await asyncio.sleep(0.8)
    again = await new().open(widget.session_id)
    assert (await again.hear())["text"] == "You said: hello"
    assert await again.hears_nothing()


async def test_message_before_a_session(widgets):
    new = await widgets()
    widget = new()
    await widget.client.connect(widget.url, transports=["websocket"])
    await widget.client.emit("user_uttered", {"message": "hello", "session_id": "mine"})
    assert (await widget.hear())["text"] == "You said: hello"
    assert new.agent.handled[0].sender_id != "mine"


async def test_second_session_request_changes_nothing(widgets):
    new = await widgets()
    anna, ben = await new().open(), await new().open()
    await ben.client.emit("session_request", {"session_id": anna.session_id})
    assert await asyncio.wait_for(ben.confirmed.get(), 3) == ben.session_id


@pytest.mark.parametrize("data", [None, 7, "text", [], {}, {"message": 7}, {"message": " / "}])
async def test_garbage_is_ignored(widgets, data):
    new = await widgets()
    widget = await new().open()
    await widget.client.emit("user_uttered", data)
    await widget.client.emit("session_request", data)
    await widget.say("hello")
    assert (await widget.hear())["text"] == "You said: hello"


async def test_limits(widgets):
    new = await widgets(credentials={"message_burst": 2, "messages_per_minute": 1})
    widget = await new().open()
    await widget.say("x" * 4001)
    assert await widget.hear() == {"text": TOO_LONG}
    await widget.say("hello")
    assert (await widget.hear())["text"] == "You said: hello"
    await widget.say("hello")
    assert await widget.hear() == {"text": TOO_FAST}
    assert len(new.agent.handled) == 1


async def test_connection_limit(widgets):
    new = await widgets(credentials={"connection_burst": 1, "connections_per_minute": 1})
    await new().open()
    with pytest.raises(socketio.exceptions.ConnectionError):
        await new().open()


@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_foreign_origin_is_refused(widgets, transport):
    new = await widgets()
    with pytest.raises(socketio.exceptions.ConnectionError):
        await new().open(transports=(transport,), Origin="https://evil.example")
    assert new.agent.handled == []


async def test_configured_origin_is_accepted(widgets, http):
    new = await widgets(credentials={"allowed_origins": ["https://clinic.example"]})
    widget = await new().open(Origin="https://clinic.example")
    await widget.say("hello")
    assert (await widget.hear())["text"] == "You said: hello"
    url = f"{widget.url}/socket.io/?EIO=4&transport=polling"
    async with http.get(url, headers={"Origin": "https://clinic.example"}) as answer:
        assert answer.status == 200
        assert answer.headers.getall("Access-Control-Allow-Origin") == ["https://clinic.example"]


async def test_custom_data_sets_country_and_language(widgets):
    new = await widgets()
    widget = await new().open()
    await widget.say("hello", customData={"language": "en", "country": "de"}, metadata={"x": 1})
    await widget.hear()
    assert new.agent.handled[0].metadata == {"country": "DE", "language": "en"}


async def test_nlu_runs_once(widgets):
    new = await widgets()
    widget = await new().open()
    await widget.say("hello")
    await widget.hear()
    assert new.agent.parsed == ["hello"]


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("https://chat.example", True),
        ("http://localhost:3000", True),
        ("http://127.0.0.1", True),
        ("http://[::1]:80", True),
        ("https://widget.example", True),
        ("http://widget.example", False),
        ("https://chat.example.evil", False),
        ("https://localhost.evil", False),
        ("https://evil#chat.example", False),
        ("null", False),
        ("file://", False),
        ("https://[", False),
    ],
)
def test_origins(origin, allowed):
    configured = frozenset({"https://widget.example"})
    assert is_allowed(origin, ["chat.example"], configured) is allowed


@pytest.mark.parametrize("origin", ["*", "clinic.example", "https://clinic.example/", "ftp://a"])
def test_malformed_origins(origin):
    with pytest.raises(ChannelConfigError, match="allowed_origins"):
        GuardedSocketIOInput.from_credentials({"allowed_origins": [origin]})
