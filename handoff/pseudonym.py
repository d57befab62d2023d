"""Keyed pseudonyms: ``p-`` and twelve hex digits of HMAC-SHA256(key, sender id).

The same key and the same form as in the analytics service, so that a notice can be looked up in
the console. Without the key a pseudonym cannot be traced back or recomputed.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import stat
import tempfile
from functools import lru_cache
from pathlib import Path

from handoff.errors import ConfigurationError
from handoff.settings import Settings

KEY_FILE = "pseudonym.key"
HEX_DIGITS = 12
MIN_KEY_CHARS = 16


class Pseudonyms:
    """Gives people their pseudonyms.

    Args:
        key: The secret, as bytes.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._of = lru_cache(maxsize=50_000)(self._digest)

    def of(self, sender_id: str) -> str:
        """The pseudonym of a sender: the same for the same key and sender, always."""
        return self._of(sender_id)

    @property
    def fingerprint(self) -> str:
        """16 hex digits that tell keys apart without giving them away."""
        digest = hmac.new(self._key, b"stillpoint pseudonym key", hashlib.sha256)
        return digest.hexdigest()[:16]

    def _digest(self, sender_id: str) -> str:
        message = b"sender:" + sender_id.encode("utf-8", "surrogatepass")
        return "p-" + hmac.new(self._key, message, hashlib.sha256).hexdigest()[:HEX_DIGITS]


def load_pseudonyms(settings: Settings) -> Pseudonyms:
    """Take the key from ``STILLPOINT_PSEUDONYM_KEY`` or the key file, made on first use.

    Raises:
        ConfigurationError: the key file is unreadable, too short, or open to other users.
    """
    if settings.stillpoint_pseudonym_key is not None:
        return Pseudonyms(settings.stillpoint_pseudonym_key.get_secret_value().encode())
    path = settings.stillpoint_var / KEY_FILE
    try:
        if not path.exists():
            _create(path)
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise ConfigurationError(
                f"STILLPOINT_PSEUDONYM_KEY: other users can read {path}; run: chmod 600 {path}"
            )
        text = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"STILLPOINT_PSEUDONYM_KEY: cannot use {path} ({type(error).__name__})"
        ) from None
    if len(text) < MIN_KEY_CHARS:
        raise ConfigurationError(
            f"STILLPOINT_PSEUDONYM_KEY: {path} holds fewer than {MIN_KEY_CHARS} characters"
        )
    return Pseudonyms(text.encode())


def _create(path: Path) -> None:
    """Write a new key so that the file is whole as soon as it exists, and the first one wins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, draft = tempfile.mkstemp(prefix=f".{KEY_FILE}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32) + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        os.unlink(draft)
