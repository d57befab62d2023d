"""Bad settings end in one line that names the key and repeats no value."""

from __future__ import annotations

from typing import Any

import pytest

from analytics.errors import ConfigurationError
from analytics.settings import load_settings

BAD = [
    ("ANALYTICS_POLL_S", "soon"),
    ("ANALYTICS_POLL_S", "60"),
    ("ANALYTICS_BATCH_EVENTS", "0"),
    ("ANALYTICS_STORE_TEXT", "perhaps"),
    ("ANALYTICS_LOG_LEVEL", "LOUD"),
    ("STILLPOINT_PSEUDONYM_KEY", "short"),
    ("TRACKER_DB_URL", "trackers"),
    ("TRACKER_DB_URL", "nosuchdb://user:hunter2@host/db"),
    ("ANALYTICS_DB_URL", "oracle+cx_oracle://user:hunter2@host/db"),
    ("ANALYTICS_DB_URL", "sqlite://"),
]


@pytest.mark.parametrize(("key", "value"), BAD)
def test_refused_by_name(monkeypatch: pytest.MonkeyPatch, key: str, value: str) -> None:
    monkeypatch.setenv(key, value)
    with pytest.raises(ConfigurationError) as caught:
        load_settings()
    assert str(caught.value).startswith(f"{key}: ")
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_empty_means_default(monkeypatch: pytest.MonkeyPatch, var: Any) -> None:
    monkeypatch.setenv("STILLPOINT_VAR", str(var))
    monkeypatch.setenv("TRACKER_DB_URL", "")
    assert load_settings().tracker_url.database == str(var / "trackers.db")


def test_the_command_says_it_in_one_line(command: Any) -> None:
    done = command("ingest", "--once", ANALYTICS_POLL_S="never")
    assert done.returncode == 2
    assert done.stderr.startswith("analytics: ANALYTICS_POLL_S: ")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_an_unusable_place_is_one_line(command: Any, tmp_path: Any) -> None:
    file = tmp_path / "file"
    file.write_text("")
    done = command("ingest", "--once", STILLPOINT_VAR=str(file / "var"))
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr


def test_a_store_that_is_no_database_is_one_line(command: Any, var: Any) -> None:
    var.mkdir()
    (var / "analytics.db").write_text("no database, but long enough to look like one" * 30)
    done = command("ingest", "--once")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("analytics: cannot go on: the database failed")
    assert "Traceback" not in done.stderr
