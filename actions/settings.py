"""The action server's settings, read from environment variables and refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from actions.errors import ConfigurationError

REPOSITORY_ROOT = Path(__file__).resolve().parent.parent

HOUSE_MODEL_PREFIX = "stillpoint-house"


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

    llm_base_url: str = "http://127.0.0.1:8080/v1"
    llm_api_key: SecretStr | None = None
    llm_model: str = ""
    llm_profile: Literal["auto", "house", "general"] = "auto"
    llm_context_tokens: int | None = Field(default=None, ge=256)

    @field_validator("llm_base_url")
    @classmethod
    def _http_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("must be an http:// or https:// address")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _ordered_deadlines(self) -> Settings:
        if self.actions_first_sentence_s > self.actions_total_s:
            raise ValueError("ACTIONS_FIRST_SENTENCE_S must not exceed ACTIONS_TOTAL_S")
        return self

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
        problems = (
            f"{'.'.join(str(part) for part in problem['loc']).upper() or 'settings'}: "
            f"{problem['msg']}"
            for problem in error.errors(include_input=False, include_url=False)
        )
        raise ConfigurationError("; ".join(problems)) from None
