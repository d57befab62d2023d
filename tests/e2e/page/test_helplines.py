"""The helplines in the page are those of data/helplines.yml."""

from __future__ import annotations

import datetime
import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.e2e.page.fake_channel import WEB_DIR


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_helplines", WEB_DIR / "build_helplines.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


build_helplines = load()


def country(**line: Any) -> dict[str, Any]:
    filled = {"name": "A <b>line</b>", "call": "116 123", "hours": "24/7", "languages": ["en"],
              "last_verified": datetime.date(2026, 1, 5), **line}  # fmt: skip
    return {"countries": {"GB": {"name": "Here", "emergency": "999", "lines": [filled]}}}


def test_the_page_is_up_to_date() -> None:
    assert build_helplines.main(["--check"]) == 0


def test_a_stale_page_is_found_and_written(tmp_path: Path) -> None:
    page = tmp_path / "index.html"
    source = (WEB_DIR / "index.html").read_text(encoding="utf-8")
    page.write_text(source.replace("tel:14416", "tel:14417"), encoding="utf-8")
    assert build_helplines.main(["--check", "--page", str(page)]) == 1
    assert "tel:14417" in page.read_text(encoding="utf-8")
    assert build_helplines.main(["--page", str(page)]) == 0
    assert page.read_text(encoding="utf-8") == source


def test_names_are_escaped_and_numbers_can_be_dialled() -> None:
    html = build_helplines.render(country(text="HELP to 51 444"))["countries"]
    assert "A &lt;b&gt;line&lt;/b&gt;" in html
    assert 'href="tel:116123"' in html
    assert 'href="sms:51444?body=HELP"' in html
    assert 'href="tel:999"' in html
    assert "January 2026" in html
    html = build_helplines.render(country(call="*4141"))["countries"]
    assert 'href="tel:*4141"' in html


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ({"call": "javascript:alert(1)"}, "cannot be dialled"),
        ({"call": 116123}, "must be a text"),
        ({"chat": "http://unsafe.example"}, "https"),
        ({"languages": ["xx"]}, "languages"),
        ({"call": None}, "needs call"),
        ({"last_verified": "soon"}, "last_verified"),
        ({"topics": ["abuse"]}, "must include 'crisis'"),
        ({"topics": ["violence"]}, "unknown or none"),
    ],
)
def test_an_entry_that_cannot_be_used_is_refused_by_name(line: dict[str, Any], words: str) -> None:
    with pytest.raises(build_helplines.HelplinesError, match=words):
        build_helplines.render(country(**line))
