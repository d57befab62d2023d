"""The service's settings, read from environment variables and refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import sqlalchemy as sa
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from analytics.errors import ConfigurationError

REPOSITORY_ROOT = Path(__file__).resolve().parent.parent

KEPT_SLOTS = (
    "risk_level,crisis_stage,turn_outcome,country,referral_cost,referral_form,requested_slot"
)


class Settings(BaseSettings):
    """All settings. A field's name in capitals is its environment variable.

    ``_s`` are seconds, ``_events`` are numbers of events. Database addresses are secrets since
    they may carry a password.
    """

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", frozen=True)

    stillpoint_var: Path = REPOSITORY_ROOT / "var"
    stillpoint_pseudonym_key: SecretStr | None = Field(default=None, min_length=16)
    tracker_db_url: SecretStr | None = None
    analytics_db_url: SecretStr | None = None

    analytics_store_text: bool = False
    analytics_slot_values: str = KEPT_SLOTS

    analytics_poll_s: float = Field(default=0.5, ge=0.05, le=1.5)
    analytics_batch_events: int = Field(default=1000, ge=1, le=10_000)
    analytics_window_events: int = Field(default=2000, ge=0, le=1_000_000)
    analytics_log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @field_validator("stillpoint_var")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @field_validator("tracker_db_url", "analytics_db_url")
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

    @property
    def tracker_url(self) -> sa.URL:
        """Where Rasa keeps its trackers."""
        return self._url(self.tracker_db_url, "trackers.db")

    @property
    def store_url(self) -> sa.URL:
        """Where this service keeps its tables."""
        return self._url(self.analytics_db_url, "analytics.db")

    @property
    def feedback_url(self) -> sa.URL:
        """Where the web channel keeps the page's feedback."""
        return self._url(None, "feedback.db")

    @property
    def people_dir(self) -> Path:
        """Where ``<pseudonym>.txt`` files go."""
        return self.stillpoint_var / "people"

    @property
    def heartbeat_path(self) -> Path:
        """The file whose modification time is the last poll that went through."""
        return self.stillpoint_var / "run" / "ingest.heartbeat"

    @property
    def kept_slots(self) -> frozenset[str]:
        """Names of the slots whose text values are stored."""
        return frozenset(name.strip() for name in self.analytics_slot_values.split(",") if name)

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
