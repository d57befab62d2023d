"""Composes plain prose from the same world: diary entries, letters, scenes and overheard talk.

It gives the model more English than replies hold, and much practice in carrying a word from one
sentence to the next.
"""

import random
from collections.abc import Callable

from training_pipeline.corpus.grammar import Binding
from training_pipeline.corpus.person import capital, mirror
from training_pipeline.corpus.replies import JUDGED
from training_pipeline.corpus.world import World
from training_pipeline.corpus.writing import letter_case

_SCENES = (
    "It was {when_time} and {place} was {adj}.",
    "{Name} had left the {noun} near the {noun3} again.",
    "The {adj} {noun} stood next to the {noun3}.",
    "There was a {noun} on the table, and a {adj2} {noun3} beside it.",
    "{Name} {verbed} the {noun} and put it back.",
    "{Name} thought about the {noun} all the way to {place}.",
    "Nobody had {verbed} the {noun} for {dur}.",
    "In {city} the mornings were {adj} that year.",
    "{Name} worked as a {job} and came home late.",
    "After {dur} in {country}, {name} still missed the {noun}.",
    "On the way to {place}, {name} met {name2}.",
    "{Name} and {name2} talked about {activity} for an hour.",
    "{Name} wanted to say something about the {noun}, and said nothing.",
    "It rained on {place}, and the {noun} got wet.",
    "{Name} felt {feeling}, and the {noun} did not help.",
    "{Name2} noticed it, and made tea without a word.",
    "The {noun} was {adj}, but the {noun3} was {adj2}.",
    "Then {name2} {verbed2} the {noun3}, which was kind.",
    "What {name} remembered later was the {noun}.",
    "By evening {name} felt a little less {feeling}.",
    "They sat in {place} and watched the {noun3}.",
    "{Name} kept the {noun} in a {adj} box.",
    "Every week {name} went to {activity}, even when it was {adj2}.",
    "The {noun2} had been hard, and {name} was {feeling}.",
)
_TALK = (
    '"{C}," {name} said. "{R}," said {name2}.',
    '{Name} said, "{C}." {Name2} waited and then said, "{R}."',
    '"{C}," {name} told {name2}. {Name2} nodded. "So {r}."',
    "{Name} wrote to {name2}: {C}. {Name2} wrote back: {R}, and I have been thinking of it.",
    '"{C}." That was what {name} said. {Name2} heard it like this: {r}.',
)
_DIARY_START = (
    "Dear diary,", "{City}, {when}.", "Today I want to write this down.", "A short note.",
    "It is late.", "I have not written for {shortdur}.", "Page for today.",
)  # fmt: skip
_DIARY_END = (
    "Tomorrow I will try to sleep.", "I will see {name} soon.", "That is all for now.",
    "Writing it down helped a bit.", "Maybe I will go to {place}.", "I wish {name} was nearer.",
    "I put the {noun} away and turned off the lamp.",
)  # fmt: skip
_LETTER_START = ("Dear {name},", "Hello {name},", "{Name}, I have been meaning to write.")
_LETTER_END = ("Yours, {name2}.", "Write when you can. {Name2}.", "With love, {name2}.")
_ALIASES = {"name2": "name", "noun3": "noun", "adj2": "adj", "verbed2": "verbed"}
_TIMES = ("early", "late", "noon", "nearly dark", "Sunday", "past ten", "cold", "raining")


class StoryComposer:
    """Draws short texts; equal seeds give equal texts."""

    def __init__(self, world: World, seed: int) -> None:
        self._world = world
        self._seed = seed
        self._lists = dict(world.lists)
        for alias, name in _ALIASES.items():
            self._lists[alias] = world.lists[name]
        self._lists["when_time"] = _TIMES
        self._lists["feeling"] = tuple(
            word for word in world.lists["feeling"] if not word.startswith("like")
        )

    def compose(self, number: int) -> str:
        """The text with this number: a few sentences, without a line break."""
        rng = random.Random(f"story:{self._seed}:{number}")
        binding = Binding(self._lists, rng)
        shapes: tuple[Callable[[Binding, random.Random], str], ...] = (
            self._scene, self._talk, self._talk, self._diary, self._letter,
        )  # fmt: skip
        return rng.choice(shapes)(binding, rng)

    def _scene(self, binding: Binding, rng: random.Random) -> str:
        chosen = rng.sample(_SCENES, rng.randint(4, 7))
        return " ".join(binding.fill(line) for line in chosen)

    def _clauses(self, binding: Binding, rng: random.Random, count: int) -> list[str]:
        situation = rng.choice(self._world.situations)
        lines = [rng.choice(situation.say)]
        lines += rng.sample(situation.more, min(count, len(situation.more)))
        return [binding.fill(line).removeprefix(JUDGED) for line in lines]

    def _talk(self, binding: Binding, rng: random.Random) -> str:
        parts = []
        for _ in range(rng.randint(2, 4)):
            fresh = Binding(self._lists, rng)
            clause = self._clauses(fresh, rng, 0)[0]
            given_back = mirror(clause)
            if given_back is None:
                continue
            text = rng.choice(_TALK).replace("{C}", capital(letter_case(clause)))
            text = text.replace("{R}", capital(given_back)).replace("{r}", given_back)
            parts.append(fresh.fill(text))
        return " ".join(parts) or self._scene(binding, rng)

    def _diary(self, binding: Binding, rng: random.Random) -> str:
        body = [capital(letter_case(line)) + "." for line in self._clauses(binding, rng, 2)]
        feeling = binding.fill(rng.choice(("I feel {feeling}.", "I am {feeling}.", "")))
        start, end = binding.fill(rng.choice(_DIARY_START)), binding.fill(rng.choice(_DIARY_END))
        return " ".join(part for part in (start, *body, feeling, end) if part)

    def _letter(self, binding: Binding, rng: random.Random) -> str:
        start, end = binding.fill(rng.choice(_LETTER_START)), binding.fill(rng.choice(_LETTER_END))
        body = [capital(letter_case(line)) + "." for line in self._clauses(binding, rng, 1)]
        scene = [binding.fill(line) for line in rng.sample(_SCENES, 2)]
        return " ".join((start, *body, *scene, end))
