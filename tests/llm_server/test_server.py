"""The HTTP surface, as a real process with the fake engine."""

import json
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.llm_server.conftest import (
    RunningServer,
    ask,
    run_to_end,
    running_server,
    sse_documents,
    wait_until,
)

pytestmark = pytest.mark.integration

KEY = "a-test-key"
FAKE = {"LLM_ENGINE": "fake", "STILLPOINT_TESTING": 1}
REPLY = "One short sentence. And a second one, a little longer."


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server that writes a token every 20 ms."""
    log = tmp_path_factory.mktemp("log") / "server.log"
    with running_server(
        log, **FAKE, LLM_FAKE_DELAY_MS=20, LLM_FAKE_REPLY=REPLY, LLM_MAX_BODY_KIB=64
    ) as running:
        yield running


@pytest.fixture(scope="module")
def narrow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One slot, one place in the queue, and answers that take five seconds."""
    log = tmp_path_factory.mktemp("log") / "server.log"
    with running_server(
        log,
        **FAKE,
        LLM_FAKE_DELAY_MS=500,
        LLM_FAKE_REPLY=REPLY,
        LLM_PARALLEL=1,
        LLM_QUEUE=1,
    ) as running:
        yield running


def connect(server: RunningServer, timeout: float = 10) -> httpx.Client:
    return httpx.Client(base_url=server.url, trust_env=False, timeout=timeout)


@pytest.fixture
def client(server: RunningServer) -> Iterator[httpx.Client]:
    with connect(server) as client:
        yield client


@pytest.fixture
def narrow(narrow_server: RunningServer) -> Iterator[httpx.Client]:
    wait_until(lambda: narrow_server.metric("llm_in_flight") == 0, 5)
    with connect(narrow_server) as client:
        yield client


def chat(client: httpx.Client, text: str = "Hello", **fields: object) -> httpx.Response:
    return client.post("/v1/chat/completions", json=ask(text, **fields))


def test_a_whole_answer_has_openai_shape(client: httpx.Client) -> None:
    answer = chat(client).json()
    assert answer["object"] == "chat.completion"
    assert answer["choices"][0]["message"] == {"role": "assistant", "content": REPLY}
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert answer["usage"]["total_tokens"] == 1 + len(REPLY.split())


def test_a_stream_is_openai_sse_that_ends_with_done(client: httpx.Client) -> None:
    response = chat(client, stream=True)
    assert response.headers["content-type"].startswith("text/event-stream")
    chunks = sse_documents(response.text)
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    choices = [chunk["choices"][0] for chunk in chunks]  # type: ignore[index]
    assert choices[0]["delta"]["role"] == "assistant"
    assert "".join(choice["delta"].get("content", "") for choice in choices) == REPLY
    assert [choice["finish_reason"] for choice in choices[-2:]] == [None, "stop"]


def test_a_stream_arrives_while_it_is_written(client: httpx.Client) -> None:
    arrivals = []
    with client.stream("POST", "/v1/chat/completions", json=ask(stream=True)) as response:
        for line in response.iter_lines():
            if line:
                arrivals.append(time.monotonic())
    assert arrivals[-1] - arrivals[0] > 0.02 * (len(REPLY.split()) - 2)


def test_usage_comes_last_when_asked_for(client: httpx.Client) -> None:
    response = chat(client, stream=True, stream_options={"include_usage": True}, max_tokens=2)
    last = sse_documents(response.text)[-1]
    assert last["choices"] == []
    assert last["usage"]["completion_tokens"] == 2  # type: ignore[index]


def test_stop_and_max_tokens_hold(client: httpx.Client) -> None:
    stopped = chat(client, stop="And").json()["choices"][0]
    assert stopped["message"]["content"] == "One short sentence. "
    cut = chat(client, max_tokens=2).json()["choices"][0]
    assert (cut["message"]["content"], cut["finish_reason"]) == ("One short", "length")


def test_models_and_health(client: httpx.Client) -> None:
    models = client.get("/v1/models").json()
    assert [model["id"] for model in models["data"]] == ["fake"]
    health = client.get("/health")
    assert (health.status_code, health.json()["status"]) == (200, "ok")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b"null", 400),
        (b'{"messages": []}', 400),
        (json.dumps(ask("word " * 5000)).encode(), 400),
        (json.dumps(ask("a" * 1_000_000)).encode(), 413),
    ],
)
def test_malformed_and_oversized_requests_are_refused_clearly(
    client: httpx.Client, body: bytes, status: int
) -> None:
    response = client.post("/v1/chat/completions", content=body)
    assert response.status_code == status
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["type"] == "invalid_request_error"
    assert chat(client, max_tokens=1).status_code == 200


def test_a_prompt_over_the_context_names_the_limit(client: httpx.Client) -> None:
    error = chat(client, text="word " * 5000).json()["error"]
    assert error["code"] == "context_length_exceeded"
    assert "4096" in error["message"]


def test_unknown_routes_and_methods_are_json_errors(client: httpx.Client) -> None:
    assert client.get("/slots").json()["error"]["code"] == "not_found"
    assert client.get("/v1/chat/completions").status_code == 405


def test_a_web_page_cannot_post(client: httpx.Client) -> None:
    response = client.post(
        "/v1/chat/completions", json=ask(), headers={"Origin": "https://elsewhere.example"}
    )
    assert response.status_code == 403


