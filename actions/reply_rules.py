"""Voice rules that every reply of the bank keeps; run by the tests and before a review."""

from __future__ import annotations

import re

from actions.guardrails.output import OutputGuardrail
from actions.reply_bank import PLACEHOLDERS, Entry
from actions.sentences import split_sentences

MAX_SENTENCES = 3
MAX_CHARS = 240
MAX_WORDS_A_SENTENCE = 26

_FORBIDDEN = {
    "an order": r"\byou (?:should|must|need to|have to|ought to|had better)\b"
    r"|(?:^|[.;,] )just \w",
    "an exclamation mark": r"!",
    "a promise": r"\b(?:i(?:'ll| will|'m| am) always|always (?:be )?here|promise|get better|be"
    " (?:ok|okay|fine|alright)|stay positive|care about"
    r" you|rely on me|here for you)\b",
    "claimed knowledge": r"\bi (?:understand|know) (?:exactly |just )?how you\b|\bexactly how\b",
    "a number or an address": r"\d|https?:|www\.|@",
    "an emoji": "[\U0001f000-\U0001faff\u2600-\u27bf]",
    "a clinical word": r"\b(?:symptom|disorder|diagnos\w+|cope|coping|mechanism|trigger|trauma"
    "|therapy"
    r"|cognitive|mindful\w*)\b",
}
_FILLINGS = {"topic_word": "sister", "feeling_word": "stuck"}


def broken_rules(entry: Entry, guardrail: OutputGuardrail) -> list[str]:
    """Name every rule that a reply breaks; an empty list means that it keeps them all."""
    text = entry.text
    for name in PLACEHOLDERS:
        text = text.replace(f"{{{name}}}", _FILLINGS[name])
    broken = [
        f"has {name}"
        for name, pattern in _FORBIDDEN.items()
        if re.search(pattern, text, re.IGNORECASE)
    ]
    sentences = split_sentences(text)
    if len(sentences) > MAX_SENTENCES:
        broken.append(f"has more than {MAX_SENTENCES} sentences")
    if len(text) > MAX_CHARS:
        broken.append(f"is longer than {MAX_CHARS} characters")
    if any(len(sentence.split()) > MAX_WORDS_A_SENTENCE for sentence in sentences):
        broken.append(f"has a sentence of more than {MAX_WORDS_A_SENTENCE} words")
    if text.count("?") > 1:
        broken.append("asks more than one question")
    if "{" in text or "}" in text:
        broken.append("has an unknown placeholder")
    if sum(entry.text.count(f"{{{name}}}") for name in PLACEHOLDERS) > 1:
        broken.append("has more than one placeholder")
    if not text.endswith((".", "?")):
        broken.append("does not end in a full stop or a question mark")
    verdict = guardrail.check_reply(text)
    if not verdict.allowed:
        broken.append(f"is refused by the guardrail: {verdict.reason}")
    return broken
