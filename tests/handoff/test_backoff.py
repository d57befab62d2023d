"""Waits grow, are jittered, and stay within bounds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from handoff.backoff import delay_s

FAILURES = st.integers(1, 10_000)
SECONDS = st.floats(0.01, 1000)
SHARES = st.floats(0, 1)


@given(failures=FAILURES, first=SECONDS, longest=SECONDS, share=SHARES)
def test_between_half_and_all_of_the_doubled_wait(
    failures: int, first: float, longest: float, share: float
) -> None:
    ceiling = min(longest, first * 2.0 ** min(failures - 1, 30))
    assert ceiling / 2 <= delay_s(failures, first, longest, share=share) <= ceiling


@given(failures=FAILURES, first=SECONDS, longest=SECONDS, share=SHARES)
def test_never_shorter_after_more_failures(
    failures: int, first: float, longest: float, share: float
) -> None:
    earlier = delay_s(failures, first, longest, share=share)
    assert delay_s(failures + 1, first, longest, share=share) >= earlier


@given(failures=FAILURES, asked=st.floats(0, 1e6), longest=SECONDS)
def test_waits_as_long_as_asked_within_the_longest(
    failures: int, asked: float, longest: float
) -> None:
    found = delay_s(failures, 0.01, longest, asked)
    assert min(asked, longest) <= found <= longest


def test_two_services_do_not_try_in_step() -> None:
    assert len({delay_s(5, 1.0, 300.0) for _ in range(20)}) > 10
