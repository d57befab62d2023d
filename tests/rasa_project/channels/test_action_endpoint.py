"""The bounded action endpoint against a real server, and through Rasa's own RemoteAction."""

from __future__ import annotations

import asyncio
import json
import time

import aiohttp
import pytest
from aiohttp import web
from rasa.core.actions.action import ActionExecutionRejection, RemoteAction
from rasa.core.channels.channel import CollectingOutputChannel
from rasa.core.nlg import TemplatedNaturalLanguageGenerator
from rasa.shared.core.domain import Domain
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.shared.exceptions import RasaException
from rasa.utils.endpoints import ClientResponseError, EndpointConfig

from channels import action_endpoint
from channels.action_endpoint import ActionServerTimeout, BoundedActionEndpoint
from channels.errors import ChannelConfigError


@pytest.fixture
async def endpoint():
    """Return a function that serves one handler at /webhook and returns the endpoint for it."""
    runners = []

    async def start(handler, **settings):
        application = web.Application()
        application.router.add_post("/webhook", handler)
        runner = web.AppRunner(application, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        runners.append(runner)
        port = site._server.sockets[0].getsockname()[1]
        plain = EndpointConfig(f"http://127.0.0.1:{port}/webhook", token="t0", **settings)
        return BoundedActionEndpoint.from_endpoint(plain)

    yield start
    for runner in runners:
        await runner.cleanup()


async def hang(request):
    await asyncio.sleep(60)


def run(endpoint):
    """Run a custom action exactly as Rasa's message processor does."""
    tracker = DialogueStateTracker("s1", [])
    nlg = TemplatedNaturalLanguageGenerator({})
    return RemoteAction("action_x", endpoint).run(
        CollectingOutputChannel(), nlg, tracker, Domain.empty()
    )


async def test_same_wire_as_rasa(endpoint):
    seen = {}

    async def handler(request):
        seen.update(query=dict(request.query), body=await request.json())
        return web.json_response({"events": [], "responses": [{"text": "hi", "source": "llm"}]})

    events = await run(await endpoint(handler))
    assert seen["query"] == {"token": "t0"}
    assert set(seen["body"]) >= {"next_action", "sender_id", "tracker", "domain"}
    assert events[0].text == "hi"
    assert events[0].metadata["source"] == "llm"


async def test_hung_server_costs_the_set_time(endpoint):
    started = time.monotonic()
    with pytest.raises(RasaException):
        await run(await endpoint(hang, total_timeout_s=0.3))
    assert time.monotonic() - started < 1


async def test_timeout_of_its_own_kind(endpoint):
    bounded = await endpoint(hang, total_timeout_s=0.1)
    with pytest.raises(ActionServerTimeout):
        await bounded.request(json={"sender_id": "a"}, timeout=300)


async def test_no_server():
    with pytest.raises(RasaException):
        await run(BoundedActionEndpoint("http://127.0.0.1:9/webhook"))


async def test_cancel_answers_in_the_servers_place(endpoint):
    bounded = await endpoint(hang)
    running = asyncio.ensure_future(run(bounded))
    other = asyncio.ensure_future(bounded.request(json={"sender_id": "s2"}))
    await asyncio.sleep(0.1)
    assert bounded.cancel("nobody") is False
    started = time.monotonic()
    assert bounded.cancel("s1") is True
    (event,) = await running
    assert (event.key, event.value) == ("turn_outcome", "cancelled")
    assert time.monotonic() - started < 0.5
    assert not other.done()
    assert bounded.cancel("s1") is False
    bounded.cancel("s2")
    assert (await other)["responses"] == []


async def test_caller_that_gives_up_leaves_nothing(endpoint):
    bounded = await endpoint(hang)
    running = asyncio.ensure_future(bounded.request(json={"sender_id": "a"}))
    await asyncio.sleep(0.05)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert bounded.cancel("a") is False


async def test_error_body_is_not_passed_on(endpoint):
    async def fail(request):
        return web.Response(status=500, text=json.dumps({"tracker": "my secret words"}))

    bounded = await endpoint(fail)
    with pytest.raises(ClientResponseError) as caught:
        await bounded.request(json={"sender_id": "a"})
    assert caught.value.status == 500
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


async def test_rejection_still_works(endpoint):
    async def reject(request):
        body = {"action_name": "action_x", "error": "my secret words"}
        return web.json_response(body, status=400)

    with pytest.raises(ActionExecutionRejection) as caught:
        await run(await endpoint(reject))
    assert caught.value.action_name == "action_x"
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("value", [0, -1, "fast", True, 1000])
def test_bad_timeout_names_the_key(value):
    with pytest.raises(ChannelConfigError, match="total_timeout_s"):
        BoundedActionEndpoint("http://127.0.0.1:9", total_timeout_s=value)


async def test_installed_for_every_agent(serve, helpers, http):
    from channels.web import WebInput

    agent = helpers.FakeAgent()
    agent.action_endpoint = EndpointConfig("http://127.0.0.1:9", token="t1")
    running = await serve([WebInput.from_credentials(None)], agent)
    assert isinstance(agent.action_endpoint, BoundedActionEndpoint)
    assert agent.action_endpoint.token == "t1"
    assert agent.processor.action_endpoint is agent.action_endpoint

    swapped = running.app.ctx.agent = helpers.FakeAgent()
    swapped.action_endpoint = EndpointConfig("http://127.0.0.1:9")
    async with http.get(f"{running.url}/webhooks/web/health") as answer:
        assert answer.status == 200
    assert isinstance(swapped.processor.action_endpoint, BoundedActionEndpoint)


def test_agent_without_action_endpoint(helpers):
    agent = helpers.FakeAgent()
    action_endpoint.bound(agent)
    action_endpoint.bound(None)
    assert agent.action_endpoint is None


def test_copy_keeps_settings():
    bounded = BoundedActionEndpoint("http://a", token="t", total_timeout_s=3)
    assert bounded.copy().total_timeout_s == 3
    assert bounded.copy() == bounded


def test_is_an_aiohttp_connection_error():
    assert issubclass(ActionServerTimeout, aiohttp.ClientConnectionError)
