"""The partner channel over real HTTP."""

from __future__ import annotations

import asyncio
import hashlib
import json
import sqlite3

import pytest
from rasa.core.tracker_store import FailSafeTrackerStore, SQLTrackerStore

from channels.errors import ChannelConfigError
from channels.feedback import FeedbackStore
from channels.partner import PartnerInput
from channels.partner_keys import PartnerKeys, sender_id_of

ACME, BETA = "acme-key-0123456789", "beta-key-0123456789"


class Partner:
    def __init__(self, http, running, helpers, key=ACME):
        self.http, self.agent, self.helpers = http, running.agent, helpers
        self.base = f"{running.url}/webhooks/partner"
        self.headers = {"Authorization": f"Bearer {key}"}

    def post(self, headers=None, **body):
        return self.http.post(
            f"{self.base}/webhook", json=body, headers={**self.headers, **(headers or {})}
        )

    async def say(self, message, user_id="u1", **headers):
        async with self.post(headers, user_id=user_id, message=message) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def refusal(self, headers=None, **body):
        async with self.post(headers, **body) as answer:
            return answer.status, (await answer.json())["error"], answer.headers

    def erase(self, user_id):
        return self.http.delete(f"{self.base}/users/{user_id}", headers=self.headers)


@pytest.fixture
def partner(serve, http, helpers, monkeypatch):
    """Return a function that starts a server and returns the partner ``acme``."""
    monkeypatch.setenv("PARTNER_KEYS", f"acme:{ACME}, beta:{BETA}")

    async def start(answer=None, credentials=None, agent=None):
        agent = agent or helpers.FakeAgent(answer)
        running = await serve([PartnerInput.from_credentials(credentials)], agent)
        return Partner(http, running, helpers)

    return start


def beta_of(acme):
    other = Partner.__new__(Partner)
    other.__dict__ = {**acme.__dict__, "headers": {"Authorization": f"Bearer {BETA}"}}
    return other


async def test_message_list(partner):
    acme = await partner()
    (message,) = await acme.say("hello")
    assert message["recipient_id"] == "u1"
    assert message["text"] == "You said: hello"
    assert message["metadata"]["source"] == "scripted"


async def test_text_with_blank_lines_is_one_message(partner, helpers):
    acme = await partner()
    assert [m["text"] for m in await acme.say(helpers.CRISIS_WORDS)] == [helpers.CRISIS_REPLY]


async def test_senders_are_kept_apart(partner):
    acme = await partner()
    await acme.say("hello", user_id="+49 170 1234")
    await acme.say("hello", user_id="u2")
    await beta_of(acme).say("hello", user_id="u2")
    senders = [message.sender_id for message in acme.agent.handled]
    assert len(set(senders)) == 3
    assert [sender.split("-")[1] for sender in senders] == ["acme", "acme", "beta"]
    assert "1234" not in senders[0]


@pytest.mark.parametrize(
    "header", [None, "Bearer wrong", f"Basic {ACME}", "Bearer ", "Bearer \xfc"]
)
async def test_bad_key(partner, http, header):
    acme = await partner()
    headers = {"Authorization": header} if header else {}
    body = {"user_id": "u1", "message": "hello"}
    async with http.post(f"{acme.base}/webhook", json=body, headers=headers) as answer:
        assert answer.status == 401
        assert (await answer.json())["error"]["code"] == "unauthorized"
    async with http.delete(f"{acme.base}/users/u1", headers=headers) as answer:
        assert answer.status == 401
    assert acme.agent.handled == []


