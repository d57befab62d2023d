"""The bank of reviewed replies: load it, and choose one that fits and was not said before."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from actions.errors import DataFileError
from actions.history import Said
from actions.responders.base import OpenTurn
from actions.topics import TOPIC_PATTERNS, feeling_word, topic_word, topics_of

Function = Literal[
    "explore", "opening", "short_answer", "dont_know", "pushback", "silence", "advice", "thanks",
    "closing", "slow", "risk_hold", "error",
]  # fmt: skip
FUNCTIONS: tuple[str, ...] = (
    "explore", "opening", "short_answer", "dont_know", "pushback", "silence", "advice", "thanks",
    "closing", "slow", "risk_hold", "error",
)  # fmt: skip
REVIEWERS = ("developer", "clinician")
PLACEHOLDERS = ("topic_word", "feeling_word")
_LOOK_BACK = 3


_CLOSED = frozenset({"risk_hold", "closing", "slow", "error"})


@dataclass(frozen=True)
class Entry:
    """One reviewed reply.

    Attributes:
        id: unique, ``<group>.<number>`` by convention.
        text: may hold one of the placeholders ``{topic_word}``, ``{feeling_word}``.
        function: what kind of turn it answers.
        topic: a topic of :mod:`actions.topics`, or None when it fits any.
        words: beginnings of words of which the message must have one, if there are any.
        reviewed_by: who approved it.
    """

    id: str
    text: str
    function: str
    topic: str | None
    words: tuple[str, ...]
    reviewed_by: str


@dataclass(frozen=True)
class BankReply:
    """A chosen reply, its placeholder filled."""

    id: str
    text: str


LAST_RESORT = BankReply(
    "last_resort",
    "Something went wrong on my side just then, not on yours. "
    "Would you like to go on from where you were?",
)

_FUNCTION_CUES: tuple[tuple[Function, re.Pattern[str]], ...] = (
    ("silence", re.compile(r"^[\W_]*$")),
    (
        "pushback",
        re.compile(
            r"\b(?:you(?:'re| are|r)?(?: just| only| so| such)?(?: a| an)? ?(?:\w+ )?(?:bot"
            r"|robot|machine|program|computer|ai)\b|useless|stupid bot|not helping"
            r"|isn'?t helping|doesn'?t help|don'?t understand (?:me|anything)"
            r"|you don'?t (?:get it|care|listen|know)|stop asking|already told you|fuck (?:you"
            r"|off)|shut up|what'?s the point of (?:this|you|telling|talking"
            r")|waste of time|repeating yourself|same (?:thing|question) again)",
            re.IGNORECASE,
        ),
    ),
    (
        "advice",
        re.compile(
            r"\b(?:what (?:should|can|could|do|would) (?:i|you) (?:do|say|try|tell|suggest)"
            r"|any (?:advice|ideas?|tips?|suggestions?)|tell me what to do|give me advice"
            r"|how (?:do|can|should) i"
            r"|need (?:advice|help with)|what would help|should i)\b",
            re.IGNORECASE,
        ),
    ),
    (
        "dont_know",
        re.compile(
            r"^\W*(?:(?:well|um|uh|honestly|hm+|and|but)\W+)*(?:i (?:really |just "
            r"|honestly )?(?:do ?n'?t|dont|do not) (?:really )?know|idk|dunno|no idea|not sure"
            r"|hard to say|i can'?t (?:say"
            r"|explain|describe))(?:\W+\w+){0,5}\W*$",
            re.IGNORECASE,
        ),
    ),
    ("thanks", re.compile(r"\b(?:thanks|thank you|thx|ty|appreciate)\b", re.IGNORECASE)),
    (
        "short_answer",
        re.compile(
            r"^\W*(?:yes|yeah|yep|yup|no|nope|nah|ok|okay|k|fine|maybe|sure|kinda|kind of"
            r"|sort of|a bit|a little|not really|i guess|i suppose|same|both|neither|nothing"
            r"|everything|all of it|sometimes|always|never|true|right|exactly|probably|whatever"
            r"|hm+|meh|lol)"
            r"(?:\W+\w+){0,2}\W*$",
            re.IGNORECASE,
        ),
    ),
)


def function_of(text: str, *, is_first: bool) -> Function:
    """What kind of turn a message is."""
    for function, cue in _FUNCTION_CUES:
        if cue.search(text):
            return function
    return "opening" if is_first and not topics_of(text) else "explore"


class ReplyBank:
    """Chooses reviewed replies.

    The choice is deterministic for a sender and a turn: the best fitting entries that were not
    said in this conversation, and among equals the one that a hash of sender and turn picks.
    When a function's entries are used up, the one said longest ago comes again.
    """

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = tuple(entries)

    def choose(self, turn: OpenTurn, *, function: Function | None = None) -> BankReply:
        """The reply for a turn; ``function`` overrides what the message suggests.

        Never raises: an empty bank answers with :data:`LAST_RESORT`.
        """
        earlier = [item.text for item in turn.said if item.role == "user"]
        if earlier and earlier[-1] == turn.text.strip():
            earlier.pop()
        wanted = function or function_of(turn.text, is_first=not earlier and not turn.topic)
        recent = [turn.text, *reversed(earlier[-_LOOK_BACK:])]
        own = topics_of(turn.text) or ([turn.topic] if turn.topic else [])
        topics = own or next((found for text in recent if (found := topics_of(text))), [])
        fillings = {"topic_word": topic_word(turn.text), "feeling_word": feeling_word(turn.text)}
        used = _uses(turn.said)

        ranked: list[tuple[tuple[Any, ...], Entry, str]] = []
        for entry in self.entries:
            text = _filled(entry.text, fillings)
            if text is None or (entry.topic is not None and entry.topic not in topics):
                continue
            fit = _fit(entry, wanted, topics, turn.text.lower())
            if fit is None:
                continue
            last_use = max(used.get(entry.id, -1), used.get(_key(text), -1))
            order = _order(turn.sender_id, len(earlier), entry.id)
            ranked.append(((last_use, -fit, order), entry, text))
        if not ranked:
            return LAST_RESORT
        _, entry, text = min(ranked, key=lambda item: item[0])
        return BankReply(entry.id, text)

    def choose_instead(self, turn: OpenTurn, fallback_reason: str) -> BankReply:
        """The reply that stands in for the LLM's.

        A slow or absent LLM is owned up to once a conversation, and only where the message
        gives nothing to take up.
        """
        is_told = any(item.reply_id.startswith("slow.") for item in turn.said)
        is_absent = fallback_reason in {"slow", "unreachable", "overloaded"}
        is_plain = function_of(turn.text, is_first=False) == "explore"
        has_handle = bool(turn.topic or topics_of(turn.text)) or feeling_word(turn.text) is not None
        is_under_way = any(item.role == "assistant" for item in turn.said)
        if is_absent and is_plain and is_under_way and not is_told and not has_handle:
            return self.choose(turn, function="slow")
        return self.choose(turn)


def _fit(entry: Entry, wanted: Function, topics: Sequence[str], text: str) -> int | None:
    """How well an entry fits, or None if it must not be used here.

    An entry with key words fits only where the message has one of them, since its text assumes
    something. The closed functions use only their own entries; elsewhere exploring ones may
    step in, after the function's own.
    """
    if entry.words and not any(re.search(rf"\b{re.escape(word)}", text) for word in entry.words):
        return None
    if entry.function != wanted:
        if wanted in _CLOSED or entry.function != "explore":
            return None
        fit = 0
    else:
        fit = 10
    if entry.topic is not None:
        fit += 3 if entry.topic == topics[0] else 2
    if any(f"{{{name}}}" in entry.text for name in PLACEHOLDERS):
        fit += 1
    return fit + 2 * bool(entry.words)


def _filled(text: str, fillings: Mapping[str, str | None]) -> str | None:
    for name, word in fillings.items():
        if f"{{{name}}}" in text:
            if word is None:
                return None
            text = text.replace(f"{{{name}}}", word)
    return text


def _uses(said: Sequence[Said]) -> dict[str, int]:
    """When each reply id and each text was last said, as a position in the conversation."""
    uses: dict[str, int] = {}
    for position, item in enumerate(said):
        if item.role == "assistant":
            uses[_key(item.text)] = position
            if item.reply_id:
                uses[item.reply_id] = position
    return uses


def _key(text: str) -> str:
    return "text:" + " ".join(text.lower().split())


def _order(sender_id: str, turn_number: int, entry_id: str) -> str:
    return hashlib.sha256(f"{sender_id}\n{turn_number}\n{entry_id}".encode()).hexdigest()


def load_reply_bank(folder: Path) -> ReplyBank:
    """Load every ``*.yml`` of a folder.

    Raises:
        DataFileError: naming the file and the entry that breaks the schema.
    """
    files = sorted(folder.glob("*.yml")) if folder.is_dir() else []
    if not files:
        raise DataFileError(f"{folder}: no reply bank files (*.yml)")
    entries: list[Entry] = []
    for file in files:
        entries.extend(_load_file(file))
    seen: set[str] = set()
    for entry in entries:
        if entry.id in seen:
            raise DataFileError(f"{folder}: entry '{entry.id}' occurs twice")
        seen.add(entry.id)
    return ReplyBank(entries)


def _load_file(file: Path) -> list[Entry]:
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise DataFileError(f"{file}: cannot be read ({type(error).__name__})") from None
    replies = content.get("replies") if isinstance(content, dict) else None
    if not isinstance(replies, list) or not replies:
        raise DataFileError(f"{file}: has no list 'replies'")
    return [_entry(file, number, reply) for number, reply in enumerate(replies, start=1)]


def _entry(file: Path, number: int, reply: Any) -> Entry:
    place = f"{file}: reply {number}"
    if not isinstance(reply, dict) or set(reply) != {"id", "text", "when", "reviewed_by"}:
        raise DataFileError(f"{place}: needs exactly id, text, when, reviewed_by")
    if not isinstance(reply["id"], str) or not isinstance(reply["text"], str):
        raise DataFileError(f"{place}: id and text must be texts")
    place = f"{file}: reply '{reply['id']}'"
    when = reply["when"]
    if not isinstance(when, dict) or not set(when) <= {"function", "topic", "words"}:
        raise DataFileError(f"{place}: 'when' knows function, topic and words")
    if when.get("function") not in FUNCTIONS:
        raise DataFileError(f"{place}: 'function' must be one of {', '.join(FUNCTIONS)}")
    if when.get("topic") is not None and when["topic"] not in TOPIC_PATTERNS:
        raise DataFileError(f"{place}: topic '{when['topic']}' is unknown")
    words = when.get("words", [])
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise DataFileError(f"{place}: 'words' must be a list of texts")
    if reply["reviewed_by"] not in REVIEWERS:
        raise DataFileError(f"{place}: 'reviewed_by' must be one of {', '.join(REVIEWERS)}")
    return Entry(
        id=reply["id"],
        text=" ".join(reply["text"].split()),
        function=when["function"],
        topic=when.get("topic"),
        words=tuple(word.lower() for word in words),
        reviewed_by=reply["reviewed_by"],
    )
