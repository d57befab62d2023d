"""The country a person names, so that the right line can be given."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Dict, Optional

import yaml

HELPLINES_FILE = Path(__file__).resolve().parents[2] / "data" / "helplines.yml"

ALIASES = {
    "usa": "US", "u.s.": "US", "u.s.a.": "US", "the us": "US", "the states": "US", "america": "US",
    "uk": "GB", "u.k.": "GB", "the uk": "GB", "britain": "GB", "great britain": "GB",
    "england": "GB", "scotland": "GB", "wales": "GB", "northern ireland": "GB",
    "deutschland": "DE", "österreich": "AT", "schweiz": "CH", "españa": "ES", "méxico": "MX",
    "bharat": "IN", "भारत": "IN", "holland": "NL", "the netherlands": "NL", "brasil": "BR",
    "aotearoa": "NZ", "the philippines": "PH", "türkiye": "TR", "italia": "IT",
}  # fmt: skip
_BEFORE = r"(?:i'?m (?:from|in)|i am (?:from|in)|i live in|living in|we'?re in|here in|from)"


@functools.lru_cache(maxsize=1)
def _names() -> Dict[str, str]:
    content = yaml.safe_load(HELPLINES_FILE.read_text(encoding="utf-8"))
    listed = {
        str(entry["name"]).lower(): code
        for code, entry in content["countries"].items()
        if isinstance(entry, dict) and entry.get("name")
    }
    return {**listed, **ALIASES}


@functools.lru_cache(maxsize=1)
def _patterns() -> Dict[bool, re.Pattern[str]]:
    names = sorted((re.escape(name) for name in _names()), key=len, reverse=True)
    country = f"(?:the )?(?P<name>{'|'.join(names)})"
    return {
        True: re.compile(rf"^(?:{_BEFORE} )?{country}[\s.!,]*$"),
        False: re.compile(rf"\b{_BEFORE} {country}(?=$|[\s.,!?;])"),
    }


def country_in(text: str, alone: bool = False) -> Optional[str]:
    """The ISO 3166 alpha-2 code of the country in which the person says they are, or None.

    Args:
        text: the message.
        alone: whether the message must say nothing else ("india", "i'm in ireland").
    """
    said = " ".join(text.lower().replace("’", "'").split())
    found = _patterns()[True].match(said)
    if not found and not alone:
        found = _patterns()[False].search(said)
    return _names()[found["name"]] if found else None