async def test_no_keys_means_nobody(serve, http, helpers):
    running = await serve([PartnerInput.from_credentials(None)], helpers.FakeAgent())
    acme = Partner(http, running, helpers)
    assert (await acme.refusal(user_id="u1", message="hello"))[0] == 401


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"message": "a"}, 422, "user_id"),
        ({"user_id": "", "message": "a"}, 422, "user_id"),
        ({"user_id": 7, "message": "a"}, 422, "user_id"),
        ({"user_id": "u" * 300, "message": "a"}, 422, "user_id"),
        ({"user_id": "u1"}, 422, "message"),
        ({"user_id": "u1", "message": ["a"]}, 422, "message"),
        ({"user_id": "u1", "message": "a", "payload": "/a"}, 422, "payload"),
        ({"user_id": "u1", "payload": "/restart"}, 422, "payload"),
        ({"user_id": "u1", "message": "x" * 4001}, 413, "message"),
        ({"user_id": "u1", "message": "a", "x": "y" * 40_000}, 413, None),
        ({"user_id": "u1", "message": "a", "country": 1}, 422, "country"),
    ],
)
async def test_refused_bodies(partner, body, status, field):
    acme = await partner()
    answer_status, error, _ = await acme.refusal(**body)
    assert (answer_status, error["field"]) == (status, field)
    assert acme.agent.handled == []


async def test_offered_payload(partner, helpers):
    async def answer(agent, message):
        buttons = [{"title": "Yes", "payload": "/affirm"}]
        await helpers.utter(agent, message, "Sure?", buttons=buttons)

    acme = await partner(answer)
    (message,) = await acme.say("hello")
    assert message["buttons"] == [{"title": "Yes", "payload": "/affirm"}]
    async with acme.post(user_id="u1", payload="/affirm") as reply:
        assert reply.status == 200
    assert (await acme.refusal(user_id="u2", payload="/affirm"))[0] == 422


async def test_typed_commands_are_plain_text(partner):
    acme = await partner()
    await acme.say("/restart")
    assert acme.agent.handled[0].text == "restart"


async def test_rate_limit_is_per_partner(partner):
    acme = await partner(credentials={"message_burst": 1, "messages_per_minute": 1})
    await acme.say("hello")
    status, _, headers = await acme.refusal(user_id="u2", message="hello")
    assert status == 429
    assert int(headers["Retry-After"]) > 1
    await beta_of(acme).say("hello")


async def test_idempotency_key(partner, helpers):
    async def slow(agent, message):
        await asyncio.sleep(0.2)
        await helpers.echo(agent, message)

    acme = await partner(slow)
    key = {"Idempotency-Key": "k1"}
    first, second = await asyncio.gather(acme.say("hello", **key), acme.say("hello", **key))
    assert first == second == await acme.say("hello", **key)
    assert len(acme.agent.handled) == 1
    status, error, _ = await acme.refusal(key, user_id="u1", message="another")
    assert status == 409
    assert error["field"] == "Idempotency-Key"
    await beta_of(acme).say("mine", **key)
    assert len(acme.agent.handled) == 2


async def test_idempotency_key_is_forgotten(partner):
    acme = await partner(credentials={"idempotency_ttl_s": 1})
    await acme.say("hello", **{"Idempotency-Key": "k1"})
    await asyncio.sleep(1.1)
    await acme.say("another", **{"Idempotency-Key": "k1"})
    assert len(acme.agent.handled) == 2


async def test_event_stream(partner, helpers, action_server, monkeypatch):
    actions = await action_server(pause_s=0.1)
    monkeypatch.setenv("ACTIONS_URL", actions.url)
    agent = helpers.FakeAgent(helpers.through_action_server)
    agent.action_endpoint = helpers.EndpointConfig(f"{actions.url}/webhook")
    acme = await partner(agent=agent)
    headers = {"Accept": "text/event-stream"}
    async with acme.post(headers, user_id="u1", message="hello") as answer:
        assert answer.content_type == "text/event-stream"
        events = [event async for event in helpers.read_events(answer)]
    assert events[0].name == "stream_start"
    assert events[-1].name == "done"
    assert events[-2].name == "stream_end"
    assert events[-2].data["text"] == "One. Two. Three."
    (message,) = await acme.say("hello")
    assert message["text"] == "One. Two. Three."
    assert message["metadata"]["source"] == "llm"


