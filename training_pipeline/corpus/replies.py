"""Composes what Stillpoint answers, from details bound in the person's own message."""

import random
import re
from collections.abc import Sequence

from training_pipeline.corpus.grammar import Binding, slots
from training_pipeline.corpus.person import capital, mirror
from training_pipeline.corpus.world import Pick, Situation, World

_GROUPS = {
    "family": "people",
    "love": "people",
    "friend": "people",
    "people": "people",
    "work": "work",
    "study": "work",
    "loss": "loss",
    "worry": "fear",
    "body": "fear",
    "sleep": "tired",
    "care": "tired",
    "numb": "tired",
    "good": "good",
}
_STOP = frozenset(
    """
    a an the and or but so to of in on at for with from by it its it's is are was were be been
    you your you're yours i i'm me my this that that's those these they them their there then
    have has had do does did don't not no nothing as if can can't would could what when who how
    where which will just only very even still too much more most all every each one own into
    out up down over about after before again always never say says said now
    """.split()  # noqa: SIM905
)
_MAX_MIRROR_WORDS = 16
JUDGED = "~"


def content_words(text: str) -> set[str]:
    """Stems (five letters) of the words that carry meaning, slots left out."""
    bare = re.sub(r"\{[^}]*\}", " ", text.lower())
    return {word[:5] for word in re.findall(r"[a-z']+", bare) if word not in _STOP}


