"""A socket.io server that speaks only with pages from allowed origins."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import engineio
import socketio

from channels.errors import ChannelConfigError

LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})


def checked_origins(origins: Any) -> frozenset[str]:
    """Return configured origins as a set.

    Raises:
        ChannelConfigError: An entry is not of the form ``https://host[:port]``.
    """
    for origin in origins:
        parts = urlsplit(origin)
        if parts.scheme not in ("http", "https") or f"{parts.scheme}://{parts.netloc}" != origin:
            raise ChannelConfigError(
                "credentials.yml: channel 'socketio', key 'allowed_origins': every entry must "
                "look like https://example.org, without a path."
            )
    return frozenset(origins)


def is_allowed(origin: str, hosts: list[str], configured: frozenset[str]) -> bool:
    """Tell whether a page from ``origin`` may connect.

    Allowed are the configured origins, the host that serves us, and pages on the same machine.

    Args:
        origin: Value of the ``Origin`` header.
        hosts: Names under which the client reaches us, as in the ``Host`` header.
        configured: Origins from credentials.yml.
    """
    if origin in configured:
        return True
    try:
        parts = urlsplit(origin)
        hostname = parts.hostname
    except ValueError:
        return False
    if parts.scheme not in ("http", "https"):
        return False
    return parts.netloc in hosts or hostname in LOOPBACK_HOSTS


class OriginCheckingEngine(engineio.AsyncServer):
    """Engine.io server whose allowed origins depend on the request's own host.

    Attributes:
        configured_origins: Origins from credentials.yml.
        trusts_proxy: Whether ``X-Forwarded-Host`` names our host.
    """

    configured_origins: frozenset[str] = frozenset()
    trusts_proxy = False

    def _cors_allowed_origins(self, environ: dict[str, Any]) -> list[str]:
        origin: str | None = environ.get("HTTP_ORIGIN")
        hosts = [environ.get("HTTP_HOST", "")]
        if self.trusts_proxy:
            hosts.append(environ.get("HTTP_X_FORWARDED_HOST", "").split(",")[0].strip())
        hosts = [host for host in hosts if host]
        if origin and is_allowed(origin, hosts, self.configured_origins):
            return [origin]
        return []


class OriginCheckingServer(socketio.AsyncServer):
    """Socket.io server on an `OriginCheckingEngine`."""

    def _engineio_server_class(self) -> type[OriginCheckingEngine]:
        return OriginCheckingEngine
