"""Reads ``params.yaml`` and refuses what cannot work, naming the key."""

from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from training_pipeline.errors import ParamsError

PACKAGE = Path(__file__).parent
PARAMS_FILE = PACKAGE / "params.yaml"
SMOKE_FILE = PACKAGE / "smoke.yaml"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class HouseText(_Section):
    """How much text is composed."""

    conversations: int = Field(gt=0)
    stories: int = Field(ge=0)
    tune_conversations: int = Field(gt=0)
    held_back: int = Field(gt=0)
    wild: float = Field(ge=0, le=1)
    tune_wild: float = Field(ge=0, le=1)
    system_share: float = Field(ge=0, le=1)
    gist_replies: int = Field(gt=0)
    written_rounds: int = Field(gt=0)


class HouseTokenizer(_Section):
    """Size of the byte-level BPE vocabulary, special tokens included."""

    vocabulary: int = Field(ge=300, le=65535)


class HousePretrain(_Section):
    """Shape of the model and of its training from scratch."""

    width: int = Field(gt=0, multiple_of=32)
    layers: int = Field(gt=0)
    heads: int = Field(gt=0)
    feed_forward: int = Field(gt=0, multiple_of=32)
    context: int = Field(gt=0)
    batch: int = Field(gt=0)
    length: int = Field(gt=1)
    minutes: float = Field(gt=0)
    max_steps: int = Field(gt=0)
    matrix_rate: float = Field(gt=0)
    other_rate: float = Field(gt=0)
    warmup_steps: int = Field(ge=0)
    decay_share: float = Field(gt=0, le=1)
    user_weight: float = Field(ge=0, le=1)
    checkpoint_seconds: float = Field(gt=0)
    threads: int = Field(gt=0)

    @model_validator(mode="after")
    def _heads_divide_width(self) -> "HousePretrain":
        if self.width % (2 * self.heads):
            raise ValueError("width must be a multiple of twice heads")
        if self.length > self.context:
            raise ValueError("length must not exceed context")
        return self


class HouseTune(_Section):
    """LoRA tuning on the chat format."""

    rank: int = Field(gt=0)
    alpha: int = Field(gt=0)
    rate: float = Field(gt=0)
    batch: int = Field(gt=0)
    length: int = Field(gt=1)
    minutes: float = Field(gt=0)
    max_steps: int = Field(gt=0)
    threads: int = Field(gt=0)


class HouseExport(_Section):
    """Where the GGUF goes: relative to the repository, or to the work folder when it is bare."""

    target: Path


class HouseVerify(_Section):
    """How much is compared between transformers and llama.cpp."""

    greedy_prompts: int = Field(gt=0)
    greedy_tokens: int = Field(gt=0)
    perplexity_conversations: int = Field(gt=0)


class HouseSample(_Section):
    """How many of the hand-written openings are answered."""

    openings: int = Field(gt=0)


class SentenceEncoder(_Section):
    """Where MiniLM's weights come from (`package`, `hub` or a folder) and where ONNX goes."""

    source: str
    output: Path
    min_cosine: float = Field(gt=0, le=1)


class SafetyGates(_Section):
    """Tuning of the gates' branch and the operating points on its calibrated scores."""

    source: str
    output: Path
    epochs: int = Field(gt=0)
    batch_size: int = Field(gt=0)
    learning_rate: float = Field(gt=0)
    dropout: float = Field(ge=0, lt=1)
    misspelt_share: float = Field(ge=0, le=1)
    risk_weight: float = Field(gt=0)
    high_weight: float = Field(gt=0)
    misuse_weight: float = Field(gt=0)
    ngram_strength: float = Field(gt=0)
    calibration_share: float = Field(gt=0, lt=1)
    near_duplicate: float = Field(gt=0, le=1)
    threshold: float = Field(gt=0, lt=1)
    other_threshold: float = Field(gt=0, lt=1)
    high_threshold: float = Field(gt=0, lt=1)
    misuse_threshold: float = Field(gt=0, lt=1)
    jailbreak_threshold: float = Field(gt=0, lt=1)
    composed_limit: int = Field(ge=0)
    licensed_limit: int = Field(ge=0)
    max_rows: int = Field(ge=0)


class Intents(_Section):
    """Tuning of the intent classifier's branch."""

    source: str
    output: Path
    epochs: int = Field(gt=0)
    batch_size: int = Field(gt=0)
    learning_rate: float = Field(gt=0)
    dropout: float = Field(ge=0, lt=1)
    label_smoothing: float = Field(ge=0, lt=1)
    ngram_share: float = Field(ge=0)
    pull: float = Field(ge=0)
    calibration_share: float = Field(gt=0, lt=1)
    max_rows: int = Field(ge=0)


class Params(_Section):
    """The whole of ``params.yaml``: one section per stage."""

    seed: int
    sentence_encoder: SentenceEncoder
    safety_gates: SafetyGates
    intents: Intents
    house_text: HouseText
    house_tokenizer: HouseTokenizer
    house_pretrain: HousePretrain
    house_tune: HouseTune
    house_export: HouseExport
    house_verify: HouseVerify
    house_sample: HouseSample


def _read(path: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise ParamsError(f"{path}: {error}") from error
    if not isinstance(found, dict):
        raise ParamsError(f"{path}: a mapping of sections is expected")
    return found


def _overlay(base: dict[str, Any], top: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in top.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _overlay(merged[key], value) if both else value
    return merged


def load_params(path: Path = PARAMS_FILE, *overlays: Path) -> Params:
    """Read a parameter file with others laid over it.

    Raises:
        ParamsError: a file cannot be read, or a key is unknown, missing or out of range.
    """
    merged = _read(path)
    for overlay in overlays:
        merged = _overlay(merged, _read(overlay))
    try:
        return Params.model_validate(merged)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ParamsError(f"{path.name}: {key}: {first['msg']}") from error
