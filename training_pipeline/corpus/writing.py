"""How people type: a persona decides capitals, apostrophes, shortenings, slips and dialect."""

import random
import re
from dataclasses import dataclass

_SHORT = {
    "you": "u",
    "your": "ur",
    "are": "r",
    "because": "bc",
    "people": "ppl",
    "please": "pls",
    "with": "w",
    "without": "w/o",
    "right now": "rn",
    "about": "abt",
    "and": "n",
    "to": "2",
    "really": "rly",
    "tonight": "tonite",
    "though": "tho",
    "something": "smth",
    "don't know": "dunno",
    "going to": "gonna",
    "want to": "wanna",
    "kind of": "kinda",
    "got to": "gotta",
    "okay": "ok",
    "before": "b4",
    "for": "4",
}
_SLIPS = {
    "the": "teh",
    "because": "becuase",
    "friend": "freind",
    "always": "alwyas",
    "every": "evry",
    "can't": "cant",
    "believe": "beleive",
    "a lot": "alot",
    "really": "realy",
    "their": "thier",
    "stopped": "stoped",
    "tired": "tierd",
    "nothing": "nothign",
    "with": "wiht",
    "what": "waht",
    "don't": "dont",
    "until": "untill",
    "feel": "fel",
    "feeling": "feelin",
    "and": "adn",
    "about": "abuot",
    "anymore": "any more",
    "work": "wrok",
    "just": "jsut",
    "everyone": "everone",
    "family": "famly",
    "happened": "happend",
    "think": "thikn",
    "know": "kno",
    "sleep": "slepe",
}
_INDIAN = (" only", " na", " yaar", " itself", " ya", " no")
_BRITISH = (" innit", " to be fair", " like", " mate", " and all")
_AMERICAN = (" i guess", " like", " you know", " honestly", " and stuff")


@dataclass(frozen=True)
class Persona:
    """One way of typing, kept for a whole conversation. All rates are per chance, 0..1."""

    capitals: bool
    stops: bool
    keeps_apostrophes: bool
    shorten: float
    slip: float
    tail: tuple[str, ...]
    tail_rate: float
    curly: bool
    shout: bool


def draw_persona(rng: random.Random) -> Persona:
    """Choose a way of typing; about a third write as one would in a letter."""
    tidy = rng.random() < 0.35
    return Persona(
        capitals=tidy,
        stops=tidy or rng.random() < 0.15,
        keeps_apostrophes=tidy or rng.random() < 0.4,
        shorten=0.0 if tidy or rng.random() < 0.6 else 0.4,
        slip=0.0 if rng.random() < 0.6 else 0.08,
        tail=rng.choice((_INDIAN, _BRITISH, _AMERICAN)),
        tail_rate=0.0 if rng.random() < 0.75 else 0.3,
        curly=tidy and rng.random() < 0.15,
        shout=rng.random() < 0.01,
    )


def type_as(text: str, persona: Persona, rng: random.Random) -> str:
    """Write a neutral lower-case text the way this persona would."""
    if persona.slip:
        text = _swap(text, _SLIPS, persona.slip, rng)
    if persona.shorten:
        text = _swap(text, _SHORT, persona.shorten, rng)
    if persona.tail_rate and rng.random() < persona.tail_rate and text[-1:].isalpha():
        text += rng.choice(persona.tail)
    if persona.capitals:
        text = letter_case(text)
    elif rng.random() < 0.8:
        text = text.lower()
    if persona.stops and text[-1:].isalnum():
        text += "."
    if not persona.keeps_apostrophes:
        text = text.replace("'", "")
    if persona.curly:
        text = text.replace("'", "\u2019")
    return text.upper() if persona.shout else text


def _swap(text: str, table: dict[str, str], rate: float, rng: random.Random) -> str:
    for word, other in table.items():
        if word in text and rng.random() < rate:
            text = re.sub(rf"(?<![\w']){re.escape(word)}(?![\w'])", other, text)
    return text


def letter_case(text: str) -> str:
    """Write "i" as "I" and open every sentence with a capital."""
    text = re.sub(r"(?<![\w'])i(?=[' ]|$|[.,?])", "I", text)
    return re.sub(r"(^|[.?] +)([a-z])", lambda found: found.group(1) + found.group(2).upper(), text)
