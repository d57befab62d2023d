"""The output guardrail: every check, in order, on each sentence before it leaves.

Rules only: no model, no network. It knows English, and it knows phrases, not meaning: what it
allows is not thereby good, and what it cannot read it refuses.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from actions.guardrails.beliefs import check_beliefs, check_eating
from actions.guardrails.clinical import check_diagnosis, check_medical, check_medication
from actions.guardrails.form import (
    ContactCheck,
    check_crisis_wording,
    check_leak,
    check_length,
    check_repeated,
)
from actions.guardrails.grounded import check_grounded
from actions.guardrails.identity import check_identity
from actions.guardrails.nonsense import check_nonsense
from actions.guardrails.self_harm import check_self_harm
from actions.guardrails.tone import check_blame, check_command, check_sexual
from actions.guardrails.verdict import ALLOWED, Candidate, Check, Verdict, refused
from actions.guardrails.violence import check_violence
from actions.sentences import split_sentences


class OutputGuardrail:
    """Runs the checks in order; the first refusal is the verdict.

    Args:
        allowed_contacts: numbers and addresses that a reply may name.
        grounded: also refuse content that the person never mentioned (for the house model).
    """

    def __init__(self, *, allowed_contacts: Iterable[str] = (), grounded: bool = False) -> None:
        self._checks: tuple[Check, ...] = (
            check_length,
            check_leak,
            ContactCheck(allowed_contacts),
            check_self_harm,
            check_violence,
            check_sexual,
            check_beliefs,
            check_eating,
            check_medication,
            check_diagnosis,
            check_medical,
            check_crisis_wording,
            check_identity,
            check_blame,
            check_command,
            check_nonsense,
            check_repeated,
            *((check_grounded,) if grounded else ()),
        )

    def check_sentence(self, candidate: Candidate) -> Verdict:
        """Judge one sentence in its place."""
        for check in self._checks:
            verdict = check(candidate)
            if not verdict.allowed:
                return verdict
        return ALLOWED

    def check_reply(
        self, reply: str, *, context: str = "", said_before: Sequence[str] = ()
    ) -> Verdict:
        """Judge a whole reply sentence by sentence, as it would have been streamed."""
        sentences = split_sentences(reply)
        if not sentences:
            return refused("empty")
        allowed: tuple[str, ...] = ()
        for sentence in sentences:
            verdict = self.check_sentence(Candidate(sentence, context, allowed, tuple(said_before)))
            if not verdict.allowed:
                return verdict
            allowed = (*allowed, sentence)
        return ALLOWED
