"""A risk lexicon that understands negation, idiom, tense and person.

The patterns are data (`data/safety/lexicon.yml`, described in `data/safety/README.md`); this
module normalises the text, finds matches and reads the words around each one. It raises levels
on its own only for phrases that leave little doubt; everything subtle is the classifier's.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Pattern, Sequence, Tuple

import yaml

LEVELS = ("none", "low", "moderate", "high", "imminent")
LEXICON_FILE = Path(__file__).resolve().parents[2] / "data" / "safety" / "lexicon.yml"
_CLAUSE_END = re.compile(r"[.,;!?:\n]|\b(?:but|pero|mais|lekin)\b")
_SENTENCE_END = re.compile(r"[.!?\n]")
_INVISIBLE = re.compile("[\u200b-\u200f\u2060\ufeff\ufe0f]")
_WORDS_BEFORE = 5
_WORDS_AFTER = 3


class LexiconError(ValueError):
    """The lexicon file cannot be used; the message names the key."""


@dataclass(frozen=True)
class Match:
    """One phrase found: its group's id, the level it argues for, kind, about, and where."""

    group: str
    level: str
    kind: str
    about: str
    start: int
    end: int


class Lexicon:
    """Compiled patterns; `find(text)` gives the matches that survive their surroundings."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        """Compiles the patterns.

        Raises:
            LexiconError: a group lacks a key, a level is unknown or a pattern does not compile.
        """
        self._leet = str.maketrans({str(k): str(v) for k, v in (content.get("leet") or {}).items()})
        self._leet_run = re.compile(
            "[" + re.escape("".join(str(k) for k in content.get("leet") or {"0": "o"})) + "]"
        )
        self._spelling: Dict[str, str] = {
            str(k): str(v) for k, v in (content.get("spelling") or {}).items()
        }
        self._groups: List[Tuple[Mapping[str, Any], List[Pattern[str]]]] = []
        for index, group in enumerate(content.get("groups") or []):
            for key in ("id", "level", "kind", "about", "patterns"):
                if key not in group:
                    raise LexiconError(f"groups[{index}]: key '{key}' is missing")
            if group["level"] not in LEVELS:
                raise LexiconError(f"groups[{index}].level: '{group['level']}' is not a level")
            self._groups.append((group, _compile(group["patterns"], f"groups.{group['id']}")))
        negators = content.get("negators") or {}
        self._negators_before = {str(word) for word in negators.get("before") or []}
        self._negators_after = {str(word) for word in negators.get("after") or []}
        for key in (
            "idioms", "negator_exceptions", "past_markers", "present_markers",
            "present_exceptions", "third_person", "first_person", "fiction_markers",
            "fiction_exceptions",
        ):  # fmt: skip
            setattr(self, f"_{key}", _compile(content.get(key), key))

    @classmethod
    def from_file(cls, path: Path = LEXICON_FILE) -> Lexicon:
        """Reads the YAML file."""
        return cls(yaml.safe_load(path.read_text(encoding="utf-8")) or {})

    def normalise(self, text: str) -> str:
        """The form of `text` that the patterns are written for (see the head of the file)."""
        text = unicodedata.normalize("NFKC", text).lower()
        text = _INVISIBLE.sub("", text.replace("\u2019", "'").replace("\u2018", "'"))
        text = re.sub("[\u0300-\u036f]", "", unicodedata.normalize("NFD", text))
        text = unicodedata.normalize("NFC", text)
        text = re.sub(r"(?<=\w)'(?=\w)", "", text)
        text = re.sub(r"([^\W\d_])\1{2,}", r"\1", text)
        text = re.sub(r"\S+", lambda word: self._read_leet(word.group()), text)
        text = re.sub(
            r"(?<!\w)(?:[a-z][ .\-_*]){3,}[a-z](?!\w)",
            lambda run: re.sub(r"[ .\-_*]", "", run.group()),
            text,
        )
        text = re.sub(r"[\w/]+", lambda w: self._spelling.get(w.group(), w.group()), text)
        return re.sub(r"[ \t\r\f\v]+", " ", text).strip()

    def find(self, text: str) -> List[Match]:
        """Matches in `text` after idiom, negation, tense, person and fiction were read."""
        plain = self.normalise(text)
        if self._any("fiction_markers", plain) and not self._any("fiction_exceptions", plain):
            return []
        idioms = [hit.span() for pattern in self._list("idioms") for hit in pattern.finditer(plain)]
        present = self._any("present_markers", self._blank("present_exceptions", plain))
        found = []
        for group, patterns in self._groups:
            for pattern in patterns:
                for hit in pattern.finditer(plain):
                    match = self._read(group, hit.span(), plain, idioms, present)
                    if match is not None:
                        found.append(match)
        return found

    def without_idioms(self, text: str) -> Optional[str]:
        """`text`, normalised and with its idioms cut out, or None if it holds none."""
        plain = self.normalise(text)
        if not self._any("idioms", plain):
            return None
        return re.sub(r"\s+", " ", self._blank("idioms", plain)).strip()

    def _read(
        self,
        group: Mapping[str, Any],
        span: Tuple[int, int],
        plain: str,
        idioms: Sequence[Tuple[int, int]],
        present: bool,
    ) -> Optional[Match]:
        start, end = span
        if any(a < end and start < b for a, b in idioms):
            return None
        level, about = str(group["level"]), str(group["about"])
        if not group.get("ignore_negation") and self._negated(plain, start, end):
            return None
        sentence_start, sentence_end = _around(_SENTENCE_END, plain, start, end)
        sentence = plain[sentence_start:sentence_end]
        if not group.get("ignore_past") and not present and self._any("past_markers", sentence):
            level = "low"
        if about == "self" and not group.get("ignore_person"):
            before = plain[sentence_start:start]
            if self._last("third_person", before) > self._last("first_person", before):
                about = "other"
                level = level if LEVELS.index(level) >= 2 else "moderate"
        return Match(str(group["id"]), level, str(group["kind"]), about, start, end)

    def _negated(self, plain: str, start: int, end: int) -> bool:
        blanked = self._blank("negator_exceptions", plain)
        clause_start, clause_end = _around(_CLAUSE_END, plain, start, end)
        before = re.findall(r"[\w\u0900-\u097f]+", blanked[clause_start:start])[-_WORDS_BEFORE:]
        after = re.findall(r"[\w\u0900-\u097f]+", blanked[end:clause_end])[:_WORDS_AFTER]
        return bool(
            self._negators_before.intersection(before) or self._negators_after.intersection(after)
        )

    def _read_leet(self, word: str) -> str:
        core = word.rstrip(".,;:!?\"'()")
        if not re.search(r"[a-z]", core) or not self._leet_run.search(core):
            return word
        return core.translate(self._leet) + word[len(core) :]

    def _list(self, key: str) -> List[Pattern[str]]:
        patterns: List[Pattern[str]] = getattr(self, f"_{key}")
        return patterns

    def _any(self, key: str, text: str) -> bool:
        return any(pattern.search(text) for pattern in self._list(key))

    def _last(self, key: str, text: str) -> int:
        ends = [hit.start() for pattern in self._list(key) for hit in pattern.finditer(text)]
        return max(ends, default=-1)

    def _blank(self, key: str, text: str) -> str:
        for pattern in self._list(key):
            text = pattern.sub(lambda hit: " " * len(hit.group()), text)
        return text


def _around(boundary: Pattern[str], text: str, start: int, end: int) -> Tuple[int, int]:
    left = max((hit.end() for hit in boundary.finditer(text, 0, start)), default=0)
    right = boundary.search(text, end)
    return left, right.start() if right else len(text)


def _compile(patterns: Optional[Sequence[Any]], key: str) -> List[Pattern[str]]:
    compiled = []
    for pattern in patterns or []:
        try:
            compiled.append(re.compile(str(pattern)))
        except re.error as error:
            raise LexiconError(f"{key}: pattern {pattern!r} does not compile: {error}") from error
    return compiled
