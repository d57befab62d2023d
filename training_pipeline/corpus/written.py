"""Conversations from text written by hand: pairs, short talks, and gists with frames around them.

Everything is in ``written/``, in our own words:

- ``pairs.tsv``: a message and one reply to it;
- ``talks.txt``: conversations, ``P:`` for the person and ``S:`` for Stillpoint;
- ``gists.tsv``: a message, and what it is about in the plainest words; ``frames.txt`` makes replies
  of them.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from training_pipeline.corpus.conversation import Conversation
from training_pipeline.corpus.person import capital
from training_pipeline.corpus.voice_rules import problems
from training_pipeline.errors import CorpusError

_T = TypeVar("_T")

WRITTEN_DIR = Path(__file__).parent / "written"
NO_FEELING = "-"
TOPIC = "written"
"""Topic of all conversations made here."""
HELD_BACK = 25
_FEELING_SHARE = 0.5
_ABOUT_SHARE = 0.08
_SAY = {"bot": 1.0, "advice": 0.4, "smalltalk": 0.3, "thanks": 0.6}
"""Types after whose opening a sentence of its own follows, and how often."""
_OWN_QUESTIONS = {*_SAY, "good_news"}
"""Types that the general questions do not fit."""
_WITHOUT_QUESTION = {"thanks": 0.8, "smalltalk": 0.2, "good_news": 0.15}
"""Types whose replies may end without a question, and how often."""
_PLAIN = 0.25
"""Share of messages that are typed without capitals and closing marks."""


@dataclass(frozen=True)
class Gist:
    """A message and its heart.

    Attributes:
        message: as somebody typed it.
        type: family of the frames, such as ``loss`` or ``work``.
        about: what it turns on, a second-person noun phrase.
        feeling: fits after "it sounds"; ``-`` for none.
        gist: the message as a second-person clause, in lower case.
    """

    message: str
    type: str
    about: str
    feeling: str
    gist: str


def _lines(path: Path, fields: int) -> Iterator[list[str]]:
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        cells = [cell.strip() for cell in line.split("\t")]
        if len(cells) != fields or not all(cells):
            raise CorpusError(f"{path.name}:{number}: {fields} fields are needed")
        yield cells


def read_pairs(folder: Path = WRITTEN_DIR) -> list[tuple[str, str]]:
    """Messages and replies.

    Raises:
        CorpusError: a line has another number of fields, or a reply breaks the voice.
    """
    found = []
    for number, (message, reply) in enumerate(_lines(folder / "pairs.tsv", 2), start=1):
        _require_voice(f"pairs.tsv:{number}", reply)
        found.append((message, reply))
    return found


def read_talks(folder: Path = WRITTEN_DIR) -> list[Conversation]:
    """Whole conversations.

    Raises:
        CorpusError: a line is out of turn, or a reply breaks the voice.
    """
    talks: list[Conversation] = []
    said, turns = "", list[tuple[str, str]]()
    text = (folder / "talks.txt").read_text(encoding="utf-8")
    for number, line in enumerate([*text.splitlines(), "== "], start=1):
        where, kind, rest = f"talks.txt:{number}", line[:3], line[3:].strip()
        if kind == "== ":
            if said:
                raise CorpusError(f"{where}: a message has no reply")
            if turns:
                talks.append(Conversation(TOPIC, tuple(turns)))
            turns = []
        elif kind == "P: " and rest and not said:
            said = rest
        elif kind == "S: " and said:
            _require_voice(where, rest)
            turns.append((said, rest))
            said = ""
        elif line.strip():
            raise CorpusError(f"{where}: 'P: ' and 'S: ' must take turns")
    return talks


def _require_voice(where: str, reply: str) -> None:
    if broken := problems(reply):
        raise CorpusError(f"{where}: the reply breaks the voice ({', '.join(broken)})")


def read_gists(folder: Path = WRITTEN_DIR) -> list[Gist]:
    """Messages with their hearts.

    Raises:
        CorpusError: a line has another number of fields.
    """
    return [Gist(*cells) for cells in _lines(folder / "gists.tsv", 5)]


def read_frames(folder: Path = WRITTEN_DIR) -> dict[str, list[str]]:
    """Sentences by name; ``{gist}``, ``{Gist}``, ``{about}`` and ``{feeling}`` are filled in.

    Raises:
        CorpusError: a sentence stands before the first name.
    """
    frames: dict[str, list[str]] = {}
    name = ""
    for number, line in enumerate((folder / "frames.txt").read_text("utf-8").splitlines(), start=1):
        if line.startswith("== "):
            name = line[3:].strip()
            frames[name] = []
        elif line.strip():
            if not name:
                raise CorpusError(f"frames.txt:{number}: no name before it")
            frames[name].append(line.strip())
    return frames


class WrittenComposer:
    """Draws conversations from the written texts; equal seeds give equal conversations.

    One message in ``HELD_BACK`` is kept out of all but ``held_back``, whatever the seed.
    """

    def __init__(self, seed: int, folder: Path = WRITTEN_DIR) -> None:
        """Reads the files.

        Raises:
            CorpusError: one of them is malformed; the message names file and line.
        """
        self._seed = seed
        pairs, talks, gists = read_pairs(folder), read_talks(folder), read_gists(folder)
        self._pairs, self._held_pairs = _split(pairs)
        self._talks, self._held_talks = _split(talks)
        self._gists, _ = _split(gists)
        self._frames = read_frames(folder)

    def pairs(self, round: int = 0) -> list[Conversation]:
        """Every pair once; each ``round`` has some messages typed more plainly than before."""
        rng = random.Random(f"{self._seed}:pairs:{round}")
        return [Conversation(TOPIC, ((_typed(m, rng), r),)) for m, r in self._pairs]

    def talks(self) -> list[Conversation]:
        """Every talk once."""
        return list(self._talks)

    def held_back(self) -> list[Conversation]:
        """The pairs and talks that nothing is trained on."""
        return [*(Conversation(TOPIC, (pair,)) for pair in self._held_pairs), *self._held_talks]

    def gists(self, each: int) -> list[Conversation]:
        """``each`` different replies to every message that has a gist."""
        rng = random.Random(f"{self._seed}:gists")
        made = []
        for gist in self._gists:
            replies: dict[str, None] = {}
            for _ in range(4 * each):
                replies.setdefault(self._reply(gist, rng))
                if len(replies) == each:
                    break
            made += [
                Conversation(TOPIC, ((_typed(gist.message, rng), reply),)) for reply in replies
            ]
        return made

    def _reply(self, gist: Gist, rng: random.Random) -> str:
        """One reply; drawn again until it keeps to the voice.

        Raises:
            CorpusError: none of fifty does.
        """
        for _ in range(50):
            reply = self._draw(gist, rng)
            if not problems(reply):
                return reply
        raise CorpusError(f"no frame fits the gist '{gist.gist}'")

    def _draw(self, gist: Gist, rng: random.Random) -> str:
        has_feeling = gist.feeling != NO_FEELING
        own = self._frames.get(f"open:{gist.type}", [])
        openings = own if own and rng.random() < 0.6 else self._frames["open"]
        opening = self._choose(openings, has_feeling, rng)
        parts = [opening]
        if gist.type in _SAY and rng.random() < _SAY[gist.type]:
            parts.append(rng.choice(self._frames[f"say:{gist.type}"]))
        elif has_feeling and "{feeling}" not in opening and rng.random() < _FEELING_SHARE:
            name = "feel:like" if gist.feeling.startswith("like ") else "feel"
            parts.append(rng.choice(self._frames[name]))
        if rng.random() >= _WITHOUT_QUESTION.get(gist.type, 0.0):
            parts.append(rng.choice(self._questions(gist, rng)))
        text = " ".join(parts)
        for slot, value in (
            ("{gist}", gist.gist),
            ("{Gist}", capital(gist.gist)),
            ("{about}", gist.about),
            ("{feeling}", gist.feeling),
        ):
            text = text.replace(slot, value)
        return text

    def _questions(self, gist: Gist, rng: random.Random) -> Sequence[str]:
        own = self._frames.get(f"ask:{gist.type}", [])
        if own and (gist.type in _OWN_QUESTIONS or rng.random() < 0.75):
            return own
        return self._frames["ask:about" if rng.random() < _ABOUT_SHARE else "ask"]

    @staticmethod
    def _choose(frames: Sequence[str], has_feeling: bool, rng: random.Random) -> str:
        fitting = [frame for frame in frames if has_feeling or "{feeling}" not in frame]
        return rng.choice(fitting)


def _split(rows: list[_T]) -> tuple[list[_T], list[_T]]:
    """What is trained on, and every ``HELD_BACK``-th row, which is not."""
    held = [row for place, row in enumerate(rows, start=1) if place % HELD_BACK == 0]
    return [row for place, row in enumerate(rows, start=1) if place % HELD_BACK], held


def _typed(message: str, rng: random.Random) -> str:
    """The message as written, or as somebody types it who leaves capitals and full stops out."""
    if rng.random() >= _PLAIN:
        return message
    return message.lower().rstrip(".")
