"""Finds ways to reach somebody on the net: e-mail, links, handles, IP addresses."""

import ipaddress
import re
from collections.abc import Iterator

from llm_server.privacy.span import Span

_EMAIL = re.compile(r"[\w.+%-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,6}")
# "jane at example dot org", "jane [at] example.org"; not "I was at home. In the evening …"
_SPELLED_EMAIL = re.compile(
    r"\b[\w.+-]{1,64}(?: ?(?:\(at\)|\[at\]) ?| at )[\w-]{2,63}(?: ?(?:\(dot\)|\[dot\]) ?| dot |\.)"
    r"(?:com|net|org|edu|gov|info|me|io|co(?: ?(?:\.|dot) ?uk)?|de|fr|es|it|nl|in|ca|au|uk)\b",
    re.IGNORECASE,
)
_LINK = re.compile(r"\b(?:https?://|www\.)[^\s<>\"']+", re.IGNORECASE)
# "instagram.com/jane.doe": a host without a scheme counts if something stands after the slash.
_BARE_LINK = re.compile(r"\b(?:[a-z0-9-]{1,63}\.){1,4}[a-z]{2,12}/[^\s<>\"']+", re.IGNORECASE)
_HANDLE = re.compile(r"(?<![\w.@/])@[A-Za-z0-9_](?:[\w.]{1,28}[A-Za-z0-9_])")
_IPV4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w]|\.\d)")
_IPV6 = re.compile(r"(?<![\w:])(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}(?![\w:])", re.IGNORECASE)


def find(text: str) -> Iterator[Span]:
    """Every e-mail address, link with more than a host, handle and IP address in ``text``."""
    for pattern in (_EMAIL, _SPELLED_EMAIL):
        for match in pattern.finditer(text):
            yield Span(*match.span(), "email")
    for pattern in (_LINK, _BARE_LINK):
        for match in pattern.finditer(text):
            link = match[0].rstrip(".,;:!?)]}")
            if _says_more_than_a_host(link):
                yield Span(match.start(), match.start() + len(link), "link")
    for match in _HANDLE.finditer(text):
        yield Span(*match.span(), "handle")
    for pattern in (_IPV4, _IPV6):
        for match in pattern.finditer(text):
            if _is_address(match[0]):
                yield Span(*match.span(), "ip")


def _says_more_than_a_host(link: str) -> bool:
    rest = re.sub(r"^https?://", "", link, flags=re.IGNORECASE)
    host, slash, path = rest.partition("/")
    return bool(slash and path) or any(mark in host for mark in "@?#")


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return sum(map(str.isalnum, text)) >= 3
