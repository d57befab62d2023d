"""The web channel over real HTTP."""

from __future__ import annotations

import asyncio
import os
import stat
import time
from pathlib import Path

import jwt
import pytest

from channels.errors import ChannelConfigError
from channels.web import WebInput


def auth(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


class Client:
    """One person's page."""

    def __init__(self, http, url, helpers):
        self.http, self.base, self.helpers, self.token = http, f"{url}/webhooks/web", helpers, ""

    async def open(self, **body):
        async with self.http.post(f"{self.base}/session", json=body) as answer:
            assert answer.status == 200
            self.token = (await answer.json())["token"]
        return self

    def post(self, **body):
        return self.http.post(f"{self.base}/webhook", json=body, headers=auth(self.token))

    async def say(self, **body):
        async with self.post(**body) as answer:
            assert answer.status == 200, await answer.text()
            return [event async for event in self.helpers.read_events(answer)]

    def events(self, after=None, **params):
        headers = auth(self.token)
        if after is not None:
            headers["Last-Event-ID"] = str(after)
        return self.http.get(f"{self.base}/events", headers=headers, params=params)

    async def refusal(self, **body):
        async with self.post(**body) as answer:
            return answer.status, (await answer.json())["error"], answer.headers


@pytest.fixture
def client(serve, http, helpers):
    """Return a function that starts a server and opens a page on it."""

    async def start(answer=None, credentials=None, agent=None):
        agent = agent or helpers.FakeAgent(answer)
        running = await serve([WebInput.from_credentials(credentials)], agent)
        page = await Client(http, running.url, helpers).open()
        page.running, page.agent = running, agent
        return page

    return start


@pytest.fixture
async def llm_client(client, helpers, action_server, monkeypatch):
    """Return a function that starts a server whose agent answers through an action server."""

    async def start(credentials=None, **settings):
        actions = await action_server(**settings)
        monkeypatch.setenv("ACTIONS_URL", actions.url)
        agent = helpers.FakeAgent(helpers.through_action_server)
        agent.action_endpoint = helpers.EndpointConfig(f"{actions.url}/webhook", token="t")
        page = await client(credentials=credentials, agent=agent)
        page.actions = actions
        return page

    return start


# Sessions


async def test_sender_id_is_made_by_the_server(client):
    page = await client()
    await page.say(message="hello", sender="web-chosen", sender_id="web-chosen")
    sender = page.agent.handled[0].sender_id
    assert sender.startswith("web-")
    assert len(sender) == 4 + 32
    assert "chosen" not in sender


async def test_session_answer(client, http):
    page = await client()
    async with http.post(f"{page.base}/session") as answer:
        body = await answer.json()
        assert set(body) == {"token", "expires_in"}
        assert body["expires_in"] > 0
        assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "kind", ["missing", "garbage", "other secret", "other audience", "expired"]
)
async def test_bad_token(client, http, environment, kind):
    page = await client()
    secret = (environment / "secret").read_text().strip()
    claims = {"sub": "web-1", "aud": "web", "exp": time.time() + 60}
    headers = {
        "missing": {},
        "garbage": auth("garbage"),
        "other secret": auth(jwt.encode(claims, "x" * 40)),
        "other audience": auth(jwt.encode({**claims, "aud": "socketio"}, secret)),
        "expired": auth(jwt.encode({**claims, "exp": time.time() - 1}, secret)),
    }[kind]
    async with http.post(f"{page.base}/webhook", json={"message": "a"}, headers=headers) as answer:
        assert answer.status == 401
        assert (await answer.json())["error"]["code"] == "unauthorized"
    assert page.agent.handled == []


async def test_unsigned_token_is_refused(client, http):
    page = await client()
    token = jwt.encode({"sub": "web-1", "aud": "web", "exp": time.time() + 60}, None, "none")
    async with http.get(f"{page.base}/events", headers=auth(token)) as answer:
        assert answer.status == 401


async def test_secret_file_is_private_and_kept(client, environment):
    await client()
    path = environment / "secret"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = path.read_text()
    WebInput.from_credentials(None)
    assert path.read_text() == text
    assert list(environment.glob(".secret*")) == []


async def test_country_and_language_reach_the_tracker(client):
    page = await client()
    await page.open(country="in", language="en-IN")
    await page.say(message="hello")
    assert page.agent.handled[-1].metadata == {"country": "IN", "language": "en-IN"}


