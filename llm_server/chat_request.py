"""The chat completion request: what clients may send, and nothing else.

Only the fields of :class:`ChatRequest` exist for an engine; everything else a client sends
(``cache_prompt``, ``id_slot``, ``grammar``, ``tools`` …) is dropped here. Errors name the field
and the rule, never the value.
"""

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from llm_server.errors import BadRequest

Role = Literal["system", "user", "assistant"]
Number = Annotated[float, Field(allow_inf_nan=False)]


class Message(BaseModel):
    """One message. ``content`` may also be a list of OpenAI text parts, joined here."""

    model_config = ConfigDict(extra="ignore", strict=True)

    role: Role
    content: str

    @field_validator("role", mode="before")
    @classmethod
    def _developer_is_system(cls, value: Any) -> Any:
        return "system" if value == "developer" else value

    @field_validator("content", mode="before")
    @classmethod
    def _join_text_parts(cls, value: Any) -> Any:
        if isinstance(value, list):
            if not all(_is_text_part(part) for part in value):
                raise ValueError('parts must be {"type": "text", "text": "…"}')
            return "".join(part["text"] for part in value)
        return value


def _is_text_part(part: Any) -> bool:
    return (
        isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str)
    )


class StreamOptions(BaseModel):
    """OpenAI's ``stream_options``."""

    model_config = ConfigDict(extra="ignore", strict=True)

    include_usage: bool = False


class ChatRequest(BaseModel):
    """A checked request; sampling fields that are ``None`` are left to the engine."""

    model_config = ConfigDict(extra="ignore", strict=True)

    messages: list[Message] = Field(min_length=1, max_length=512)
    model: str | None = Field(default=None, max_length=200)
    stream: bool = False
    stream_options: StreamOptions | None = None
    user: str | None = Field(default=None, max_length=256)
    n: int | None = Field(default=None, ge=1, le=1)
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    temperature: Number | None = Field(default=None, ge=0, le=2)
    top_p: Number | None = Field(default=None, ge=0, le=1)
    min_p: Number | None = Field(default=None, ge=0, le=1)
    top_k: int | None = Field(default=None, ge=0, le=10_000)
    repeat_penalty: Number | None = Field(default=None, ge=0.5, le=2)
    presence_penalty: Number | None = Field(default=None, ge=-2, le=2)
    frequency_penalty: Number | None = Field(default=None, ge=-2, le=2)
    seed: int | None = Field(default=None, ge=-1, le=2**32 - 1)
    stop: list[Annotated[str, Field(min_length=1, max_length=64)]] | None = Field(
        default=None, max_length=8
    )
    adapter: str | None = Field(default=None, max_length=64)
    logit_bias: dict[str, Number] | None = Field(default=None, max_length=300)

    @field_validator("stream", mode="before")
    @classmethod
    def _null_is_no_stream(cls, value: Any) -> Any:
        return False if value is None else value

    @field_validator("stop", mode="before")
    @classmethod
    def _one_stop_is_a_list(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @field_validator("logit_bias")
    @classmethod
    def _bias_is_by_token_id(cls, value: dict[str, float] | None) -> dict[str, float] | None:
        for token, bias in (value or {}).items():
            if not (token.isascii() and token.isdigit() and len(token) <= 9):
                raise ValueError("keys must be token ids")
            if not -100 <= bias <= 100:
                raise ValueError("values must lie between -100 and 100")
        return value

    @property
    def include_usage(self) -> bool:
        """Whether a stream ends with a usage chunk."""
        return self.stream_options is not None and self.stream_options.include_usage

    def limit(self, cap: int) -> int:
        """``max_tokens`` as asked for, at most ``cap``."""
        return min(self.max_completion_tokens or self.max_tokens or cap, cap)

    def sampling(self, fields: tuple[str, ...]) -> dict[str, Any]:
        """The named sampling fields that the client set."""
        return {name: value for name in fields if (value := getattr(self, name)) is not None}


OPENAI_SAMPLING = (
    "temperature", "top_p", "presence_penalty", "frequency_penalty", "seed", "stop", "logit_bias",
)  # fmt: skip
LLAMA_CPP_SAMPLING = (*OPENAI_SAMPLING, "min_p", "top_k", "repeat_penalty")


def parse_chat_request(body: bytes) -> ChatRequest:
    """Parse and check a request body.

    Raises:
        BadRequest: not UTF-8, not JSON, or a field breaks its rule.
    """
    try:
        document = json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)
    except UnicodeDecodeError:
        raise BadRequest("the request body is not valid UTF-8") from None
    except (ValueError, RecursionError):
        raise BadRequest("the request body is not valid JSON") from None
    if not isinstance(document, dict):
        raise BadRequest("the request body must be a JSON object")
    try:
        request = ChatRequest.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        param = ".".join(str(part) for part in first["loc"][:3])
        message = str(first["msg"]).removeprefix("Value error, ")
        raise BadRequest(f"{param}: {message}", param=param) from None
    _refuse_lone_surrogates(request)
    return request


def _refuse_constant(_name: str) -> float:
    raise ValueError("NaN and Infinity are not JSON")


def _refuse_lone_surrogates(request: ChatRequest) -> None:
    """JSON can spell half a surrogate pair (``\\ud800``), which no UTF-8 text can hold."""
    texts = [("messages", message.content) for message in request.messages]
    texts += [("stop", stop) for stop in request.stop or []]
    texts += [("user", request.user or ""), ("model", request.model or "")]
    texts += [("adapter", request.adapter or "")]
    for param, text in texts:
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            raise BadRequest(f"{param}: text is not valid Unicode", param=param) from None
