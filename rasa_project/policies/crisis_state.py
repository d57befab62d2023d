"""What the crisis conversation knows: levels, the state in its slot, one message, one step.

Free of Rasa. `policies.crisis_machine` turns a state and a message into the next step.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Dict, FrozenSet, Mapping, Sequence, Tuple

LEVELS = ("none", "low", "moderate", "high", "imminent")
STAGES = (
    "none", "unclear", "asked", "screen", "someone_near", "step", "barrier", "resources", "kind",
    "handoff", "check_in", "watch",
)  # fmt: skip
KINDS_WITH_OWN_FLOW = ("harm_to_others", "abuse", "medical", "psychosis", "eating")

RECHECK_AFTER_TURNS = 8
"""In `watch`, risk is asked about again after this many messages without risk."""

RECHECKS = 2
"""How often that happens in one session at most, while nothing new was said."""

EARLIEST_RECHECK = 4
"""In `watch`, risk that builds up again is asked about after this many messages at the earliest."""

TIMES_ASKED = 2
"""How often one question of the screen is asked in one round at most, in other words each time."""

BARRIER_QUESTIONS = 2
"""How often "what makes calling hard?" is asked in one round at most."""

CALM_TURNS_BEFORE_CHECK_IN = 3
"""In `resources` at high or imminent: messages without risk before the thoughts are asked about."""

SAID_LENGTH = 30
"""How many of the last replies are remembered, so that none is said twice in a row."""


SURE = 0.5
"""Calibrated score from which a moderate message is more likely right than wrong. Below it, and
with no sign of its own, it is first asked about in general ("how heavy is it?"); as an answer to
a question it is at most unsure."""


def rank(level: str) -> int:
    """Position of `level` in LEVELS; unknown levels count as none."""
    return LEVELS.index(level) if level in LEVELS else 0


def at_least(level: str, floor: str) -> bool:
    """Whether `level` is `floor` or worse."""
    return rank(level) >= rank(floor)


def worse(a: str, b: str) -> str:
    """The worse of two levels."""
    return a if rank(a) >= rank(b) else b


@dataclass(frozen=True)
class CrisisState:
    """What the conversation knows about risk.

    Attributes:
        stage: one of STAGES.
        level: the conversation's risk level, one of LEVELS.
        kind: the kind of risk last seen.
        about: whether it is about the person themself or somebody else.
        turns: messages without risk since it was last set to 0.
        rounds: how often the crisis flow was entered in this conversation.
        resources_shown: whether a line, a person and a professional have been named.
        question: the question that waits for an answer; empty when it is an open one.
        known: answers so far: question -> yes, no or unsure.
        asked: how often each question was asked in this round.
        said: the last replies, oldest first, without `utter_crisis_`.
        last: the replies to the message before.
        topics: topics that have been taken up.
        recent: the topic last heard while no crisis led, to come back to.
        checks: rechecks in `watch` since risk was last seen.
        language: ISO code of the person's language, as far as it is sure.
        language_told: messages since the person was told that their language is not
            understood well; -1 for never.
        country: ISO code of the country that the person has named.
        window: scores of the last messages, oldest first (`policies.accumulation`).
        handoff: what the person knows and has answered about the hand-off (`policies.handing_on`).
        share: what they agreed to send: `messages`, `contact` or empty.
        contact: whether they left a way to be reached.
    """

    stage: str = "none"
    level: str = "none"
    kind: str = "none"
    about: str = "self"
    turns: int = 0
    rounds: int = 0
    resources_shown: bool = False
    question: str = ""
    known: Mapping[str, str] = field(default_factory=dict)
    asked: Mapping[str, int] = field(default_factory=dict)
    said: Tuple[str, ...] = ()
    last: Tuple[str, ...] = ()
    topics: Tuple[str, ...] = ()
    recent: str = ""
    checks: int = 0
    language: str = "en"
    language_told: int = -1
    country: str = ""
    window: Tuple[float, ...] = ()
    handoff: str = ""
    share: str = ""
    contact: bool = False

    @classmethod
    def from_slot(cls, value: Any) -> CrisisState:
        """State from a slot value.

        What is no mapping is the default; a mapping that cannot be read counts as `watch` at
        `moderate`, never as "all is well".
        """
        if not isinstance(value, Mapping):
            return cls()
        known = {k: v for k, v in value.items() if k in cls.__dataclass_fields__}
        try:
            for name in ("said", "last", "topics", "window"):
                if name in known:
                    known[name] = tuple(known[name])
            for name in ("known", "asked"):
                if name in known:
                    known[name] = dict(known[name])
            state = cls(**known)
        except (TypeError, ValueError):
            return cls(stage="watch", level="moderate")
        if state.stage not in STAGES or state.level not in LEVELS:
            return cls(stage="watch", level="moderate")
        return state

    def as_slot(self) -> Dict[str, Any]:
        """JSON-ready form for the slot `crisis_state`; what has its default is left out."""
        default = CrisisState()
        found: Dict[str, Any] = {
            name: getattr(self, name) for name in ("stage", "level", "kind", "about")
        }
        for entry in fields(self):
            value = getattr(self, entry.name)
            if value != getattr(default, entry.name):
                found[entry.name] = list(value) if isinstance(value, tuple) else value
        return found

    @property
    def engaged(self) -> bool:
        """Whether the crisis flow leads the conversation and the model stays silent."""
        return self.stage not in ("none", "unclear", "watch")


@dataclass(frozen=True)
class Turn:
    """One user message as the gates, the classifier and the phrase lists see it.

    Attributes:
        level, kind, about, score: the risk gate's verdict.
        intent: the intent's name.
        answer: `yes`, `no`, `unsure` or empty, read for the question that waits.
        concern: what the person asks or fears about the talk itself (`policies.heard`).
        topic: what it is about (`policies.heard`).
        signs: further signs (`phrases.yml`).
        language: ISO code where the detector is sure, otherwise empty.
        understood: False if that language is one that Stillpoint does not handle.
        country: ISO code of the country that is named as the person's own.
        new_session: whether it is the first message of a new session.
        handoff: `yes` while an on-call person can be told, `no` while that is set up and not
            working, empty where it is not set up.
        contact: whether the message names a way to reach somebody, where one was asked for.
    """

    level: str = "none"
    kind: str = "none"
    about: str = "self"
    intent: str = ""
    answer: str = ""
    concern: str = ""
    topic: str = ""
    signs: FrozenSet[str] = frozenset()
    score: float = 0.0
    language: str = ""
    understood: bool = True
    country: str = ""
    new_session: bool = False
    handoff: str = ""
    contact: bool = False

    @property
    def risky(self) -> bool:
        """Whether the message itself is at moderate or above."""
        return at_least(self.level, "moderate")

    @property
    def uncertain(self) -> bool:
        """Whether the gate asks rather than knows: moderate, and less likely than not."""
        return self.level == "moderate" and 0 < self.score < SURE

    @property
    def reply(self) -> str:
        """The answer; for a message that was not read, the intent's."""
        by_intent = {"affirm": "yes", "deny": "no", "unsure": "unsure"}
        return self.answer or by_intent.get(self.intent, "")


@dataclass(frozen=True)
class Step:
    """Actions to run for a turn (empty: the crisis flow has nothing to say) and the next state."""

    actions: Tuple[str, ...]
    state: CrisisState


def least_said(names: Sequence[str], said: Sequence[str]) -> str:
    """The first of `names` that was not said, or else the one that was said longest ago."""
    return min(names, key=lambda name: _last(name, said))


def _last(name: str, said: Sequence[str]) -> int:
    return max((place for place, other in enumerate(said) if other == name), default=-1)
