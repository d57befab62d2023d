"""Reading the JSON body of a request without ever holding more of it than allowed."""

from __future__ import annotations

import json
import re
from typing import Any

from sanic.request import Request

from channels.errors import BadRequest, TooLarge, Unprocessable, UnsupportedMediaType

_COUNTRY = re.compile(r"[A-Za-z]{2}")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")


async def json_object(request: Request, max_bytes: int, optional: bool = False) -> dict[str, Any]:
    """Read the body of a streaming handler's request as a JSON object.

    Args:
        request: A request whose route was registered with ``stream=True``.
        max_bytes: Longest body accepted.
        optional: An empty body stands for ``{}``.

    Raises:
        TooLarge: The body is longer than ``max_bytes``.
        UnsupportedMediaType: There is a body and it is not ``application/json``.
        BadRequest: The body is not a JSON object in UTF-8.
    """
    body = await _read(request, max_bytes)
    if not body and optional:
        return {}
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise UnsupportedMediaType("Send the body as application/json.", "Content-Type")
    try:
        value = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        raise BadRequest("The body is not valid JSON in UTF-8.") from None
    if not isinstance(value, dict):
        raise BadRequest("The body must be a JSON object.")
    return value


async def _read(request: Request, max_bytes: int) -> bytes:
    too_large = TooLarge(f"The body may have at most {max_bytes} bytes.")
    announced = request.headers.get("content-length", "0")
    if announced.isdigit() and int(announced) > max_bytes:
        raise too_large
    body = bytearray()
    stream = request.stream
    while stream is not None:
        chunk = await stream.read()
        if not chunk:
            break
        body += chunk
        if len(body) > max_bytes:
            raise too_large
    return bytes(body)


def optional_string(body: dict[str, Any], field: str, max_chars: int) -> str | None:
    """Return a string field, or ``None`` where it is missing or null.

    Raises:
        Unprocessable: Not a string, empty, or too long.
    """
    value = body.get(field)
    if value is None:
        return None
    if not isinstance(value, str) or not 0 < len(value) <= max_chars:
        raise Unprocessable(f"'{field}' must be a string of 1 to {max_chars} characters.", field)
    return value


def country_of(body: dict[str, Any]) -> str | None:
    """Return ``country`` as an upper-case ISO 3166 alpha-2 code, or ``None``.

    Raises:
        Unprocessable: It is not two letters.
    """
    value = body.get("country")
    if value is None:
        return None
    if not isinstance(value, str) or not _COUNTRY.fullmatch(value):
        raise Unprocessable("'country' must be a two-letter ISO 3166 code.", "country")
    return value.upper()


def language_of(body: dict[str, Any]) -> str | None:
    """Return ``language`` as a BCP 47 tag, or ``None``.

    Raises:
        Unprocessable: It does not look like a language tag.
    """
    value = body.get("language")
    if value is None:
        return None
    if not isinstance(value, str) or not _LANGUAGE.fullmatch(value):
        raise Unprocessable("'language' must be a language tag such as 'en-IN'.", "language")
    return value


def client_ip(request: Request, proxy_hops: int) -> str:
    """Return the address a rate limit counts.

    Args:
        request: The request.
        proxy_hops: Trusted proxies in front; 0 takes the socket's peer, n the n-th address from
            the right of ``X-Forwarded-For``.
    """
    if proxy_hops:
        forwarded = request.headers.get("x-forwarded-for", "").split(",")
        addresses = [address.strip() for address in forwarded if address.strip()]
        if len(addresses) >= proxy_hops:
            return addresses[-proxy_hops]
    return request.ip or "unknown"
