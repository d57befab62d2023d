"""Cut a growing text into sentences as soon as each one is known to be complete.

English punctuation. It does not know grammar: a sentence that ends in an abbreviation
followed by a capital ("at 5 p.m. We") may stay joined to the next one, which only delays it.
"""

from __future__ import annotations

import re

_EMOJI = (
    "\U0001f000-\U0001faff\u2190-\u21ff\u2600-\u27bf\u2b00-\u2bff\ufe0f\u200d\u20e3"
    "\U000e0020-\U000e007f"
)
_CLOSERS = "\"'”’)\\]»*_"

# A terminator, closing marks, emoji that belong to it, white space, and the next character.
_TERMINATED = re.compile(
    rf"(?P<mark>[.!?…。？！]+)[{_CLOSERS}]*(?:[ \t]*[{_EMOJI}]+)*(?P<gap>\s+)(?=[^\s{_EMOJI}])"
)
_LINE_END = re.compile(r"\S[^\S\n]*(?P<gap>\n)")

_ABBREVIATION = re.compile(
    r"(?:^|[\s(\"'“‘])(?:mr|mrs|ms|mx|dr|prof|st|sr|jr|rev|vs|etc|approx|dept|e\.?g|i\.?e|cf|al"
    r"|(?:[a-z]\.)+[a-z]|[a-hj-z])$",
    re.IGNORECASE,
)
_SENTENCE_MAY_FOLLOW = {"etc", "jr", "sr"}
_NUMBERED_ITEM = re.compile(r"(?:^|\n)\s*(?:\d{1,2}|[a-z])$", re.IGNORECASE)
_NUMBER_WORD = re.compile(r"(?:^|\s)no$", re.IGNORECASE)


class SentenceSplitter:
    """Collects deltas and hands out complete sentences, white space collapsed to one space.

    The result does not depend on how the text was cut into deltas, and joining all sentences
    loses no character but white space.
    """

    def __init__(self) -> None:
        self._pending = ""

    @property
    def pending(self) -> str:
        """The text that has arrived but is not a complete sentence yet."""
        return self._pending

    def feed(self, delta: str) -> list[str]:
        """Add a delta; return the sentences that it completed (often none)."""
        self._pending += delta
        sentences = []
        while (cut := _first_boundary(self._pending)) is not None:
            sentences.append(self._pending[: cut[0]])
            self._pending = self._pending[cut[1] :]
        return [tidy for sentence in sentences if (tidy := " ".join(sentence.split()))]

    def flush(self) -> list[str]:
        """The text ended: return what is left as the last sentence, if anything is."""
        rest, self._pending = " ".join(self._pending.split()), ""
        return [rest] if rest else []


def split_sentences(text: str) -> list[str]:
    """Split a whole text."""
    splitter = SentenceSplitter()
    return splitter.feed(text) + splitter.flush()


def _first_boundary(text: str) -> tuple[int, int] | None:
    """Start and end of the white space behind the first complete sentence, or None."""
    line_end = _LINE_END.search(text)
    for match in _TERMINATED.finditer(text):
        if line_end is not None and line_end.start("gap") < match.start("gap"):
            break
        following = text[match.end()]
        if not _stays_open(text[: match.start("mark")], match["mark"], following):
            return match.span("gap")
    return line_end.span("gap") if line_end is not None else None


def _stays_open(before: str, mark: str, following: str) -> bool:
    """Whether the terminator belongs to the middle of a sentence."""
    if not mark.strip(".…"):
        if mark != ".":
            return following.islower()
        if _NUMBERED_ITEM.search(before):
            return True
        if _NUMBER_WORD.search(before):
            return following.isdigit()
        if match := _ABBREVIATION.search(before):
            word = match.group().strip(" \t\n(\"'“‘").lower()
            return word not in _SENTENCE_MAY_FOLLOW or not following.isupper()
    return False
