"""What the supervisor is told."""

from __future__ import annotations

import configparser
from pathlib import Path

import pytest

from ops import places, services, supervise
from ops.services import Service


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STILLPOINT_VAR", str(tmp_path / "state"))
    for name in (*places.DEFAULT_PORTS, "ACTIONS_URL", "ACTIONS_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "state"


def test_values_survive_the_configuration(tmp_path: Path) -> None:
    service = Service(
        "one", ["/a path/python", "-m", "x"], tmp_path, environment={"KEY": 'a "quoted" 50% value'}
    )
    text = supervise.configuration([service], tmp_path / "s.sock")
    parsed = configparser.RawConfigParser()
    parsed.read_string(text)
    section = parsed["program:one"]
    assert section["environment"] == 'KEY="a \\"quoted\\" 50%% value"'
    assert section["command"] == '"/a path/python" -m x'
    assert section["autorestart"] == "true"
    assert section["killasgroup"] == "true"


@pytest.mark.parametrize(("set_to", "seconds"), [("", 315), ("900", 915), ("soon", 315)])
def test_a_slow_model_is_waited_for_longer_than_the_llm_server_waits(
    monkeypatch: pytest.MonkeyPatch, set_to: str, seconds: float
) -> None:
    monkeypatch.setenv("LLM_START_TIMEOUT_S", set_to)
    llm = next(service for service in services.services() if service.name == "llm")
    assert llm.start_deadline_s == seconds


def test_only_rasa_is_essential() -> None:
    assert [s.name for s in services.services() if s.essential] == ["rasa"]


def test_a_long_state_path_gets_a_short_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STILLPOINT_VAR", str(tmp_path / ("x" * 120)))
    assert len(str(supervise.control_socket())) < 100


def test_endpoints_follow_the_port_and_carry_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACTIONS_PORT", "6055")
    monkeypatch.setenv("ACTIONS_TOKEN", "s3cret: yes")
    path = services.endpoints_file()
    text = path.read_text()
    assert "url: http://127.0.0.1:6055/webhook" in text
    assert 'token: "s3cret: yes"' in text
    assert path.stat().st_mode & 0o077 == 0


def test_an_old_heartbeat_is_not_health(tmp_path: Path) -> None:
    beat = tmp_path / "beat"
    service = Service("one", [], tmp_path, heartbeat=beat)
    assert not service.healthy(0)
    beat.touch()
    assert service.healthy(0)
    assert not service.healthy(beat.stat().st_mtime + 1)
