"""The crisis conversation as a state machine, free of Rasa.

`step(state, turn)` takes what is known so far and one message and gives the `utter_*` actions
to run and the next state. `policies.safety_policy` keeps the state in slots and runs it.
The protocol it follows is `docs/safety/crisis-protocol.md`: ask directly; a line *and* a person
*and* a professional; one question at a time; a denial does not close it; the language model
stays silent until the state is `watch`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Mapping

LEVELS = ("none", "low", "moderate", "high", "imminent")
KINDS_WITH_OWN_FLOW = ("harm_to_others", "abuse", "medical", "psychosis", "eating")
STAGES = ("none", "asked", "someone_near", "resources", "barrier", "check_in", "watch")

RECHECK_AFTER_TURNS = 8
"""In `watch`, risk is asked about again after this many turns without risk."""

BARRIER_QUESTIONS = 2
"""How often "what makes calling hard?" is asked in one conversation at most."""

CALM_TURNS_BEFORE_CHECK_IN = 3
"""In `resources` at high or imminent: quiet turns before the thoughts are asked about again."""


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
        turns: turns since the stage was entered or risk was last seen.
        rounds: how often the crisis flow was entered in this conversation.
        resources_shown: whether a line, a person and a professional have been named.
        variant: counts replies within `resources`, so that none is said twice in a row.
        barriers: how often "what makes calling hard?" was asked.
        barrier_answered: whether the answer to it has been given.
    """

    stage: str = "none"
    level: str = "none"
    kind: str = "none"
    about: str = "self"
    turns: int = 0
    rounds: int = 0
    resources_shown: bool = False
    variant: int = 0
    barriers: int = 0
    barrier_answered: bool = False

    @classmethod
    def from_slot(cls, value: Any) -> CrisisState:
        """State from a slot value; anything unreadable in it falls back to the default."""
        if not isinstance(value, Mapping):
            return cls()
        known = {k: v for k, v in value.items() if k in cls.__dataclass_fields__}
        state = cls(**known)
        if state.stage not in STAGES or state.level not in LEVELS:
            return cls(stage="watch", level="moderate")
        return state

    def as_slot(self) -> dict[str, Any]:
        """JSON-ready form for the slot `crisis_state`."""
        return asdict(self)

    @property
    def engaged(self) -> bool:
        """Whether the crisis flow leads the conversation and the model stays silent."""
        return self.stage not in ("none", "watch")


@dataclass(frozen=True)
class Turn:
    """One user message as the gate and the classifier see it."""

    level: str = "none"
    kind: str = "none"
    about: str = "self"
    intent: str = ""


@dataclass(frozen=True)
class Step:
    """Actions to run for a turn (empty: the crisis flow has nothing to say) and the next state."""

    actions: tuple[str, ...]
    state: CrisisState


def step(state: CrisisState, turn: Turn) -> Step:
    """One turn of the crisis conversation.

    Args:
        state: the state before the message.
        turn: the message.

    Returns:
        The actions, in order, and the state after them.
    """
    if turn.level == "imminent" and not _already_urgent(state, turn):
        return _imminent(state, turn)
    if state.engaged:
        return _engaged(state, turn)
    if at_least(turn.level, "moderate"):
        return _enter(state, turn)
    if state.stage == "watch":
        return _watching(state, turn)
    return Step((), replace(state, level=worse(state.level, turn.level)))


def _already_urgent(state: CrisisState, turn: Turn) -> bool:
    same_kind = state.kind == turn.kind
    return state.level == "imminent" and state.engaged and state.turns == 0 and same_kind


def _imminent(state: CrisisState, turn: Turn) -> Step:
    after = replace(
        state,
        level="imminent",
        kind=turn.kind,
        about=turn.about,
        turns=0,
        resources_shown=True,
        rounds=state.rounds + (0 if state.engaged else 1),
    )
    if turn.about == "other" and turn.kind in ("self_harm", "none"):
        return Step(("utter_crisis_other_imminent",), replace(after, stage="resources"))
    if turn.kind in KINDS_WITH_OWN_FLOW:
        return Step((f"utter_crisis_{turn.kind}_imminent",), replace(after, stage="resources"))
    actions = ("utter_crisis_imminent", "utter_crisis_ask_someone_near")
    return Step(actions, replace(after, stage="someone_near"))


def _enter(state: CrisisState, turn: Turn) -> Step:
    after = replace(
        state,
        level=worse(state.level, turn.level),
        kind=turn.kind,
        about=turn.about,
        turns=0,
        rounds=state.rounds + 1,
    )
    if turn.about == "other" and turn.kind in ("self_harm", "none"):
        shown = replace(after, stage="resources", resources_shown=True)
        return Step(("utter_crisis_other",), shown)
    if turn.kind in KINDS_WITH_OWN_FLOW:
        shown = replace(after, stage="resources", resources_shown=True)
        return Step((f"utter_crisis_{turn.kind}",), shown)
    opening = "utter_crisis_acknowledge_again" if state.rounds else "utter_crisis_acknowledge"
    question = (
        "utter_crisis_ask_today" if at_least(turn.level, "high") else "utter_crisis_ask_directly"
    )
    return Step((opening, question), replace(after, stage="asked"))