async def test_bad_country(client, http):
    page = await client()
    async with http.post(f"{page.base}/session", json={"country": "India"}) as answer:
        assert answer.status == 422
        assert (await answer.json())["error"]["field"] == "country"


# Turns


async def test_message_events(client):
    page = await client()
    events = await page.say(message="hello")
    assert [event.name for event in events] == ["message", "done"]
    assert events[0].data["text"] == "You said: hello"
    assert events[0].data["source"] == "scripted"
    assert events[0].data["flow"] == "chat"
    assert events[1].data == {}


async def test_nlu_runs_once(client):
    page = await client()
    await page.say(message="hello")
    assert page.agent.parsed == ["hello"]
    assert page.agent.handled[0].parse_data["intent"]["name"] == "share"


async def test_ids_are_monotonic_over_turns(client):
    page = await client()
    ids = [event.id for n in range(4) for event in await page.say(message=f"hello {n}")]
    assert ids == sorted(set(ids))
    assert len(ids) == 8


async def test_text_with_blank_lines_is_sent_whole(client, helpers):
    page = await client()
    events = await page.say(message=f"Sometimes {helpers.CRISIS_WORDS}")
    assert events[0].data["text"] == helpers.CRISIS_REPLY


async def test_unknown_metadata_stays_inside(client, helpers):
    async def answer(agent, message):
        await helpers.utter(
            agent,
            message,
            "hi",
            source="reply_bank",
            reply_id="r1",
            model="m",
            total_ms=3,
            card="c",
        )

    page = await client(answer)
    (event, _) = await page.say(message="hello")
    assert set(event.data) == {"id", "text", "source", "reply_id", "card"}


@pytest.mark.parametrize("failure", ["raises", "silent", "not ready"])
async def test_never_silence(client, failure):
    async def answer(agent, message):
        if failure == "raises":
            raise RuntimeError(f"tracker says {message.text}")

    page = await client(answer)
    if failure == "not ready":
        page.agent.ready = False
        page.agent.handle_message = _ignore
    events = await page.say(message="hello")
    assert [event.name for event in events] == ["message", "done"]
    assert events[0].data["source"] == "scripted"
    assert "112" in events[0].data["text"]


async def _ignore(message):
    return None


async def test_no_answer_text_comes_from_the_domain(client, helpers):
    domain = helpers.Domain.from_dict({"responses": {"utter_no_answer": [{"text": "From domain"}]}})
    agent = helpers.FakeAgent(lambda agent, message: _ignore(message), domain)
    page = await client(agent=agent)
    assert (await page.say(message="hello"))[0].data["text"] == "From domain"


async def test_two_sessions_never_mix(client, http, helpers):
    page = await client()
    other = await Client(http, page.running.url, helpers).open()
    results = await asyncio.gather(
        *(
            p.say(message=f"{who} {n}")
            for n in range(5)
            for who, p in (("anna", page), ("ben", other))
        )
    )
    for n, events in enumerate(results):
        assert ("anna" if n % 2 == 0 else "ben") in events[0].data["text"]
    async with page.events() as answer:
        seen = await collect(helpers, answer, 10)
    assert len(seen) == 10
    assert not any("ben" in str(event.data) for event in seen)


async def collect(helpers, answer, count):
    seen = []
    async for event in helpers.read_events(answer, until=None):
        seen.append(event)
        if len(seen) == count:
            break
    return seen


# Streaming


async def test_stream_before_the_last_sentence_is_written(llm_client):
    page = await llm_client(pause_s=0.2)
    events = await page.say(message="hello")
    end = events[-2]
    chunks = [event for event in events if event.name == "stream_chunk"]
    assert [e.name for e in events if e not in chunks] == ["stream_start", "stream_end", "done"]
    assert end.data["text"] == "One. Two. Three."
    assert len(chunks) >= 2
    assert end.data["text"].startswith("".join(e.data["text"] for e in chunks))
    assert end.data["source"] == "llm"
    assert end.data["id"] == events[0].data["id"]
    assert end.at - chunks[0].at > 0.3
    assert "model" not in end.data


async def test_dead_side_stream_gives_one_message(llm_client, monkeypatch):
    monkeypatch.setattr("channels.actions_client.ActionsClient.chunks", _no_chunks)
    page = await llm_client()
    events = await page.say(message="hello")
    assert [event.name for event in events] == ["message", "done"]
    assert events[0].data["id"] == page.agent.handled[0].message_id


async def _no_chunks(self, message_id):
    return
    yield