class OpenStream:
    """A stream whose first bytes have arrived, and which stays open until closed."""

    def __init__(self, client: httpx.Client) -> None:
        request = client.build_request("POST", "/v1/chat/completions", json=ask(stream=True))
        self._response = client.send(request, stream=True)
        self._parts = self._response.iter_bytes()
        next(self._parts)

    def close(self) -> None:
        self._response.close()


def test_beyond_slot_and_queue_is_503_with_retry_after(
    narrow_server: RunningServer, narrow: httpx.Client
) -> None:
    full = 'llm_rejected_total{reason="queue_full"}'
    rejected = narrow_server.metric(full)
    running = OpenStream(narrow)
    answers: list[httpx.Response] = []
    waiter = threading.Thread(target=lambda: answers.append(chat(narrow, max_tokens=1)))
    waiter.start()
    wait_until(lambda: narrow_server.metric("llm_queued") == 1, 2)
    with connect(narrow_server) as third:
        refused = chat(third)
    assert refused.status_code == 503
    assert int(refused.headers["retry-after"]) >= 1
    assert refused.json()["error"]["code"] == "overloaded"
    assert narrow_server.metric(full) == rejected + 1
    running.close()
    waiter.join(5)
    assert answers[0].status_code == 200


def test_a_client_that_leaves_frees_its_slot_within_a_second(
    narrow_server: RunningServer, narrow: httpx.Client
) -> None:
    running = OpenStream(narrow)
    assert narrow_server.metric("llm_in_flight") == 1
    running.close()
    wait_until(lambda: narrow_server.metric("llm_in_flight") == 0, 1)
    assert chat(narrow, max_tokens=1).status_code == 200


def test_a_client_that_leaves_the_queue_frees_its_place_within_a_second(
    narrow_server: RunningServer, narrow: httpx.Client
) -> None:
    running = OpenStream(narrow)
    with connect(narrow_server, timeout=0.3) as impatient, pytest.raises(httpx.ReadTimeout):
        chat(impatient, stream=True)
    wait_until(lambda: narrow_server.metric("llm_queued") == 0, 1)
    assert narrow_server.metric("llm_in_flight") == 1
    running.close()


def test_a_client_that_leaves_a_whole_answer_frees_its_slot(
    narrow_server: RunningServer, narrow: httpx.Client
) -> None:
    with connect(narrow_server, timeout=0.3) as impatient, pytest.raises(httpx.ReadTimeout):
        chat(impatient)
    wait_until(lambda: narrow_server.metric("llm_in_flight") == 0, 1)
    cancelled = narrow_server.metric('llm_requests_total{outcome="cancelled"}')
    assert cancelled >= 1


def test_metrics_count_what_happened(server: RunningServer, client: httpx.Client) -> None:
    before = server.metric('llm_requests_total{outcome="ok"}')
    first_tokens = server.metric("llm_first_token_seconds_count")
    chat(client, max_tokens=3)
    assert server.metric('llm_requests_total{outcome="ok"}') == before + 1
    assert server.metric("llm_first_token_seconds_count") == first_tokens + 1
    infinite = server.metric('llm_request_seconds_bucket{le="+Inf"}')
    assert infinite == server.metric("llm_request_seconds_count")
    assert server.metric("llm_engine_ready") == 1
    assert server.metric("llm_engine_restarts_total") == 0


def test_logs_are_json_without_text(server: RunningServer, client: httpx.Client) -> None:
    chat(client, text="marmalade", user="heliotrope")
    chat(client, text="marmalade", user="heliotrope", stream=True)
    chat(client, text="marmalade", temperature="marmalade")
    client.post("/v1/chat/completions", content=b'{"marmalade')
    client.get("/marmalade")
    lines = server.log().splitlines()
    assert {"listening", "chat"} <= {json.loads(line)["event"] for line in lines}
    assert "marmalade" not in server.log()
    assert "heliotrope" not in server.log()
    assert "short sentence" not in server.log()


def test_the_api_key_is_required_everywhere_but_on_health_and_term_ends_a_stream(
    tmp_path: Path,
) -> None:
    settings = {**FAKE, "LLM_API_KEY": KEY, "LLM_FAKE_DELAY_MS": 1000}
    with running_server(tmp_path / "log", **settings) as server:
        bare = httpx.Client(base_url=server.url, trust_env=False)
        for header in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {KEY}"}):
            for answer in (
                bare.post("/v1/chat/completions", json=ask(), headers=header),
                bare.get("/v1/models", headers=header),
                bare.get("/metrics", headers=header),
                bare.get("/nowhere", headers=header),
            ):
                assert answer.status_code == 401
                assert answer.json()["error"]["code"] == "invalid_api_key"
                assert KEY not in answer.text
        assert bare.get("/health").status_code == 200
        bare.headers["Authorization"] = f"Bearer {KEY}"
        assert bare.get("/v1/models").status_code == 200

        stream = OpenStream(bare)
        started = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(5) == 0
        assert time.monotonic() - started < 3
        stream.close()
        assert KEY not in server.log()


def test_the_fake_is_refused_outside_of_tests() -> None:
    ended = run_to_end(LLM_ENGINE="fake")
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert "STILLPOINT_TESTING" in ended.stderr


def test_a_taken_port_is_one_line(server: RunningServer) -> None:
    port = server.url.rpartition(":")[2]
    ended = run_to_end(**FAKE, LLM_PORT=port)
    assert ended.returncode == 4
    assert ended.stderr.count("\n") == 1
    assert "LLM_PORT" in ended.stderr
