"""The rules of the voice that a program can check; every composed reply passes through them."""

import re

from training_pipeline.errors import CorpusError

MAX_SENTENCES = 3
MAX_WORDS = 60
_BANNED = re.compile(
    r"exactly how you feel|i understand how|\balways here|\bhere for you|stay positive"
    r"|(?:^|[.;,] )you (?:should|need to|must)\b|(?:^|[.;,] )don't worry|cheer up"
    r"|things will get better|calm down|at least you|i care about you|rely on me",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"[.?](?=\s|$)")
_LEFTOVER = re.compile(r"[{}~]|\s{2,}|\.\.|[.?,;]{2,}| [.,?;]")


def sentences(reply: str) -> int:
    """The number of sentences, counted by their closing marks."""
    return len(_SENTENCE_END.findall(reply))


def problems(reply: str) -> list[str]:
    """Every rule the reply breaks, in words; empty when it is fit to train on."""
    found = []
    if "!" in reply:
        found.append("exclamation mark")
    if reply.count("?") > 1:
        found.append("more than one question")
    if sentences(reply) > MAX_SENTENCES:
        found.append("more than three sentences")
    if sentences(reply) == 0 or reply[-1] not in ".?":
        found.append("unfinished sentence")
    if len(reply.split()) > MAX_WORDS:
        found.append("too long")
    if _BANNED.search(reply):
        found.append("banned phrase")
    if _LEFTOVER.search(reply):
        found.append("template residue")
    return found


def require_fit(reply: str) -> str:
    """Return the reply unchanged.

    Raises:
        CorpusError: it breaks a rule.
    """
    found = problems(reply)
    if found:
        raise CorpusError(f"reply breaks the voice ({', '.join(found)}): {reply}")
    return reply
