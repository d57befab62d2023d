"""The crisis machine's graph, drawn from the code: `python -m policies.graph` (`--check` compares).

Every sort of message is sent to the machine from every state that can be reached, until nothing
new is found; the stages become nodes and what was answered becomes edges. Writes Mermaid into
`docs/safety/crisis-protocol.md`.
"""

from __future__ import annotations

import sys
from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import Dict, List, Optional, Set, Tuple

from policies.crisis_machine import step
from policies.crisis_state import STAGES, CrisisState, Turn

PROTOCOL = Path(__file__).resolve().parents[2] / "docs" / "safety" / "crisis-protocol.md"
BEGIN, END = "<!-- graph: python -m policies.graph -->", "<!-- /graph -->"

OUTSIDE: Dict[str, Turn] = {
    "imminent": Turn("imminent", "self_harm"),
    "doubtful": Turn("moderate", "self_harm", score=0.2),
    "moderate": Turn("moderate", "self_harm"),
    "high": Turn("high", "self_harm"),
    "another danger, somebody else": Turn("high", "abuse"),
    "builds up": Turn(level="low", signs=frozenset({"hopeless", "farewell"}), score=0.3),
    "a new session": Turn(new_session=True),
    "eight calm messages": Turn(),
}
"""Messages while no crisis leads: what an edge is called -> a message of that sort."""

INSIDE: Dict[str, Turn] = {
    "yes": Turn(answer="yes"),
    "no": Turn(answer="no"),
    "unsure": Turn(answer="unsure"),
    "not read": Turn(),
    "a barrier": Turn(concern="voice"),
    "stop": Turn(concern="stop"),
    "a step taken": Turn(signs=frozenset({"progress"})),
}
"""Messages inside the flow. A risky one leads back to the rows 1 to 6 of the protocol's first table
from everywhere, and is left out of the picture."""

NAMES = {
    "none": "none: the ordinary conversation",
    "unclear": "how heavy is it?",
    "asked": "asked directly",
    "screen": "screen, one question a message",
    "someone_near": "who can be near",
    "step": "a step now",
    "barrier": "what makes it hard",
    "resources": "company, step by step",
    "kind": "another danger or person",
    "handoff": "may more be sent? (where a hand-off is set up)",
    "check_in": "still there?",
    "watch": "watch: the ordinary conversation, asks again",
}
ANSWERS = {"yes", "no", "unsure", "not read"}
MOST_STATES = 20_000


def edges() -> Dict[Tuple[str, str], Set[str]]:
    """Stage before and after -> the messages that lead there."""
    found: Dict[Tuple[str, str], Set[str]] = {}
    seen: Set[str] = set()
    waiting = deque([CrisisState()])
    while waiting and len(seen) < MOST_STATES:
        state = waiting.popleft()
        key = repr(_outline(state))
        if key in seen:
            continue
        seen.add(key)
        messages = INSIDE if state.engaged else OUTSIDE
        if state.stage == "unclear":
            messages = {**OUTSIDE, **INSIDE}
        if state.stage == "resources":
            messages = {**INSIDE, "asks for a person": Turn(concern="wants_person", handoff="yes")}
        if state.stage == "handoff":
            messages = {name: replace(turn, handoff="yes") for name, turn in INSIDE.items()}
            messages["a way to reach them"] = Turn(contact=True, handoff="yes")
        for name, turn in messages.items():
            after = step(state, turn).state
            found.setdefault((state.stage, after.stage), set()).add(name)
            waiting.append(after)
    return found


def _outline(state: CrisisState) -> CrisisState:
    """The state without what only chooses between wordings, and with small counters."""
    counts = {name: times for name, times in state.asked.items() if name in ("direct", "kind")}
    known = {name: said for name, said in state.known.items() if name not in ("step", "near")}
    turns = min(state.turns, 8 if state.stage == "watch" else 4)
    turns = turns if state.stage in ("watch", "resources") else 0
    window = state.window[-3:] if not state.engaged and not turns else ()
    return replace(
        state,
        said=(), topics=(), recent="", rounds=min(state.rounds, 1), turns=turns, asked=counts,
        known=known, checks=min(state.checks, 1), window=window, language_told=-1,
    )  # fmt: skip


def mermaid() -> str:
    """The graph in Mermaid."""
    lines = ["flowchart TD"]
    lines += [f'    {stage}["{NAMES[stage]}"]' for stage in STAGES]
    order = {name: place for place, name in enumerate([*OUTSIDE, *INSIDE])}
    for (before, after), names in sorted(
        edges().items(), key=lambda edge: (STAGES.index(edge[0][0]), STAGES.index(edge[0][1]))
    ):
        if before == after:
            continue
        shown = names - ANSWERS | {"any answer"} if names >= ANSWERS else names
        label = ", ".join(sorted(shown, key=lambda name: (order.get(name, -1), name)))
        lines.append(f'    {before} -->|"{label}"| {after}')
    return "\n".join(lines)


def drawn(text: str) -> str:
    """The protocol's text with the graph of today."""
    before, rest = text.split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    return f"{before}{BEGIN}\n```mermaid\n{mermaid()}\n```\n{END}{after}"


def main(arguments: Optional[List[str]] = None) -> int:
    """Writes the graph, or with `--check` says whether it is current."""
    text = PROTOCOL.read_text(encoding="utf-8")
    new = drawn(text)
    if "--check" in (sys.argv[1:] if arguments is None else arguments):
        if new != text:
            print("The graph in docs/safety/crisis-protocol.md is old: python -m policies.graph")
            return 1
        return 0
    PROTOCOL.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
