"""What an operator may set for the channels: credentials.yml keys and environment variables.

Every numeric field carries its bounds; an unknown key or a value outside them raises
`ChannelConfigError` naming the key.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from channels.errors import ChannelConfigError

Settings = TypeVar("Settings", bound="ChannelSettings")

REPOSITORY_ROOT = Path(__file__).resolve().parents[2]
PAYLOAD_PATTERN = re.compile(r"/[a-z_]+(\{.*\})?")


def bounded(default: Any, low: float, high: float) -> Any:
    """Declare a numeric dataclass field with a default and inclusive bounds."""
    return field(default=default, metadata={"low": low, "high": high})


@dataclass(frozen=True)
class ChannelSettings:
    """Settings that every channel has."""

    max_body_bytes: int = bounded(32_768, 256, 1_048_576)
    max_message_chars: int = bounded(4_000, 1, 100_000)
    messages_per_minute: int = bounded(120, 1, 100_000)
    message_burst: int = bounded(60, 1, 100_000)
    max_pending_turns: int = bounded(5, 1, 100)
    turn_timeout_s: float = bounded(120.0, 1, 170)
    slow_s: float = bounded(3.0, 0, 30)
    max_sessions: int = bounded(10_000, 1, 1_000_000)
    payloads: tuple[str, ...] = ()
    proxy_hops: int = bounded(0, 0, 10)

    @classmethod
    def from_credentials(
        cls: type[Settings], channel: str, credentials: dict[str, Any] | None
    ) -> Settings:
        """Build the settings of ``channel`` from its block in credentials.yml.

        Raises:
            ChannelConfigError: An unknown key, a wrong type or a value out of bounds.
        """
        known = {item.name: item for item in fields(cls)}
        values: dict[str, Any] = {}
        for key, value in (credentials or {}).items():
            if key not in known:
                raise ChannelConfigError(
                    f"credentials.yml: channel '{channel}' has an unknown key '{key}'. "
                    f"Known keys: {', '.join(sorted(known))}."
                )
            try:
                values[key] = _checked(value, known[key].default, known[key].metadata)
            except ValueError as error:
                raise ChannelConfigError(
                    f"credentials.yml: channel '{channel}', key '{key}': {error}"
                ) from None
        settings = cls(**values)
        for payload in settings.payloads:
            if not PAYLOAD_PATTERN.fullmatch(payload):
                raise ChannelConfigError(
                    f"credentials.yml: channel '{channel}', key 'payloads': every entry must "
                    f"look like /intent or /intent{{...}}."
                )
        return settings


@dataclass(frozen=True)
class WebSettings(ChannelSettings):
    """Settings of the web channel."""

    sessions_per_minute: int = bounded(120, 1, 100_000)
    session_burst: int = bounded(120, 1, 100_000)
    token_lifetime_s: int = bounded(86_400, 60, 2_592_000)
    heartbeat_s: float = bounded(8.0, 0.05, 10)
    events_idle_s: float = bounded(300.0, 1, 86_400)
    max_streams: int = bounded(8, 1, 100)
    buffer_events: int = bounded(500, 10, 100_000)
    buffer_age_s: float = bounded(900.0, 1, 86_400)
    max_comment_chars: int = bounded(1_000, 0, 10_000)
    frame_ancestors: tuple[str, ...] = ("'self'",)
    page_dir: str | None = None


@dataclass(frozen=True)
class SocketIOSettings(ChannelSettings):
    """Settings of the socket.io channel."""

    connections_per_minute: int = bounded(240, 1, 100_000)
    connection_burst: int = bounded(240, 1, 100_000)
    token_lifetime_s: int = bounded(86_400, 60, 2_592_000)
    allowed_origins: tuple[str, ...] = ()
    socketio_path: str | None = "/socket.io"
    max_waiting_messages: int = bounded(20, 0, 1_000)


@dataclass(frozen=True)
class PartnerSettings(ChannelSettings):
    """Settings of the partner channel. Rates are per partner, not per user."""

    messages_per_minute: int = bounded(600, 1, 1_000_000)
    message_burst: int = bounded(200, 1, 1_000_000)
    heartbeat_s: float = bounded(8.0, 0.05, 10)
    idempotency_ttl_s: float = bounded(3_600.0, 1, 604_800)
    keys_file: str | None = None


@dataclass(frozen=True)
class Environment:
    """What the channels read from environment variables.

    Attributes:
        var_dir: ``STILLPOINT_VAR``; the folder for secret and feedback.db.
        secret: ``STILLPOINT_SECRET``; ``None`` means the file ``<var_dir>/secret``.
        actions_url: ``ACTIONS_URL``; the action server, without a trailing slash.
        actions_token: ``ACTIONS_TOKEN``; shared secret with the action server, if any.
        partner_keys: ``PARTNER_KEYS``; comma list ``name:key``.
    """

    var_dir: Path
    secret: str | None = field(default=None, repr=False)
    actions_url: str = "http://127.0.0.1:5055"
    actions_token: str | None = field(default=None, repr=False)
    partner_keys: str = field(default="", repr=False)

    @classmethod
    def read(cls) -> Environment:
        """Read the process environment.

        Raises:
            ChannelConfigError: A variable holds a bad value; the message names it.
        """
        environ = os.environ
        actions_url = environ.get("ACTIONS_URL") or cls.actions_url
        parts = urlsplit(actions_url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ChannelConfigError("ACTIONS_URL must be an http:// or https:// address.")
        return cls(
            var_dir=Path(environ.get("STILLPOINT_VAR") or REPOSITORY_ROOT / "var"),
            secret=environ.get("STILLPOINT_SECRET") or None,
            actions_url=actions_url.rstrip("/"),
            actions_token=environ.get("ACTIONS_TOKEN") or None,
            partner_keys=environ.get("PARTNER_KEYS") or "",
        )


def _checked(value: Any, default: Any, bounds: Any) -> Any:
    """Return ``value`` in the type of ``default``; raise ValueError saying what it must be."""
    if isinstance(default, tuple):
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise ValueError("must be a list of strings.")
        return tuple(value)
    if isinstance(default, (int, float)):
        wanted = int if isinstance(default, int) else (int, float)
        if isinstance(value, bool) or not isinstance(value, wanted):
            raise ValueError("must be a number." if wanted is not int else "must be an integer.")
        if not bounds["low"] <= value <= bounds["high"]:
            raise ValueError(f"must lie between {bounds['low']} and {bounds['high']}.")
        return type(default)(value)
    if value is not None and not isinstance(value, str):
        raise ValueError("must be a string.")
    return value
