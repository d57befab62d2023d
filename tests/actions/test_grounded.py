"""Content that the person never mentioned."""

from __future__ import annotations

import pytest

from actions.guardrails.output import OutputGuardrail
from actions.guardrails.verdict import Candidate

HOUSE = OutputGuardrail(grounded=True)
ANY_MODEL = OutputGuardrail()

GROUNDED = [
    ("You said you can't sleep. ", "i can't sleep, i lie awake till 4"),
    ("Your best friend stopped replying to you, and that weighs on you.",
     "my best friend stopped replying to me"),
    ("Your boss shouts at you, and that isn't nothing.", "my boss keeps shouting at me"),
    ("What has helped even a little?", "i can't sleep"),
    ("You don't have to know.", "idk"),
]  # fmt: skip
MISCOPIED = [
    ("Your mum hasn't principal, and that isn't nothing.", "my mum has dementia"),
    ("Okay, you're so anxious about dating.", "im so anxious about money"),
    ("You said you broke up in marry again.", "we broke up in march"),
    ("You moved to Aai and you miss home.", "i moved to canada and i miss home"),
    ("It sounds like you failed your letter.", "i failed my exam"),
]


@pytest.mark.parametrize(("sentence", "message"), GROUNDED)
def test_the_persons_own_words_pass(sentence: str, message: str) -> None:
    assert HOUSE.check_sentence(Candidate(sentence, message)).allowed


@pytest.mark.parametrize(("sentence", "message"), MISCOPIED)
def test_another_word_is_refused_for_the_house_model_only(sentence: str, message: str) -> None:
    assert HOUSE.check_sentence(Candidate(sentence, message)).reason == "ungrounded"
    assert ANY_MODEL.check_sentence(Candidate(sentence, message)).allowed


def test_what_was_said_earlier_counts_as_heard() -> None:
    later = Candidate("The merger is still with you.", "yes", heard=("since the merger",))
    assert HOUSE.check_sentence(later).allowed
    assert not HOUSE.check_sentence(Candidate("The merger is still with you.", "yes")).allowed
