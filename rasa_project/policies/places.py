"""The country a person names, so that the right line can be given."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Dict, Optional

import yaml

HELPLINES_FILE = Path(__file__).resolve().parents[2] / "data" / "helplines.yml"
PLACES_FILE = Path(__file__).with_name("places.yml")

ALIASES = {
    "usa": "US", "u.s.": "US", "u.s.a.": "US", "the us": "US", "the states": "US", "america": "US",
    "uk": "GB", "u.k.": "GB", "the uk": "GB", "britain": "GB", "great britain": "GB",
    "england": "GB", "scotland": "GB", "wales": "GB", "northern ireland": "GB",
    "deutschland": "DE", "österreich": "AT", "schweiz": "CH", "españa": "ES", "méxico": "MX",
    "bharat": "IN", "भारत": "IN", "holland": "NL", "the netherlands": "NL", "brasil": "BR",
    "aotearoa": "NZ", "the philippines": "PH", "türkiye": "TR", "italia": "IT",
}  # fmt: skip
ADJECTIVES = {
    "american": "US", "canadian": "CA", "british": "GB", "english": "GB", "scottish": "GB",
    "welsh": "GB", "irish": "IE", "indian": "IN", "australian": "AU", "aussie": "AU", "kiwi": "NZ",
    "south african": "ZA", "nigerian": "NG", "kenyan": "KE", "filipino": "PH", "german": "DE",
    "french": "FR", "spanish": "ES", "italian": "IT", "dutch": "NL", "belgian": "BE",
    "austrian": "AT", "swiss": "CH", "mexican": "MX", "brazilian": "BR", "pakistani": "PK",
}  # fmt: skip
"""Count only beside what is asked for: "the Irish number"."""
_HERE = r"(?:i'?m (?:from|in|at)|i am (?:from|in)|i live in|living in|we'?re in|here in)"
_ELSEWHERE = re.compile(
    r"\b(?:(?:my|his|her|their|a|the|our) (?:\w+ ){1,2}"
    r"(?:is|are|was|were|lives?|lived|moved|works?)"
    r"|(?:he|she|they)(?:'s|'re| is| are| was| were| lives?| lived| moved)|used to|born|grew up"
    r"|moved (?:here )?from|trip to|holiday|visit\w*|flight)\b[^.!?;]*$"
)
"""What stands before a place where somebody else is, or where the person is not now."""


@functools.lru_cache(maxsize=1)
def _names() -> Dict[str, str]:
    content = yaml.safe_load(HELPLINES_FILE.read_text(encoding="utf-8"))
    listed = {
        str(entry["name"]).lower(): code
        for code, entry in content["countries"].items()
        if isinstance(entry, dict) and entry.get("name")
    }
    regions = yaml.safe_load(PLACES_FILE.read_text(encoding="utf-8"))
    inside = {str(name): str(code) for code, names in regions.items() for name in names}
    return {**inside, **listed, **ALIASES, **ADJECTIVES}


@functools.lru_cache(maxsize=1)
def _patterns() -> Dict[str, re.Pattern[str]]:
    known = sorted(_names(), key=len, reverse=True)
    one = "|".join(re.escape(name) for name in known if name not in ADJECTIVES)
    asked_for = "|".join(map(re.escape, known))
    place = f"(?:the )?(?P<name>{one})"
    end = r"(?=$|[\s.,!?;])"
    return {
        "alone": re.compile(rf"^(?:(?:{_HERE}|from) )?{place}(?:, (?:{one}))?[\s.!,]*$"),
        "own": re.compile(rf"\b{_HERE} {place}{end}"),
        "told": re.compile(
            rf"(?:\b(?:in|from|near|around|for) {place}{end}|(?:^|[.!?;] )(?P<last>{one})[.,!;]"
            rf"|\b(?P<asked>{asked_for}) (?:\w+ )?(?:number|line|one)\b)"
        ),
    }


def country_in(text: str, alone: bool = False, told: bool = False) -> Optional[str]:
    """The ISO 3166 alpha-2 code of the country in which the person says they are, or None.

    Args:
        text: the message. Countries, and regions and cities of `places.yml`, are known.
        alone: whether the message must say nothing else ("india", "i'm in ireland").
        told: whether they have been asked for it: then any place counts that is not somebody
            else's ("is there a chat line in Durban", but not "my sister is in Durban").
    """
    said = " ".join(text.lower().replace("’", "'").split())
    found = _patterns()["alone"].match(said)
    if not found and not alone:
        found = _patterns()["own"].search(said)
    if not found and told and not alone:
        loose = _patterns()["told"].search(said)
        found = None if loose and _ELSEWHERE.search(said[: loose.start()]) else loose
    if not found:
        return None
    named = found.groupdict()
    return _names()[named.get("name") or named.get("last") or named["asked"]]
