"""Text that is not language: loops, non-words, word salad, another script.

English only. A fluent reply in another language is refused too, since no other check of this
package could read it.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from actions.guardrails.verdict import ALLOWED, Candidate, Verdict, refused

_WORDS_FILE = Path(__file__).with_name("english_words.txt")
_SUFFIXES = (
    "'s",
    "'re",
    "'ve",
    "'ll",
    "'d",
    "n't",
    "s",
    "es",
    "ed",
    "d",
    "ing",
    "ly",
    "er",
    "est",
    "ness",
    "y",
    "ful",
    "less",
    "ish",
    "'",
)
_TOKEN = re.compile(r"[a-z]+(?:'[a-z]+)?")
_FUNCTION_WORDS_TEXT = (
    "a about after all am an and any are as at be because been before but by can could did do does"
    " don't for from had has have he her here him his how i if in into is it it's its i'm just like"
    " me more most much my no not now of on one or other our out over she so some still than that"
    " that's the their them then there these they this those through to too up us very was we were"
    " what what's when where which while who why will with would you you're you've your"
)
_FUNCTION_WORDS = frozenset(_FUNCTION_WORDS_TEXT.split())
_IMPOSSIBLE_PAIR = re.compile(
    r"\b(?:the|a|an) (?:the|a|an|is|are|was|of|and|to|you|i|it|my|your|for|in)\b|\b(?:of|to|from"
    r"|with|for|my|your|our|his) (?:of|and|is|was|are|am|but|or)\b(?! not)|\b(?:you|i|we|they|he"
    r"|she) (?:you|i|of|the|my|your)\b(?! (?:two|three|both|one|only|all))|\b(?:is|am|are"
    r"|was) (?:is|am|are|was|of)\b|\b(?:and|but|or) (?:and|but|or|of)\b"
)
_CURLY = str.maketrans("\u2018\u2019", "''")
_MIN_WORDS_FOR_SHARE = 12
_TAIL_CHARS = 6


# Slips of a weak model; each alone is enough. Checked on the sentence with its capitals.
_SLIP = re.compile(
    r"[a-z](?:You|Your|It|What|That|The|And|So|Then|How)\b|'\w+'\w|(?i:\b(the|a|an|you|your|to"
    r"|of|it|is|and|what|do|would|my|for|with|in) \1\b)|[a-z']+ (?:What|Which"
    r"|How|Would|You|Your|You're|It|It's|That|The|And|Then) [a-z]|(?i:\b(?:would|does|did|can"
    r"|could|will|should|might|must) (?:you're|it's|i'm|they're|that's)\b)|(?i:\b(?:for|to"
    r"|with) (?:you're|i'm|they're)\b|\bto of\b|\byou do you feel\b)|(?i:^(?:you|i) (?:on|in|at"
    r"|of|the|with|for|to)\b|^(?:your|my) (?:the|you|it|of|and|is)\b)|(?i:^(?:i|you|it|and|your"
    r"|the|that|then|would|is|of|to)\W*$)|(?i:^(?:what|which|where|who|when) (?:would|does|do"
    r"|did|can|could|have|has|will|might) (?:you|it|that|they|i|he|she|we)(?:, .*)?\W*$)"
    r"|(?i:, and (?:that|what|you|the|your)\W*$)"
)


def check_nonsense(candidate: Candidate) -> Verdict:
    """Refuse what is empty, looped, mostly non-words, word salad, or in another script."""
    text = candidate.plain
    letters = [character for character in text if character.isalpha()]
    if not letters:
        is_tail = bool(candidate.reply_so_far) and len(text) <= _TAIL_CHARS
        return ALLOWED if is_tail else refused("nonsense")
    latin = sum(character < "\u0250" for character in letters)
    if latin / len(letters) < 0.7:
        return refused("nonsense")
    words = _TOKEN.findall(text)
    sentence = candidate.sentence.translate(_CURLY)
    if not words or _SLIP.search(sentence):
        return refused("nonsense")
    if _is_looped(words, text) or _is_salad(words, text):
        return refused("nonsense")
    if _has_too_many_unknown(candidate.sentence, words, candidate.plain_context):
        return refused("nonsense")
    return ALLOWED


def _is_looped(words: list[str], text: str) -> bool:
    if re.search(r"(.)\1{5,}", text) or re.search(r"\b(\w+)(?:\W+\1\b){3,}", text):
        return True
    for size in (2, 3, 4):
        runs = [tuple(words[i : i + size]) for i in range(len(words) - size + 1)]
        if any(runs.count(run) >= (4 if size == 2 else 3) for run in set(runs)):
            return True
    return len(words) >= 16 and len(set(words)) / len(words) < 0.4


def _is_salad(words: list[str], text: str) -> bool:
    if len(_IMPOSSIBLE_PAIR.findall(text)) >= 2:
        return True
    if re.search(r"\b(?:the|a|an|and|or|my|very)\W*$|\bof[.!]?$", text):
        return True
    share = sum(word in _FUNCTION_WORDS for word in words) / len(words)
    floor = 0.12 if len(words) >= _MIN_WORDS_FOR_SHARE else 0.0
    return len(words) >= 6 and share <= floor


def _has_too_many_unknown(sentence: str, words: list[str], context: str) -> bool:
    """Names (capitalised inside the sentence) and the person's own words count as known."""
    names = {word.lower() for word in re.findall(r"(?<=[a-z,] )[A-Z][a-z]+", sentence)}
    own = set(_TOKEN.findall(context))
    candidates = [word for word in words if len(word) >= 3]
    unknown = [word for word in candidates if not _is_known(word) and word not in names | own]
    if any(len(word) > 24 for word in unknown):
        return True
    share = len(unknown) / max(1, len(candidates))
    return (len(unknown) >= 2 and share > 0.4) or (len(words) <= 2 and share == 1)


def _is_known(word: str) -> bool:
    known = _known_words()
    if word in known:
        return True
    for suffix in _SUFFIXES:
        stem = word.removesuffix(suffix)
        if stem != word and (stem in known or stem + "e" in known or stem[:-1] in known):
            return True
    return False


@cache
def _known_words() -> frozenset[str]:
    lines = _WORDS_FILE.read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))
