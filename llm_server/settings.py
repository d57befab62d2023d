"""The service's settings, read from ``LLM_*`` environment variables.

:func:`load_settings` either returns settings that hold together or raises
:class:`~llm_server.errors.SettingsError` with one line that names the key.
"""

import ipaddress
import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from llm_server.errors import SettingsError

HOUSE_MODEL = Path(__file__).parent / "models" / "stillpoint-house-q8_0.gguf"
STATE_FOLDER = Path(__file__).resolve().parents[1] / "var"
NO_ADAPTER = "none"

EngineKind = Literal["xllamacpp", "llama-cpp-python", "hosted", "fake"]

DEFAULT_FAKE_REPLY = (
    "That sounds like a lot to carry at once. "
    "You said it has been going on for a while, and that it wears you out. "
    "I would like to hear more about it, at whatever pace suits you. "
    "What part of it stays with you most at the end of the day?"
)

_HOSTNAME = re.compile(r"^(?!-)[A-Za-z0-9._-]{1,253}$")
_ADAPTER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class Settings(BaseSettings):
    """All settings. Each field is read from ``LLM_<FIELD>``; an empty value means the default."""

    model_config = SettingsConfigDict(env_prefix="LLM_", env_ignore_empty=True, extra="ignore")

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=1, le=65535)
    api_key: SecretStr | None = None
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    engine: EngineKind | None = None
    model: str | None = Field(default=None, max_length=200)
    model_path: Path | None = None
    model_sha256: str | None = Field(default=None, pattern=r"^[0-9a-fA-F]{64}$")
    hf_token: SecretStr | None = Field(default=None, validation_alias="HF_TOKEN")
    hf_endpoint: str = Field(default="https://huggingface.co", validation_alias="HF_ENDPOINT")
    var: Path = Field(default=STATE_FOLDER, validation_alias="STILLPOINT_VAR")
    adapters: Annotated[dict[str, Path], NoDecode] = {}
    adapter: str = NO_ADAPTER
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
    hosted_consent: Literal["yes", "own-server"] | None = None
    hosted_name: str | None = Field(default=None, max_length=80)

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

    @field_validator("model_sha256")
    @classmethod
    def _hash_is_lower_case(cls, value: str | None) -> str | None:
        return value.lower() if value else None

    @field_validator("adapters", mode="before")
    @classmethod
    def _adapters_are_named_paths(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        pairs = [pair.strip().partition("=") for pair in value.split(",") if pair.strip()]
        names = [name for name, _, _ in pairs]
        if not all(_ADAPTER_NAME.fullmatch(name) and path for name, _, path in pairs):
            raise ValueError("must be name=path,name=path; names of letters, digits and ._-")
        if len(set(names)) < len(names) or NO_ADAPTER in names:
            raise ValueError(f"names must differ from each other and from {NO_ADAPTER!r}")
        return {name: Path(path) for name, _, path in pairs}

    @field_validator("api_key", "upstream_api_key", "hf_token")
    @classmethod
    def _key_fits_a_header(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        text = value.get_secret_value()
        if not text.isascii() or not text.isprintable() or " " in text:
            raise ValueError("must be printable ASCII without spaces")
        return value

    @field_validator("hosted_name")
    @classmethod
    def _name_is_one_line(cls, value: str | None) -> str | None:
        if value is not None and not (value.strip() and value.isprintable()):
            raise ValueError("must be a name on one line, as people shall read it")
        return value

    @field_validator("ctx")
    @classmethod
    def _ctx_is_useful(cls, value: int) -> int:
        if 0 < value < 64:
            raise ValueError("must be 0 (the model's own context) or at least 64 tokens")
        return value

    @field_validator("base_url", "hf_endpoint")
    @classmethod
    def _url_is_http(cls, value: str | None) -> str | None:
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
        if self.engine_kind == "hosted":
            self._refuse_sending_without_consent()
        self._refuse_adapters_that_cannot_be_switched()
        return self

    def _refuse_sending_without_consent(self) -> None:
        if self.upstream_is_loopback or self.hosted_consent == "own-server":
            return
        host = urlsplit(self.base_url or "").hostname
        if self.hosted_consent is None:
            raise ValueError(
                f"LLM_HOSTED_CONSENT: with LLM_BASE_URL, what people write here goes to {host},"
                " whose operator can read and keep it. Names, phone numbers and the like are"
                " replaced first, as far as they are recognised; what people tell of themselves"
                " is not. Set LLM_HOSTED_CONSENT=yes if you and the people who write accept that,"
                " LLM_HOSTED_CONSENT=own-server if the server is yours (then nothing is replaced),"
                " or unset LLM_BASE_URL for a model on this machine"
            )
        if not str(self.base_url).startswith("https://"):
            raise ValueError(
                "LLM_BASE_URL: must be https:// where messages leave this machine"
                " (LLM_HOSTED_CONSENT=own-server allows http:// for a server of yours)"
            )

    def _refuse_adapters_that_cannot_be_switched(self) -> None:
        if self.adapters and self.engine_kind in ("llama-cpp-python", "hosted"):
            raise ValueError(
                f"LLM_ADAPTERS: the engine {self.engine_kind} cannot switch adapters;"
                " use LLM_ENGINE=xllamacpp, or merge the adapter into the model"
            )
        if self.adapter != NO_ADAPTER and self.adapter not in self.adapters:
            raise ValueError(
                f"LLM_ADAPTER: must be one of {', '.join((NO_ADAPTER, *self.adapters))}"
                " (adapters are named in LLM_ADAPTERS)"
            )

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
    def upstream_is_loopback(self) -> bool:
        """Whether the hosted engine's address is on this machine, whatever lies behind it."""
        return self.base_url is not None and urlsplit(self.base_url).hostname in _LOOPBACK

    @property
    def scrubs(self) -> bool:
        """Whether personal data is taken out of what goes to the hosted engine."""
        return self.engine_kind == "hosted" and self.hosted_consent != "own-server"

    @property
    def people_are_told(self) -> bool:
        """Whether Rasa, which reads the same variables, tells people that messages leave."""
        return self.engine_kind == "hosted" and self.hosted_consent == "yes"

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
    if key.endswith(("_API_KEY", "_TOKEN")) or key == "LLM_FAKE_REPLY" or key not in os.environ:
        return f"{key}: {message}"
    return f"{key}: {message} (got {os.environ[key][:60]!r})"
