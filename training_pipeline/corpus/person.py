"""Turns a first-person clause into the second person: "my boss ignores me" → "your boss …"."""

import re

_PAIRS = {
    "i": "you",
    "i'm": "you're",
    "i've": "you've",
    "i'd": "you'd",
    "i'll": "you'll",
    "me": "you",
    "my": "your",
    "mine": "yours",
    "myself": "yourself",
    "we": "you",
    "we're": "you're",
    "we've": "you've",
    "us": "you",
    "our": "your",
    "ourselves": "yourselves",
}
_AFTER_I = {"am": "are", "was": "were", "wasn't": "weren't"}
_ADVERBS = {"always", "still", "just", "really", "so", "actually", "never"}
_WORD = re.compile(r"[A-Za-z']+|[^A-Za-z']+")
_LEAD = re.compile(
    r"^(so|honestly|today|it's stupid but|small win but|first|i'm upset because|actually) "
)
_NOT_A_STATEMENT = re.compile(r"^(should|what if|what|why|how|is|are|do|can|will)\b")


def second_person(clause: str) -> str:
    """Rewrite pronouns and the verb forms that depend on them.

    Args:
        clause: plain text in the first person, in lower case save for names.

    Returns:
        The same words addressed to the speaker, without a capital or a closing mark added.
    """
    out: list[str] = []
    subject_was_i = False
    for piece in _WORD.findall(clause):
        low = piece.lower()
        if not piece.strip():
            out.append(piece)
            continue
        if subject_was_i and low in _AFTER_I:
            out.append(_AFTER_I[low])
            subject_was_i = False
            continue
        out.append(_PAIRS.get(low, piece))
        if low == "i":
            subject_was_i = True
        elif low not in _ADVERBS:
            subject_was_i = False
    text = "".join(out)
    return text.replace("am you ", "are you ")


def mirror(clause: str) -> str | None:
    """The clause as it can be given back to the person, or None if it is not a statement.

    A lead-in such as "so" or "it's stupid but" is dropped, because it is not the news itself.
    """
    bare = _LEAD.sub("", clause.strip().rstrip("."))
    if _NOT_A_STATEMENT.match(bare):
        return None
    return second_person(bare)


def capital(text: str) -> str:
    """Upper-case the first letter and leave the rest alone."""
    return text[:1].upper() + text[1:]
