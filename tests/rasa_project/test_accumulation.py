"""Risk over several messages."""

from __future__ import annotations

import pytest

from policies import accumulation as acc

NO_SIGNS: frozenset[str] = frozenset()


def joined(*weights: float) -> tuple[float, ...]:
    window: tuple[float, ...] = ()
    for weight in weights:
        window = acc.extended(window, weight)
    return window


def test_one_or_two_messages_never_ask() -> None:
    assert not acc.builds_up(joined(acc.SCORE_CAP))
    assert not acc.builds_up(joined(acc.SCORE_CAP, acc.SCORE_CAP))


def test_three_low_messages_in_a_row_ask() -> None:
    low = acc.weight(0.0, "low", NO_SIGNS)
    assert not acc.builds_up(joined(low, low))
    assert acc.builds_up(joined(low, low, low))


def test_old_messages_fade_and_leave_the_window() -> None:
    low = acc.LOW_WEIGHT
    near = acc.risk(joined(low, low, low))
    far = acc.risk(joined(low, low, low, 0, 0, 0))
    assert far < near
    assert acc.risk(joined(low, *[0.0] * acc.WINDOW)) == 0


def test_the_newest_message_must_carry_something() -> None:
    assert not acc.builds_up(joined(0.3, 0.3, 0.3, 0.3, 0.0))


def test_ordinary_scores_count_as_nothing_however_many() -> None:
    ordinary = acc.weight(acc.SCORE_FLOOR - 0.001, "none", NO_SIGNS)
    assert ordinary == 0
    assert not acc.builds_up(joined(*[ordinary] * 20))


@pytest.mark.parametrize("sign", sorted(acc.SIGN_WEIGHTS))
def test_each_sign_counts_and_none_is_enough(sign: str) -> None:
    one = acc.weight(0.0, "none", frozenset({sign}))
    assert 0 < one <= acc.SCORE_CAP
    assert not acc.builds_up(joined(one, 0.0))


def test_weights_are_capped() -> None:
    everything = frozenset(acc.SIGN_WEIGHTS)
    assert acc.weight(0.99, "low", everything) == acc.SCORE_CAP
