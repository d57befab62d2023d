"""The turn registry: early, late and absent subscribers, cancel, expiry, and its bound."""

import asyncio

from actions.turns import StreamEvent, Turn, TurnRegistry


async def _read(turn: Turn, wait_s: float = 1.0, heartbeat_s: float = 5.0) -> list[StreamEvent]:
    return [event async for event in turn.events(wait_s=wait_s, heartbeat_s=heartbeat_s)]


async def test_early_and_late_subscribers_hear_the_same() -> None:
    turns = TurnRegistry(max_turns=8)
    early = asyncio.create_task(_read(turns.awaited("m")))
    await asyncio.sleep(0)
    turn = turns.start("m")
    turn.publish("One.")
    await asyncio.sleep(0.01)
    middle = asyncio.create_task(_read(turns.awaited("m")))
    turn.publish(" Two.")
    turns.finish(turn, "llm")
    expected = [
        StreamEvent("chunk", text="One."),
        StreamEvent("chunk", text=" Two."),
        StreamEvent("end", source="llm"),
    ]
    assert await early == await middle == await _read(turns.awaited("m")) == expected


async def test_a_chunk_arrives_before_the_end() -> None:
    turn = TurnRegistry(max_turns=8).start("m")
    events = turn.events(wait_s=1, heartbeat_s=5)
    turn.publish("One.")
    assert (await anext(events)).text == "One."
    assert turn.stage == "running"


async def test_a_turn_that_never_comes_ends() -> None:
    turns = TurnRegistry(max_turns=8)
    assert await _read(turns.awaited("m"), wait_s=0.05) == []


async def test_heartbeats_while_waiting_and_running() -> None:
    turns = TurnRegistry(max_turns=8)
    reading = asyncio.create_task(_read(turns.awaited("m"), wait_s=1, heartbeat_s=0.02))
    await asyncio.sleep(0.05)
    turn = turns.start("m")
    await asyncio.sleep(0.05)
    turns.finish(turn, None)
    kinds = [event.kind for event in await reading]
    assert kinds[-1] == "end"
    assert kinds.count("heartbeat") >= 2


async def test_cancel() -> None:
    turns = TurnRegistry(max_turns=8)
    assert turns.cancel("unknown") is False
    assert turns.start("unknown").cancelled.is_set()
    turns.awaited("waiting")
    assert turns.cancel("waiting") is True
    assert turns.start("waiting").cancelled.is_set()
    running = turns.start("running")
    assert turns.cancel("running") is True
    assert running.cancelled.is_set()
    turns.finish(running, None)
    assert turns.cancel("running") is False


async def test_ended_and_abandoned_turns_are_forgotten() -> None:
    turns = TurnRegistry(max_turns=8, keep_s=0.05)
    turns.finish(turns.start("ended"), "llm")
    turns.awaited("abandoned")
    turns.cancel("early cancel")
    running = turns.start("running")
    assert len(turns) == 4
    await asyncio.sleep(0.1)
    assert len(turns) == 1
    turns.finish(running, "llm")


async def test_an_awaited_turn_that_starts_in_time_is_kept() -> None:
    turns = TurnRegistry(max_turns=8, keep_s=0.05)
    awaited = turns.awaited("m")
    started = turns.start("m")
    await asyncio.sleep(0.1)
    assert started is awaited
    assert turns.awaited("m") is started


async def test_bounded() -> None:
    turns = TurnRegistry(max_turns=3)
    first, second = turns.start("1"), turns.start("2")
    turns.finish(turns.start("3"), "llm")
    turns.awaited("4")
    assert len(turns) == 3
    assert turns.cancel("3") is False
    for number in range(50):
        turns.awaited(f"flood {number}")
    assert len(turns) <= 3
    assert turns.cancel("1")
    assert turns.cancel("2")
    assert first.cancelled.is_set()
    assert second.cancelled.is_set()


async def test_a_full_registry_of_running_turns_still_lets_a_turn_run() -> None:
    turns = TurnRegistry(max_turns=1)
    turns.start("1")
    extra = turns.start("2")
    extra.publish("works")
    turns.finish(extra, "llm")
    assert len(turns) == 1


async def test_a_message_id_used_again_gets_a_fresh_turn() -> None:
    turns = TurnRegistry(max_turns=8, keep_s=0.05)
    old = turns.start("m")
    turns.finish(old, "llm")
    new = turns.start("m")
    assert new is not old
    assert await asyncio.sleep(0.1) is None
    assert turns.cancel("m") is True


async def test_shutdown_ends_everything() -> None:
    turns = TurnRegistry(max_turns=8)
    running = turns.start("m")
    awaited = asyncio.create_task(_read(turns.awaited("n"), wait_s=10))
    await asyncio.sleep(0)
    turns.cancel_all()
    assert running.cancelled.is_set()
    assert [event.kind for event in await asyncio.wait_for(awaited, 1)] == ["end"]
