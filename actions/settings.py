"""The action server's settings, read from environment variables and refused by name."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from actions.errors import ConfigurationError

REPOSITORY_ROOT = Path(__file__).resolve().parent.parent

HOUSE_MODEL_PREFIX = "stillpoint-house"

_NAME_AT_HOME = re.compile(r"[a-z][a-z0-9_-]*|[a-z0-9_.-]+\.(?:internal|local|lan|home\.arpa)")


class Settings(BaseSettings):
    """All settings. A field's name in capitals is its environment variable.

    Durations are in seconds, budgets in tokens.
    """

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", frozen=True)

    actions_host: str = "127.0.0.1"
    actions_port: int = Field(default=5055, ge=1, le=65535)
    actions_token: SecretStr | None = None
    actions_log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    actions_data_dir: Path = REPOSITORY_ROOT / "data"

    actions_first_sentence_s: float = Field(default=4.0, gt=0, le=20)
    actions_sentence_gap_s: float = Field(default=6.0, gt=0, le=30)
    actions_total_s: float = Field(default=30.0, gt=0, le=45)
    actions_max_sentences: int = Field(default=6, ge=1, le=20)
    actions_max_reply_chars: int = Field(default=700, ge=100, le=4000)
    actions_max_turns: int = Field(default=1024, ge=1)

    actions_llm_base_url: str | None = None
    actions_llm_own_host: str | None = None
    llm_base_url: str = "http://127.0.0.1:8080/v1"
    llm_api_key: SecretStr | None = None
    llm_model: str = ""
    llm_profile: Literal["auto", "house", "general"] = "auto"
    llm_context_tokens: int | None = Field(default=None, ge=256)

    @field_validator("actions_llm_base_url", "llm_base_url")
    @classmethod
    def _http_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("must be an http:// or https:// address")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("must not carry credentials, a query or a fragment")
        return value.rstrip("/")

    @field_validator("actions_llm_own_host")
    @classmethod
    def _host_at_home(cls, value: str | None) -> str | None:
        if value is None:
            return None
        host = value.strip().lower().strip("[]")
        if not _is_at_home(host):
            raise ValueError(
                "must be a private address, or a name without a dot or under .internal, .local,"
                " .lan or .home.arpa; other hosts are reached through the LLM server only"
            )
        return host

    @model_validator(mode="after")
    def _ordered_deadlines(self) -> Settings:
        if self.actions_first_sentence_s > self.actions_total_s:
            raise ValueError("ACTIONS_FIRST_SENTENCE_S must not exceed ACTIONS_TOTAL_S")
        return self

    @model_validator(mode="after")
    def _leads_to_the_llm_server(self) -> Settings:
        """What people write leaves through the LLM server alone: it has asked the operator."""
        host = urlsplit(self.llm_url).hostname or ""
        if _is_loopback(host) or host == self.actions_llm_own_host:
            return self
        key = "ACTIONS_LLM_BASE_URL" if self.actions_llm_base_url else "LLM_BASE_URL"
        raise ValueError(
            f"{key}: {host[:60]} is not this machine. Point it at the LLM server, which asks for"
            " consent and replaces personal data; if that runs on another machine of yours, name"
            " its host in ACTIONS_LLM_OWN_HOST"
        )

    @property
    def llm_url(self) -> str:
        """The LLM server's address; ``ACTIONS_LLM_BASE_URL`` goes before ``LLM_BASE_URL``."""
        return self.actions_llm_base_url or self.llm_base_url

    @property
    def speaks_as(self) -> Literal["house", "general"]:
        """Which prompt profile the configured model gets."""
        if self.llm_profile != "auto":
            return self.llm_profile
        is_house = not self.llm_model or self.llm_model.startswith(HOUSE_MODEL_PREFIX)
        return "house" if is_house else "general"


def load_settings() -> Settings:
    """Read the settings from the environment.

    Raises:
        ConfigurationError: one line naming every refused key; values are not repeated.
    """
    try:
        return Settings()
    except ValidationError as error:
        problems = error.errors(include_input=False, include_url=False)
        raise ConfigurationError("; ".join(_described(problem) for problem in problems)) from None


def _described(problem: ErrorDetails) -> str:
    """``ACTIONS_PORT: Input should be …``; a problem of several keys names them itself."""
    keys = [str(part).upper() for part in problem["loc"]]
    return ": ".join([*keys, problem["msg"].removeprefix("Value error, ")])


def _is_loopback(host: str) -> bool:
    address = _address(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def _is_at_home(host: str) -> bool:
    address = _address(host)
    if address is not None:
        return address.is_private
    return _NAME_AT_HOME.fullmatch(host) is not None


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The IP address that ``host`` is, as IPv4 where it only wraps one; None for a name."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
