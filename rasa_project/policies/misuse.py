"""Answers to misuse that slow a session down before anything else, and never end it.

The first attempts are answered each in its own words, the third in a row says what Stillpoint can
do, from the fifth on one short line is said, marked `pace: slow` so that a channel may delay it. An
ordinary message starts anew. A question about a diagnosis or a dose is no misuse of this sort.
Risk comes first: the safety policy asks here only when no crisis leads.
"""

from __future__ import annotations

from typing import List, Sequence

NAMED_FROM = 3
SHORT_FROM = 5
NOT_COUNTED = ("diagnosis_or_dosage",)
"""Categories that are honest questions: answered each time, never slowed down."""

CATEGORIES = (
    "jailbreak", "harmful_request", "sexual", "illegal", "diagnosis_or_dosage",
    "general_assistant", "abuse",
)  # fmt: skip


def answer(category: str, before: Sequence[str]) -> List[str]:
    """The response to a message of `category`.

    Args:
        category: the gate's category; empty for an ordinary message.
        before: the categories of the messages before it, newest last; empty for ordinary ones.
    """
    if not category:
        return []
    if category in NOT_COUNTED:
        return [f"utter_misuse_{category}"]
    number = in_a_row([*before, category])
    if number >= SHORT_FROM:
        return ["utter_misuse_short"]
    if number >= NAMED_FROM:
        return ["utter_misuse_named"]
    return [f"utter_misuse_{category}"]


def in_a_row(categories: Sequence[str]) -> int:
    """How many messages at the end are misuse; honest questions neither count nor interrupt."""
    number = 0
    for category in reversed(categories):
        if not category:
            break
        number += category not in NOT_COUNTED
    return number


def responses() -> List[str]:
    """Every response this module can ask for."""
    return [f"utter_misuse_{name}" for name in (*CATEGORIES, "named", "short")]
