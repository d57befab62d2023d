"""The service's settings, read from ``LLM_*`` environment variables.

:func:`load_settings` either returns settings that hold together or raises
:class:`~llm_server.errors.SettingsError` with one line that names the key.
"""

import ipaddress
import os
import re
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from llm_server.errors import SettingsError

HOUSE_MODEL = Path(__file__).parent / "models" / "stillpoint-house-q8_0.gguf"

EngineKind = Literal["xllamacpp", "llama-cpp-python", "hosted", "fake"]

DEFAULT_FAKE_REPLY = (
    "That sounds like a lot to carry at once. "
    "You said it has been going on for a while, and that it wears you out. "
    "I would like to hear more about it, at whatever pace suits you. "
    "What part of it stays with you most at the end of the day?"
)

_HOSTNAME = re.compile(r"^(?!-)[A-Za-z0-9._-]{1,253}$")
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class Settings(BaseSettings):
    """All settings. Each field is read from ``LLM_<FIELD>``; an empty value means the default."""

    model_config = SettingsConfigDict(env_prefix="LLM_", env_ignore_empty=True, extra="ignore")

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=1, le=65535)
    api_key: SecretStr | None = None
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    engine: EngineKind | None = None
    model_path: Path = HOUSE_MODEL
    ctx: int = Field(default=0, ge=0, le=1_048_576)
    threads: int = Field(default=0, ge=0, le=512)
    cache_ram_mib: int = Field(default=128, ge=0, le=1_048_576)
    start_timeout_s: float = Field(default=300.0, gt=0, le=3600)

    parallel: int = Field(default=2, ge=1, le=256)
    queue: int = Field(default=16, ge=0, le=10_000)
    queue_wait_s: float = Field(default=30.0, gt=0, le=600)
    timeout_s: float = Field(default=120.0, gt=0, le=3600)
    max_tokens: int = Field(default=512, ge=1, le=131_072)
    max_body_kib: int = Field(default=256, ge=1, le=16_384)

    base_url: str | None = None
    upstream_api_key: SecretStr | None = None
    upstream_dialect: Literal["openai", "llama.cpp"] = "openai"
    model: str | None = Field(default=None, max_length=200)

    fake_delay_ms: int = Field(default=20, ge=0, le=600_000)
    fake_first_delay_ms: int = Field(default=0, ge=0, le=600_000)
    fake_reply: str = Field(default=DEFAULT_FAKE_REPLY, min_length=1, max_length=100_000)
    testing: bool = Field(default=False, validation_alias="STILLPOINT_TESTING")

    @field_validator("host")
    @classmethod
    def _host_is_an_address(cls, value: str) -> str:
        try:
            ipaddress.ip_address(value)
        except ValueError:
            if not _HOSTNAME.match(value):
                raise ValueError("must be an IP address or a host name") from None
        return value

    @field_validator("api_key", "upstream_api_key")
    @classmethod
    def _key_fits_a_header(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        text = value.get_secret_value()
        if not text.isascii() or not text.isprintable() or " " in text:
            raise ValueError("must be printable ASCII without spaces")
        return value

    @field_validator("ctx")
    @classmethod
    def _ctx_is_useful(cls, value: int) -> int:
        if 0 < value < 64:
            raise ValueError("must be 0 (the model's own context) or at least 64 tokens")
        return value

    @field_validator("base_url")
    @classmethod
    def _base_url_is_http(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must be an http:// or https:// address such as https://host/v1")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("must not carry credentials, a query or a fragment")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _choices_hold_together(self) -> "Settings":
        if self.engine == "fake" and not self.testing:
            raise ValueError(
                "LLM_ENGINE: fake is for tests only; set STILLPOINT_TESTING=1 to use it"
            )
        if self.engine == "hosted":
            if self.base_url is None:
                raise ValueError("LLM_BASE_URL: is required when LLM_ENGINE=hosted")
            if self._base_url_is_this_server():
                raise ValueError("LLM_BASE_URL: points at this server itself")
        return self

    def _base_url_is_this_server(self) -> bool:
        if self.base_url is None:
            return False
        parts = urlsplit(self.base_url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        return port == self.port and parts.hostname in (_LOOPBACK | {self.host})

    @property
    def engine_kind(self) -> EngineKind:
        """The engine to use.

        ``LLM_ENGINE`` decides; without it ``LLM_BASE_URL`` selects ``hosted``. Clients use the
        same key for this server's own address, so a value that points here means a local engine.
        """
        if self.engine is not None:
            return self.engine
        if self.base_url is not None and not self._base_url_is_this_server():
            return "hosted"
        return "xllamacpp"

    @property
    def slots(self) -> int:
        """How many generations run at once; llama-cpp-python is serial."""
        return 1 if self.engine_kind == "llama-cpp-python" else self.parallel

    @property
    def loopback_only(self) -> bool:
        """Whether only this machine can reach the server."""
        return self.host in _LOOPBACK


def load_settings() -> Settings:
    """Read the environment.

    Raises:
        SettingsError: one line, naming each bad key (never the value of a secret).
    """
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsError("; ".join(_describe(item) for item in error.errors())) from None


def _describe(item: object) -> str:
    """``LLM_PORT: input should be less than or equal to 65535 (got '70000')``."""
    assert isinstance(item, dict)
    message = str(item["msg"]).removeprefix("Value error, ")
    if not item["loc"]:
        return message
    name = str(item["loc"][0])
    key = name if name.isupper() else f"LLM_{name.upper()}"
    if key.endswith("_API_KEY") or key == "LLM_FAKE_REPLY" or key not in os.environ:
        return f"{key}: {message}"
    return f"{key}: {message} (got {os.environ[key][:60]!r})"