def _engaged(state: CrisisState, turn: Turn) -> Step:
    risky = at_least(turn.level, "moderate")
    level = worse(state.level, turn.level)
    kind = turn.kind if risky and turn.kind != "none" else state.kind
    now = replace(state, level=level, kind=kind, turns=0 if risky else state.turns + 1)
    if risky and turn.kind in KINDS_WITH_OWN_FLOW and turn.kind != state.kind:
        shown = replace(now, stage="resources", about=turn.about, resources_shown=True)
        return Step((f"utter_crisis_{turn.kind}",), shown)
    answers = {
        "asked": _answer_to_question,
        "someone_near": _answer_someone_near,
        "barrier": _answer_barrier,
        "check_in": _answer_check_in,
        "resources": _answer_resources,
    }
    return answers[state.stage](now, turn, risky)


def _answer_to_question(state: CrisisState, turn: Turn, risky: bool) -> Step:
    if turn.intent == "deny" and not risky:
        if at_least(state.level, "high"):
            shown = replace(state, stage="resources", resources_shown=True)
            return Step(("utter_crisis_denied", "utter_crisis_resources"), shown)
        softened = replace(state, stage="watch", level="low", turns=0, resources_shown=True)
        return Step(("utter_crisis_denied", "utter_crisis_resources_short"), softened)
    confirmed = turn.intent == "affirm" or risky
    after = replace(
        state,
        stage="someone_near",
        turns=0,
        resources_shown=True,
        level=worse(state.level, "high") if confirmed else state.level,
    )
    opening = "utter_crisis_thanks_for_telling" if confirmed else "utter_crisis_not_sure"
    actions = (opening, "utter_crisis_resources", "utter_crisis_ask_someone_near")
    return Step(actions, after)


def _answer_someone_near(state: CrisisState, turn: Turn, risky: bool) -> Step:
    after = replace(state, stage="resources", resources_shown=True)
    if turn.intent == "affirm" and not risky:
        return Step(("utter_crisis_someone_yes",), after)
    if state.level == "imminent":
        return Step(("utter_crisis_imminent_alone",), after)
    if turn.intent == "deny" and not risky:
        return _ask_barrier(after, "utter_crisis_someone_no")
    if turn.intent == "barrier_to_help":
        return Step(("utter_crisis_barrier_reply",), replace(after, barrier_answered=True))
    return _stay(after)


def _answer_barrier(state: CrisisState, turn: Turn, risky: bool) -> Step:
    answered = replace(state, stage="resources", barrier_answered=True)
    if state.barrier_answered:
        return _stay(answered)
    return Step(("utter_crisis_barrier_reply",), answered)


def _answer_check_in(state: CrisisState, turn: Turn, risky: bool) -> Step:
    if turn.intent == "deny" and not risky:
        eased = replace(state, stage="watch", level="moderate", turns=0)
        return Step(("utter_crisis_eased",), eased)
    if state.about == "other":
        return Step(("utter_crisis_other_still",), replace(state, stage="resources", turns=0))
    actions = ("utter_crisis_still_there", "utter_crisis_ask_someone_near")
    return Step(actions, replace(state, stage="someone_near", turns=0))


def _answer_resources(state: CrisisState, turn: Turn, risky: bool) -> Step:
    if turn.intent == "ask_helpline":
        return Step(("utter_crisis_resources",), state)
    plain = state.about == "self" and state.level != "imminent"
    if turn.intent == "barrier_to_help" and not risky and plain and not state.barrier_answered:
        return Step(("utter_crisis_barrier_reply",), replace(state, barrier_answered=True))
    if turn.intent == "deny" and not risky and plain and state.barriers < BARRIER_QUESTIONS:
        return _ask_barrier(state)
    if not at_least(state.level, "high") and state.turns >= 2:
        eased = replace(state, stage="watch", turns=0)
        return Step(("utter_crisis_eased",), eased)
    if state.turns >= CALM_TURNS_BEFORE_CHECK_IN:
        own = state.about == "self" and state.kind in ("self_harm", "none")
        question = "utter_crisis_check_in" if own else "utter_crisis_check_in_other"
        return Step((question,), replace(state, stage="check_in", turns=0))
    return _stay(state)


def _ask_barrier(state: CrisisState, *before: str) -> Step:
    if state.barriers >= BARRIER_QUESTIONS:
        return Step(before, state) if before else _stay(state)
    after = replace(state, stage="barrier", barriers=state.barriers + 1)
    return Step((*before, "utter_crisis_ask_barrier"), after)


def _stay(state: CrisisState) -> Step:
    family, size = stay_family(state)
    number = state.variant % size + 1
    return Step((f"utter_crisis_{family}_{number}",), replace(state, variant=state.variant + 1))


def stay_family(state: CrisisState) -> tuple[str, int]:
    """Which replies keep the person company in this state, and how many there are."""
    if state.about == "other":
        return "stay_other", 2
    if state.level == "imminent":
        return "stay_imminent", 2
    if state.kind in KINDS_WITH_OWN_FLOW:
        return "stay_danger", 2
    return "stay", 4


def _watching(state: CrisisState, turn: Turn) -> Step:
    turns = state.turns + 1
    if turns >= RECHECK_AFTER_TURNS:
        return Step(("utter_crisis_recheck",), replace(state, stage="asked", turns=0))
    return Step((), replace(state, turns=turns))