async def test_turn_that_dies_after_its_stream_started(llm_client, monkeypatch):
    monkeypatch.setattr("channels.action_endpoint.TOTAL_TIMEOUT_S", 0.4)
    page = await llm_client(deaf=True)
    events = await page.say(message="hello")
    assert [event.name for event in events][-3:] == ["stream_end", "error", "done"]
    assert events[-3].data["text"] == "One. Two. Three."
    assert set(events[-2].data) == {"code", "message"}


async def test_actions_token_is_sent(llm_client, monkeypatch):
    monkeypatch.setenv("ACTIONS_TOKEN", "t")
    page = await llm_client(token="t")
    assert (await page.say(message="hello"))[0].name == "stream_start"


# Resuming


async def test_resume_loses_and_doubles_nothing(llm_client, helpers):
    page = await llm_client(sentences=tuple(f"S{n}. " for n in range(8)), pause_s=0.1)
    seen = []
    async with page.post(message="hello") as answer:
        async for event in helpers.read_events(answer):
            seen.append(event)
            if len(seen) == 3:
                break
    answer.close()
    await asyncio.sleep(0.25)
    for count in (2, 100):
        async with page.events(after=seen[-1].id) as answer:
            async for event in helpers.read_events(answer):
                seen.append(event)
                count -= 1
                if not count:
                    break
    ids = [event.id for event in seen]
    assert ids == list(range(ids[0], ids[0] + len(ids)))
    assert seen[-1].name == "done"
    text = "".join(event.data["text"] for event in seen if event.name == "stream_chunk")
    assert seen[-2].data["text"] == "".join(f"S{n}. " for n in range(8))
    assert text.startswith("S0. S1. S2. S3. ")
    assert seen[-2].data["text"].startswith(text)
    assert len(page.agent.handled) == 1


async def test_turn_outlives_its_client(llm_client):
    page = await llm_client(pause_s=0.1)
    async with page.post(message="hello") as answer:
        await answer.content.readline()
    answer.close()
    await asyncio.sleep(0.6)
    sender = page.agent.handled[0].sender_id
    tracker = await page.agent.tracker_store.retrieve(sender)
    assert [e.text for e in tracker.events if e.type_name == "bot"] == ["One. Two. Three."]


async def test_resume_by_query(client, helpers):
    page = await client()
    events = await page.say(message="hello")
    async with page.events(last_event_id=str(events[0].id)) as answer:
        assert [e.id for e in await collect(helpers, answer, 1)] == [events[1].id]


async def test_resume_after_a_restart_says_so(client, helpers):
    page = await client()
    async with page.events(after=1234) as answer:
        (event,) = await collect(helpers, answer, 1)
    assert event.name == "error"
    assert event.data["code"] == "gap"
    assert event.id == 1235


async def test_resume_after_events_were_dropped_says_so(client, helpers):
    page = await client(credentials={"buffer_events": 10})
    first = (await page.say(message="hello"))[-1]
    for n in range(8):
        await page.say(message=f"hello {n}")
    async with page.events(after=first.id) as answer:
        events = await collect(helpers, answer, 11)
    assert events[0].data["code"] == "gap"
    assert len({event.id for event in events}) == 11


async def test_resume_without_a_gap(client, helpers):
    page = await client(credentials={"buffer_events": 10})
    last = (await page.say(message="hello"))[-1]
    async with page.events(after=last.id) as answer:
        await page.say(message="again")
        assert [e.name for e in await collect(helpers, answer, 2)] == ["message", "done"]


async def test_bad_last_event_id(client):
    page = await client()
    async with page.events(after="abc") as answer:
        assert answer.status == 400


async def test_heartbeats(client, helpers):
    async def slow(agent, message):
        await asyncio.sleep(0.5)
        await helpers.echo(agent, message)

    page = await client(slow, {"heartbeat_s": 0.1})
    comments: list[str] = []
    async with page.post(message="hello") as answer:
        assert answer.content_type == "text/event-stream"
        async for _ in helpers.read_events(answer, comments=comments):
            pass
    assert len(comments) >= 4


# Idempotency


async def test_repeated_post_replays_the_turn(llm_client):
    page = await llm_client(pause_s=0.1)
    first, second = await asyncio.gather(
        page.say(message="hello", client_message_id="a"),
        page.say(message="hello", client_message_id="a"),
    )
    third = await page.say(message="hello", client_message_id="a")
    assert [e.id for e in first] == [e.id for e in second] == [e.id for e in third]
    assert len(page.agent.handled) == 1


