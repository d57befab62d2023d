"""Pseudonyms stay the same, tell nothing, and their key is kept private."""

from __future__ import annotations

import re
import stat
import threading
from typing import Any

import pytest

from analytics.errors import ConfigurationError
from analytics.pseudonym import Pseudonyms, load_pseudonyms
from analytics.settings import Settings


def test_form_and_known_value() -> None:
    # printf 'sender:web-1' | openssl dgst -sha256 -hmac 'stillpoint-test-key'
    found = Pseudonyms(b"stillpoint-test-key").of("web-1")
    assert re.fullmatch(r"p-[0-9a-f]{12}", found)
    assert found == "p-3b898a054acc"


def test_another_key_gives_another_pseudonym() -> None:
    assert Pseudonyms(b"k" * 16).of("a") != Pseudonyms(b"l" * 16).of("a")
    assert Pseudonyms(b"k" * 16).fingerprint != Pseudonyms(b"l" * 16).fingerprint


def test_key_file_is_made_once_and_private(var: Any) -> None:
    settings = Settings(stillpoint_var=var)
    first = load_pseudonyms(settings).of("a")
    path = var / "pseudonym.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_pseudonyms(settings).of("a") == first
    assert [file.name for file in var.iterdir()] == ["pseudonym.key"]


def test_many_first_uses_agree_on_one_key(var: Any) -> None:
    found: set[str] = set()
    barrier = threading.Barrier(8)

    def use() -> None:
        barrier.wait()
        found.add(load_pseudonyms(Settings(stillpoint_var=var)).of("a"))

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 1


@pytest.mark.parametrize(
    ("content", "mode", "says"),
    [("x" * 64, 0o644, "chmod 600"), ("", 0o600, "fewer than"), ("ü" * 40, 0o600, "cannot use")],
)
def test_a_key_file_that_will_not_do_is_refused(
    var: Any, content: str, mode: int, says: str
) -> None:
    var.mkdir()
    path = var / "pseudonym.key"
    path.write_text(content, "utf-8")
    path.chmod(mode)
    with pytest.raises(ConfigurationError, match="^STILLPOINT_PSEUDONYM_KEY") as caught:
        load_pseudonyms(Settings(stillpoint_var=var))
    assert says in str(caught.value)
