"""Bad settings are refused by name, and what is secret is not repeated."""

from __future__ import annotations

import pytest

from handoff.errors import ConfigurationError
from handoff.settings import load_settings

SECRET = "s3cret-that-must-not-be-shown-anywhere"


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    for name in ("WEBHOOK_URL", "WEBHOOK_SECRET", "DB_URL", "DEPLOYMENT", "MESSAGES", "POLL_S"):
        monkeypatch.delenv(f"HANDOFF_{name}", raising=False)
    monkeypatch.setenv("STILLPOINT_VAR", str(tmp_path))
    monkeypatch.setenv("HANDOFF_WEBHOOK_SECRET", SECRET)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/hook?token=abc",
        "https://[2001:db8::1]:8443/hook",
        "http://127.0.0.1:8000/hook",
        "http://127.9.9.9/",
        "http://[::1]:8000/",
        "http://localhost/hook",
    ],
)
def test_https_and_loopback_are_accepted(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HANDOFF_WEBHOOK_URL", url)
    assert load_settings().require_webhook() == (url, SECRET.encode())


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://example.org/hook", "must be https"),
        ("http://10.0.0.7/hook", "must be https"),
        ("http://127.0.0.1.example.org/hook", "must be https"),
        ("http://localhost.example.org/", "must be https"),
        ("http://0.0.0.0/", "must be https"),
        ("ftp://example.org/", "must begin with https://"),
        ("example.org/hook", "must begin with https://"),
        ("https://", "must begin with https://"),
        ("https://user:pass@example.org/", "must not carry a user name"),
        ("https://example.org/#part", "must not carry a #fragment"),
        ("https://example.org/a b", "without spaces"),
        ("https://exämple.org/", "plain ASCII"),
        ("https://example.org:99999/", "is not an address"),
        ("https://[::1/", "is not an address"),
    ],
)
def test_an_unsafe_address_is_refused_by_name(
    url: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HANDOFF_WEBHOOK_URL", url)
    with pytest.raises(ConfigurationError) as refused:
        load_settings()
    assert str(refused.value).startswith("HANDOFF_WEBHOOK_URL: ")
    assert said in str(refused.value)
    assert "example" not in str(refused.value)


@pytest.mark.parametrize("value", [None, ""])
def test_nothing_is_sent_unsigned(value: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HANDOFF_WEBHOOK_URL", "https://example.org/")
    monkeypatch.delenv("HANDOFF_WEBHOOK_SECRET")
    if value is not None:
        monkeypatch.setenv("HANDOFF_WEBHOOK_SECRET", value)
    with pytest.raises(ConfigurationError, match="^HANDOFF_WEBHOOK_SECRET"):
        load_settings().require_webhook()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HANDOFF_WEBHOOK_SECRET", "too short"),
        ("HANDOFF_DEPLOYMENT", "a\nb"),
        ("HANDOFF_MESSAGES", "21"),
        ("HANDOFF_POLL_S", "2"),
        ("HANDOFF_DB_URL", "sqlite://"),
        ("HANDOFF_DB_URL", "nonsense"),
    ],
)
def test_a_bad_value_is_refused_by_name(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=f"^{name}: ") as refused:
        load_settings()
    assert SECRET not in str(refused.value)


def test_off_is_a_setting_too() -> None:
    settings = load_settings()
    assert not settings.is_configured
    with pytest.raises(ConfigurationError, match="^HANDOFF_WEBHOOK_URL"):
        settings.require_webhook()
    assert SECRET not in repr(settings)
