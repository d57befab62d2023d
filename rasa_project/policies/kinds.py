"""Flows for dangers other than the person's own thoughts of suicide, and for worry about another.

Each begins with a reply that names a line, a person and a professional and ends in a question about
safety; two to four replies follow. Where guidance says so (abuse, psychosis, an eating disorder,
urges to hurt somebody, something taken), one of them asks directly about suicide, and a yes
leads into the screen.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Dict, List, Mapping, Tuple

from policies.crisis_state import KINDS_WITH_OWN_FLOW, CrisisState, Turn

DIRECT = (
    "abuse_suicide", "harm_suicide", "medical_suicide", "psychosis_suicide", "eating_suicide",
    "psychosis_imminent",
)  # fmt: skip
"""Replies that ask directly about suicide."""


@dataclass(frozen=True)
class Flow:
    """The replies of one kind.

    Attributes:
        entry: the first reply, below imminent.
        urgent: the first reply at imminent.
        after_entry: answer (yes, no, or empty for anything else) -> replies.
        after_urgent: the same, after `urgent`.
        rest: what follows, one reply a message.
    """

    entry: str
    urgent: str
    after_entry: Mapping[str, Tuple[str, ...]]
    after_urgent: Mapping[str, Tuple[str, ...]]
    rest: Tuple[str, ...]


_DANGER = {"yes": ("danger_yes",), "no": ("danger_no",), "": ("danger_no",)}

FLOWS: Dict[str, Flow] = {
    "other": Flow(
        "other",
        "other_imminent",
        {"yes": ("other_named",), "no": ("other_ask",), "": ("other_ask",)},
        {"yes": ("other_with_them",), "no": ("other_not_there",), "": ("other_not_there",)},
        ("other_safe", "other_you"),
    ),
    "other_danger": Flow(
        "other_danger",
        "other_danger_imminent",
        {"yes": ("other_danger_safe",), "no": ("other_danger_unsafe",), "": ("other_danger_safe",)},
        {"yes": ("other_with_them",), "no": ("other_not_there",), "": ("other_not_there",)},
        ("other_danger_next", "other_you"),
    ),
    "abuse_other": Flow(
        "abuse_other",
        "abuse_other_imminent",
        {"yes": ("abuse_other_now",), "no": ("abuse_other_time",), "": ("abuse_other_time",)},
        {"yes": ("other_with_them",), "no": ("other_not_there",), "": ("other_not_there",)},
        ("abuse_other_next", "other_you"),
    ),
    "abuse": Flow(
        "abuse",
        "abuse_imminent",
        {
            "yes": ("abuse_safe", "abuse_suicide"),
            "no": ("abuse_unsafe",),
            "": ("abuse_heard", "abuse_suicide"),
        },
        {"yes": ("abuse_moving",), "no": ("abuse_trapped",), "": ("abuse_trapped",)},
        ("abuse_suicide", "abuse_next", "abuse_after"),
    ),
    "harm_to_others": Flow(
        "harm_to_others",
        "harm_to_others_imminent",
        {"yes": ("harm_away",), "no": ("harm_near",), "": ("harm_near",)},
        {"yes": ("harm_away",), "no": ("harm_near",), "": ("harm_near",)},
        ("harm_suicide", "harm_next"),
    ),
    "medical": Flow(
        "medical",
        "medical_imminent",
        {"yes": ("medical_with",), "no": ("medical_alone",), "": ("medical_alone",)},
        {"yes": ("danger_yes",), "no": ("medical_urgent_alone",), "": ("medical_urgent_alone",)},
        ("medical_suicide", "medical_next"),
    ),
    "psychosis": Flow(
        "psychosis",
        "psychosis_imminent",
        {
            "yes": ("psychosis_safe", "psychosis_suicide"),
            "no": ("psychosis_unsafe",),
            "": ("psychosis_heard", "psychosis_suicide"),
        },
        _DANGER,
        ("psychosis_suicide", "psychosis_next", "psychosis_after"),
    ),
    "eating": Flow(
        "eating",
        "eating_imminent",
        {
            "yes": ("eating_known", "eating_suicide"),
            "no": ("eating_hidden", "eating_suicide"),
            "": ("eating_heard", "eating_suicide"),
        },
        _DANGER,
        ("eating_suicide", "eating_next", "eating_after"),
    ),
}


def flow_of(turn: Turn) -> str:
    """The flow for a risky message; empty for the person's own thoughts of suicide."""
    if turn.about == "other":
        if turn.kind == "abuse":
            return "abuse_other"
        return "other" if turn.kind in ("self_harm", "none") else "other_danger"
    return turn.kind if turn.kind in KINDS_WITH_OWN_FLOW else ""


def enter(state: CrisisState, turn: Turn, flow: str) -> Tuple[List[str], CrisisState]:
    """The first reply of a flow."""
    name = FLOWS[flow].urgent if turn.level == "imminent" else FLOWS[flow].entry
    fears = turn.concern in ("afraid", "privacy") and turn.level != "imminent"
    opening = [f"barrier_{turn.concern}"] if fears else []
    entered = replace(state, asked={k: v for k, v in state.asked.items() if k != "kind"})
    return [*opening, name], _at(entered, name, 1)


def go_on(state: CrisisState, turn: Turn) -> Tuple[List[str], CrisisState]:
    """The next reply of the flow the state is in; none when it has come to its end."""
    flow = FLOWS.get(flow_of(Turn(state.level, state.kind, state.about)))
    if flow is None:
        return [], state
    done = state.asked.get("kind", 0)
    if done <= 1:
        urgent = flow.urgent in state.said
        answers = flow.after_urgent if urgent else flow.after_entry
        if not (urgent and flow.urgent in DIRECT):
            names = [n for n in answers.get(turn.reply, answers[""]) if not _settled(n, state)]
            return names, _at(state, names[-1], 2)
    rest = [n for n in flow.rest if n not in state.said and not _settled(n, state)]
    if not rest:
        return [], state
    return [rest[0]], _at(state, rest[0], max(done, 1) + 1)


def _settled(name: str, state: CrisisState) -> bool:
    return name in DIRECT and ("direct" in state.known or name in state.said)


def _at(state: CrisisState, name: str, done: int) -> CrisisState:
    question = "direct" if name in DIRECT else "kind"
    asked = {**state.asked, "kind": done}
    if question == "direct":
        asked["direct"] = asked.get("direct", 0) + 1
    return replace(state, stage="kind", question=question, asked=asked)


def responses() -> List[str]:
    """Every response that a flow can say."""
    found: Dict[str, None] = {}
    for flow in FLOWS.values():
        for name in (flow.entry, flow.urgent):
            found[name] = None
        for answers in (flow.after_entry, flow.after_urgent):
            for names in answers.values():
                found.update(dict.fromkeys(names))
        found.update(dict.fromkeys(flow.rest))
    return list(found)
