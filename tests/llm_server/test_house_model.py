"""The model that ships, behind the real engine: hostile input, leaving, dying, half a file."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from llm_server.settings import HOUSE_MODEL
from tests.llm_server.conftest import (
    RunningServer,
    ask,
    free_port,
    run_to_end,
    running_server,
    sse_documents,
    wait_until,
)

pytestmark = pytest.mark.integration

CHAT = "/v1/chat/completions"
# Control tokens are forbidden, so that nothing ends a reply but its length.
ENDLESS = {
    "max_tokens": 480,
    "temperature": 1.0,
    "seed": 3,
    "logit_bias": {str(token): -100 for token in range(260)},
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    log = tmp_path_factory.mktemp("log") / "server.log"
    with running_server(log, LLM_PARALLEL=1, LLM_QUEUE=2, LLM_MAX_BODY_KIB=4096) as running:
        yield running


@pytest.fixture
def client(server: RunningServer) -> Iterator[httpx.Client]:
    server.wait_ready()
    with httpx.Client(base_url=server.url, trust_env=False, timeout=30) as client:
        yield client


def error(response: httpx.Response) -> dict[str, str]:
    body = response.json()
    assert set(body) == {"error"}
    return dict(body["error"])


def test_it_answers_in_words(client: httpx.Client) -> None:
    answer = client.post(CHAT, json=ask("nobody at work talks to me", max_tokens=60)).json()
    assert len(answer["choices"][0]["message"]["content"].split()) > 3
    assert answer["model"] == HOUSE_MODEL.stem


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b'{"messages": [{"role": "user"', b"[1]", b"\x00" * 100, b"[" * 100_000,
     b'{"messages": [{"role": "user", "content": "\xc3\x28"}]}', b"\xff\xfe" * 500],
)  # fmt: skip
def test_malformed_json_and_bytes_that_are_no_utf8_are_refused(
    client: httpx.Client, body: bytes
) -> None:
    refused = client.post(CHAT, content=body)
    assert refused.status_code == 400
    assert error(refused)["code"] == "invalid_request"
    assert client.post(CHAT, json=ask(max_tokens=1)).status_code == 200


def test_a_megabyte_of_prompt_is_refused_soon_and_the_next_request_served(
    server: RunningServer, client: httpx.Client
) -> None:
    started = time.monotonic()
    refused = client.post(CHAT, json=ask("so tired " * 120_000))
    assert refused.status_code == 400
    assert error(refused)["code"] == "context_length_exceeded"
    assert "512 tokens" in error(refused)["message"]
    assert time.monotonic() - started < 10
    assert client.post(CHAT, json=ask(max_tokens=1)).status_code == 200
    assert server.metric("llm_engine_restarts_total") == 0


def test_a_context_that_is_too_long_names_the_limit_streamed_or_not(client: httpx.Client) -> None:
    for stream in (False, True):
        refused = client.post(CHAT, json=ask("I could not sleep. " * 200, stream=stream))
        assert refused.status_code == 400
        assert "512 tokens" in error(refused)["message"]
        assert error(refused)["param"] == "messages"


def test_who_leaves_frees_the_slot_within_a_second(
    server: RunningServer, client: httpx.Client
) -> None:
    started = time.monotonic()
    whole = client.post(CHAT, json=ask(**ENDLESS)).json()
    takes = time.monotonic() - started
    assert whole["choices"][0]["finish_reason"] == "length"
    gone = 'llm_requests_total{outcome="cancelled"}'
    before = server.metric(gone)
    for _ in range(3):
        with client.stream("POST", CHAT, json=ask(**ENDLESS, stream=True)) as stream:
            next(stream.iter_lines())
        left = time.monotonic()
        assert client.post(CHAT, json=ask(max_tokens=1)).status_code == 200
        waited = time.monotonic() - left
        assert waited < 1.0
    assert takes > 0.1, "long enough to be left in the middle"
    assert server.metric(gone) == before + 3


def test_a_killed_engine_breaks_the_stream_and_comes_back_with_503_meanwhile(
    server: RunningServer, client: httpx.Client
) -> None:
    restarts = server.metric("llm_engine_restarts_total")
    (engine,) = psutil.Process(server.process.pid).children()
    body = ask(**ENDLESS, stream=True)
    with client.stream("POST", CHAT, json=body) as stream:
        lines = stream.iter_lines()
        next(lines)
        engine.kill()
        rest = "\n".join(lines)
    assert '"code":"engine_unavailable"' in rest
    assert "[DONE]" not in rest
    refused: list[httpx.Response] = []

    def is_back() -> bool:
        answer = client.post(CHAT, json=ask(max_tokens=1))
        if answer.status_code != 200:
            refused.append(answer)
        return answer.status_code == 200

    took = wait_until(is_back, 20)
    assert refused
    for answer in refused:
        assert answer.status_code == 503
        assert error(answer)["code"] == "engine_unavailable"
        # An honest word: no more than a moment past the time it really took.
        assert 1 <= int(answer.headers["retry-after"]) <= took + 10
    assert client.get("/health").status_code == 200
    assert server.metric("llm_engine_restarts_total") == restarts + 1


def test_streams_of_several_people_at_once_are_whole(server: RunningServer) -> None:
    with httpx.Client(base_url=server.url, trust_env=False, timeout=30) as client:
        for person in ("a", "b", "c"):
            answer = client.post(CHAT, json=ask("I feel low", stream=True, user=person))
            assert sse_documents(answer.text)


@pytest.mark.parametrize("share", [0.01, 0.5, 0.999])
def test_a_file_cut_short_ends_the_start_with_one_line(tmp_path: Path, share: float) -> None:
    whole = HOUSE_MODEL.read_bytes()
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(whole[: int(len(whole) * share)])
    ended = run_to_end(LLM_MODEL_PATH=cut, LLM_PORT=free_port())
    assert ended.returncode == 3
    assert ended.stderr.count("\n") == 1
    assert "cut short" in ended.stderr
    assert str(cut) in ended.stderr


def test_no_word_of_it_stands_in_the_log(server: RunningServer, client: httpx.Client) -> None:
    client.post(CHAT, json=ask("marmalade and heliotrope", max_tokens=5))
    log = server.log()
    assert "marmalade" not in log
    for line in log.splitlines():
        json.loads(line)
