"""The service's settings, read from environment variables and refused by name."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import sqlalchemy as sa
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from handoff.errors import ConfigurationError

REPOSITORY_ROOT = Path(__file__).resolve().parent.parent
MIN_SECRET_CHARS = 32


class Settings(BaseSettings):
    """All settings. A field's name in capitals is its environment variable.

    ``_s`` are seconds, ``_h`` hours, ``_events`` numbers of events. Addresses are secrets: a
    database's may carry a password, a webhook's a token.
    """

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", frozen=True)

    stillpoint_var: Path = REPOSITORY_ROOT / "var"
    stillpoint_pseudonym_key: SecretStr | None = Field(default=None, min_length=16)
    tracker_db_url: SecretStr | None = None

    handoff_webhook_url: SecretStr | None = None
    handoff_webhook_secret: SecretStr | None = Field(default=None, min_length=MIN_SECRET_CHARS)
    handoff_deployment: str = Field(default="stillpoint", pattern=r"^[A-Za-z0-9 ._-]{1,64}$")
    handoff_db_url: SecretStr | None = None

    handoff_messages: int = Field(default=20, ge=0, le=20)
    handoff_poll_s: float = Field(default=0.4, ge=0.05, le=1.5)
    handoff_timeout_s: float = Field(default=5.0, ge=0.5, le=30.0)
    handoff_retry_s: float = Field(default=1.0, ge=0.05, le=60.0)
    handoff_retry_max_s: float = Field(default=300.0, ge=0.05, le=3600.0)
    handoff_give_up_h: float = Field(default=24.0, ge=0.01, le=168.0)
    handoff_keep_days: int = Field(default=30, ge=1, le=365)
    handoff_window_events: int = Field(default=2000, ge=0, le=100_000)
    handoff_log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @field_validator("stillpoint_var")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @field_validator("tracker_db_url", "handoff_db_url")
    @classmethod
    def _database_url(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        try:
            url = sa.make_url(value.get_secret_value())
            url.get_dialect().import_dbapi()
        except sa.exc.NoSuchModuleError:
            raise ValueError("names a kind of database that SQLAlchemy does not know") from None
        except ImportError:
            raise ValueError("needs a database driver that is not installed") from None
        except sa.exc.ArgumentError:
            raise ValueError("must be an SQLAlchemy URL such as sqlite:////path/file.db") from None
        if url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:"):
            raise ValueError("must name a file: an SQLite database in memory cannot be shared")
        return value

    @field_validator("handoff_webhook_url")
    @classmethod
    def _webhook_url(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            _require_safe(value.get_secret_value())
        return value

    @property
    def is_configured(self) -> bool:
        """Whether there is anywhere to send notices to."""
        return self.handoff_webhook_url is not None

    @property
    def tracker_url(self) -> sa.URL:
        """Where Rasa keeps its trackers."""
        return self._url(self.tracker_db_url, "trackers.db")

    @property
    def store_url(self) -> sa.URL:
        """Where this service keeps what it has noticed and delivered."""
        return self._url(self.handoff_db_url, "handoff.db")

    @property
    def heartbeat_path(self) -> Path:
        """The file whose modification time is the last round that went through."""
        return self.stillpoint_var / "run" / "handoff.heartbeat"

    @property
    def give_up_after_s(self) -> float:
        """The age of a crisis after which telling of it is given up."""
        return self.handoff_give_up_h * 3600

    def require_webhook(self) -> tuple[str, bytes]:
        """The webhook's address and the signing key.

        Raises:
            ConfigurationError: one of them is not set.
        """
        if self.handoff_webhook_url is None:
            raise ConfigurationError(
                "HANDOFF_WEBHOOK_URL: is not set, so there is nowhere to send notices to"
            )
        if self.handoff_webhook_secret is None:
            raise ConfigurationError(
                f"HANDOFF_WEBHOOK_SECRET: needs at least {MIN_SECRET_CHARS} characters, because"
                " HANDOFF_WEBHOOK_URL is set and notices are never sent unsigned"
            )
        secret = self.handoff_webhook_secret.get_secret_value()
        return self.handoff_webhook_url.get_secret_value(), secret.encode()

    def _url(self, configured: SecretStr | None, file_name: str) -> sa.URL:
        if configured is not None:
            return sa.make_url(configured.get_secret_value())
        return sa.URL.create("sqlite", database=str(self.stillpoint_var / file_name))


def load_settings() -> Settings:
    """Read the settings from the environment.

    Raises:
        ConfigurationError: one line naming every refused key; values are not repeated.
    """
    try:
        return Settings()
    except ValidationError as error:
        problems = (
            f"{'.'.join(str(part) for part in problem['loc']).upper() or 'settings'}: "
            f"{problem['msg'].removeprefix('Value error, ')}"
            for problem in error.errors(include_input=False, include_url=False)
        )
        raise ConfigurationError("; ".join(problems)) from None


def _require_safe(url: str) -> None:
    """Refuse an address over which a notice could be read on its way."""
    if any(character.isspace() or ord(character) < 32 for character in url) or not url.isascii():
        raise ValueError("must be an address in plain ASCII without spaces")
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        raise ValueError("is not an address") from None
    if parts.scheme not in ("https", "http") or not host:
        raise ValueError("must begin with https:// and name a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not carry a user name or password")
    if parts.fragment:
        raise ValueError("must not carry a #fragment")
    if parts.scheme == "http" and not _is_loopback(host):
        raise ValueError("must be https; plain http is accepted for this machine only (127.0.0.1)")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