async def test_client_message_id_of_another_message(client):
    page = await client()
    await page.say(message="hello", client_message_id="a")
    status, error, _ = await page.refusal(message="bye", client_message_id="a")
    assert status == 409
    assert error["field"] == "client_message_id"


async def test_client_message_id_is_per_session(client, http, helpers):
    page = await client()
    other = await Client(http, page.running.url, helpers).open()
    await page.say(message="one", client_message_id="a")
    assert (await other.say(message="two", client_message_id="a"))[0].data[
        "text"
    ] == "You said: two"


# What may enter


@pytest.mark.parametrize(
    ("typed", "handled"),
    [
        ("/restart", "restart"),
        ('/greet{"x": 1}', 'greet{"x": 1}'),
        (" / /\t/session_start", "session_start"),
        ("\u2003/restart", "restart"),
        ("and/or", "and/or"),
        ("a\x00b\x1b[0m", "ab[0m"),
        ("half \ud83d emoji", "half \ufffd emoji"),
    ],
)
async def test_typed_commands_are_plain_text(client, typed, handled):
    page = await client()
    await page.say(message=typed)
    assert page.agent.handled[0].text == handled


async def test_payload_must_have_been_offered(client, helpers):
    async def answer(agent, message):
        buttons = [{"title": "Yes", "payload": "/affirm"}, {"title": "Call", "url": "tel:112"}]
        await helpers.utter(agent, message, "Sure?", buttons=buttons)

    page = await client(answer, {"payloads": ["/get_help"]})
    status, error, _ = await page.refusal(payload="/affirm")
    assert status == 422
    assert error["field"] == "payload"
    event = (await page.say(message="hello"))[0]
    assert event.data["buttons"] == [
        {"title": "Yes", "payload": "/affirm"},
        {"title": "Call", "url": "tel:112"},
    ]
    for payload in ("/affirm", "/get_help"):
        assert (await page.say(payload=payload))[-1].name == "done"
        assert page.agent.handled[-1].text == payload
    for payload in ("/restart", "affirm", '/affirm{"a": 1}', "/AFFIRM", 7, "/affirm\n/x"):
        assert (await page.refusal(payload=payload))[0] == 422


async def test_payload_offered_before_a_restart(client, helpers):
    page = await client(_offer(helpers))
    await page.say(message="hello")
    page.running.app.ctx.input_channels[0].sessions._sessions.clear()
    assert (await page.say(payload="/affirm"))[-1].name == "done"


def _offer(helpers):
    async def answer(agent, message):
        buttons = [{"title": "Yes", "payload": "/affirm"}]
        await helpers.utter(agent, message, "Sure?", buttons=buttons)

    return answer


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({}, 422, "message"),
        ({"message": "a", "payload": "/a"}, 422, "message"),
        ({"message": ""}, 422, "message"),
        ({"message": " / "}, 422, "message"),
        ({"message": 3}, 422, "message"),
        ({"message": "x" * 4001}, 413, "message"),
        ({"message": "a", "client_message_id": 3}, 422, "client_message_id"),
        ({"message": "a", "country": "XYZ"}, 422, "country"),
    ],
)
async def test_refused_bodies(client, body, status, field):
    page = await client()
    answer_status, error, _ = await page.refusal(**body)
    assert (answer_status, error["field"]) == (status, field)
    assert page.agent.handled == []


@pytest.mark.parametrize(
    ("data", "content_type", "status"),
    [
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b"\xff", "application/json", 400),
        (b'{"message": "a"}', "text/plain", 415),
        (b'{"message": "' + b"x" * 40_000 + b'"}', "application/json", 413),
        (b"[" * 10_000, "application/json", 400),
    ],
)
async def test_unreadable_bodies(client, http, data, content_type, status):
    page = await client()
    headers = {**auth(page.token), "Content-Type": content_type}
    async with http.post(f"{page.base}/webhook", data=data, headers=headers) as answer:
        assert answer.status == status
        assert set((await answer.json())["error"]) == {"code", "message", "field"}


async def test_chunked_body_over_the_limit(client, http):
    async def endless():
        for _ in range(80):
            yield b" " * 1024

    page = await client()
    headers = {**auth(page.token), "Content-Type": "application/json"}
    async with http.post(f"{page.base}/webhook", data=endless(), headers=headers) as answer:
        assert answer.status == 413


