"""The queue is bounded, fair between clients, and forgets who leaves."""

import asyncio

import pytest

from llm_server.admission import Admission
from llm_server.errors import EngineUnavailable, Overloaded


class Visitor:
    """A request that takes a slot and holds it until told to finish."""

    def __init__(self, admission: Admission, client: str, order: list[str]) -> None:
        self.finish = asyncio.Event()
        self.task = asyncio.create_task(self._visit(admission, client, order))

    async def _visit(self, admission: Admission, client: str, order: list[str]) -> None:
        async with admission.slot(client):
            order.append(client)
            await self.finish.wait()


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def test_clients_take_turns_whatever_the_length_of_their_lines() -> None:
    async def scenario() -> list[str]:
        admission = Admission(1, 10, 5)
        order: list[str] = []
        visitors = []
        for client in ["busy", "busy", "busy", "busy", "quiet", "other", "quiet"]:
            visitors.append(Visitor(admission, client, order))
            await settle()
        for _ in visitors:
            for visitor in visitors:
                visitor.finish.set()
            await settle()
        await asyncio.gather(*(visitor.task for visitor in visitors))
        assert admission.running == admission.queued == 0
        return order

    order = asyncio.run(scenario())
    assert order == ["busy", "busy", "quiet", "other", "busy", "quiet", "busy"]


def test_who_runs_least_goes_first() -> None:
    async def scenario() -> list[str]:
        admission = Admission(2, 10, 5)
        order: list[str] = []
        visitors = []
        for client in ["busy", "busy", "busy", "quiet"]:
            visitors.append(Visitor(admission, client, order))
            await settle()
        visitors[0].finish.set()
        await settle()
        for visitor in visitors:
            visitor.finish.set()
        await asyncio.gather(*(visitor.task for visitor in visitors))
        return order

    assert asyncio.run(scenario()) == ["busy", "busy", "quiet", "busy"]


def test_never_more_than_the_slots_run() -> None:
    async def scenario() -> None:
        admission = Admission(2, 50, 5)
        order: list[str] = []
        most = 0

        async def visit(client: str) -> None:
            nonlocal most
            async with admission.slot(client):
                order.append(client)
                most = max(most, admission.running)
                await asyncio.sleep(0.001)

        await asyncio.gather(*(visit(f"c{number % 5}") for number in range(40)))
        assert most == 2
        assert len(order) == 40

    asyncio.run(scenario())


def test_beyond_the_queue_is_overloaded_with_retry_after() -> None:
    async def scenario() -> None:
        admission = Admission(1, 2, 5)
        order: list[str] = []
        visitors = [Visitor(admission, name, order) for name in "abc"]
        await settle()
        with pytest.raises(Overloaded) as refusal:
            async with admission.slot("d"):
                pass
        assert refusal.value.retry_after is not None
        assert 1 <= refusal.value.retry_after <= 30
        assert admission.rejected["queue_full"] == 1
        for visitor in visitors:
            visitor.task.cancel()
        await asyncio.gather(*(v.task for v in visitors), return_exceptions=True)

    asyncio.run(scenario())


def test_a_full_queue_of_one_client_makes_room_for_another() -> None:
    async def scenario() -> None:
        admission = Admission(1, 3, 5)
        order: list[str] = []
        greedy = []
        for _ in range(4):
            greedy.append(Visitor(admission, "greedy", order))
            await settle()
        late = Visitor(admission, "late", order)
        await settle()
        assert isinstance(greedy[-1].task.exception(), Overloaded)
        assert admission.queued == 3
        for visitor in (*greedy[:-1], late):
            visitor.finish.set()
        await asyncio.gather(*(v.task for v in (*greedy[:-1], late)))
        assert order == ["greedy", "greedy", "late", "greedy"]

    asyncio.run(scenario())


def test_who_leaves_the_queue_frees_the_place_and_never_gets_a_slot() -> None:
    async def scenario() -> None:
        admission = Admission(1, 1, 5)
        order: list[str] = []
        first = Visitor(admission, "a", order)
        await settle()
        leaver = Visitor(admission, "b", order)
        await settle()
        leaver.task.cancel()
        await settle()
        assert admission.queued == 0
        first.finish.set()
        await settle()
        assert order == ["a"]
        assert admission.running == 0

    asyncio.run(scenario())


def test_a_slot_handed_to_one_who_just_left_is_not_lost() -> None:
    async def scenario() -> None:
        admission = Admission(1, 5, 5)
        order: list[str] = []
        first = Visitor(admission, "a", order)
        await settle()
        leaver = Visitor(admission, "b", order)
        heir = Visitor(admission, "c", order)
        await settle()
        # The slot is handed over and the receiver cancelled within one step of the loop.
        first.task.cancel()
        await asyncio.sleep(0)
        leaver.task.cancel()
        await settle()
        assert order[-1] == "c"
        heir.finish.set()
        await settle()
        assert admission.running == 0

    asyncio.run(scenario())


def test_waiting_too_long_is_overloaded() -> None:
    async def scenario() -> None:
        admission = Admission(1, 5, 0.02)
        order: list[str] = []
        holder = Visitor(admission, "a", order)
        await settle()
        with pytest.raises(Overloaded):
            async with admission.slot("b"):
                pass
        assert admission.rejected["queue_wait"] == 1
        assert admission.queued == 0
        holder.task.cancel()

    asyncio.run(scenario())


def test_closing_sends_the_queue_away() -> None:
    async def scenario() -> None:
        admission = Admission(1, 5, 5)
        order: list[str] = []
        holder = Visitor(admission, "a", order)
        await settle()
        waiting = Visitor(admission, "b", order)
        await settle()
        admission.close()
        await settle()
        assert isinstance(waiting.task.exception(), EngineUnavailable)
        with pytest.raises(EngineUnavailable):
            async with admission.slot("c"):
                pass
        holder.task.cancel()

    asyncio.run(scenario())
