"""The action server over HTTP: webhook contract, side stream, cancel, guard, token, encodings."""

import asyncio
import gzip
import json
import time
import zlib
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from actions import bootstrap
from actions.errors import LLMOverloaded, LLMUnreachable
from actions.llm_client import FakeLLMClient

Json = dict[str, Any]
Make = Callable[..., Any]
MESSAGE_ID = "0f8fad5bd9cb469fa16570867728950e"
GOOD = [
    "That sounds lonely. ",
    0.15,
    "You notice it every day. ",
    0.15,
    "What is the hardest hour?",
]
GOOD_TEXT = "That sounds lonely. You notice it every day. What is the hardest hour?"


def _outcome(answer: Json) -> Any:
    assert [event["event"] for event in answer["events"]] == ["slot"]
    assert answer["events"][0]["name"] == "turn_outcome"
    return answer["events"][0]["value"]


async def _stream(http: httpx.AsyncClient, message_id: str = MESSAGE_ID) -> tuple[str, list[Json]]:
    """The concatenated deltas of a side stream, and all its events with their arrival time."""
    events, kind = [], ""
    async with http.stream("GET", f"/turns/{message_id}/stream") as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        async for line in response.aiter_lines():
            if line.startswith("event: "):
                kind = line.removeprefix("event: ")
            elif line.startswith("data: "):
                data = json.loads(line.removeprefix("data: "))
                events.append({"kind": kind, "at": time.monotonic(), **data})
    return "".join(event.get("text", "") for event in events), events


async def test_webhook_contract(serve: Make, golden_request: Json) -> None:
    fake = FakeLLMClient(GOOD)
    async with serve(llm=fake) as http:
        response = await http.post("/webhook", json=golden_request)
    assert response.status_code == 200
    answer = response.json()
    assert set(answer) == {"events", "responses"}
    assert _outcome(answer) == "ok"
    (message,) = answer["responses"]
    assert message["text"] == GOOD_TEXT
    assert message["source"] == "llm"
    assert message["flow"] == "chat"
    assert message["stream_id"] == MESSAGE_ID
    assert message["model"] == "fake"
    assert 0 < message["first_sentence_ms"] < message["total_ms"]
    assert [m["content"] for m in fake.prompts[0] if m["role"] == "user"] == [
        "hello",
        "nobody at work talks to me since the merger",
    ]


async def test_with_a_domain_as_rasa_sends_it_by_default(serve: Make, golden_request: Json) -> None:
    golden_request["domain"] = {"slots": {}, "responses": {}}
    async with serve(llm=FakeLLMClient(GOOD)) as http:
        assert (await http.post("/webhook", json=golden_request)).status_code == 200
        del golden_request["domain"]
        assert (await http.post("/webhook", json=golden_request)).status_code == 200


async def test_early_subscriber_hears_sentences_before_the_end(
    serve: Make, golden_request: Json
) -> None:
    async with serve(llm=FakeLLMClient(GOOD)) as http:
        reading = asyncio.create_task(_stream(http))
        await asyncio.sleep(0.05)
        message = (await http.post("/webhook", json=golden_request)).json()["responses"][0]
        done = time.monotonic()
        text, events = await reading
    assert text == message["text"]
    assert [event["kind"] for event in events] == ["chunk", "chunk", "chunk", "end"]
    assert events[-1]["source"] == "llm"
    assert events[0]["at"] < done - 0.1


async def test_late_subscriber_and_second_one_hear_everything(
    serve: Make, golden_request: Json
) -> None:
    async with serve(llm=FakeLLMClient(GOOD)) as http:
        posted = asyncio.create_task(http.post("/webhook", json=golden_request))
        await asyncio.sleep(0.2)
        during = await _stream(http)
        message = (await posted).json()["responses"][0]
        after = await _stream(http)
    assert during[0] == after[0] == message["text"]
    assert after[1][-1]["source"] == "llm"


async def test_cancel_while_writing(serve: Make, golden_request: Json) -> None:
    fake = FakeLLMClient(["That sounds lonely. You", 30.0])
    async with serve(llm=fake) as http:
        posted = asyncio.create_task(http.post("/webhook", json=golden_request))
        reading = asyncio.create_task(_stream(http))
        await asyncio.sleep(0.3)
        started = time.monotonic()
        answer = await http.post(f"/turns/{MESSAGE_ID}/cancel")
        response = (await posted).json()
        assert time.monotonic() - started < 0.2
        assert answer.json() == {"cancelled": True}
        assert _outcome(response) == "cancelled"
        assert response["responses"][0]["text"] == "That sounds lonely."
        assert response["responses"][0]["cancelled"] is True
        assert (await reading)[0] == "That sounds lonely."
        assert (await http.post(f"/turns/{MESSAGE_ID}/cancel")).json() == {"cancelled": False}
    assert fake.closed_early == 1