async def test_longest_message_is_accepted(client):
    page = await client()
    assert (await page.say(message="ü" * 4000))[0].data["text"].endswith("ü")


async def test_message_rate_limit(client):
    page = await client(credentials={"message_burst": 2, "messages_per_minute": 60})
    await page.say(message="1")
    await page.say(message="2")
    status, error, headers = await page.refusal(message="3")
    assert status == 429
    assert error["code"] == "rate_limited"
    assert int(headers["Retry-After"]) >= 1
    await asyncio.sleep(1.1)
    assert (await page.say(message="3"))[-1].name == "done"


async def test_session_rate_limit(client, http):
    page = await client(credentials={"session_burst": 2, "sessions_per_minute": 1})
    statuses = []
    for _ in range(2):
        async with http.post(f"{page.base}/session") as answer:
            statuses.append(answer.status)
    assert statuses == [200, 429]
    assert int(answer.headers["Retry-After"]) > 1


async def test_forwarded_address_counts_only_behind_a_proxy(client, http):
    page = await client(credentials={"session_burst": 1, "sessions_per_minute": 1, "proxy_hops": 1})
    statuses = []
    for address in ("1.1.1.1", "2.2.2.2", "9.9.9.9, 2.2.2.2"):
        headers = {"X-Forwarded-For": address}
        async with http.post(f"{page.base}/session", headers=headers) as answer:
            statuses.append(answer.status)
    assert statuses == [200, 200, 429]


async def test_waiting_turns_are_bounded(client, helpers):
    gate = asyncio.Event()

    async def answer(agent, message):
        await gate.wait()
        await helpers.echo(agent, message)

    page = await client(answer, {"max_pending_turns": 2})
    first = asyncio.ensure_future(page.say(message="1"))
    second = asyncio.ensure_future(page.say(message="2"))
    await asyncio.sleep(0.2)
    assert (await page.refusal(message="3", client_message_id="x"))[0] == 429
    gate.set()
    for turn in (first, second):
        assert (await turn)[-1].name == "done"
    assert (await page.say(message="3", client_message_id="x"))[0].data["text"] == "You said: 3"


# Feedback


async def test_feedback(client, http, environment):
    import sqlite3

    page = await client()
    event = (await page.say(message="hello"))[0]
    for helpful, comment in ((True, None), (False, "no\x00t quite"), (True, None)):
        body = {"id": event.data["id"], "helpful": helpful}
        if comment:
            body["comment"] = comment
        async with http.post(
            f"{page.base}/feedback", json=body, headers=auth(page.token)
        ) as answer:
            assert answer.status == 200
    with sqlite3.connect(environment / "feedback.db") as database:
        rows = database.execute(
            "SELECT sender_id, message_id, helpful, comment FROM feedback"
        ).fetchall()
    assert rows == [(page.agent.handled[0].sender_id, event.data["id"], 1, "not quite")]


async def test_feedback_on_what_was_not_sent(client, http, helpers):
    page = await client()
    event = (await page.say(message="hello"))[0]
    other = await Client(http, page.running.url, helpers).open()
    for token, message_id in ((other.token, event.data["id"]), (page.token, "f" * 32)):
        body = {"id": message_id, "helpful": True}
        async with http.post(f"{page.base}/feedback", json=body, headers=auth(token)) as answer:
            assert answer.status == 404


async def test_feedback_after_a_restart(client, http):
    page = await client()
    event = (await page.say(message="hello"))[0]
    page.running.app.ctx.input_channels[0].sessions._sessions.clear()
    body = {"id": event.data["id"], "helpful": True}
    async with http.post(f"{page.base}/feedback", json=body, headers=auth(page.token)) as answer:
        assert answer.status == 200


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"helpful": True}, "id"),
        ({"id": "x"}, "helpful"),
        ({"id": "x", "helpful": "yes"}, "helpful"),
        ({"id": "x", "helpful": True, "comment": "c" * 1001}, "comment"),
    ],
)
async def test_bad_feedback(client, http, body, field):
    page = await client()
    async with http.post(f"{page.base}/feedback", json=body, headers=auth(page.token)) as answer:
        assert answer.status == 422
        assert (await answer.json())["error"]["field"] == field


# The page


@pytest.fixture
def page_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "web"
    (folder / "static").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>Stillpoint</title>")
    (folder / "static" / "app.js").write_text("export {};")
    (folder / "private.txt").write_text("private")
    os.symlink(folder / "private.txt", folder / "static" / "link.txt")
    return folder


