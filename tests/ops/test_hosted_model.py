"""Rasa tells people of a hosted model exactly where the LLM server sends messages to one."""

from __future__ import annotations

import importlib.util
import itertools
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from actions.settings import load_settings as action_settings
from llm_server.errors import SettingsError
from llm_server.settings import load_settings as llm_settings
from ops import services

ROOT = Path(__file__).resolve().parents[2]
BASE = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
HOSTED = yaml.safe_load((ROOT / "deploy" / "hosted.yml").read_text(encoding="utf-8"))
SHARED = ("LLM_ENGINE", "LLM_BASE_URL", "LLM_HOSTED_CONSENT", "LLM_HOSTED_NAME")


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STILLPOINT_VAR", str(tmp_path))
    for name in (*SHARED, "ACTIONS_LLM_BASE_URL", "ACTIONS_LLM_OWN_HOST"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def told_by_rasa() -> ModuleType:
    """Rasa's own module; it needs nothing of Rasa's environment."""
    path = ROOT / "rasa_project" / "components" / "hosted_model.py"
    spec = importlib.util.spec_from_file_location("hosted_model", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("engine", "url", "consent"),
    list(
        itertools.product(
            ("", "hosted", "xllamacpp"),
            ("", "https://api.example.org/v1", "http://127.0.0.1:4000/v1"),
            ("", "yes", "own-server"),
        )
    ),
)
def test_rasa_and_the_llm_server_read_the_same(
    engine: str,
    url: str,
    consent: str,
    told_by_rasa: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in zip(SHARED, (engine, url, consent, "Example AI"), strict=True):
        monkeypatch.setenv(name, value)
    try:
        told = llm_settings().people_are_told
    except SettingsError:
        return  # then no model answers
    assert told_by_rasa.provider() == ("Example AI" if told else "")


@pytest.mark.parametrize("name", ["x" * 81, "two\nlines", " "])
def test_a_name_that_people_cannot_read_is_refused(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLM_HOSTED_NAME", name)
    with pytest.raises(SettingsError, match="^LLM_HOSTED_NAME: "):
        llm_settings()


def test_make_run_hands_rasa_what_the_llm_server_gets_and_the_action_server_its_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is not set for a service, it inherits; `make shell` passes Rasa's on too."""
    monkeypatch.setenv("LLM_BASE_URL", "https://api.example.org/v1")
    monkeypatch.setenv("LLM_PORT", "9080")
    set_for = {service.name: service.environment for service in services.services()}
    for name in ("rasa", "llm"):
        assert not set(SHARED) & set(set_for[name])
    assert set_for["actions"]["LLM_BASE_URL"] == "http://127.0.0.1:9080/v1"
    assert "ACTIONS_LLM_BASE_URL" not in set_for["actions"], "inherited, and judged there"


def test_compose_lets_the_action_server_ask_its_llm_service(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    environment = BASE["actions"]["environment"]
    monkeypatch.setenv("LLM_BASE_URL", environment["LLM_BASE_URL"])
    monkeypatch.setenv("ACTIONS_LLM_OWN_HOST", environment["ACTIONS_LLM_OWN_HOST"])
    assert action_settings().llm_url == "http://llm:8080/v1"
    assert environment["ACTIONS_LLM_OWN_HOST"] in BASE


def test_compose_tells_people_only_with_the_file_that_lets_messages_out() -> None:
    assert not set(SHARED) & set(BASE["rasa"]["environment"])
    assert BASE["llm"]["environment"]["LLM_HOSTED_CONSENT"] == "own-server"
    changed = HOSTED["services"]
    for name in SHARED:
        told, sent = (changed[service]["environment"][name] for service in ("rasa", "llm"))
        assert told == sent
    assert "LLM_BASE_URL" not in changed["actions"]["environment"]
    assert "networks" not in changed["rasa"]
    assert changed["llm"]["networks"] == ["hosted"]
    assert HOSTED["networks"] == {"hosted": None}
