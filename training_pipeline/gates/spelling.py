"""Misspells a message the way phones, hurry and filters make people misspell.

Swapped, dropped and doubled letters, digits for letters, dropped vowels and apostrophes, all lower
case, no punctuation. Used on training messages only.
"""

from __future__ import annotations

import random
import re

WORD_RATE = 0.12
LEET = str.maketrans("aeios", "43105")


def misspell(text: str, rng: random.Random) -> str:
    """`text` with about one word in eight misspelt; the words keep their order."""
    words = [_word(word, rng) if rng.random() < WORD_RATE else word for word in text.split(" ")]
    spelt = " ".join(words)
    style = rng.random()
    if style < 0.35:
        return spelt.lower()
    if style < 0.6:
        return re.sub(r"[.,!?;:'\u2019]", "", spelt).lower()
    if style < 0.65:
        return spelt.upper()
    return spelt


def _word(word: str, rng: random.Random) -> str:
    if len(word) < 3:
        return word
    place = rng.randrange(len(word) - 1)
    way = rng.random()
    if way < 0.3:
        return word[:place] + word[place + 1] + word[place] + word[place + 2 :]
    if way < 0.6:
        return word[:place] + word[place + 1 :]
    if way < 0.75:
        return word[:place] + word[place] * 2 + word[place + 1 :]
    if way < 0.85:
        return word.translate(LEET)
    if way < 0.92:
        return re.sub("[aeiou]", "", word) or word
    return word.replace("'", "").replace("\u2019", "")
