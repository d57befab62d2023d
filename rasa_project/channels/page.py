"""Serves the chat page and its files with headers that allow nothing from elsewhere."""

from __future__ import annotations

import hashlib
import html
import mimetypes
from collections.abc import Sequence
from pathlib import Path

from sanic import response
from sanic.request import Request
from sanic.response import HTTPResponse

from channels.errors import NotFound
from components import hosted_model
from components.handoff import is_configured

HANDOFF_PLACE = b"<!-- handoff -->"
HANDOFF_NOTE = (
    b" If someone here seems to be in danger, the people who run this page are sent a short note"
    b" without a name or any words from the chat; they may not see it."
)
"""Said on the page where an operator has set up a hand-off (docs/safety/handoff.md)."""
HOSTED_PLACE = b"<!-- hosted -->"
HOSTED_NOTE = (
    " When I don&rsquo;t have a fixed answer, what you write goes to a computer of {provider};"
    " names, numbers and addresses are replaced first, as far as they can be found. In a crisis I"
    " answer from here."
)
HOSTED_DETAILS_PLACE = b"<!-- hosted-details -->"
HOSTED_DETAILS = (
    " Where there is no fixed answer, your message and the conversation before it also go to a"
    " computer of {provider}, where they could be read and kept. Names, numbers, addresses and the"
    " like are replaced first, as far as they can be found; what you tell of your life goes as you"
    " write it."
)
"""Said on the page where a hosted model answers (docs/operations.md#hosted-models)."""
DEFAULT_PAGE_DIR = Path(__file__).resolve().parents[1] / "web"
WIDGET_POLICY = (
    "default-src 'self'",
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data:",
    "font-src 'self' data:",
    "connect-src 'self' ws: wss:",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
)


class Page:
    """The files of the chat page.

    Args:
        folder: Holds ``index.html`` and the folder ``static``.
        frame_ancestors: Sources that may embed the page, as in the CSP directive of that name.
    """

    def __init__(self, folder: Path, frame_ancestors: Sequence[str]) -> None:
        self._folder = folder.resolve()
        self._headers = security_headers(frame_ancestors)

    def index(self, request: Request) -> HTTPResponse:
        """Return the chat page, or redirect to the address with a trailing slash."""
        if not request.path.endswith("/"):
            return response.redirect(request.path + "/", status=308)
        body = read_file(self._folder / "index.html")
        for place, note in _disclosures().items():
            body = body.replace(place, note)
        return send(request, body, "text/html", self._headers)

    def static(self, request: Request, name: str) -> HTTPResponse:
        """Return a file below ``static``.

        Raises:
            NotFound: There is no such file there.
        """
        root = self._folder / "static"
        path = (root / name).resolve()
        if root not in path.parents:
            raise NotFound("There is no such file.")
        return self._file(request, path)

    def _file(self, request: Request, path: Path) -> HTTPResponse:
        return send_file(request, path, self._headers)


def _disclosures() -> dict[bytes, bytes]:
    """Place in the page -> what is said there of this installation; empty if it does not apply."""
    provider = html.escape(hosted_model.provider())
    notes = {HOSTED_PLACE: HOSTED_NOTE, HOSTED_DETAILS_PLACE: HOSTED_DETAILS}
    return {
        HANDOFF_PLACE: HANDOFF_NOTE if is_configured() else b"",
        **{
            place: note.format(provider=provider).encode() if provider else b""
            for place, note in notes.items()
        },
    }


def send_file(request: Request, path: Path, headers: dict[str, str]) -> HTTPResponse:
    """Return a file with an entity tag, so that an unchanged one is not sent again.

    Raises:
        NotFound: There is no such file.
    """
    media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return send(request, read_file(path), media_type, headers)


def read_file(path: Path) -> bytes:
    """The file's content.

    Raises:
        NotFound: There is no such file.
    """
    try:
        return path.read_bytes()
    except (OSError, ValueError):
        raise NotFound("There is no such file.") from None


def send(request: Request, body: bytes, media_type: str, headers: dict[str, str]) -> HTTPResponse:
    """Return ``body`` with an entity tag, or 304 if the client has it."""
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {**headers, "ETag": etag, "Cache-Control": "no-cache"}
    if request.headers.get("if-none-match") == etag:
        return response.empty(status=304, headers=headers)
    if media_type.startswith("text/") or media_type.endswith(("javascript", "json")):
        media_type += "; charset=utf-8"
    return response.raw(body, content_type=media_type, headers=headers)


def widget_demo(request: Request) -> HTTPResponse:
    """Return the demo page of the rasa-webchat widget.

    The widget writes styles into the page and asks for web fonts; only the former is allowed.
    """
    headers = {**security_headers(()), "Content-Security-Policy": "; ".join(WIDGET_POLICY)}
    return send_file(request, DEFAULT_PAGE_DIR / "webchat-demo.html", headers)


def security_headers(frame_ancestors: Sequence[str]) -> dict[str, str]:
    """Return the headers of every file of the page."""
    policy = (
        "default-src 'self'",
        "img-src 'self' data:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors " + (" ".join(frame_ancestors) or "'none'"),
    )
    return {
        "Content-Security-Policy": "; ".join(policy),
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    }
