"""What may enter as free text, and what may enter as a button's payload."""

from __future__ import annotations

import re
from typing import Any

from channels.errors import TooLarge, Unprocessable
from channels.settings import PAYLOAD_PATTERN

_COMMAND_PREFIX = re.compile(r"^[\s/]+")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def clean_text(text: str) -> str:
    """Return ``text`` without control characters and lone surrogates, stripped."""
    paired = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return _CONTROL.sub("", paired).strip()


def free_text(value: Any, max_chars: int, field: str = "message") -> str:
    """Return what a person typed, made safe to hand to Rasa.

    Rasa reads a leading slash as a command (``/restart``, ``/intent{"entity": 1}``) that skips
    the whole pipeline, the risk gate included; leading slashes are therefore removed.

    Raises:
        Unprocessable: Not a string, or nothing is left of it.
        TooLarge: Longer than ``max_chars``.
    """
    if not isinstance(value, str):
        raise Unprocessable(f"'{field}' must be a string.", field)
    if len(value) > max_chars:
        raise TooLarge(f"'{field}' may have at most {max_chars} characters.", field)
    text = _COMMAND_PREFIX.sub("", clean_text(value)).strip()
    if not text:
        raise Unprocessable(f"'{field}' is empty.", field)
    return text


def well_formed_payload(value: Any, max_chars: int) -> str:
    """Return a button payload such as ``/affirm`` or ``/choose{"option": "a"}``.

    Raises:
        Unprocessable: It does not look like a payload at all.
    """
    if not isinstance(value, str) or len(value) > max_chars or not PAYLOAD_PATTERN.fullmatch(value):
        raise Unprocessable("'payload' is not the payload of a button.", "payload")
    return value
