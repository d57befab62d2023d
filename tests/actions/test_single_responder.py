"""The default responder: deadlines, refusals, errors, cancel, and stream text = final text."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from actions.errors import LLMError, LLMFailed, LLMOverloaded, LLMUnreachable
from actions.history import Said
from actions.llm_client import FakeLLMClient
from actions.reply_bank import ReplyBank
from actions.responders.base import OpenTurn, Reply
from actions.responders.single import Limits, SingleResponder
from actions.turns import Turn

Make = Callable[..., Any]
Script = Sequence[str | float | LLMError]
GOOD = [
    "That sounds",
    " lonely. You notice ",
    "it every day. ",
    "What is the hardest hour for you?",
]
GOOD_TEXT = "That sounds lonely. You notice it every day. What is the hardest hour for you?"


def _streamed(stream: Turn) -> str:
    return "".join(event.text for event in stream._events if event.kind == "chunk")


@pytest.fixture
def play(make_responder: Make, make_turn: Make) -> Callable[..., Any]:
    async def run(script: Script, **more: Any) -> tuple[Reply, str, FakeLLMClient]:
        fake = FakeLLMClient(script, finish_reason=more.pop("finish_reason", "stop"))
        responder: SingleResponder = make_responder(fake, **more.pop("responder", {}))
        turn: OpenTurn = more.pop("turn", None) or make_turn("nobody talks to me at work")
        stream = Turn(turn.message_id)
        reply = await responder.reply(turn, stream)
        await asyncio.sleep(0)
        return reply, _streamed(stream), fake

    return run


async def test_good_reply(play: Make) -> None:
    reply, streamed, fake = await play(GOOD)
    assert (reply.text, reply.source, reply.outcome) == (GOOD_TEXT, "llm", "ok")
    assert streamed == GOOD_TEXT
    assert reply.facts["model"] == "fake"
    assert 0 < reply.facts["first_sentence_ms"] <= reply.facts["total_ms"]
    assert "fallback_reason" not in reply.facts
    assert fake.prompts[0][-1]["content"] == "nobody talks to me at work"


async def test_waits_after_the_open_question(play: Make) -> None:
    reply, streamed, fake = await play([*GOOD, " And another thing is this. ", 5.0])
    assert reply.text == streamed == GOOD_TEXT
    await asyncio.sleep(0.05)
    assert fake.closed_early == 1


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ([1.0, *GOOD], "slow"),
        (["That sounds", 1.0, " lonely. And"], "slow"),
        ([LLMUnreachable()], "unreachable"),
        ([LLMOverloaded()], "overloaded"),
        ([LLMFailed()], "error"),
        ([], "empty"),
        (["   \n "], "empty"),
        (["blorf gribbly snarg wibble trunt. And so"], "refused:nonsense"),
        (["You have depression. It is known."], "refused:diagnosis"),
        (["a" * 700], "refused:too_long"),
    ],
)
async def test_nothing_usable_ends_in_the_bank(
    play: Make, bank: ReplyBank, script: Script, reason: str
) -> None:
    started = time.monotonic()
    reply, streamed, _ = await play(script)
    assert time.monotonic() - started < 0.8
    assert (reply.source, reply.outcome) == ("reply_bank", "fallback")
    assert reply.facts["fallback_reason"] == reason
    assert reply.facts["reply_id"] in {entry.id for entry in bank.entries}
    assert reply.text
    assert not streamed


async def test_an_exception_of_the_client_ends_in_the_bank(play: Make, make_turn: Make) -> None:
    class Broken(FakeLLMClient):
        async def stream(self, messages: Any, *, person: str = "") -> Any:
            raise ZeroDivisionError("secret words")
            yield

    from actions.guardrails.output import OutputGuardrail
    from actions.history import PromptLayout
    from actions.reply_bank import Entry

    bank = ReplyBank([Entry("a", "Go on. What else?", "explore", None, (), "developer")])
    layout = PromptLayout("s", 512, 120, 2.8, 2, keeps_crisis=False)
    responder = SingleResponder(
        llm=Broken([]), guardrail=OutputGuardrail(), bank=bank, layout=layout
    )
    reply = await responder.reply(make_turn("it is odd"), Turn("m"))
    assert reply.facts["fallback_reason"] == "error"


async def test_a_later_refusal_closes_with_a_bank_sentence(play: Make, bank: ReplyBank) -> None:
    reply, streamed, _ = await play(["That sounds lonely. ", "You should leave him. ", "What now?"])
    assert reply.text == streamed
    assert reply.text.startswith("That sounds lonely. ")
    assert "leave him" not in reply.text
    assert (reply.source, reply.outcome) == ("llm", "fallback")
    assert reply.facts["fallback_reason"] == "refused:command"
    assert reply.facts["reply_id"].startswith("closing.")


@pytest.mark.parametrize(("tail", "reason"), [([1.0, "More."], "slow"), ([LLMFailed()], "error")])
async def test_stalling_later_closes_at_the_boundary(
    play: Make, tail: list[Any], reason: str
) -> None:
    reply, streamed, _ = await play(["That sounds lonely. You notice", *tail])
    assert reply.text == streamed == "That sounds lonely."
    assert (reply.source, reply.outcome) == ("llm", "ok")
    assert reply.facts["fallback_reason"] == reason


async def test_total_time_ends_at_a_boundary(play: Make) -> None:
    words = [
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
    ]
    script: list[Any] = []
    for word in words:
        script += [f"Day {word} was long for you there. ", 0.2]
    limits = Limits(0.5, 0.5, 1.0, max_sentences=20)
    started = time.monotonic()
    reply, streamed, _ = await play(script, responder={"limits": limits})
    assert 0.9 <= time.monotonic() - started < 1.4
    assert reply.text == streamed
    assert reply.text.endswith("there.")
    assert reply.facts["fallback_reason"] == "slow"


async def test_length_cut_drops_the_unfinished_sentence(play: Make) -> None:
    reply, _, _ = await play(["That sounds lonely. And then you"], finish_reason="length")
    assert reply.text == "That sounds lonely."


async def test_too_many_sentences_end_the_reply(play: Make) -> None:
    words = ["one", "two", "three", "four", "five", "six", "seven", "eight"]
    reply, _, _ = await play([f"Day {word} was long for you there. " for word in words])
    assert reply.text.count("there.") == 6
    assert reply.outcome == "ok"


@pytest.mark.parametrize("said_first", [False, True])
async def test_cancel_within_200_ms(
    make_responder: Make, make_turn: Make, said_first: bool
) -> None:
    script: list[Any] = ["That sounds lonely. You", 10.0] if said_first else [10.0]
    fake = FakeLLMClient(script)
    responder = make_responder(fake, Limits(5.0, 5.0, 20.0))
    stream = Turn("m")
    task = asyncio.create_task(responder.reply(make_turn("i am lonely"), stream))
    await asyncio.sleep(0.1)
    started = time.monotonic()
    stream.cancelled.set()
    reply = await task
    assert time.monotonic() - started < 0.1
    assert reply.outcome == "cancelled"
    assert reply.text == ("That sounds lonely." if said_first else None)
    assert reply.facts["cancelled"] is True
    await asyncio.sleep(0.05)
    assert fake.closed_early == 1


async def test_cancelled_before_it_starts(make_responder: Make, make_turn: Make) -> None:
    fake = FakeLLMClient(GOOD)
    stream = Turn("m")
    stream.cancelled.set()
    reply = await make_responder(fake).reply(make_turn(), stream)
    assert (reply.text, reply.outcome) == (None, "cancelled")
    assert fake.prompts == []


async def test_held_never_asks_the_model(play: Make, make_turn: Make) -> None:
    reply, streamed, fake = await play(GOOD, turn=make_turn("i am still here", is_held=True))
    assert fake.prompts == []
    assert reply.source == "reply_bank"
    assert reply.facts["reply_id"].startswith("risk_hold.")
    assert not streamed


async def test_repeating_an_earlier_reply_is_refused(play: Make, make_turn: Make) -> None:
    turn = make_turn("still", Said("assistant", GOOD_TEXT), Said("user", "yes"))
    reply, _, _ = await play(GOOD[2:], turn=turn)
    assert reply.facts["fallback_reason"] == "refused:repeated"
    assert reply.text != GOOD_TEXT