async def test_cancel_before_a_word_utters_nothing(serve: Make, golden_request: Json) -> None:
    async with serve(llm=FakeLLMClient([30.0])) as http:
        assert (await http.post(f"/turns/{MESSAGE_ID}/cancel")).json() == {"cancelled": False}
        response = (await http.post("/webhook", json=golden_request)).json()
    assert _outcome(response) == "cancelled"
    assert response["responses"] == []


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ([LLMUnreachable()], "unreachable"),
        ([LLMOverloaded()], "overloaded"),
        ([30.0], "slow"),
        (["zxcv qwer asdf hjkl poiu."], "refused:nonsense"),
    ],
)
async def test_without_a_usable_model_the_conversation_goes_on(
    serve: Make, golden_request: Json, script: list[Any], reason: str
) -> None:
    async with serve(llm=FakeLLMClient(script), actions_first_sentence_s=0.3) as http:
        started = time.monotonic()
        response = (await http.post("/webhook", json=golden_request)).json()
        assert time.monotonic() - started < 1.5
        assert (await _stream(http))[1] == [
            {"kind": "end", "at": pytest.approx(time.monotonic(), abs=5), "source": "reply_bank"}
        ]
    assert _outcome(response) == "fallback"
    (message,) = response["responses"]
    assert message["source"] == "reply_bank"
    assert message["text"]
    assert message["fallback_reason"] == reason


async def test_default_deadline_is_four_seconds(serve: Make, golden_request: Json) -> None:
    async with serve(llm=FakeLLMClient([30.0])) as http:
        started = time.monotonic()
        response = (await http.post("/webhook", json=golden_request)).json()
        assert 3.8 < time.monotonic() - started < 4.8
    assert response["responses"][0]["fallback_reason"] == "slow"


@pytest.mark.parametrize(
    ("slots", "risk", "is_held"),
    [
        ({"risk_level": "none"}, None, False),
        ({"risk_level": "low"}, None, False),
        ({"risk_level": None}, None, False),
        ({"risk_level": "moderate"}, None, True),
        ({"risk_level": "high", "crisis_stage": "asked"}, None, True),
        ({"risk_level": "imminent", "crisis_stage": None}, None, True),
        ({"risk_level": "moderate", "crisis_stage": "watch"}, None, False),
        ({"risk_level": "something odd"}, None, True),
        ({"risk_level": "none"}, {"level": "high"}, True),
        ({"risk_level": "moderate", "crisis_stage": "watch"}, {"level": "high"}, True),
    ],
)
async def test_the_model_is_silent_while_risk_is_held(
    serve: Make, golden_request: Json, slots: Json, risk: Json | None, is_held: bool
) -> None:
    golden_request["tracker"]["slots"] = slots
    golden_request["tracker"]["latest_message"]["risk"] = risk or {"level": "none"}
    fake = FakeLLMClient(GOOD)
    async with serve(llm=fake) as http:
        message = (await http.post("/webhook", json=golden_request)).json()["responses"][0]
    assert (fake.prompts == []) is is_held
    assert message["source"] == ("reply_bank" if is_held else "llm")
    assert message.get("reply_id", "").startswith("risk_hold.") is is_held


@pytest.mark.parametrize("encoding", ["deflate", "gzip"])
async def test_compressed_requests(serve: Make, golden_request: Json, encoding: str) -> None:
    body = json.dumps(golden_request).encode()
    packed = zlib.compress(body) if encoding == "deflate" else gzip.compress(body)
    headers = {"Content-Encoding": encoding, "Content-Type": "application/json"}
    async with serve(llm=FakeLLMClient(GOOD)) as http:
        response = await http.post("/webhook", content=packed, headers=headers)
        assert response.json()["responses"][0]["text"] == GOOD_TEXT
        broken = await http.post("/webhook", content=b"not packed", headers=headers)
        assert broken.status_code in {400, 500}
        assert "not packed" not in broken.text


async def test_token(serve: Make, golden_request: Json) -> None:
    async with serve(llm=FakeLLMClient(GOOD), actions_token="s3cret") as http:
        assert (await http.get("/health")).status_code == 200
        for method, path in [
            ("POST", "/webhook"),
            ("GET", f"/turns/{MESSAGE_ID}/stream"),
            ("POST", f"/turns/{MESSAGE_ID}/cancel"),
            ("GET", "/actions"),
        ]:
            for more in (
                {},
                {"params": {"token": "wrong"}},
                {"headers": {"X-Actions-Token": "wrong"}},
            ):
                response = await http.request(method, path, json=golden_request, **more)  # type: ignore[arg-type]
                assert response.status_code == 401, (path, more)
        by_query = await http.post("/webhook", params={"token": "s3cret"}, json=golden_request)
        assert by_query.status_code == 200
        by_header = await http.post(
            f"/turns/{MESSAGE_ID}/cancel", headers={"X-Actions-Token": "s3cret"}
        )
        assert by_header.json() == {"cancelled": False}