@pytest.mark.parametrize("is_set_up", [False, True])
async def test_the_page_says_that_notes_are_sent_where_they_are(
    client, http, monkeypatch, is_set_up
):
    monkeypatch.delenv("HANDOFF_WEBHOOK_URL", raising=False)
    if is_set_up:
        monkeypatch.setenv("HANDOFF_WEBHOOK_URL", "https://example.org/hook")
    page = await client()
    async with http.get(f"{page.base}/") as answer:
        text = await answer.text()
    assert "Nobody is reading along live." in text
    assert ("are sent a short note" in text) is is_set_up


@pytest.mark.parametrize(
    ("consent", "name", "shown"),
    [
        (None, None, None),
        ("own-server", "Example AI", None),
        ("yes", None, "a computer of a company that runs the language model;"),
        ("yes", "A <b> & C", "a computer of A &lt;b&gt; &amp; C;"),
    ],
)
async def test_the_page_says_where_messages_go_if_they_leave(
    client, http, monkeypatch, consent, name, shown
):
    monkeypatch.delenv("LLM_ENGINE", raising=False)
    monkeypatch.setenv("LLM_BASE_URL", "https://api.example.org/v1")
    monkeypatch.setenv("LLM_HOSTED_CONSENT", consent or "")
    monkeypatch.setenv("LLM_HOSTED_NAME", name or "")
    page = await client()
    async with http.get(f"{page.base}/") as answer:
        text = await answer.text()
    lead = text.split('<p class="lead">')[1].split("</p>")[0]
    details = text.split("<details")[1].split("</details>")[0]
    assert "Nobody is reading along live." in lead
    assert "<!-- hosted" not in text
    if shown is None:
        assert "a computer of" not in text
    else:
        assert shown in lead
        assert "names, numbers and addresses are replaced first" in " ".join(lead.split())
        assert shown.rstrip(";") in details


async def test_page_headers(client, http, page_dir):
    page = await client(
        credentials={"page_dir": str(page_dir), "frame_ancestors": ["https://a.org"]}
    )
    async with http.get(f"{page.base}/") as answer:
        assert answer.status == 200
        assert answer.content_type == "text/html"
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'self';")
        assert "unsafe" not in policy
        assert "frame-ancestors https://a.org" in policy
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        etag = answer.headers["ETag"]
    async with http.get(f"{page.base}/", headers={"If-None-Match": etag}) as answer:
        assert answer.status == 304
    async with http.get(page.base, allow_redirects=False) as answer:
        assert answer.status == 308
        assert answer.headers["Location"] == "/webhooks/web/"
    async with http.get(f"{page.base}/static/app.js") as answer:
        assert answer.status == 200
        assert "javascript" in answer.content_type


@pytest.mark.parametrize(
    "name",
    ["none.js", "../private.txt", "%2e%2e/private.txt", "..%2fprivate.txt", "link.txt", "%00"],
)
async def test_files_outside_the_page(client, http, page_dir, name):
    from yarl import URL

    page = await client(credentials={"page_dir": str(page_dir)})
    async with http.get(URL(f"{page.base}/static/{name}", encoded=True)) as answer:
        assert answer.status == 404
        assert "private" not in await answer.text()


async def test_health(client, http):
    page = await client()
    async with http.get(f"{page.base}/health") as answer:
        assert answer.status == 200
    page.agent.ready = False
    async with http.get(f"{page.base}/health") as answer:
        assert answer.status == 503


# Settings


@pytest.mark.parametrize(
    ("credentials", "key"),
    [
        ({"heartbeat": 3}, "heartbeat"),
        ({"heartbeat_s": 30}, "heartbeat_s"),
        ({"max_body_bytes": "big"}, "max_body_bytes"),
        ({"max_body_bytes": True}, "max_body_bytes"),
        ({"payloads": "/greet"}, "payloads"),
        ({"payloads": ["greet"]}, "payloads"),
        ({"page_dir": 3}, "page_dir"),
    ],
)
def test_bad_settings_name_the_key(credentials, key):
    with pytest.raises(ChannelConfigError, match=f"'{key}'"):
        WebInput.from_credentials(credentials)


@pytest.mark.parametrize(
    ("name", "value"), [("STILLPOINT_SECRET", "short"), ("ACTIONS_URL", "localhost:5055")]
)
def test_bad_environment_names_the_variable(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(ChannelConfigError, match=name):
        WebInput.from_credentials(None)
