"""What a client may send."""

import json

import pytest

from llm_server.chat_request import LLAMA_CPP_SAMPLING, parse_chat_request
from llm_server.errors import BadRequest

HELLO = [{"role": "user", "content": "hello"}]


def parse(**fields: object):  # type: ignore[no-untyped-def]
    return parse_chat_request(json.dumps({"messages": HELLO, **fields}).encode())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"hello"',
        b"\xff\xfe{}",
        b'{"messages": [{"role": "user", "content": "\xc3("}]}',
        b'{"messages": [{"role": "user", "content": "x"}], "temperature": NaN}',
        b'{"messages": [{"role": "user", "content": "x"}], "seed": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b'{"messages": [{"role": "user", "content": "half a pair \\ud800"}]}',
    ],
)
def test_a_malformed_body_is_a_bad_request(body: bytes) -> None:
    with pytest.raises(BadRequest):
        parse_chat_request(body)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("messages", []),
        ("messages", "hello"),
        ("messages", [{"role": "tool", "content": "x"}]),
        ("messages", [{"role": "user"}]),
        ("messages", [{"role": "user", "content": [{"type": "image_url"}]}]),
        ("temperature", 3),
        ("temperature", "0.7"),
        ("temperature", True),
        ("max_tokens", 0),
        ("max_tokens", 1.5),
        ("n", 2),
        ("top_p", 1.5),
        ("stop", ["x"] * 9),
        ("stop", ""),
        ("stream", "yes"),
        ("seed", 2**33),
        ("logit_bias", {"hello": 1}),
        ("logit_bias", {"1": 1000}),
        ("user", 7),
    ],
)
def test_a_bad_field_is_named(field: str, value: object) -> None:
    with pytest.raises(BadRequest) as refusal:
        parse(**{field: value})
    assert (refusal.value.param or "").startswith(field)
    assert refusal.value.message.startswith(field)


def test_unknown_fields_do_not_exist_for_an_engine() -> None:
    request = parse(
        id_slot=0, cache_prompt=False, grammar="x", json_schema={}, lora=[], tools=[{}],
        n_predict=-1, timings_per_token=True, temperature=0.5,
    )  # fmt: skip
    assert request.sampling(LLAMA_CPP_SAMPLING) == {"temperature": 0.5}
    assert not hasattr(request, "id_slot")


def test_openai_spellings_are_understood() -> None:
    request = parse(
        messages=[
            {"role": "developer", "content": "be kind"},
            {"role": "user", "content": [{"type": "text", "text": "a"}], "name": "x"},
        ],
        stop="END",
        max_completion_tokens=7,
        temperature=None,
        stream=None,
        n=1,
    )
    assert [message.role for message in request.messages] == ["system", "user"]
    assert request.messages[1].content == "a"
    assert request.stop == ["END"]
    assert request.limit(100) == 7
    assert request.limit(5) == 5
    assert request.stream is False