async def test_outer_guard_gives_words_and_no_tracker(
    serve: Make, golden_request: Json, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    class Exploding:
        async def reply(self, turn: Any, stream: Any) -> Any:
            raise RuntimeError(f"failed on {turn.text}")

    monkeypatch.setattr(bootstrap, "SingleResponder", lambda **_: Exploding())
    async with serve(llm=FakeLLMClient([])) as http:
        reading = asyncio.create_task(_stream(http))
        response = await http.post("/webhook", json=golden_request)
        await asyncio.wait_for(reading, 2)
    assert response.status_code == 200
    (message,) = response.json()["responses"]
    assert message["source"] == "reply_bank"
    assert message["reply_id"].startswith("error.")
    assert message["fallback_reason"] == "error"
    assert _outcome(response.json()) == "fallback"
    assert "merger" not in response.text
    assert "RuntimeError" not in response.text
    logged = [record for record in caplog.records if record.message == "action_failed"]
    assert [record.facts["error_type"] for record in logged] == ["RuntimeError"]  # type: ignore[attr-defined]
    assert "merger" not in caplog.text


async def test_guard_bounds_a_hanging_action(serve: Make, golden_request: Json,
                                             monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    class Hanging:
        async def reply(self, turn: Any, stream: Any) -> Any:
            await asyncio.sleep(60)

    monkeypatch.setattr(bootstrap, "SingleResponder", lambda **_: Hanging())
    monkeypatch.setattr(bootstrap, "_GUARD_SLACK_S", 0.1)
    limits = {"actions_first_sentence_s": 0.2, "actions_total_s": 0.2}
    async with serve(llm=FakeLLMClient([]), **limits) as http:
        response = await http.post("/webhook", json=golden_request)
    assert response.json()["responses"][0]["reply_id"].startswith("error.")


@pytest.mark.parametrize(
    "body",
    [
        {"next_action": "action_llm_fallback", "tracker": {"secret": "Mx. Marple"}},
        {"next_action": "action_llm_fallback", "secret": "Mx. Marple"},
        {"next_action": "action_unknown", "tracker": {"secret": "Mx. Marple"}},
        ["Mx. Marple"],
    ],
)
async def test_errors_never_echo_the_request(serve: Make, body: Any) -> None:
    async with serve(llm=FakeLLMClient(GOOD)) as http:
        response = await http.post("/webhook", json=body)
        assert response.status_code >= 400
        assert "Marple" not in response.text
        assert set(response.json()) <= {"error", "action_name"}
        missing = await http.get("/Marple")
        assert missing.status_code == 404
        assert "Marple" not in missing.text
        assert (await http.get("/health")).json() == {"status": "ok"}


@pytest.mark.parametrize(
    "tracker",
    [
        {"sender_id": "s"},
        {"sender_id": "s", "latest_message": {"text": None, "message_id": None}, "slots": {}},
        {"sender_id": "s", "latest_message": {"text": 7, "message_id": 7, "risk": "x"}},
        {"sender_id": None, "latest_message": {"text": "x" * 100_000, "message_id": "y" * 500}},
        {"sender_id": "s", "latest_message": None, "events": [{"event": "user"}]},
    ],
)
async def test_odd_trackers_still_get_words(serve: Make, tracker: Json) -> None:
    async with serve(llm=FakeLLMClient(GOOD)) as http:
        body = {"next_action": "action_llm_fallback", "tracker": tracker}
        response = await http.post("/webhook", json=body)
    assert response.status_code == 200
    assert response.json()["responses"][0]["text"]


async def test_two_turns_at_once_never_mix(serve: Make, golden_request: Json) -> None:
    class Echo(FakeLLMClient):
        async def stream(self, messages: Any, *, person: str = "") -> Any:
            word = messages[-1]["content"].split()[-1]
            self.script = [f"You said {word} just now. ", 0.05, f"What is {word} like for you?"]
            async for chunk in FakeLLMClient(self.script).stream(messages):
                yield chunk

    async with serve(llm=Echo([])) as http:

        async def turn(word: str) -> tuple[str, str]:
            request = json.loads(json.dumps(golden_request))
            latest = request["tracker"]["latest_message"]
            latest["text"], latest["message_id"] = f"today it is {word}", f"id-{word}"
            request["tracker"]["events"] = []
            stream, response = await asyncio.gather(
                _stream(http, f"id-{word}"), http.post("/webhook", json=request)
            )
            return stream[0], response.json()["responses"][0]["text"]

        words = ["rain", "snow", "wind", "fog", "sun", "hail"]
        for word, (streamed, final) in zip(words, await asyncio.gather(*map(turn, words)),
                                           strict=True):  # fmt: skip
            assert streamed == final
            assert word in final
            assert not any(w in final for w in words if w != word)