class ReplyComposer:
    """Writes replies for one situation; remembers what it has used, so nothing repeats."""

    def __init__(
        self, world: World, situation: Situation, binding: Binding, rng: random.Random
    ) -> None:
        self._world = world
        self._situation = situation
        self._binding = binding
        self._rng = rng
        self._used: set[str] = set()
        self._heard = ""
        lines = situation.say + situation.more
        self._line_words = set().union(*(content_words(line) for line in lines))

    @property
    def group(self) -> str:
        """The family of general questions and reactions: people, work, loss, fear, tired …"""
        return _GROUPS.get(self._situation.kind, "all")

    def hear(self, text: str) -> None:
        """Note what the person has said, in neutral spelling."""
        self._heard += " " + text

    def _fits(self, pick: Pick) -> bool:
        """Bound, unused, and not about something that this person has not said."""
        if pick.text in self._used or not self._binding.bound(pick.text):
            return False
        if pick.needs:
            return pick.needs == ("any",) or any(need in self._heard for need in pick.needs)
        tied = content_words(pick.text) & self._line_words
        return len(tied & content_words(self._heard)) * 3 >= len(tied) * 2

    def _draw(self, picks: Sequence[Pick]) -> str | None:
        fitting = [pick for pick in picks if self._fits(pick)]
        if not fitting:
            return None
        specific = [pick for pick in fitting if slots(pick.text)]
        pool = specific if specific and self._rng.random() < 0.5 else fitting
        chosen = self._rng.choice(pool).text
        self._used.add(chosen)
        return self._binding.fill(chosen)

    def _frame(self, name: str) -> tuple[str, ...]:
        return self._world.frames[name]

    def _draw_frame(self, lines: Sequence[str]) -> str | None:
        return self._draw([Pick(line, ("any",)) for line in lines])

    def pick(self) -> str | None:
        """A sentence that takes up a detail of what was said."""
        return self._draw(self._situation.pick)

    def mirrored(self, clause: str) -> str | None:
        """The clause given back in the second person inside one of the frames."""
        given_back = mirror(clause.removeprefix(JUDGED))
        if given_back is None or len(given_back.split()) > _MAX_MIRROR_WORDS:
            return None
        name = "mirror_good" if self.group == "good" else "mirror"
        if self._situation.kind == "fragment":
            name = "mirror_fragment"
        if clause.startswith(JUDGED):
            name = "mirror_judged"
        frame = self._rng.choice(self._world.frames[name])
        return capital(frame.replace("{M}", capital(given_back)).replace("{m}", given_back))

    def reaction(self) -> str | None:
        """A short sentence of acknowledgement that fits the family of situations."""
        if self.group == "good":
            return self._draw_frame(self._frame("sounds:good"))
        names = [f"sounds:{self.group}"] if f"sounds:{self.group}" in self._world.frames else []
        if self.group != "loss" or self._rng.random() < 0.3:
            names.append("sounds:hard")
        return self._draw_frame(self._frame(self._rng.choice(names)))

    def feeling_tail(self) -> str:
        """A tentative guess at a feeling, as a statement."""
        feeling = self._rng.choice(self._situation.feel)
        return self._rng.choice(self._frame("feel_tail")).replace("{f}", feeling)

    def feeling_check(self) -> str:
        """A tentative guess at a feeling, as the reply's one question."""
        feeling = self._rng.choice(self._situation.feel)
        return self._rng.choice(self._frame("feel_check")).replace("{f}", feeling)

    def feeling_taken_up(self) -> str | None:
        """The feeling the person named, given back."""
        if not self._binding.bound("{feeling}") or "feeling_pick" in self._used:
            return None
        self._used.add("feeling_pick")
        return self._draw_frame(self._frame("feeling_pick"))

    def time_taken_up(self) -> str | None:
        """A span or moment the person named, given back."""
        if self.group == "good" or "time" in self._used:
            return None
        values = self._binding.values
        names = [name for name in ("dur", "when", "since") if name in values]
        frames = [
            line
            for name in names
            for line in self._frame(f"time:{name}")
            if self._binding.bound(line)
        ]
        if not frames:
            return None
        self._used.add("time")
        return self._draw_frame(frames)

    def question(self) -> str:
        """An open question not asked before in this conversation."""
        own = [Pick(line) for line in self._situation.ask]
        general = self._frame("ask:all")
        if f"ask:{self.group}" in self._world.frames:
            general = self._frame(f"ask:{self.group}") * 2 + general
        if self.group == "good":
            general = self._frame("ask:good")
        group = [Pick(line, ("any",)) for line in general]
        first, second = (own, group) if self._rng.random() < 0.72 else (group, own)
        found = self._draw(first) or self._draw(second)
        return found or "What else belongs to it?"

    def opening(self, clause: str) -> str:
        """The reply to a message that opens the topic with ``clause``."""
        roll = self._rng.random()
        first: str | None = None
        if self._binding.bound("{feeling}") and roll < 0.3:
            first = self.feeling_taken_up()
        elif roll < 0.6:
            first = self.pick()
        elif roll < 0.66:
            first = self.time_taken_up()
        first = first or self.mirrored(clause) or self.pick() or self.reaction() or ""
        return self._finish(first)

    def further(self, clause: str) -> str:
        """The reply to something added later in the talk."""
        first = None
        if self._rng.random() < 0.5:
            first = self.pick()
        first = first or self.mirrored(clause) or self.pick() or self.reaction() or "I see."
        return self._finish(first)

    def _finish(self, first: str) -> str:
        parts = [first]
        roll = self._rng.random()
        if len(first.split()) < 14:
            if roll < 0.18:
                parts.append(self.reaction() or "")
            elif roll < 0.32 and self.group != "good":
                parts.append(self.feeling_tail())
        if roll > 0.93 and self.group != "good":
            parts.append(self.feeling_check())
        else:
            parts.append(self.question())
        return " ".join(part for part in parts if part)

    def about(self) -> str | None:
        """The topic as a noun phrase, when its slots are known."""
        if not self._binding.bound(self._situation.about):
            return None
        return self._binding.fill(self._situation.about)

    def recalled(self) -> str | None:
        """A sentence that goes back to the topic by name."""
        about = self.about()
        if about is None or about in ("that", "that feeling") or "recall" in self._used:
            return None
        self._used.add("recall")
        return self._rng.choice(self._frame("recall")).replace("{about}", about)

    def offer(self) -> str:
        """One suggestion with the choice left open."""
        fitting = [line for line in self._situation.tries if self._binding.bound(line)]
        idea = self._rng.choice(fitting or ["write down the one thing that matters most today"])
        frame = self._rng.choice(self._frame("offer"))
        return capital(frame.replace("{t}", self._binding.fill(idea)))
