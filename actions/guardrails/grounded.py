"""Content that the person never mentioned, for a small model that miscopies.

The house model learned to take up the person's own words and sometimes takes up another one:
"dementia" becomes "principal". A sentence may hold words that the person used, and neutral ones
(`neutral_words.txt`); anything else is refused as `ungrounded`. Larger models may speak freely,
so this check is for the house profile only.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from actions.guardrails.verdict import ALLOWED, Candidate, Verdict, plain, refused

_WORDS_FILE = Path(__file__).with_name("neutral_words.txt")
_TOKEN = re.compile(r"[a-z]+(?:'[a-z]+)?")
_CONTRACTION = re.compile(r"'(?:s|re|ve|ll|d|m|t)$")
_STEM = 4
_LONGEST_ENDING = 3
_SHORTEST = 2


def check_grounded(candidate: Candidate) -> Verdict:
    """Refuse a sentence with a content word that neither the person nor our own stock uses."""
    heard = _tokens(" ".join((candidate.plain_context, *map(plain, candidate.heard))))
    neutral = _neutral_words()
    for word in _tokens(candidate.plain):
        if len(word) < _SHORTEST or _is_neutral(word, neutral):
            continue
        if not any(_same_stem(word, other) for other in heard):
            return refused("ungrounded")
    return ALLOWED


def _is_neutral(word: str, neutral: frozenset[str]) -> bool:
    base = _CONTRACTION.sub("", word)
    return word in neutral or base in neutral or base.removesuffix("s") in neutral


def _tokens(text: str) -> frozenset[str]:
    return frozenset(_TOKEN.findall(text))


def _same_stem(word: str, other: str) -> bool:
    first, second = (_CONTRACTION.sub("", w) for w in (word, other))
    if first == second:
        return True
    shared = 0
    for a, b in zip(first, second, strict=False):
        if a != b:
            break
        shared += 1
    endings = max(len(first), len(second)) - shared
    return shared >= _STEM and endings <= _LONGEST_ENDING


@cache
def _neutral_words() -> frozenset[str]:
    lines = _WORDS_FILE.read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))
