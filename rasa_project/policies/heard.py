"""What a message says, as far as short lists of phrases can tell: answer, concern, topic, signs.

Used for the crisis conversation, where the intent classifier is too coarse. The lists
(`phrases.yml`) are short on purpose: what they do not know is taken as an ordinary sentence and
answered as such, never as a "no". They decide what is said next; whether there is risk is the
gate's judgement, and that of `policies.accumulation` over several messages.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Callable, Dict, FrozenSet, List, Mapping, Pattern

import yaml

PHRASES_FILE = Path(__file__).with_name("phrases.yml")

BARRIERS = (
    "afraid", "bad_line", "privacy", "money", "burden", "shame", "tried", "doctor", "voice",
)  # fmt: skip
"""Concerns that say why help is hard to reach; each has its own answer."""

CONCERN_BY_INTENT = {
    "bot_challenge": "watched",
    "ask_privacy": "secret",
    "ask_human": "wants_person",
    "ask_helpline": "helpline",
    "ask_referral": "helpline",
    "ask_exercise": "wants_calm",
    "exercise_breathing": "wants_calm",
    "exercise_grounding": "wants_calm",
    "barrier_to_help": "barrier",
    "repeat_request": "repeat",
    "feedback_negative": "not_helping",
    "stop": "stop",
    "silence_noise": "silence",
    "out_of_scope": "topic_change",
    "greet": "topic_change",
    "ask_capabilities": "topic_change",
    "ask_advice": "what_to_do",
    "ask_safety_plan": "what_to_do",
    "ask_sleep_help": "wants_calm",
    "ask_who_made": "watched",
    "ask_medication": "dose",
    "ask_about_therapy": "helpline",
    "just_listen": "to_be_heard",
    "change_topic": "topic_change",
    "how_are_you": "topic_change",
    "ask_language": "topic_change",
    "ask_screening": "topic_change",
    "ask_results": "topic_change",
    "pause": "silence",
}
"""Intent -> concern, where no phrase was found and the message carries no answer."""

CONCERN_BY_MISUSE = {
    "jailbreak": "jailbreak",
    "harmful_request": "method",
    "diagnosis_or_dosage": "dose",
    "abuse": "anger",
    "sexual": "topic_change",
    "illegal": "topic_change",
    "general_assistant": "topic_change",
}
"""Misuse category -> concern: inside a crisis nobody is turned away."""

DANGER_QUESTIONS = ("direct", "wish", "method", "intent", "plan", "past", "check")
"""Questions to which "ok" is no answer."""

_END = r"(?=$|[\s,.!?;:…-])"
_ONLY = (
    r"(?:$|[,.!;:…]| (?:yes|yeah|too|actually|honestly|tbh|really|sometimes|lately|now|for sure|"
    r"i guess|i think)\b)"
)
_STRAIGHT = str.maketrans({"’": "'", "‘": "'", "`": "'", "“": '"', "”": '"', "…": "...", "\n": " "})
_LEAD_IN = re.compile(
    r"^(?:(?:ok(?:ay)?|fine|well|ugh|u+m+|honestly|look|i mean|lol|haha|tbh|so|but|omg|like|"
    r"i (?:just|already) told you|(?:like|as) i said|i said|to be honest|if i'?m honest)"
    r"[\s.,:;!-]+)+(?=\S)"
)
_NO_WORD = re.compile(r"^[\s.!?,…\-_*~😐🙃😶🤐]*$")
_NOT_NOW = re.compile(r"\bnot (?:today|tonight|yet|anymore|right now|now|really sure)\b")
_PLAIN_NO = re.compile(r"(?:no|nope|nah|never|god no|hell no)\b")
_SHORT = 4


@dataclass(frozen=True)
class Phrases:
    """The lists of `phrases.yml`, compiled, in the file's order."""

    answers: Mapping[str, Pattern[str]]
    concerns: Mapping[str, Pattern[str]]
    topics: Mapping[str, Pattern[str]]
    signs: Mapping[str, Pattern[str]]


@lru_cache(maxsize=1)
def phrases() -> Phrases:
    """Reads the file, once.

    Raises:
        ValueError: a list is missing or a pattern does not compile; the message names it.
    """
    content = yaml.safe_load(PHRASES_FILE.read_text(encoding="utf-8"))
    person = str(content["person"])

    def compiled(section: str) -> Dict[str, Pattern[str]]:
        found: Dict[str, Pattern[str]] = {}
        for name, patterns in (content.get(section) or {}).items():
            joined = "|".join(f"(?:{pattern})" for pattern in patterns)
            try:
                found[str(name)] = re.compile(
                    joined.replace("<person>", person)
                    .replace("<end>", _END)
                    .replace("<only>", _ONLY)
                )
            except re.error as error:
                raise ValueError(f"{PHRASES_FILE.name}: {section}.{name}: {error}") from error
        if not found:
            raise ValueError(f"{PHRASES_FILE.name}: '{section}' is missing")
        return found

    return Phrases(*(compiled(name) for name in ("answers", "concerns", "topics", "signs")))


