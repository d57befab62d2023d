"""The process: settings that name the key, a taken port, SIGTERM, and logs without words."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from actions.errors import ConfigurationError
from actions.settings import Settings, load_settings

ROOT = Path(__file__).resolve().parents[2]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("ACTIONS_PORT", "seventy"),
        ("ACTIONS_PORT", "70000"),
        ("LLM_BASE_URL", "127.0.0.1:8080"),
        ("LLM_PROFILE", "huge"),
        ("ACTIONS_FIRST_SENTENCE_S", "0"),
        ("ACTIONS_TOTAL_S", "300"),
        ("ACTIONS_LOG_LEVEL", "LOUD"),
    ],
)
def test_bad_settings_name_the_key(monkeypatch: pytest.MonkeyPatch, key: str, value: str) -> None:
    monkeypatch.setenv(key, value)
    with pytest.raises(ConfigurationError, match=key):
        load_settings()


def test_deadlines_must_be_ordered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACTIONS_FIRST_SENTENCE_S", "9")
    monkeypatch.setenv("ACTIONS_TOTAL_S", "5")
    with pytest.raises(ConfigurationError, match="ACTIONS_FIRST_SENTENCE_S"):
        load_settings()


def test_empty_means_unset_and_secrets_stay_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACTIONS_TOKEN", "")
    monkeypatch.setenv("LLM_API_KEY", "hush")
    settings = load_settings()
    assert settings.actions_token is None
    assert "hush" not in repr(settings)


@pytest.mark.parametrize(
    ("model", "profile", "speaks_as"),
    [
        ("", "auto", "house"),
        ("stillpoint-house-q8_0", "auto", "house"),
        ("hermes-3-8b", "auto", "general"),
        ("hermes-3-8b", "house", "house"),
    ],
)
def test_profile(model: str, profile: Any, speaks_as: str) -> None:
    assert Settings(llm_model=model, llm_profile=profile).speaks_as == speaks_as


def test_an_llm_on_this_machine_or_at_home_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for host in ("localhost:8080", "127.0.0.1:1", "127.1.2.3", "[::1]:8080"):
        monkeypatch.setenv("LLM_BASE_URL", f"http://{host}/v1")
        assert load_settings().llm_url == f"http://{host}/v1"
    for own, host in (
        ("llm", "llm:8080"),  # docker-compose.yml
        ("LLM", "llm"),
        ("10.0.0.7", "10.0.0.7:8080"),
        ("fd00::7", "[fd00::7]:8080"),
        ("llm.default.svc.cluster.local", "llm.default.svc.cluster.local:8080"),
    ):
        monkeypatch.setenv("ACTIONS_LLM_OWN_HOST", own)
        monkeypatch.setenv("LLM_BASE_URL", f"http://{host}/v1")
        assert load_settings().llm_url == f"http://{host}/v1"


@pytest.mark.parametrize("own_host", ["", "llm"])
@pytest.mark.parametrize(
    "host",
    [
        "api.example.org",
        "10.0.0.7",
        "other",
        "8.8.8.8",
        "localhost.example.org",
        "127.0.0.1.nip.io",
    ],
)
@pytest.mark.parametrize("key", ["LLM_BASE_URL", "ACTIONS_LLM_BASE_URL"])
def test_nothing_goes_around_the_llm_server(
    monkeypatch: pytest.MonkeyPatch, key: str, host: str, own_host: str
) -> None:
    monkeypatch.setenv(key, f"https://{host}/v1")
    monkeypatch.setenv("ACTIONS_LLM_OWN_HOST", own_host)
    with pytest.raises(ConfigurationError) as refusal:
        load_settings()
    line = str(refusal.value)
    assert line.startswith(f"{key}: {host} ")
    assert "LLM server" in line
    assert "ACTIONS_LLM_OWN_HOST" in line
    assert "\n" not in line
    assert len(f"actions: {line}") < 300  # what the supervisor repeats of a last line


def test_the_action_servers_own_key_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_BASE_URL", "https://api.example.org/v1")
    monkeypatch.setenv("ACTIONS_LLM_BASE_URL", "http://127.0.0.1:8080/v1/")
    assert load_settings().llm_url == "http://127.0.0.1:8080/v1"


@pytest.mark.parametrize(
    "value",
    ["api.example.org", "8.8.8.8", "::ffff:8.8.8.8", "134744072", "0x8080808", "llm/", "*", "a b",
     "example.local.org"],
)  # fmt: skip
def test_only_hosts_at_home_can_be_named(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("ACTIONS_LLM_OWN_HOST", value)
    with pytest.raises(ConfigurationError, match="^ACTIONS_LLM_OWN_HOST: must be a private"):
        load_settings()


def test_an_address_carries_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_BASE_URL", "http://127.0.0.1@api.example.org/v1")
    with pytest.raises(ConfigurationError, match="^LLM_BASE_URL: must not carry credentials"):
        load_settings()


def _start(port: int, **more: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "ACTIONS_PORT": str(port), **more}
    command = [sys.executable, "-m", "actions"]
    return subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)


def test_taken_port_and_bad_setting_are_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        process = _start(taken.getsockname()[1])
        _, error = process.communicate(timeout=60)
    assert process.returncode == 2
    assert error.count("\n") == 1
    assert "ACTIONS_PORT" in error
    for key, value in (
        ("ACTIONS_DATA_DIR", "/nowhere"),
        ("ACTIONS_LLM_BASE_URL", "https://api.example.org/v1"),
    ):
        process = _start(_free_port(), **{key: value})
        _, error = process.communicate(timeout=60)
        assert process.returncode == 2
        assert error.count("\n") == 1
        assert error.startswith(f"actions: {key}: ")


def test_serves_logs_json_without_words_and_stops_on_sigterm(golden_request: Any) -> None:
    port = _free_port()
    process = _start(port, LLM_BASE_URL=f"http://127.0.0.1:{_free_port()}/v1")
    try:
        address = f"http://127.0.0.1:{port}"
        with httpx.Client(base_url=address, timeout=10, trust_env=False) as http:
            for _ in range(600):
                try:
                    if http.get("/health").status_code == 200:
                        break
                except httpx.TransportError:
                    time.sleep(0.1)
            message = http.post("/webhook", json=golden_request).json()["responses"][0]
            assert message["fallback_reason"] == "unreachable"
            assert http.post("/webhook", json={"next_action": "x", "tracker": 1}).status_code == 404
            with http.stream("GET", "/turns/open/stream"):
                started = time.monotonic()
                process.send_signal(signal.SIGTERM)
                _, log = process.communicate(timeout=10)
        assert time.monotonic() - started < 3
        assert process.returncode == 0
        lines = [json.loads(line) for line in log.splitlines()]
        assert lines[0]["event"] == "actions_starting"
        assert lines[-1]["event"] == "actions_stopped"
        assert all({"ts", "level", "logger", "event"} <= set(line) for line in lines)
        assert "merger" not in log
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
