"""The signature covers time and body; anything changed is refused."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoff.errors import SignatureRefused
from handoff.signature import (
    REPLAY_WINDOW_S,
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    sign,
    verify,
)

NOW = 1_790_000_000
SECRET = b"a webhook secret for tests only, long enough"
BODY = b'{"id": "p-1:2"}'


def test_a_value_worked_out_by_openssl() -> None:
    # printf '1790000000.{"id": "p-1:2"}' | openssl dgst -sha256 -hmac "$SECRET"
    expected = "v1=58a9a3df0c8cfd08ef0e862326bd9ba6e32a076e31295fbb6376e0b2deb0630c"
    assert sign(SECRET, NOW, BODY) == expected


@given(secret=st.binary(min_size=32, max_size=64), body=st.binary(max_size=500))
def test_what_was_signed_is_accepted(secret: bytes, body: bytes) -> None:
    verify(secret, str(NOW), sign(secret, NOW, body), body, now=NOW)


@given(body=st.binary(min_size=1, max_size=200), data=st.data())
def test_a_changed_body_is_refused(body: bytes, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(body) - 1))
    change = data.draw(st.integers(1, 255))
    changed = body[:place] + bytes([body[place] ^ change]) + body[place + 1 :]
    with pytest.raises(SignatureRefused, match="does not fit"):
        verify(SECRET, str(NOW), sign(SECRET, NOW, body), changed, now=NOW)


@given(other=st.binary(min_size=32, max_size=64).filter(lambda other: other != SECRET))
def test_another_secret_is_refused(other: bytes) -> None:
    with pytest.raises(SignatureRefused, match="does not fit"):
        verify(other, str(NOW), sign(SECRET, NOW, BODY), BODY, now=NOW)


@given(shift=st.integers(-REPLAY_WINDOW_S, REPLAY_WINDOW_S).filter(bool))
def test_an_old_request_with_a_new_time_is_refused(shift: int) -> None:
    with pytest.raises(SignatureRefused, match="does not fit"):
        verify(SECRET, str(NOW + shift), sign(SECRET, NOW, BODY), BODY, now=NOW)


@pytest.mark.parametrize("shift", [-REPLAY_WINDOW_S - 1, REPLAY_WINDOW_S + 1, -86_400])
def test_outside_the_replay_window_is_refused(shift: int) -> None:
    sent = NOW + shift
    with pytest.raises(SignatureRefused, match="replay window"):
        verify(SECRET, str(sent), sign(SECRET, sent, BODY), BODY, now=NOW)


@pytest.mark.parametrize("shift", [-REPLAY_WINDOW_S, 0, REPLAY_WINDOW_S])
def test_inside_the_replay_window_is_accepted(shift: int) -> None:
    sent = NOW + shift
    verify(SECRET, str(sent), sign(SECRET, sent, BODY), BODY, now=NOW)


@given(timestamp=st.none() | st.text(max_size=20), signature=st.none() | st.text(max_size=80))
def test_junk_is_refused_and_never_crashes(timestamp: str | None, signature: str | None) -> None:
    with pytest.raises(SignatureRefused):
        verify(SECRET, timestamp, signature, BODY, now=NOW)


def test_the_documented_receiver_accepts_and_refuses() -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "safety" / "handoff.md"
    [example] = re.findall(r"```python\n(.+?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    exec(example, names)
    now = int(time.time())

    def is_genuine(sent: int, body: bytes, signature: str | None = None) -> bool:
        headers = {
            TIMESTAMP_HEADER: str(sent),
            SIGNATURE_HEADER: signature or sign(SECRET, sent, BODY),
        }
        return bool(names["is_genuine"](SECRET, headers, body))

    assert names["REPLAY_WINDOW_S"] == REPLAY_WINDOW_S
    assert is_genuine(now, BODY)
    assert not is_genuine(now, BODY + b" ")
    assert not is_genuine(now, BODY, "v1=ü")
    assert not is_genuine(now - REPLAY_WINDOW_S - 5, BODY)
    assert not names["is_genuine"](SECRET, {}, BODY)
