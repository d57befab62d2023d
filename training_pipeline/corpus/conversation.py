"""Composes whole conversations: an opening, and what people say after it."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from training_pipeline.corpus.grammar import Binding, slots
from training_pipeline.corpus.person import mirror
from training_pipeline.corpus.replies import JUDGED, ReplyComposer
from training_pipeline.corpus.voice_rules import require_fit
from training_pipeline.corpus.world import Situation, World
from training_pipeline.corpus.writing import Persona, draw_persona, type_as

Turn = tuple[str, str]
_TURNS = (1, 2, 3, 4, 5, 6)
_TURN_WEIGHTS = (30, 30, 18, 10, 7, 5)
_SMALL_ACTS = (
    ("greet", 5), ("how_are_you", 2), ("bot", 4), ("bot_pushback", 4), ("angry_at_bot", 3),
    ("thanks", 2), ("bye", 1), ("unclear", 4), ("advice", 3), ("privacy", 2), ("capability", 2),
    ("out_of_scope", 5), ("medical", 3), ("harmful", 2), ("crisis", 2), ("normal", 1),
    ("silence", 1), ("hope_q", 1), ("you_ever", 3),
)  # fmt: skip
_FOLLOW_UPS = (
    ("detail", 30), ("feeling", 9), ("yes", 7), ("no", 6), ("idk", 7), ("advice", 9),
    ("bot", 2), ("bot_pushback", 3), ("angry_at_bot", 3), ("normal", 4), ("recall_ask", 3),
    ("hope_q", 3), ("silence", 2), ("state_answer", 2),
    ("unclear", 2), ("out_of_scope", 1), ("medical", 1), ("privacy", 1), ("another", 4),
)  # fmt: skip
_ANSWERS = {
    "Who": ("nobody", "nobody", "who_answer", "who_answer", "who_answer", "idk"),
    "When": ("time_answer", "time_answer", "idk"),
    "How": ("state_answer", "state_answer", "idk"),
    "Does": ("yes", "yes", "no", "idk"),
    "Is": ("yes", "yes", "no", "idk"),
    "Would": ("no", "yes", "idk"),
    "Did": ("yes", "no"),
    "I wonder": ("yes", "yes", "no"),
}
_BARE_ANSWERS = {"yes", "no", "nobody", "time_answer", "state_answer", "who_answer"}
_JOINERS = (" and ", ". ", ", ", "... ", " ", ". ", " and also ", " plus ", ". also ")


@dataclass(frozen=True)
class Conversation:
    """A finished conversation.

    Attributes:
        topic: name of the situation or act that opened it.
        turns: pairs of what the person wrote and what Stillpoint answered.
    """

    topic: str
    turns: tuple[Turn, ...]


class ConversationComposer:
    """Draws conversations from a world; equal seeds give equal conversations."""

    def __init__(self, world: World, seed: int, wild: float = 0.33) -> None:
        """Args: ``wild`` is the share, 0..1, of openings with freely combined words."""
        self._world = world
        self._seed = seed
        self._wild_share = wild
        self._wild = [s for s in world.situations if s.name.startswith(("wild_", "feeling_only"))]
        self._named = [s for s in world.situations if s not in self._wild]

    def compose(self, number: int) -> Conversation:
        """The conversation with this number.

        Raises:
            CorpusError: a composed reply breaks a rule of the voice.
        """
        rng = random.Random(f"{self._seed}:{number}")
        if rng.random() < 0.13:
            return self._small_talk(rng)
        wild = rng.random() < self._wild_share
        situation = self._draw_situation(rng, wild)
        return _Talk(self._world, situation, rng).run()

    def _draw_situation(self, rng: random.Random, wild: bool) -> Situation:
        """Situations with many openings come up more often than those with few."""
        pool = self._wild if wild else self._named
        return rng.choices(pool, [len(situation.say) ** 0.5 for situation in pool])[0]

    def _small_talk(self, rng: random.Random) -> Conversation:
        names = [name for name, _ in _SMALL_ACTS]
        weights = [weight for _, weight in _SMALL_ACTS]
        name = rng.choices(names, weights)[0]
        persona = draw_persona(rng)
        turn = _act_turn(self._world, name, Binding(self._world.lists, rng), persona, rng)
        if name == "crisis" or rng.random() < 0.35:
            return Conversation(name, (turn,))
        situation = self._draw_situation(rng, rng.random() < self._wild_share)
        rest = _Talk(self._world, situation, rng, persona).run()
        return Conversation(name, (turn, *rest.turns[:4]))


def _act_turn(
    world: World, name: str, binding: Binding, persona: Persona, rng: random.Random
) -> Turn:
    act = world.acts[name]
    user = type_as(binding.fill(rng.choice(act.user)), persona, rng)
    return user, require_fit(rng.choice(act.replies))


class _Talk:
    """One conversation about one situation, while it is being written."""

    def __init__(
        self,
        world: World,
        situation: Situation,
        rng: random.Random,
        persona: Persona | None = None,
    ) -> None:
        self._world = world
        self._situation = situation
        self._rng = rng
        self._persona = persona or draw_persona(rng)
        self._binding = Binding(world.lists, rng)
        self._replies = ReplyComposer(world, situation, self._binding, rng)
        self._opening_clause = ""
        self._more = list(situation.more)
        self._acts_used: set[str] = set()
        self._turns: list[Turn] = []
        rng.shuffle(self._more)

    def run(self) -> Conversation:
        """Write the opening and as many further turns as were drawn."""
        length = self._rng.choices(_TURNS, _TURN_WEIGHTS)[0]
        self._open()
        while len(self._turns) < length:
            self._continue()
        if length > 1 and self._rng.random() < 0.25:
            self._act("thanks" if self._rng.random() < 0.6 else "bye")
        return Conversation(self._situation.name, tuple(self._turns))

    def _say(self, neutral: str, reply: str) -> None:
        user = type_as(neutral, self._persona, self._rng)
        self._turns.append((user, require_fit(reply)))

    def _open(self) -> None:
        rng = self._rng
        clause = self._binding.fill(rng.choice(self._situation.say))
        self._opening_clause = clause
        self._replies.hear(clause)
        text = clause.removeprefix(JUDGED)
        for rate in (0.35, 0.12):
            if self._more and rng.random() < rate:
                added = self._binding.fill(self._more.pop())
                self._replies.hear(added)
                text += rng.choice(_JOINERS) + added
        if rng.random() < 0.12:
            text += rng.choice(_JOINERS[:4]) + self._style("timetail")
        if rng.random() < 0.35 and self._replies.group != "good":
            text += rng.choice(_JOINERS) + self._style("closing")
        if rng.random() < 0.25:
            text = self._style("opener") + " " + text
        self._say(text, self._replies.opening(clause))

    def _style(self, name: str) -> str:
        return self._binding.fill(self._rng.choice(self._world.style[name]))

    def _continue(self) -> None:
        answers = _ANSWERS.get(self._last_question(), ())
        if answers and self._rng.random() < 0.4:
            self._act(self._rng.choice(answers))
            return
        names = [name for name, _ in _FOLLOW_UPS if name not in self._acts_used]
        weights = [weight for name, weight in _FOLLOW_UPS if name not in self._acts_used]
        name = self._rng.choices(names, weights)[0]
        moves: dict[str, Callable[[], None]] = {
            "detail": self._detail,
            "feeling": self._feeling,
            "advice": self._advice,
            "recall_ask": self._recall,
            "another": self._another,
        }
        if name != "detail":
            self._acts_used.add(name)
        moves.get(name, lambda: self._act(name))()

    def _last_question(self) -> str:
        """The word that opens the question asked last, or an empty text."""
        before, mark, _ = self._turns[-1][1].rpartition("?")
        question = before.rpartition(". ")[2] if mark else ""
        if question.startswith("I wonder"):
            return "I wonder"
        return question.partition(" ")[0]

    def _act(self, name: str) -> None:
        act = self._world.acts[name]
        user = self._binding.fill(self._rng.choice(act.user))
        reply = self._rng.choice([line for line in act.replies if self._about_named(line, user)])
        reply = self._binding.fill(reply)
        first, _, rest = reply.partition(". ")
        if name in ("yes", "idk", "normal", "unclear", "thanks") and self._rng.random() < 0.35:
            recalled = self._replies.recalled()
            if recalled and rest:
                reply = f"{first}. {recalled} {self._replies.question()}"
        elif name in _BARE_ANSWERS and self._rng.random() < 0.5 and rest:
            reply = f"{first}. {self._replies.question()}"
        self._say(user, reply)

    def _about_named(self, reply: str, user: str) -> bool:
        """Whether every slot of the reply holds a word of the message it answers."""
        values = self._binding.values
        return all(values.get(slot.lower(), "\0") in user for slot in slots(reply))

    def _detail(self) -> None:
        if self._more:
            clause = self._binding.fill(self._more.pop())
        else:
            fresh = [line for line in self._situation.say if self._binding.bound(line)]
            if not fresh or self._rng.random() < 0.5:
                self._act(self._rng.choice(("state_answer", "time_answer", "idk")))
                return
            clause = self._binding.fill(self._rng.choice(fresh))
        self._replies.hear(clause)
        self._say(clause.removeprefix(JUDGED), self._replies.further(clause))

    def _feeling(self) -> None:
        if self._binding.bound("{feeling}") or self._replies.group == "good":
            self._act("state_answer")
            return
        shape = self._rng.choice(
            ("{feeling}", "i feel {feeling}", "mostly {feeling}", "just {feeling}",
             "it makes me feel {feeling}", "{feeling} i think", "i guess i feel {feeling}")
        )  # fmt: skip
        text = self._binding.fill(shape)
        self._replies.hear(text)
        first = self._replies.feeling_taken_up() or ""
        recalled = self._replies.recalled() if self._rng.random() < 0.25 else None
        parts = [first, recalled or "", self._replies.question()]
        self._say(text, " ".join(part for part in parts if part))

    def _advice(self) -> None:
        """Being asked for advice: ask first, then offer one thing, then take the answer."""
        acts, rng = self._world.acts, self._rng
        self._say(rng.choice(acts["advice"].user), rng.choice(acts["advice"].replies[:1] * 2
                  + acts["advice"].replies))  # fmt: skip
        if rng.random() < 0.3:
            self._act("want_heard")
            return
        self._say(rng.choice(acts["want_idea"].user), self._replies.offer())
        self._act(rng.choice(("tried", "maybe_try", "no_idea_fits")))

    def _recall(self) -> None:
        given_back = mirror(self._opening_clause.removeprefix(JUDGED))
        if given_back is None:
            self._act("idk")
            return
        act = self._world.acts["recall_ask"]
        judged = self._opening_clause.startswith(JUDGED)
        shapes = self._world.frames["recall_judged"] if judged else act.replies
        reply = self._rng.choice(shapes).replace("{m}", given_back)
        self._say(self._rng.choice(act.user), reply)

    def _another(self) -> None:
        """The person turns to something else in their life."""
        other = self._rng.choice(
            [s for s in self._world.situations if s.name != self._situation.name]
        )
        self._binding = Binding(self._world.lists, self._rng)
        self._situation = other
        self._replies = ReplyComposer(self._world, other, self._binding, self._rng)
        self._more = list(other.more)
        self._rng.shuffle(self._more)
        clause = self._binding.fill(self._rng.choice(other.say))
        self._replies.hear(clause)
        lead = self._rng.choice(("and ", "also ", "there's something else, ", "anyway ", ""))
        self._say(lead + clause.removeprefix(JUDGED), self._replies.opening(clause))
