"""The shape of a sentence: contact data, leaked markup, crisis wording, length, repetition."""

from __future__ import annotations

import re
from collections.abc import Iterable

from actions.guardrails.frames import is_negated
from actions.guardrails.verdict import ALLOWED, Candidate, Verdict, plain, refused

MAX_SENTENCE_CHARS = 320
MAX_SENTENCE_WORDS = 60
MAX_REPLY_CHARS = 900
_SAME_SHARE = 0.85

_ADDRESS = re.compile(
    r"\bdot (?:com|org|net)\b|https?:|\bwww\.|\b[\w.+-]+@[\w-]+\.\w+"
    r"|\b[a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:com|org|net|edu|gov|info|io|co\.uk|org\.uk|uk|de|fr|eu"
    r"|me|app|chat|health|help)\b(?!\.\w)"
)
_NUMBER = re.compile(
    r"(?:\+|\b00)?\(?\d{2,4}\)?(?:[ ./-]?\d{2,4}){2,}|\b\d{7,}\b|\b1?-?800-|\b(?:call|dial|text"
    r"|ring|phone|number|reach|contact|lifeline|hotline)\b[^.?!]{0,40}\b\d{2,}\b|\b(?:988|911"
    r"|999|112|116 ?123|741 ?741)\b"
)
_MARKUP = re.compile(
    r"^\s*(?:user|assistant|system|human)\b(?! (?:manual|error|name))|<\||<(?=[a-z/!])|\|>"
    r"|\[/?inst\]|<<|>>|</?s>|```|###|\{\{|\}\}|\{\w*\}|\[(?:insert|your|name|user|redacted"
    r"|person|location)\b|\butter_\w+|\baction_\w+|\bim_(?:start|end)\b|\bendoftext\b|\\n|&\w+;"
    r"|\]\(|^\s*(?:user|assistant|system|human|ai|bot|stillpoint|seeker|supporter|listener"
    r"|therapist|counsell?or|patient|client|person|q|a|response|reply|answer|output|input|note"
    r"|translation) ?:|\b(?:user|assistant|system|human) ?:"
)
_SELF_TALK = re.compile(
    r"\bas an? (?:ai|artificial|large language|language model|virtual|chat ?bot"
    r"|assistant trained)|\blanguage model\b|\b(?:openai|chat ?gpt|gpt-?\d|llama|anthropic"
    r"|claude|hermes|nous research|gemini|mistral|deepseek|qwen)\b|\bi was (?:trained|created"
    r"|developed|made|programmed|built|designed) (?:by|on|to|as)\b|\b(?:knowledge"
    r"|training) cut-?off\b|\bmy training(?: data)?\b|\bin this (?:role-?play|scenario|fictional"
    r"|hypothetical)\b|\bdeveloper mode\b|\bdan mode\b|\blisten, reflect, ask one open"
    r" question\b|\bsure,? here(?:'s| is| are)\b|\bhere(?:'s| is| are) (?:a|an|my|your|the"
    r"|some) (?:\w+ )?(?:response|reply|answer|list|code|essay|poem|story|summary|recipe)\b"
)
_PROMPT = re.compile(
    r"\b(?:my|the) (?:system )?(?:prompt|instructions|guidelines|rules|programming"
    r"|system message)\b"
)
_CRISIS_WORDING = re.compile(
    r"\bif you(?:'re| are)(?: \w+){0,3} in (?:\w+ )?(?:danger|crisis|an emergency)\b|\b(?:call"
    r"|text|dial|ring|phone|contact|reach(?: out to)?|go to|get to) (?:a |an |the |your |any "
    r"|one of the )?(?:\w+ ){0,3}(?:crisis|suicide|emergency|hotline|helpline|lifeline|warmline"
    r"|samaritans|police|ambulance|a&e|er\b)|\b(?:suicide|crisis|emergency) (?:prevention"
    r"|hotline|helpline|lifeline|services|line|room)s?\b|\byour safety (?:is|comes|matters)"
    r"|\bstay on the line|\bhelp is on (?:the|its) way|\bare you safe (?:right )?now\b|\b(?:put"
    r"|move) (?:it|them|any\w*)(?: \w+){0,3} out of reach"
)


class ContactCheck:
    """Refuses web addresses, e-mail addresses and phone numbers outside an allow-list."""

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        self._allowed = frozenset(plain(entry) for entry in allowed)

    def __call__(self, candidate: Candidate) -> Verdict:
        text = candidate.plain
        for entry in self._allowed:
            text = text.replace(entry, " ")
        found = _ADDRESS.search(text) or _NUMBER.search(text)
        return refused("contact") if found else ALLOWED


def check_leak(candidate: Candidate) -> Verdict:
    """Refuse markup, role names, talk about being a language model, and the prompt itself."""
    text = candidate.plain
    if _MARKUP.search(text) or _SELF_TALK.search(text):
        return refused("leak")
    if any(not is_negated(text, match.start()) for match in _PROMPT.finditer(text)):
        return refused("leak")
    return ALLOWED


def check_crisis_wording(candidate: Candidate) -> Verdict:
    """Refuse imitations of the crisis replies: those come from the scripted flow alone."""
    return refused("crisis_wording") if _CRISIS_WORDING.search(candidate.plain) else ALLOWED


def check_length(candidate: Candidate) -> Verdict:
    """Refuse an overlong sentence or reply."""
    sentence = candidate.sentence
    total = len(sentence) + sum(len(said) + 1 for said in candidate.reply_so_far)
    is_long = len(sentence) > MAX_SENTENCE_CHARS or len(sentence.split()) > MAX_SENTENCE_WORDS
    return refused("too_long") if is_long or total > MAX_REPLY_CHARS else ALLOWED


def check_repeated(candidate: Candidate) -> Verdict:
    """Refuse a sentence that was said before; up to three words may come again ("I see.")."""
    words = _words(candidate.sentence)
    if len(words) <= 3:
        return refused("repeated") if candidate.sentence in candidate.reply_so_far else ALLOWED
    for said in (*candidate.reply_so_far, *candidate.said_before):
        if _same(words, _words(said)):
            return refused("repeated")
    return ALLOWED


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9']+", plain(text))


def _same(words: list[str], said: list[str]) -> bool:
    joined, earlier = " ".join(words), " ".join(said)
    if f" {joined} " in f" {earlier} ":
        return True
    union = set(words) | set(said)
    return len(words) >= 6 and len(set(words) & set(said)) / len(union) >= _SAME_SHARE
