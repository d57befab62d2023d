"""The queue over simulated hours: nobody starves, turns are taken, Retry-After is true.

Time is simulated: the loop jumps to the next moment at which something happens.
"""

import asyncio
import random
import selectors
from collections import defaultdict
from collections.abc import Coroutine

import pytest

from llm_server.admission import Admission
from llm_server.errors import Overloaded


class _JumpingSelector(selectors.SelectSelector):
    """Instead of waiting, tells the loop's clock that the wait is over."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout and timeout > 0:
            self.now += timeout
        return super().select(0)


def simulate(work: Coroutine[object, object, None]) -> None:
    """Run ``work`` in simulated time."""
    selector = _JumpingSelector()
    loop = asyncio.SelectorEventLoop(selector)
    loop.time = lambda: selector.now  # type: ignore[method-assign]
    try:
        loop.run_until_complete(work)
    finally:
        loop.close()


class People:
    """Persons who ask, wait and note how long it took."""

    def __init__(self, admission: Admission, seed: int) -> None:
        self.admission = admission
        self.random = random.Random(seed)
        self.waits: dict[str, list[float]] = defaultdict(list)
        self.refused: dict[str, int] = defaultdict(int)
        self.order: list[str] = []

    async def ask(self, person: str) -> int | None:
        """One request of 2 to 6 s; what Retry-After says if it is turned away."""
        loop = asyncio.get_running_loop()
        asked = loop.time()
        try:
            async with self.admission.slot(person):
                self.waits[person].append(loop.time() - asked)
                self.order.append(person)
                await asyncio.sleep(self.random.uniform(2, 6))
        except Overloaded as refusal:
            self.refused[person] += 1
            return refusal.retry_after
        return None

    async def talk(self, person: str, turns: int, pause_s: float) -> None:
        """A conversation: one request after the other, with pauses to read and write."""
        for _ in range(turns):
            await asyncio.sleep(self.random.expovariate(1 / pause_s))
            await self.ask(person)


@pytest.mark.parametrize("seed", range(3))
def test_who_floods_the_queue_delays_nobody_else_by_much(seed: int) -> None:
    people = People(Admission(slots=2, queue_limit=16, wait_s=60), seed)

    async def flood() -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(600):
                group.create_task(people.ask("flood"))
                await asyncio.sleep(0.5)

    async def scenario() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(flood())
            for number in range(5):
                group.create_task(people.talk(f"person {number}", 8, 30))

    simulate(scenario())
    for number in range(5):
        person = f"person {number}"
        assert people.refused[person] == 0
        assert len(people.waits[person]) == 8
        # At worst: the generations that run, and one turn of each of the others before.
        assert max(people.waits[person]) < 6 * (1 + 5 / 2)
    assert people.refused["flood"] > 100
    assert people.waits["flood"], "the flood is served too, with what is left"


def test_everybody_gets_the_same_share_under_the_same_load() -> None:
    people = People(Admission(slots=2, queue_limit=40, wait_s=600), 1)

    async def greedy(person: str, at_once: int, until: float) -> None:
        loop = asyncio.get_running_loop()

        async def again() -> None:
            while loop.time() < until:
                await people.ask(person)

        await asyncio.gather(*(again() for _ in range(at_once)))

    async def scenario() -> None:
        await asyncio.gather(greedy("one", 1, 900), greedy("three", 3, 900), greedy("ten", 10, 900))

    simulate(scenario())
    counts = {person: len(waits) for person, waits in people.waits.items()}
    fair = sum(counts.values()) / 3
    # Two slots for three persons: who has one request at a time loses the moment in between.
    assert all(0.75 * fair < count < 1.25 * fair for count in counts.values()), counts


def test_nobody_waits_for_ever_behind_ever_new_people() -> None:
    people = People(Admission(slots=2, queue_limit=30, wait_s=60), 2)

    async def scenario() -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(300):
                group.create_task(people.ask(f"passer-by {number}"))
                if number == 50:
                    for _ in range(3):
                        group.create_task(people.ask("patient"))
                await asyncio.sleep(2.1)

    simulate(scenario())
    assert len(people.waits["patient"]) == 3
    assert max(people.waits["patient"]) < 60


@pytest.mark.parametrize(("slots", "queue"), [(1, 4), (2, 8), (4, 8)])
def test_who_comes_back_after_retry_after_is_served_without_a_second_refusal(
    slots: int, queue: int
) -> None:
    admission = Admission(slots=slots, queue_limit=queue, wait_s=60)
    people = People(admission, 3)
    told: list[int] = []

    async def scenario() -> None:
        for _ in range(10):  # from these it learns how long a generation takes
            await people.ask("before")
        for _ in range(20):
            crowd = [asyncio.create_task(people.ask(f"p{n}")) for n in range(slots + queue)]
            await asyncio.sleep(0.1)
            after = await people.ask("late")
            assert after is not None
            told.append(after)
            await asyncio.sleep(after)
            assert await people.ask("late") is None
            await asyncio.gather(*crowd)

    simulate(scenario())
    drained = (queue + 1) / slots * 4  # a generation takes 4 s on average
    assert 0.5 * drained < sum(told) / len(told) < 1.5 * drained


def test_retry_after_never_says_more_than_the_longest_wait() -> None:
    people = People(Admission(slots=1, queue_limit=50, wait_s=20), 4)
    told: list[int | None] = []

    async def scenario() -> None:
        for _ in range(10):
            await people.ask("before")
        crowd = [asyncio.create_task(people.ask(f"p{n}")) for n in range(51)]
        await asyncio.sleep(0.1)
        told.append(await people.ask("late"))
        await asyncio.gather(*crowd)

    simulate(scenario())
    assert told == [20]
