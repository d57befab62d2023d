"""The checks before a start: each failure is one line that says what to do."""

from __future__ import annotations

import shutil
import socket
import tarfile
from collections import namedtuple
from pathlib import Path

import pytest

from ops import checks, places
from ops.errors import DiskFull, ModelUnusable, PortTaken, SettingInvalid

Usage = namedtuple("Usage", "total used free")


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STILLPOINT_VAR", str(tmp_path / "state"))
    for name in (*places.DEFAULT_PORTS, "LLM_MODEL_PATH", "LLM_MODEL", "LLM_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "state"


def test_the_state_folder_is_for_its_owner_only(own_state: Path) -> None:
    assert checks.state_folder() == str(own_state)
    assert own_state.stat().st_mode & 0o077 == 0


def test_a_full_disk_says_where_and_how_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(1, 1, 10 * checks.MIB))
    with pytest.raises(DiskFull, match=r"has 10 MiB free; \d+ MiB are needed.*STILLPOINT_VAR"):
        checks.free_disk()


def test_a_taken_port_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        monkeypatch.setenv("RASA_PORT", str(holder.getsockname()[1]))
        with pytest.raises(PortTaken, match=r"taken by another program.*RASA_PORT="):
            checks.free_port("RASA_PORT")


@pytest.mark.parametrize("value", ["abc", "0", "70000", "-1"])
def test_a_bad_port_names_the_variable(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_PORT", value)
    with pytest.raises(SettingInvalid, match="LLM_PORT"):
        checks.free_port("LLM_PORT")


@pytest.mark.parametrize("content", [b"", b"GGUF", b"PK\x03\x04" + bytes(100)])
def test_what_is_no_gguf_is_refused(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(content)
    monkeypatch.setenv("LLM_MODEL_PATH", str(path))
    with pytest.raises(ModelUnusable, match="damaged or no GGUF"):
        checks.language_model()


def test_a_model_by_name_is_for_the_llm_server_to_judge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_MODEL", "llama-3.2-3b")
    assert checks.language_model() == "LLM_MODEL=llama-3.2-3b"
    assert "is not here yet; the next start fetches it" in checks.language_model_loads()


def test_refused_settings_of_the_llm_server_are_no_damaged_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LLM_MODEL", "nobody-knows-this")
    with pytest.raises(SettingInvalid, match="hermes-3-8b") as refusal:
        checks.language_model_loads()
    assert "git checkout" not in str(refusal.value)


def test_a_model_that_cannot_be_fetched_ends_the_start(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    checks.fetch_language_model()
    monkeypatch.setenv("LLM_MODEL", "nobody-knows-this")
    with pytest.raises(ModelUnusable, match="the reason stands above"):
        checks.fetch_language_model()
    assert "LLM_MODEL" in capfd.readouterr().err


def test_the_shipped_model_is_fine() -> None:
    assert "stillpoint-house" in checks.language_model()


def test_a_damaged_rasa_model_is_noticed(own_state: Path) -> None:
    path = places.rasa_model()
    assert "not trained yet" in checks.rasa_model()
    path.parent.mkdir(parents=True)
    inner = own_state / "metadata.json"
    inner.write_text("{}" * 5000)
    with tarfile.open(path, "w:gz") as archive:
        archive.add(inner, "metadata.json")
    assert "MiB" in checks.rasa_model()
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(ModelUnusable, match="Delete it"):
        checks.rasa_model()
