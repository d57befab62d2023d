"""A model by name is fetched whole, resumed, checked and never fetched twice."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from llm_server.catalogue import CATALOGUE
from llm_server.errors import ModelDownloadError
from llm_server.model_download import fetch, is_here
from llm_server.model_file import model_file
from llm_server.settings import Settings, load_settings
from tests.llm_server.conftest import (
    ROOT,
    ask,
    free_port,
    running_server,
    server_environment,
    wait_until,
)
from tests.llm_server.hub import Hub, running_hub

MODEL = CATALOGUE["llama-3.2-3b"]
PATH = f"{MODEL.repo}/resolve/main/{MODEL.file}"
BLOCK = 10 * 2**20  # what the library writes at once; less is lost with the connection
BIG = os.urandom(2 * BLOCK + 500)
Usage = namedtuple("Usage", "total used free")

pytestmark = pytest.mark.integration


@pytest.fixture
def hub(tiny_gguf: Path) -> Iterator[Hub]:
    with running_hub(Hub(PATH, tiny_gguf.read_bytes())) as running:
        yield running


@pytest.fixture
def settings(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("LLM_MODEL", MODEL.name)
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    monkeypatch.setenv("STILLPOINT_VAR", str(tmp_path))
    return load_settings()


def environment(hub: Hub, state: Path, **more: object) -> dict[str, object]:
    return {"LLM_MODEL": MODEL.name, "HF_ENDPOINT": hub.url, "STILLPOINT_VAR": state, **more}


def run(*arguments: str, **more: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "llm_server", *arguments],
        cwd=ROOT, env=server_environment(**more), capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip


def gets(hub: Hub) -> list[str | None]:
    return [ranged for method, ranged, _ in hub.asked if method == "GET"]


def test_it_is_fetched_once_and_a_second_start_asks_nobody(hub: Hub, settings: Settings) -> None:
    assert not is_here(settings)
    fetch(settings)
    assert model_file(settings).read_bytes() == hub.content
    assert model_file(settings).is_relative_to(settings.var / "models")
    assert is_here(settings)
    asked = len(hub.asked)
    fetch(settings)
    assert len(hub.asked) == asked
    assert len(gets(hub)) == 1


def test_a_download_that_was_cut_goes_on_where_it_stopped(hub: Hub, tmp_path: Path) -> None:
    hub.hold(BIG)
    hub.cut_at, hub.hangs = BLOCK + 1000, True
    cut = subprocess.Popen(
        [sys.executable, "-m", "llm_server", "--fetch"],
        cwd=ROOT,
        env=server_environment(**environment(hub, tmp_path)),
        stderr=subprocess.PIPE,
    )
    wait_until(lambda: any(path.stat().st_size for path in tmp_path.rglob("*.incomplete")), 20)
    cut.kill()
    cut.communicate()
    (part,) = tmp_path.rglob("*.incomplete")
    arrived = part.stat().st_size
    hub.cut_at, hub.hangs = None, False
    hub.asked.clear()
    ended = run("--fetch", **environment(hub, tmp_path))
    assert ended.returncode == 0, ended.stderr
    assert gets(hub) == [f"bytes={arrived}-"]
    (file,) = tmp_path.rglob("*.gguf")
    assert file.read_bytes() == hub.content


def test_a_connection_that_breaks_is_taken_up_again_by_itself(hub: Hub, settings: Settings) -> None:
    hub.hold(BIG)
    hub.cut_at = BLOCK + 1000
    fetch(settings)
    assert gets(hub) == [None, f"bytes={BLOCK}-"]
    assert model_file(settings).read_bytes() == hub.content


def test_a_wrong_hash_is_refused_and_the_file_removed(hub: Hub, settings: Settings) -> None:
    hub.stated = hashlib.sha256(b"something else").hexdigest()
    with pytest.raises(ModelDownloadError, match="wrong hash"):
        fetch(settings)
    assert not model_file(settings).exists()
    assert not is_here(settings)


def test_a_hash_of_ones_own_goes_before_the_hubs_word(
    hub: Hub, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLM_MODEL_SHA256", "0" * 64)
    with pytest.raises(ModelDownloadError, match="LLM_MODEL_SHA256"):
        fetch(load_settings())
    assert gets(hub) == []
    monkeypatch.setenv("LLM_MODEL_SHA256", hub.stated.upper())
    fetch(load_settings())
    assert is_here(load_settings())
    monkeypatch.setenv("LLM_MODEL_SHA256", "0" * 64)
    assert not is_here(load_settings())


def test_without_a_stated_hash_one_must_be_set(
    hub: Hub, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    true = hub.stated
    hub.stated = "5f3c1b2a"
    with pytest.raises(ModelDownloadError, match="set LLM_MODEL_SHA256"):
        fetch(settings)
    monkeypatch.setenv("LLM_MODEL_SHA256", true)
    fetch(load_settings())
    assert model_file(settings).read_bytes() == hub.content


def test_a_file_that_changed_since_is_not_taken_for_whole(hub: Hub, settings: Settings) -> None:
    fetch(settings)
    path = model_file(settings)
    path.write_bytes(path.read_bytes()[:-1])
    assert not is_here(settings)


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        ((401, "GatedRepo"), ["HF_TOKEN", "licence", "LLM_MODEL_PATH"]),
        ((403, "GatedRepo"), ["HF_TOKEN", "licence"]),
        ((403, ""), ["HF_TOKEN"]),
        ((404, "EntryNotFound"), ["has no", MODEL.file, "LLM_MODEL_PATH"]),
        ((404, "RepoNotFound"), ["has no", MODEL.repo]),
        ((500, ""), ["500", "try again"]),
    ],
)
def test_a_refusal_is_one_line_that_says_what_to_do(
    hub: Hub, settings: Settings, refusal: tuple[int, str], words: list[str]
) -> None:
    hub.refusal = refusal
    with pytest.raises(ModelDownloadError) as error:
        fetch(settings)
    for word in words:
        assert word in str(error.value)
    assert "\n" not in str(error.value)


def test_a_gated_model_comes_with_a_token_that_nothing_repeats(hub: Hub, tmp_path: Path) -> None:
    hub.token = "hf-secret-token"
    refused = run("--fetch", **environment(hub, tmp_path, HF_TOKEN="hf-wrong-token"))
    assert refused.returncode == 6
    assert "HF_TOKEN" in refused.stderr
    assert "hf-wrong-token" not in refused.stderr
    ended = run("--fetch", **environment(hub, tmp_path, HF_TOKEN=hub.token))
    assert ended.returncode == 0, ended.stderr
    assert hub.token not in ended.stderr + ended.stdout
    (file,) = tmp_path.rglob("*.gguf")
    assert hub.token not in "".join(
        path.read_text(errors="ignore") for path in file.parent.rglob("*") if path.is_file()
    )


def test_no_token_of_the_machine_is_sent_unasked(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home" / ".cache" / "huggingface"
    home.mkdir(parents=True)
    (home / "token").write_text("hf-lies-around")
    ended = run("--fetch", **environment(hub, tmp_path / "state", HOME=tmp_path / "home"))
    assert ended.returncode == 0, ended.stderr
    assert {authorization for _, _, authorization in hub.asked} == {None}


def test_without_a_network_the_line_names_the_way_out(tmp_path: Path) -> None:
    nowhere = Hub(PATH, b"", url=f"http://127.0.0.1:{free_port()}")
    ended = run("--fetch", **environment(nowhere, tmp_path))
    assert ended.returncode == 6
    last = ended.stderr.splitlines()[-1]
    assert last.startswith("llm_server: ")
    assert "cannot be reached" in last
    assert "LLM_MODEL_PATH" in last
    assert "Traceback" not in ended.stderr


def test_too_little_room_is_said_before_anything_is_fetched(
    hub: Hub, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(1, 1, 1000))
    with pytest.raises(ModelDownloadError, match=r"needs 0\.2 GB more.*STILLPOINT_VAR"):
        fetch(settings)
    assert gets(hub) == []


def test_an_unknown_name_ends_the_start(tmp_path: Path) -> None:
    ended = run(LLM_MODEL="hermes", STILLPOINT_VAR=tmp_path)
    assert ended.returncode == 2
    assert "hermes-3-8b" in ended.stderr


def test_check_says_that_a_start_would_fetch_and_fetches_nothing(hub: Hub, tmp_path: Path) -> None:
    told = run("--check", **environment(hub, tmp_path))
    assert told.returncode == 0, told.stderr
    assert told.stdout == "llama-3.2-3b (about 2 GB) is not here yet; the next start fetches it\n"
    assert hub.asked == []


def test_a_start_fetches_then_serves_under_that_name(hub: Hub, tmp_path: Path) -> None:
    with running_server(
        tmp_path / "log", LLM_CTX=512, **environment(hub, tmp_path / "state")
    ) as server:
        health = httpx.get(f"{server.url}/health", trust_env=False).json()
        assert health["model"] == MODEL.name
        answer = httpx.post(
            f"{server.url}/v1/chat/completions", json=ask(max_tokens=2), trust_env=False
        )
        assert answer.status_code == 200
        events = [json.loads(line)["event"] for line in server.log().splitlines()]
    assert events.index("model_fetched") < events.index("listening")


def test_a_terminal_sees_a_progress_bar(hub: Hub, tmp_path: Path) -> None:
    if shutil.which("script") is None:
        pytest.skip("needs `script`")
    command = f"stty cols 80 rows 24; {sys.executable} -m llm_server --fetch"
    shown = subprocess.run(
        ["script", "-qec", command, "/dev/null"],
        cwd=ROOT, env=server_environment(**environment(hub, tmp_path)), capture_output=True,
        text=True, timeout=60, check=True,
    )  # fmt: skip
    assert "100%" in shown.stdout
    assert MODEL.file in shown.stdout
