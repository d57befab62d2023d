"""Phrases about lines and emergency numbers."""

from __future__ import annotations

import re

import pytest
import yaml

from components.contacts import FALLBACK, HELPLINES_FILE, Contacts


def test_unknown_country_names_numbers_and_the_directory() -> None:
    phrases = Contacts.from_file().phrases(None)
    assert phrases == FALLBACK
    assert "988" in phrases["crisis_line"]
    assert "findahelpline.com" in phrases["crisis_line"]
    assert "112" in phrases["emergency"]


@pytest.mark.parametrize(
    "country", sorted(yaml.safe_load(HELPLINES_FILE.read_text(encoding="utf-8"))["countries"])
)
def test_every_listed_country_has_a_way_to_reach_a_person(country: str) -> None:
    phrases = Contacts.from_file().phrases(country)
    assert set(phrases) == set(FALLBACK)
    assert re.search(r"\d[\d ]{2,}|chat", phrases["crisis_line_short"]), phrases
    assert re.search(r"\d{2,3}", phrases["emergency"]), phrases
    for text in phrases.values():
        assert "None" not in text
        assert "{" not in text


def test_a_file_without_countries_is_refused(tmp_path) -> None:
    path = tmp_path / "helplines.yml"
    path.write_text("lines: []", encoding="utf-8")
    with pytest.raises(ValueError, match="countries"):
        Contacts.from_file(path)
