"""Where messages go to a hosted model, the first reply is followed by a note that says so."""

from collections.abc import Callable
from typing import Any

import pytest

from actions.llm_client import FakeLLMClient

Json = dict[str, Any]
NOTE = "utter_hosted_note"


@pytest.fixture
def turn(golden_request: Json) -> Callable[..., Json]:
    """A turn on a channel without a page, with these slots."""

    def make(channel: str = "rest", **slots: Any) -> Json:
        tracker = golden_request["tracker"]
        for event in tracker["events"]:
            if event["event"] == "user":
                event["input_channel"] = channel
        tracker["slots"] = {**tracker["slots"], **slots}
        return golden_request

    return make


async def _answer(serve: Callable[..., Any], request: Json) -> tuple[list[Any], Json]:
    """What is said, in order (a response by its name), and the slots that are set."""
    async with serve(llm=FakeLLMClient(["That sounds lonely. "])) as http:
        answer = (await http.post("/webhook", json=request)).json()
    said = [message.get("response") or message.get("text") for message in answer["responses"]]
    return said, {event["name"]: event["value"] for event in answer["events"]}


@pytest.mark.parametrize("channel", ["rest", "cmdline", "partner", "socketio"])
async def test_it_is_said_after_the_first_reply(
    serve: Callable[..., Any], turn: Callable[..., Json], channel: str
) -> None:
    said, slots = await _answer(serve, turn(channel, hosted_by="Example AI"))
    assert said == ["That sounds lonely.", NOTE]
    assert slots == {"turn_outcome": "ok", "hosted_told": "Example AI"}


@pytest.mark.parametrize(
    ("channel", "slots"),
    [
        ("rest", {}),
        ("rest", {"hosted_by": None}),
        ("rest", {"hosted_by": "Example AI", "hosted_told": "Example AI"}),
        ("web", {"hosted_by": "Example AI"}),
    ],
)
async def test_it_is_not_said_without_a_hosted_model_nor_twice_nor_below_the_page(
    serve: Callable[..., Any], turn: Callable[..., Json], channel: str, slots: Json
) -> None:
    said, events = await _answer(serve, turn(channel, **slots))
    assert said == ["That sounds lonely."]
    assert events == {"turn_outcome": "ok"}


async def test_another_provider_is_told_anew(
    serve: Callable[..., Any], turn: Callable[..., Json]
) -> None:
    request = turn(hosted_by="Other AI", hosted_told="Example AI")
    said, slots = await _answer(serve, request)
    assert said[-1] == NOTE
    assert slots["hosted_told"] == "Other AI"


async def test_it_waits_while_the_risk_is_high(
    serve: Callable[..., Any], turn: Callable[..., Json]
) -> None:
    """Then no model is asked, and there is something else to say."""
    request = turn(hosted_by="Example AI", risk_level="high", crisis_stage="screening")
    said, slots = await _answer(serve, request)
    assert NOTE not in said
    assert "hosted_told" not in slots
