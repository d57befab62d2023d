"""LoRA adapters by name, with real llama.cpp and the house model."""

from collections.abc import Iterator
from pathlib import Path

import gguf
import httpx
import numpy as np
import pytest

from llm_server.settings import HOUSE_MODEL
from tests.llm_server.conftest import RunningServer, ask, free_port, run_to_end, running_server

pytestmark = pytest.mark.integration

CHAT = "/v1/chat/completions"
WIDTH, HIDDEN, LAYERS, RANK = 192, 512, 4, 4


def write_adapter(path: Path, seed: int, architecture: str = "llama") -> Path:
    """A random adapter on the house model's feed-forward layers, strong enough to show."""
    rng = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(str(path), architecture)
    writer.add_string("general.type", "adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", 8.0)
    for layer in range(LAYERS):
        name = f"blk.{layer}.ffn_down.weight"
        a = rng.standard_normal((RANK, HIDDEN)).astype(np.float32) * 0.2
        b = rng.standard_normal((WIDTH, RANK)).astype(np.float32) * 0.2
        writer.add_tensor(f"{name}.lora_a", a)
        writer.add_tensor(f"{name}.lora_b", b)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp("adapters")
    first = write_adapter(folder / "first.gguf", 1)
    second = write_adapter(folder / "second.gguf", 2)
    with running_server(
        folder / "log", LLM_ADAPTERS=f"gentle={first}, brisk={second}", LLM_ADAPTER="brisk"
    ) as running:
        yield running


def say(server: RunningServer, adapter: str | None) -> str:
    body = ask("I lost my job", max_tokens=24, temperature=0, seed=1, adapter=adapter)
    answer = httpx.post(f"{server.url}{CHAT}", json=body, trust_env=False, timeout=20)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["choices"][0]["message"]["content"])


def test_each_name_has_its_own_voice_again_and_again(server: RunningServer) -> None:
    base, gentle, brisk = (say(server, name) for name in ("none", "gentle", "brisk"))
    assert len({base, gentle, brisk}) == 3
    # Prompt caches of one adapter must not be used for another.
    for name, expected in (("gentle", gentle), ("none", base), ("brisk", brisk), ("none", base)):
        assert say(server, name) == expected


def test_none_is_the_model_itself_and_the_default_is_the_set_one(
    server: RunningServer, tmp_path: Path
) -> None:
    assert say(server, None) == say(server, "brisk")
    with running_server(tmp_path / "log") as plain:
        assert say(plain, None) == say(server, "none")


def test_the_model_list_names_them(server: RunningServer) -> None:
    (model,) = httpx.get(f"{server.url}/v1/models", trust_env=False).json()["data"]
    assert model["adapters"] == ["gentle", "brisk"]


def test_an_unknown_name_is_refused_with_the_known_ones(
    server: RunningServer, tmp_path: Path
) -> None:
    refused = httpx.post(f"{server.url}{CHAT}", json=ask(adapter="stern"), trust_env=False)
    assert refused.status_code == 400
    error = refused.json()["error"]
    assert error["param"] == "adapter"
    assert "none, gentle, brisk" in error["message"]
    assert "stern" not in error["message"]
    fake = {"LLM_ENGINE": "fake", "STILLPOINT_TESTING": 1}
    with running_server(tmp_path / "log", **fake) as without:
        refused = httpx.post(f"{without.url}{CHAT}", json=ask(adapter="gentle"), trust_env=False)
        assert refused.status_code == 400
        assert "has none" in refused.json()["error"]["message"]


def test_a_file_that_is_no_adapter_for_the_model_ends_the_start(tmp_path: Path) -> None:
    other = write_adapter(tmp_path / "other.gguf", 1, architecture="qwen2")
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(write_adapter(tmp_path / "whole.gguf", 1).read_bytes()[:5000])
    for path, word in (
        (other, "no adapter for a llama model"),
        (HOUSE_MODEL, "no adapter"),
        (cut, "cut short"),
        (tmp_path / "nowhere.gguf", "does not exist"),
    ):
        ended = run_to_end(LLM_ADAPTERS=f"gentle={path}", LLM_PORT=free_port())
        assert ended.returncode == 3
        assert ended.stderr.count("\n") == 1
        assert word in ended.stderr
        assert "gentle" in ended.stderr


def test_an_adapter_in_the_models_place_ends_the_start(tmp_path: Path) -> None:
    path = write_adapter(tmp_path / "adapter.gguf", 1)
    ended = run_to_end(LLM_MODEL_PATH=path, LLM_PORT=free_port())
    assert ended.returncode == 3
    assert "LLM_ADAPTERS" in ended.stderr
