"""The signature of a request: HMAC-SHA256 over its time and its body.

    X-Stillpoint-Timestamp: 1790000000
    X-Stillpoint-Signature: v1=<hex of HMAC-SHA256(secret, b"1790000000." + body)>

The time is part of what is signed, so a request cannot be sent again later with a new time. A
receiver refuses times further than `REPLAY_WINDOW_S` from its own clock, and an event id that it
has already handled.
"""

from __future__ import annotations

import hashlib
import hmac
import time

from handoff.errors import SignatureRefused

TIMESTAMP_HEADER = "X-Stillpoint-Timestamp"
SIGNATURE_HEADER = "X-Stillpoint-Signature"
VERSION = "v1"
REPLAY_WINDOW_S = 300


def sign(secret: bytes, timestamp: int, body: bytes) -> str:
    """The signature header's value for a body sent at ``timestamp`` (Unix seconds)."""
    digest = hmac.new(secret, b"%d." % timestamp + body, hashlib.sha256).hexdigest()
    return f"{VERSION}={digest}"


def verify(
    secret: bytes,
    timestamp: str | None,
    signature: str | None,
    body: bytes,
    now: float | None = None,
) -> None:
    """Check a received request; what a receiver in Python would do.

    Args:
        secret: `HANDOFF_WEBHOOK_SECRET`, as bytes.
        timestamp: the header `X-Stillpoint-Timestamp`, or None.
        signature: the header `X-Stillpoint-Signature`, or None.
        body: the body, byte for byte as it came.
        now: Unix seconds; the clock by default.

    Raises:
        SignatureRefused: a header is missing, the time is outside the window, or the body was not
            signed with this secret at this time.
    """
    if not timestamp or not signature:
        raise SignatureRefused("a signature header is missing")
    if not (timestamp.isascii() and timestamp.isdigit()) or len(timestamp) > 12:
        raise SignatureRefused("the timestamp is no number of seconds")
    age_s = (time.time() if now is None else now) - int(timestamp)
    if abs(age_s) > REPLAY_WINDOW_S:
        raise SignatureRefused("the request's time is outside the replay window")
    expected = sign(secret, int(timestamp), body)
    if not hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace")):
        raise SignatureRefused("the signature does not fit")
