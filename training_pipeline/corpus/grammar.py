"""Fills templates: ``{slot}`` takes a value from a list and keeps it for the conversation.

``{Slot}`` writes the value with a capital, ``{slot~}`` in the second person ("my mum" → "your
mum"). A slot filled by the person can so be taken up in the reply.
"""

import random
import re

from training_pipeline.corpus.person import capital, second_person
from training_pipeline.errors import CorpusError

_SLOT = re.compile(r"\{(\w+)(~?)\}")
_ARTICLE = re.compile(r"\b([Aa]) (?!uni|one|euro)([aeiouAEIO])")
_ALIAS = {"feeling2": "feeling"}


class Binding:
    """The values chosen so far in one conversation."""

    def __init__(self, lists: dict[str, tuple[str, ...]], rng: random.Random) -> None:
        self._lists = lists
        self._rng = rng
        self.values: dict[str, str] = {}

    def bound(self, template: str) -> bool:
        """Whether every slot of the template already has a value."""
        return all(slot.lower() in self.values for slot in slots(template))

    def fill(self, template: str) -> str:
        """Write the template out, choosing values for slots that have none yet.

        Raises:
            CorpusError: a slot names no list.
        """
        return _ARTICLE.sub(r"\1n \2", _SLOT.sub(self._value, template))

    def _value(self, match: re.Match[str]) -> str:
        raw, mirrored = match.group(1), match.group(2)
        key = raw.lower()
        if key not in self.values:
            self.values[key] = self._choose(key)
        value = self.values[key]
        if _SLOT.search(value):
            value = self.values[key] = self.fill(value)
        if mirrored:
            value = second_person(value)
        return capital(value) if raw[0].isupper() else value

    def _choose(self, key: str) -> str:
        options = self._lists.get(_ALIAS.get(key, key))
        if not options:
            raise CorpusError(f"no word list is called '{key}'")
        taken = set(self.values.values())
        free = [option for option in options if option not in taken]
        return self._rng.choice(free or list(options))


def slots(template: str) -> list[str]:
    """The slot names in a template, as written."""
    return [match.group(1) for match in _SLOT.finditer(template)]