def plain(text: str) -> str:
    """Lower case, straight quotes, single spaces."""
    normal = unicodedata.normalize("NFKC", text.translate(_STRAIGHT)).lower()
    return " ".join(normal.split())


def says_nothing(text: str) -> bool:
    """Whether there is no word in it that could be taken up: empty, dots, "hm", "k"."""
    short = plain(text)
    return bool(_NO_WORD.match(short) or phrases().answers["filler"].match(short))


def answer_of(text: str, question: str) -> str:
    """`yes`, `no`, `unsure` or empty: what the text answers to `question`.

    Empty means that it was not read, which never counts as no.
    """
    said = _LEAD_IN.sub("", plain(text))
    if not said:
        return ""
    own = _BY_QUESTION.get(question)
    return (own(said) if own else "") or _in_general(said, question)


def _in_general(said: str, question: str) -> str:
    lists = phrases().answers
    if lists["unsure"].search(said):
        return "unsure"
    if lists["retracted"].search(said) or lists["fine"].match(said):
        return "no"
    if lists["says_no"].match(said) and not lists["not_a_no"].search(said):
        has_remainder = re.search(r"\bbut\b", said) or _NOT_NOW.search(said)
        return "unsure" if has_remainder else "no"
    half = "unsure" if lists["yes_but_no"].search(said) else "yes"
    if lists["agrees"].match(said):
        return "" if question in DANGER_QUESTIONS else half
    return half if lists["says_yes"].match(said) else ""


def _says(name: str, said: str) -> bool:
    return bool(phrases().answers[name].search(said))


def _begins_with_no(said: str) -> bool:
    return bool(phrases().answers["says_no"].match(said))


def _thinks(said: str) -> bool:
    """Whether some part of it says so without a negation."""
    parts = [part for part in re.split(r"[.,;!?]", said) if _says("thinks", part)]
    denial = re.compile(r"\b(?:don'?t|didn'?t|wasn'?t|not|never|haven'?t)\b")
    return any(not denial.search(part) for part in parts)


def _direct(said: str) -> str:
    if _thinks(said):
        return "yes"
    return "unsure" if _says("would_not", said) and not _PLAIN_NO.match(said) else ""


def _intent(said: str) -> str:
    if _says("maybe_later", said) and not _PLAIN_NO.match(said):
        return "unsure"
    if re.search(r"\bnot (?:today|tonight|now|right now)\b", said) or _says("would_not", said):
        return "no"
    is_short = len(said.split()) <= _SHORT and not _begins_with_no(said)
    return (
        "yes" if is_short and re.search(r"^(?!not)\b.*\b(?:soon|tonight|tomorrow)\b", said) else ""
    )


def _method(said: str) -> str:
    named = _says("means", said) and not _begins_with_no(said)
    return "yes" if named or _thinks(said) else ""


def _plan(said: str) -> str:
    return "yes" if _says("named_plan", said) and not _begins_with_no(said) else ""


def _near(said: str) -> str:
    if _says("no_one", said):
        return "no"
    if _says("someone", said):
        return "no" if _says("away", said) else "yes"
    return ""


def _past(said: str) -> str:
    return "yes" if _says("tried_before", said) and not _begins_with_no(said) else ""


def _wish(said: str) -> str:
    return "yes" if _says("not_be_here", said) and not _begins_with_no(said) else ""


def _heavy(said: str) -> str:
    return "yes" if _says("too_heavy", said) and not _begins_with_no(said) else ""


_BY_QUESTION: Dict[str, Callable[[str], str]] = {
    "direct": _direct,
    "intent": _intent,
    "method": _method,
    "plan": _plan,
    "near": _near,
    "past": _past,
    "wish": _wish,
    "heavy": _heavy,
}


def concern_of(text: str, intent: str = "", misuse: str = "") -> str:
    """The concern of a message, or empty.

    Args:
        text: the message.
        intent: the intent's name; empty where the message is an answer already.
        misuse: the misuse gate's category, if it is sure.
    """
    found = _first(phrases().concerns, text)
    if found:
        return found
    if misuse in CONCERN_BY_MISUSE:
        return CONCERN_BY_MISUSE[misuse]
    if says_nothing(text):
        return "silence"
    return CONCERN_BY_INTENT.get(intent, "")


def topic_of(text: str) -> str:
    """What the message is about, or empty."""
    return _first(phrases().topics, text)


def signs_of(text: str) -> FrozenSet[str]:
    """The signs that the message carries."""
    said = plain(text)
    return frozenset(name for name, pattern in phrases().signs.items() if pattern.search(said))


def is_retracted(text: str) -> bool:
    """Whether it takes back what was said: "just joking", "forget it"."""
    return _says("retracted", plain(text))


def _first(lists: Mapping[str, Pattern[str]], text: str) -> str:
    said = plain(text)
    return next((name for name, pattern in lists.items() if pattern.search(said)), "")


def concerns() -> List[str]:
    """The concerns that phrases tell, in order."""
    return list(phrases().concerns)


def topics() -> List[str]:
    """The topics that phrases tell, in order."""
    return list(phrases().topics)
