"""Reads the word lists and templates under ``world/`` into memory.

A file is a series of entries. ``== name`` opens a list, whose items are separated by ``;`` or by
line ends; ``== name | kind`` opens a situation with the sections ``about``, ``feel``, ``say``,
``more``, ``pick``, ``ask`` and ``try``. The parser knows nothing of what the words mean.
"""

from dataclasses import dataclass, field
from pathlib import Path

from training_pipeline.errors import CorpusError

WORLD_DIR = Path(__file__).parent / "world"
_SITUATION_FILES = ("work_and_study", "people", "inner_life", "world_and_days", "wild")
_SECTIONS = ("say", "more", "pick", "ask", "try")


@dataclass(frozen=True)
class Pick:
    """A sentence that takes up a detail.

    Attributes:
        text: the sentence, with slots.
        needs: it fits when one of these was said; "any" fits always; empty leaves it to the
            words that the sentence shares with the situation's lines.
    """

    text: str
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Situation:
    """Something that happens to people, and what may be said about it.

    Attributes:
        name: identifier, unique over all files.
        kind: family of situations that share general questions (``work``, ``loss`` …).
        about: a second-person noun phrase for the topic, with slots.
        feel: feelings that would fit, offered tentatively.
        say: first-person clauses that open the topic; "~" marks a judgement on oneself, which
            is never given back as a fact.
        more: further clauses the person may add.
        pick: sentences that take up a detail; "word|words > sentence" states what must be said.
        ask: open questions that fit.
        tries: small suggestions, as the continuation of "some people …".
    """

    name: str
    kind: str
    about: str
    feel: tuple[str, ...]
    say: tuple[str, ...]
    more: tuple[str, ...]
    pick: tuple[Pick, ...]
    ask: tuple[str, ...]
    tries: tuple[str, ...]


@dataclass(frozen=True)
class Act:
    """A conversational move that needs no topic: what is said, and what may be answered."""

    name: str
    user: tuple[str, ...]
    replies: tuple[str, ...]


@dataclass(frozen=True)
class World:
    """Everything the generator draws from."""

    lists: dict[str, tuple[str, ...]]
    situations: tuple[Situation, ...]
    acts: dict[str, Act]
    frames: dict[str, tuple[str, ...]] = field(default_factory=dict)
    style: dict[str, tuple[str, ...]] = field(default_factory=dict)


def _entries(path: Path) -> list[tuple[str, list[str]]]:
    entries: list[tuple[str, list[str]]] = []
    for number, raw in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("== "):
            entries.append((line[3:].strip(), []))
        elif not entries:
            raise CorpusError(f"{path.name}:{number}: text before the first '== name' line")
        else:
            entries[-1][1].append(line)
    return entries


def _items(lines: list[str]) -> tuple[str, ...]:
    return tuple(item.strip() for line in lines for item in line.split(";") if item.strip())


def _pick(line: str) -> Pick:
    needs, arrow, text = line.partition(" > ")
    if not arrow:
        return Pick(line)
    return Pick(text, tuple(part.strip() for part in needs.split("|")))


def _situation(path: Path, header: str, lines: list[str]) -> Situation:
    name, _, kind = (part.strip() for part in header.partition("|"))
    single: dict[str, str] = {}
    parts: dict[str, list[str]] = {section: [] for section in _SECTIONS}
    current: str | None = None
    for line in lines:
        key, colon, rest = line.partition(":")
        if colon and key in ("about", "feel"):
            single[key], current = rest.strip(), None
        elif colon and key in parts and not rest:
            current = key
        elif current is None:
            raise CorpusError(f"{path.name}: {name}: '{line}' stands outside a section")
        else:
            parts[current].append(line)
    missing = [key for key in ("about", "feel") if key not in single]
    missing += [section for section, found in parts.items() if not found]
    if missing or not kind:
        raise CorpusError(f"{path.name}: {name}: missing {', '.join(missing) or 'kind'}")
    return Situation(
        name=name,
        kind=kind,
        about=single["about"],
        feel=_items([single["feel"]]),
        say=tuple(parts["say"]),
        more=tuple(parts["more"]),
        pick=tuple(_pick(line) for line in parts["pick"]),
        ask=tuple(parts["ask"]),
        tries=tuple(parts["try"]),
    )


def _act(header: str, lines: list[str]) -> Act:
    user: list[str] = []
    replies: list[str] = []
    for line in lines:
        if line.startswith("u:"):
            user.append(line[2:])
        elif line != "r:":
            replies.append(line)
    return Act(header, _items(user), tuple(replies))


def load_world(folder: Path = WORLD_DIR) -> World:
    """Read every file of ``folder``.

    Raises:
        CorpusError: a file is malformed, or two situations share a name.
    """
    lists = {
        name: _items(lines)
        for file in ("lexicon", "words")
        for name, lines in _entries(folder / f"{file}.txt")
    }
    situations = tuple(
        _situation(folder / f"{file}.txt", header, lines)
        for file in _SITUATION_FILES
        for header, lines in _entries(folder / f"{file}.txt")
    )
    names = [situation.name for situation in situations]
    if len(set(names)) != len(names):
        raise CorpusError("two situations share a name")
    acts = {name: _act(name, lines) for name, lines in _entries(folder / "acts.txt")}
    frames = {name: tuple(lines) for name, lines in _entries(folder / "frames.txt")}
    style = {name: _items(lines) for name, lines in _entries(folder / "style.txt")}
    return World(lists, situations, acts, frames, style)
