"""The hand-off service is started, and looked at by the doctor, only if it is set up."""

from __future__ import annotations

from pathlib import Path

import pytest

from ops import checks, services
from ops.errors import SettingInvalid


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STILLPOINT_VAR", str(tmp_path))
    monkeypatch.delenv("HANDOFF_WEBHOOK_SECRET", raising=False)


@pytest.mark.parametrize("url", [None, ""])
def test_off_by_default(url: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HANDOFF_WEBHOOK_URL", raising=False)
    if url is not None:
        monkeypatch.setenv("HANDOFF_WEBHOOK_URL", url)
    assert "handoff" not in [service.name for service in services.services()]
    assert "no human is told" in checks.handoff_settings()


def test_started_when_an_address_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HANDOFF_WEBHOOK_URL", "https://example.org/hook")
    monkeypatch.setenv("HANDOFF_WEBHOOK_SECRET", "x" * 32)
    [service] = [service for service in services.services() if service.name == "handoff"]
    assert service.command[1:] == ["-m", "handoff", "run"]
    assert service.heartbeat == tmp_path / "run" / "handoff.heartbeat"
    assert not service.essential
    assert not any("HANDOFF" in name for name in service.environment), "inherited, not written down"
    assert checks.handoff_settings() == "on, notices go to example.org"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://example.org/", "HANDOFF_WEBHOOK_URL: must be https"),
        ("https://example.org/", "HANDOFF_WEBHOOK_SECRET: needs at least 32"),
    ],
)
def test_the_doctor_names_a_refused_setting(
    url: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HANDOFF_WEBHOOK_URL", url)
    with pytest.raises(SettingInvalid, match=said):
        checks.handoff_settings()
