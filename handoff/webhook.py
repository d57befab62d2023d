"""One signed POST. Redirects are not followed, proxies are not used, the answer is not read."""

from __future__ import annotations

import http.client
import logging
import socket
import ssl
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from handoff.signature import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign

log = logging.getLogger(__name__)

EVENT_ID_HEADER = "X-Stillpoint-Event-Id"
MOST_RETRY_AFTER_S = 3600.0


@dataclass(frozen=True, slots=True)
class Result:
    """What became of an attempt: `what` is a word such as `http_204`, `timeout`, `refused`."""

    is_delivered: bool
    what: str
    retry_after_s: float | None = None


class Webhook:
    """The receiver.

    Args:
        url: Its address, already judged by the settings.
        secret: The signing key.
        timeout_s: Longest wait for a connection, and again for an answer.
    """

    def __init__(self, url: str, secret: bytes, timeout_s: float) -> None:
        parts = urlsplit(url)
        self._is_tls = parts.scheme == "https"
        self._host = parts.hostname or ""
        self._port = parts.port
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._secret = secret
        self._timeout_s = timeout_s

    @property
    def host(self) -> str:
        """The receiver's name, for a person to read; the path may be a secret."""
        return self._host

    def send(self, event_id: str, body: bytes) -> Result:
        """Post a body; whatever goes wrong is a result, not an exception."""
        timestamp = int(time.time())
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "stillpoint-handoff/1",
            EVENT_ID_HEADER: event_id,
            "Idempotency-Key": event_id,
            TIMESTAMP_HEADER: str(timestamp),
            SIGNATURE_HEADER: sign(self._secret, timestamp, body),
        }
        connection = self._connection()
        try:
            connection.request("POST", self._path, body=body, headers=headers)
            answer = connection.getresponse()
            is_delivered = 200 <= answer.status < 300
            asked = None if is_delivered else _seconds(answer.getheader("Retry-After"))
            return Result(is_delivered, f"http_{answer.status}", asked)
        except (OSError, http.client.HTTPException, ValueError) as error:
            return Result(False, _word_for(error))
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        if self._is_tls:
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(
                self._host, self._port, timeout=self._timeout_s, context=context
            )
        return http.client.HTTPConnection(self._host, self._port, timeout=self._timeout_s)


def _seconds(value: str | None) -> float | None:
    if value is None or not value.strip().isdigit():
        return None
    return min(MOST_RETRY_AFTER_S, float(value.strip()))


def _word_for(error: Exception) -> str:
    kinds: tuple[tuple[type[Exception], str], ...] = (
        (TimeoutError, "timeout"),
        (ssl.SSLError, "tls_error"),
        (socket.gaierror, "name_not_found"),
        (ConnectionRefusedError, "refused"),
        (ConnectionError, "connection_lost"),
        (http.client.HTTPException, "bad_answer"),
    )
    return next((word for kind, word in kinds if isinstance(error, kind)), "unreachable")
