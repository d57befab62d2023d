"""What a check is given and what it answers."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")
_QUOTES = str.maketrans({"’": "'", "‘": "'", "‛": "'", "“": '"', "”": '"', "–": "-", "—": "-"})


@dataclass(frozen=True)
class Verdict:
    """Whether a sentence may leave; ``reason`` is a short code, empty when allowed."""

    allowed: bool
    reason: str = ""


ALLOWED = Verdict(True)


def refused(reason: str) -> Verdict:
    """A refusal with its code."""
    return Verdict(False, reason)


@dataclass(frozen=True)
class Candidate:
    """One sentence on its way out, with what it follows.

    Attributes:
        sentence: the sentence as the model wrote it.
        context: the message that is being answered.
        reply_so_far: the sentences of this reply that were already allowed.
        said_before: texts that Stillpoint said earlier in the conversation.
        heard: what the person said earlier in the conversation.
    """

    sentence: str
    context: str = ""
    reply_so_far: tuple[str, ...] = ()
    said_before: tuple[str, ...] = ()
    heard: tuple[str, ...] = ()

    @cached_property
    def plain(self) -> str:
        """The sentence in lower case, ASCII quotes, no invisible characters."""
        return plain(self.sentence)

    @cached_property
    def window(self) -> str:
        """The previous sentence and this one, plain: for what is spread over two."""
        return " ".join((*map(plain, self.reply_so_far[-1:]), self.plain))

    @cached_property
    def plain_context(self) -> str:
        """The answered message, plain."""
        return plain(self.context)


Check = Callable[[Candidate], Verdict]


def plain(text: str) -> str:
    """Normalise a text for matching; meaning and word order stay."""
    text = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text)).translate(_QUOTES)
    return " ".join(text.lower().split())