async def test_crisis_over_a_hung_action_server(partner, helpers, action_server, monkeypatch):
    actions = await action_server(hung=True)
    monkeypatch.setenv("ACTIONS_URL", actions.url)
    agent = helpers.FakeAgent(helpers.through_action_server)
    agent.action_endpoint = helpers.EndpointConfig(f"{actions.url}/webhook")
    acme = await partner(agent=agent)
    first = asyncio.ensure_future(acme.say("hello"))
    await asyncio.sleep(0.2)
    (message,) = await asyncio.wait_for(acme.say(helpers.CRISIS_WORDS), 1)
    assert message["text"] == helpers.CRISIS_REPLY
    assert await first == []


async def test_never_an_empty_list(partner):
    async def raises(agent, message):
        raise RuntimeError

    acme = await partner(raises)
    (message,) = await acme.say("hello")
    assert "112" in message["text"]


async def test_erase(partner, helpers, environment, tmp_path):
    database = tmp_path / "trackers.db"
    agent = helpers.FakeAgent()
    agent.tracker_store = FailSafeTrackerStore(SQLTrackerStore(agent.domain, db=str(database)))
    acme = await partner(agent=agent)
    user = "user/1 ü"
    for user_id in (user, "u2"):
        await acme.say("remember this", user_id=user_id)
    sender = sender_id_of("acme", user)
    store = FeedbackStore(environment / "feedback.db")
    await store.put(sender, "m1", True, "thanks")
    async with acme.erase("user%2F1%20%C3%BC") as answer:
        assert answer.status == 204
    with sqlite3.connect(database) as connection:
        left = {row[0] for row in connection.execute("SELECT sender_id FROM events")}
    assert left == {sender_id_of("acme", "u2")}
    with sqlite3.connect(environment / "feedback.db") as connection:
        assert connection.execute("SELECT count(*) FROM feedback").fetchone() == (0,)
    assert await agent.tracker_store.retrieve(sender) is None
    async with beta_of(acme).erase("u2") as answer:
        assert answer.status == 204
    assert await agent.tracker_store.retrieve(sender_id_of("acme", "u2")) is not None


async def test_erase_waits_for_the_running_turn(partner, helpers):
    async def slow(agent, message):
        await asyncio.sleep(0.3)
        await helpers.echo(agent, message)

    acme = await partner(slow)
    turns = [asyncio.ensure_future(acme.say(f"hello {n}")) for n in range(2)]
    await asyncio.sleep(0.1)
    async with acme.erase("u1") as answer:
        assert answer.status == 204
    assert all(turn.done() for turn in turns) or await asyncio.gather(*turns)
    assert await acme.agent.tracker_store.retrieve(sender_id_of("acme", "u1")) is None


async def test_erase_with_a_store_that_cannot(partner, helpers):
    class Other:
        async def retrieve(self, sender_id):
            return None

    acme = await partner()
    acme.agent.tracker_store = Other()
    async with acme.erase("u1") as answer:
        assert answer.status == 503


@pytest.mark.parametrize(
    "variable", ["acme", "acme:", "Ac me:key", ":key", "acme:a,acme:b", "acme:sha256:zz"]
)
def test_malformed_keys_variable(variable):
    with pytest.raises(ChannelConfigError, match="PARTNER_KEYS") as caught:
        PartnerKeys.load(variable, None)
    assert "key" not in str(caught.value).replace("PARTNER_KEYS", "").replace("the key of", "")


def test_keys_file(tmp_path):
    digest = hashlib.sha256(b"the key").hexdigest()
    path = tmp_path / "partners.yml"
    path.write_text(json.dumps({"acme": f"sha256:{digest}", "beta": digest[::-1]}))
    keys = PartnerKeys.load(f"gamma:sha256:{hashlib.sha256(b'g').hexdigest()}", str(path))
    assert keys.partner_of("the key") == "acme"
    assert keys.partner_of("g") == "gamma"
    path.write_text("acme: plain")
    with pytest.raises(ChannelConfigError, match="keys_file"):
        PartnerKeys.load("", str(path))
    with pytest.raises(ChannelConfigError, match="keys_file"):
        PartnerKeys.load("", str(tmp_path / "none.yml"))


def test_settings_refuse_unknown_keys():
    with pytest.raises(ChannelConfigError, match="'keys'"):
        PartnerInput.from_credentials({"keys": "a"})
