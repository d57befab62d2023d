"""Session tokens: signed by the server, so that nobody can choose or guess a sender id."""

from __future__ import annotations

import os
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt

from channels.errors import ChannelConfigError, Unauthorized
from channels.settings import Environment

ALGORITHM = "HS256"
MIN_SECRET_CHARS = 32


@dataclass(frozen=True)
class SessionClaims:
    """What a valid token says: whose session it is and what the page told us about it."""

    sender_id: str
    country: str | None = None
    language: str | None = None


class SessionTokens:
    """Issues and verifies the tokens of one channel.

    Args:
        secret: Signing key, at least 32 characters.
        audience: Name of the channel; a token of one channel is refused by the others.
        lifetime_s: Seconds until a token expires.
    """

    def __init__(self, secret: str, audience: str, lifetime_s: int) -> None:
        self._secret = secret
        self._audience = audience
        self.lifetime_s = lifetime_s

    def new_sender_id(self) -> str:
        """Return a fresh sender id with 128 random bits, such as ``web-3f…``."""
        return f"{self._audience}-{secrets.token_hex(16)}"

    def issue(self, claims: SessionClaims) -> str:
        """Return a signed token for ``claims``."""
        now = int(time.time())
        body: dict[str, Any] = {
            "sub": claims.sender_id,
            "aud": self._audience,
            "iat": now,
            "exp": now + self.lifetime_s,
        }
        if claims.country:
            body["country"] = claims.country
        if claims.language:
            body["language"] = claims.language
        return jwt.encode(body, self._secret, algorithm=ALGORITHM)

    def verify(self, token: str) -> SessionClaims:
        """Return the claims of ``token``.

        Raises:
            Unauthorized: The token is malformed, forged, expired or of another channel.
        """
        try:
            body = jwt.decode(
                token,
                self._secret,
                algorithms=[ALGORITHM],
                audience=self._audience,
                options={"require": ["sub", "aud", "exp"]},
            )
        except jwt.ExpiredSignatureError:
            raise Unauthorized("This session has ended; ask for a new one.") from None
        except (jwt.PyJWTError, ValueError):
            raise Unauthorized("The session token is not valid.") from None
        return SessionClaims(body["sub"], body.get("country"), body.get("language"))


def bearer_token(authorization: str | None) -> str:
    """Return the credential of an ``Authorization: Bearer`` header.

    Raises:
        Unauthorized: The header is missing or of another scheme.
    """
    scheme, _, credential = (authorization or "").partition(" ")
    credential = credential.strip()
    if scheme.lower() != "bearer" or not credential:
        raise Unauthorized("Send 'Authorization: Bearer <token>'.", field="Authorization")
    return credential


def load_secret(environment: Environment) -> str:
    """Return the signing secret, making ``<var_dir>/secret`` (mode 0600) on first use.

    Of several processes that start at once exactly one creates the file; all return its text.

    Raises:
        ChannelConfigError: The secret is too short, or the file cannot be read or made.
    """
    if environment.secret:
        return _long_enough(environment.secret, "STILLPOINT_SECRET")
    path = environment.var_dir / "secret"
    try:
        if not path.exists():
            _create_once(path, secrets.token_urlsafe(48))
        return _long_enough(path.read_text(encoding="ascii").strip(), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise ChannelConfigError(
            f"STILLPOINT_VAR: the secret file '{path}' cannot be used ({type(error).__name__})."
        ) from None


def _create_once(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".secret-{os.getpid()}-{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _long_enough(secret: str, name: str) -> str:
    if len(secret) < MIN_SECRET_CHARS:
        raise ChannelConfigError(f"{name} must have at least {MIN_SECRET_CHARS} characters.")
    return secret
