"""The llama-cpp-python engine process, with a stand-in for the package: serial, clear, cancellable.

With the package itself installed these tests still use the stand-in; nothing here builds it.
"""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

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
ENGINE = {
    "LLM_ENGINE": "llama-cpp-python",
    "PYTHONPATH": Path(__file__).parent / "stand_ins",
}


@pytest.fixture(scope="module")
def server(tiny_gguf: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    log = tmp_path_factory.mktemp("log") / "server.log"
    settings = {**ENGINE, "LLM_MODEL_PATH": tiny_gguf, "LLM_CTX": 512, "LLM_PARALLEL": 4}
    with running_server(log, **settings) as running:
        yield running


@pytest.fixture
def client(server: RunningServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, trust_env=False, timeout=20) as client:
        yield client


def test_it_answers_and_counts_tokens(client: httpx.Client) -> None:
    answer = client.post(
        CHAT, json=ask("one two three", seed=1, logit_bias={"7": -1}, stop=["x"])
    ).json()
    assert answer["choices"][0]["message"]["content"] == "one two three "
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert answer["usage"] == {"prompt_tokens": 3, "completion_tokens": 3, "total_tokens": 6}
    chunks = sse_documents(client.post(CHAT, json=ask("one two", stream=True)).text)
    parts = [chunk["choices"][0]["delta"].get("content", "") for chunk in chunks]  # type: ignore[index]
    assert "".join(parts) == "one two "


def test_a_prompt_over_the_context_names_the_limit_and_the_next_is_served(
    client: httpx.Client,
) -> None:
    for stream in (False, True):
        refused = client.post(CHAT, json=ask("word " * 600, stream=stream))
        assert refused.status_code == 400
        assert refused.json()["error"]["code"] == "context_length_exceeded"
        assert "600 tokens" in refused.json()["error"]["message"]
        assert "512 tokens" in refused.json()["error"]["message"]
    assert client.post(CHAT, json=ask("hi")).status_code == 200


def test_several_at_once_are_all_whole_one_after_the_other(server: RunningServer) -> None:
    answers: list[str] = []

    def one(number: int) -> None:
        text = " ".join(f"{number}" for _ in range(10))
        answer = httpx.post(f"{server.url}{CHAT}", json=ask(text), trust_env=False, timeout=20)
        answers.append(answer.json()["choices"][0]["message"]["content"])

    threads = [threading.Thread(target=one, args=(number,)) for number in range(4)]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [f"{number} " * 10 for number in range(4)]
    assert time.monotonic() - started > 4 * 10 * 0.02


def test_who_leaves_frees_the_engine_within_a_second(
    server: RunningServer, client: httpx.Client
) -> None:
    body = ask("word " * 400, stream=True, max_tokens=400)
    with client.stream("POST", CHAT, json=body) as stream:
        next(stream.iter_lines())
    left = time.monotonic()
    assert client.post(CHAT, json=ask("hi")).status_code == 200
    assert time.monotonic() - left < 1
    wait_until(lambda: server.metric("llm_in_flight") == 0, 1)


def test_a_model_that_it_refuses_ends_the_start(tiny_gguf: Path, tmp_path: Path) -> None:
    refused = tmp_path / "refused.gguf"
    refused.write_bytes(tiny_gguf.read_bytes())
    ended = run_to_end(**ENGINE, LLM_MODEL_PATH=refused, LLM_PORT=free_port())
    assert ended.returncode == 5
    assert "cannot load" in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stderr.splitlines()[-1]
