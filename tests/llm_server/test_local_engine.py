"""Real llama.cpp in a child process: it answers, stops, dies, hangs and comes back."""

import asyncio
import importlib.util
import json
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from llm_server.bootstrap import create_engine
from llm_server.chat_request import parse_chat_request
from llm_server.engine import local
from llm_server.engine.base import EngineState
from llm_server.engine.local import LocalEngine
from llm_server.settings import Settings
from tests.llm_server.conftest import (
    END_OF_TURN,
    RunningServer,
    ask,
    engine_state,
    eventually,
    free_port,
    run_to_end,
    running_server,
    sse_documents,
    wait_until,
    write_tiny_gguf,
)

pytestmark = pytest.mark.integration

ENDLESS = {"logit_bias": {str(END_OF_TURN): -100}, "max_tokens": 4000}


@pytest.fixture(scope="module")
def server(tiny_gguf: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    log = tmp_path_factory.mktemp("log") / "server.log"
    with running_server(
        log, LLM_MODEL_PATH=tiny_gguf, LLM_PARALLEL=2, LLM_MAX_TOKENS=4000, LLM_CTX=2048
    ) as running:
        yield running


@pytest.fixture
def client(server: RunningServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, trust_env=False, timeout=20) as client:
        yield client


def chat(client: httpx.Client, text: str = "hi", **fields: object) -> httpx.Response:
    return client.post("/v1/chat/completions", json=ask(text, **fields))


def engine_process(server: RunningServer) -> psutil.Process:
    (child,) = psutil.Process(server.process.pid).children()
    return child


def test_it_generates_and_streams_openai_sse(client: httpx.Client) -> None:
    whole = chat(client, max_tokens=8, temperature=0, seed=1).json()
    assert whole["model"] == "tiny"
    assert whole["usage"]["completion_tokens"] <= 8
    response = chat(client, max_tokens=8, temperature=0, seed=1, stream=True)
    chunks = sse_documents(response.text)
    parts = [chunk["choices"][0]["delta"].get("content", "") for chunk in chunks]  # type: ignore[index]
    assert "".join(parts) == whole["choices"][0]["message"]["content"]
    assert not any("timings" in chunk for chunk in chunks)


def test_the_same_seed_writes_the_same(client: httpx.Client) -> None:
    first, second = (
        chat(client, max_tokens=20, temperature=1, seed=5, logit_bias=ENDLESS["logit_bias"])
        for _ in range(2)
    )
    assert first.json()["choices"][0]["message"] == second.json()["choices"][0]["message"]


def test_a_prompt_over_the_context_names_the_limit(client: httpx.Client) -> None:
    for stream in (False, True):
        response = chat(client, "x" * 3000, stream=stream)
        assert response.status_code == 400
        assert response.json()["error"]["code"] == "context_length_exceeded"
        assert "2048 tokens" in response.json()["error"]["message"]


def test_both_slots_can_fill_their_context_at_once(client: httpx.Client) -> None:
    async def scenario() -> list[httpx.Response]:
        async with httpx.AsyncClient(base_url=client.base_url, trust_env=False, timeout=60) as both:
            body = ask("x" * 1900, **ENDLESS)
            return await asyncio.gather(
                *(both.post("/v1/chat/completions", json=body) for _ in range(2))
            )

    for response in asyncio.run(scenario()):
        assert response.status_code == 200
        assert response.json()["usage"]["total_tokens"] == 2048
        assert response.json()["choices"][0]["finish_reason"] == "length"


def test_nobody_can_end_their_message_and_write_the_systems(client: httpx.Client) -> None:
    def prompt_tokens(text: str) -> int:
        return int(chat(client, text, max_tokens=1).json()["usage"]["prompt_tokens"])

    plain = prompt_tokens("")
    # Byte by byte, with the space that breaks it, instead of the one control token.
    assert prompt_tokens("<|im_end|>") - plain == len("<|im_end|>") + 1
    assert prompt_tokens("<|im_start|>") - plain == len("<|im_start|>") + 1


def test_odd_text_is_taken_as_it_is(client: httpx.Client) -> None:
    for text in ("\x00", "\u2028 \u202e", "👩🏽‍🚒" * 20, "{{ messages }} {% raw %}", "\ufffe"):
        assert chat(client, text, max_tokens=2).status_code == 200


def test_a_killed_engine_comes_back_and_requests_meanwhile_get_503(
    server: RunningServer, client: httpx.Client
) -> None:
    restarts = server.metric("llm_engine_restarts_total")
    with client.stream("POST", "/v1/chat/completions", json=ask(stream=True, **ENDLESS)) as stream:
        lines = stream.iter_lines()
        next(lines)
        engine_process(server).kill()
        rest = "\n".join(lines)
    assert '"code":"engine_unavailable"' in rest
    assert "[DONE]" not in rest

    wait_until(lambda: client.get("/health").status_code == 503, 2)
    refused = chat(client)
    assert refused.status_code == 503
    assert int(refused.headers["retry-after"]) >= 1
    assert refused.json()["error"]["code"] == "engine_unavailable"

    server.wait_ready()
    assert chat(client, max_tokens=2).status_code == 200
    assert server.metric("llm_engine_restarts_total") == restarts + 1
    assert client.get("/health").json()["restarts"] == restarts + 1


def test_no_text_reaches_the_log(server: RunningServer, client: httpx.Client) -> None:
    chat(client, "marmalade", max_tokens=2)
    chat(client, "marmalade" * 400)
    assert "marmalade" not in server.log()
    for line in server.log().splitlines():
        json.loads(line)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_no_engine_outlives_the_server(
    tiny_gguf: Path, tmp_path: Path, number: signal.Signals
) -> None:
    with running_server(tmp_path / "log", LLM_MODEL_PATH=tiny_gguf) as server:
        engine = engine_process(server)
        with httpx.Client(base_url=server.url, trust_env=False) as client:
            request = client.build_request(
                "POST", "/v1/chat/completions", json=ask(stream=True, **ENDLESS)
            )
            stream = client.send(request, stream=True)
            server.process.send_signal(number)
            code = server.process.wait(3)
            stream.close()
        assert code == (-signal.SIGKILL if number == signal.SIGKILL else 0)
        wait_until(lambda: not engine.is_running() or engine.status() == "zombie", 2)


def test_a_bad_model_file_is_one_line_that_says_what_to_do(tiny_gguf: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(tiny_gguf.read_bytes()[: tiny_gguf.stat().st_size // 2])
    strange = write_tiny_gguf(tmp_path / "strange.gguf", architecture="nosuch", width=32)
    for path, code, word in (
        (cut, 3, "cut short"),
        (strange, 5, "nosuch"),
    ):
        ended = run_to_end(LLM_MODEL_PATH=path, LLM_PORT=free_port())
        last = ended.stderr.splitlines()[-1]
        assert ended.returncode == code
        assert last.startswith("llm_server: ")
        assert word in last
        assert "Traceback" not in ended.stderr


def test_a_missing_engine_package_is_one_line(tiny_gguf: Path) -> None:
    if importlib.util.find_spec("llama_cpp") is not None:
        pytest.skip("llama-cpp-python is installed")
    ended = run_to_end(LLM_ENGINE="llama-cpp-python", LLM_MODEL_PATH=tiny_gguf)
    assert ended.returncode == 5
    assert "llama-cpp-python" in ended.stderr
    assert ended.stderr.count("\n") == 1


@asynccontextmanager
async def running_engine(model: Path) -> AsyncIterator[LocalEngine]:
    engine = create_engine(Settings(model_path=model, engine="xllamacpp"))
    assert isinstance(engine, LocalEngine)
    task = asyncio.create_task(engine.run())
    try:
        await engine_state(engine, EngineState.READY)
        yield engine
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_closing_a_stream_ends_the_generation_inside_llama_cpp(tiny_gguf: Path) -> None:
    async def idle(engine: LocalEngine) -> bool:
        assert engine._client is not None
        page = (await engine._client.get("/metrics")).text
        return "llamacpp:requests_processing 0" in page

    async def scenario() -> None:
        request = parse_chat_request(json.dumps(ask(stream=True, **ENDLESS)).encode())
        async with running_engine(tiny_gguf) as engine:
            async with aclosing(engine.stream(request, 4000)) as chunks:
                for _ in range(5):
                    await anext(chunks)
                assert not await idle(engine)
            await eventually(lambda: idle(engine), 1)

    asyncio.run(scenario())


def test_a_hanging_engine_is_replaced(tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "_PROBE_EVERY_S", 0.1)
    monkeypatch.setattr(local, "_PROBE_TIMEOUT_S", 0.3)

    async def scenario() -> None:
        async with running_engine(tiny_gguf) as engine:
            hung = engine.pid
            assert hung is not None
            os.kill(hung, signal.SIGSTOP)
            await engine_state(engine, EngineState.RESTARTING)
            await engine_state(engine, EngineState.READY)
            assert engine.pid != hung
            assert engine.restarts == 1
            assert not psutil.pid_exists(hung)

    asyncio.run(scenario())
