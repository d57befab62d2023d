"""Finds street addresses and post codes, in the common shapes of a few countries."""

import re
from collections.abc import Iterator

from llm_server.privacy.span import Span
from llm_server.privacy.words import NO_STREET

_KIND = "address"
# Every repetition is bounded, so that no message takes long.
_NUMBER = r"\d{1,5}[A-Za-z]?"
_NAME = r"[^\W\d_][\w'’.-]{0,30}"
_UNIT = r"(?:,? ?(?:apt|apartment|flat|unit|suite|#)\.? ?\w{1,6})?"
_ENGLISH = re.compile(
    rf"\b{_NUMBER},? (?P<name>(?:{_NAME} ){{1,3}})(?:street|road|rd|avenue|ave|lane|boulevard|blvd"
    rf"|terrace|crescent|highway|parkway|mews)\b\.?{_UNIT}",
    re.IGNORECASE,
)
# "2 kids close to me": these count with capitals only.
_ENGLISH_CAPITALS = re.compile(
    rf"\b{_NUMBER},? (?P<name>(?:[A-Z][\w'’.-]{{0,30}} ){{1,3}})"
    r"(?:St|Drive|Dr|Court|Ct|Close|Way|Place|Pl"
    rf"|Square|Gardens|Grove|Row|Ln|Hill|Park)\b\.?(?i:{_UNIT})"
)
_GERMAN = re.compile(
    r"\b(?:[^\W\d_]{1,30} )?[\w-]{0,40}(?:straße|strasse|str\.|weg|platz|allee|gasse|ufer|damm)"
    rf" {_NUMBER}\b",
    re.IGNORECASE,
)
_ROMANCE = re.compile(
    rf"\b{_NUMBER},? (?:bis |ter )?(?:rue|avenue|boulevard|chemin|impasse|allée|quai|place)"
    rf" (?:(?:de|du|des|la|le|l[’']) ?){{0,3}}{_NAME}(?: (?-i:[A-ZÀ-Ý])[\w'’.-]{{0,30}}){{0,4}}"
    r"|\b(?:calle|avenida|avda\.?|paseo|carrera|rua|via|viale|piazza|corso)"
    rf" (?:(?:de|del|da|do|dos|la|las|los|el) ){{0,3}}{_NAME}(?: {_NAME}){{0,3}}"
    rf",? (?:n[ºo°]?\.? ?)?{_NUMBER}\b",
    re.IGNORECASE,
)
_POST_CODE = re.compile(
    r"\b(?:[A-Z]{1,2}\d[A-Z\d]? ?\d[ABD-HJLNP-UW-Z]{2}"  # United Kingdom
    r"|[A-CEGHJ-NPR-TVXY]\d[A-Z] ?\d[A-Z]\d"  # Canada
    r"|(?-i:[A-Z]{2}) \d{5}(?:-\d{4})?)\b",  # state and ZIP code, United States
    re.IGNORECASE,
)


def find(text: str) -> Iterator[Span]:
    """Every street with its number, and every post code, in ``text``."""
    for pattern in (_ENGLISH, _ENGLISH_CAPITALS):
        for match in pattern.finditer(text):
            if not NO_STREET & set(match["name"].lower().split()):
                yield Span(*match.span(), _KIND)
    for pattern in (_GERMAN, _ROMANCE, _POST_CODE):
        for match in pattern.finditer(text):
            yield Span(*match.span(), _KIND)
