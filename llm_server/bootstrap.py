"""Wires the service from its settings; the one place that chooses an engine."""

import importlib.util
import os
from pathlib import Path

from starlette.applications import Starlette

from llm_server.admission import Admission
from llm_server.app import create_app
from llm_server.engine.base import Engine
from llm_server.errors import EngineStartError, ModelFileError
from llm_server.gguf_header import read_gguf_header
from llm_server.model_download import is_here
from llm_server.model_file import model_file, wanted
from llm_server.settings import Settings

_DEFAULT_CONTEXT, _LONGEST_DEFAULT_CONTEXT = 2048, 8192
_SMALL_MODEL_BYTES = 256 * 2**20
_PACKAGES = {"xllamacpp": "xllamacpp", "llama-cpp-python": "llama_cpp"}


def bootstrap(settings: Settings) -> tuple[Starlette, Engine, Admission]:
    """The application, its engine (not running yet) and its admission control.

    Raises:
        StartError: the engine's package or the model file is missing or unusable.
    """
    engine = create_engine(settings)
    admission = Admission(settings.slots, settings.queue, settings.queue_wait_s)
    return create_app(settings, engine, admission), engine, admission


def check(settings: Settings) -> str:
    """Look whether a start with these settings would work; what would be served, in a few words.

    Raises:
        StartError: it would not.
    """
    model = wanted(settings)
    if model is not None and not is_here(settings):
        size = f"about {model.about_gb:g} GB" if model.about_gb else "of unknown size"
        return f"{model.name} ({size}) is not here yet; the next start fetches it"
    engine = create_engine(settings)
    if settings.engine_kind == "hosted":
        scrubbed = "with" if settings.scrubs else "without"
        told = "people are told" if settings.people_are_told else "people are not told of it"
        return f"{engine.model_id} at {settings.base_url}, {scrubbed} scrubbing; {told}"
    return f"{engine.model_id} with {engine.name}"


def create_engine(settings: Settings) -> Engine:
    """The engine that the settings name, not running yet."""
    kind = settings.engine_kind
    if kind == "fake":
        from llm_server.engine.fake import FakeEngine

        return FakeEngine(settings.fake_reply, settings.fake_delay_ms, settings.fake_first_delay_ms)
    if kind == "hosted":
        from llm_server.engine.hosted import HostedEngine

        assert settings.base_url is not None
        secret = settings.upstream_api_key
        return HostedEngine(
            settings.base_url,
            secret.get_secret_value() if secret else None,
            settings.model,
            settings.upstream_dialect,
            _public_numbers() if settings.scrubs else None,
        )
    return _local_engine(settings, kind)


def _public_numbers() -> frozenset[str]:
    from llm_server.privacy.public_numbers import helpline_digits

    return helpline_digits()


def _local_engine(settings: Settings, kind: str) -> Engine:
    from llm_server.engine.local import LocalEngine, LocalEngineConfig

    package = _PACKAGES[kind]
    if importlib.util.find_spec(package) is None:
        raise EngineStartError(
            f"engine {kind} needs the package {kind}, which is not installed; "
            "install it in this environment or choose another LLM_ENGINE"
        )
    header = read_gguf_header(model_file(settings))
    if header.is_adapter:
        raise ModelFileError(
            f"{header.path} is an adapter, no model; name it in LLM_ADAPTERS, and its base model in"
            " LLM_MODEL_PATH or LLM_MODEL"
        )
    trained = header.context_length or _DEFAULT_CONTEXT
    context = min(settings.ctx or _LONGEST_DEFAULT_CONTEXT, trained)
    config = LocalEngineConfig(
        kind=kind,
        model_path=str(header.path.resolve()),
        model_id=settings.model or header.path.stem,
        context_length=context,
        slots=settings.slots,
        threads=settings.threads or _default_threads(header.size),
        cache_ram_mib=settings.cache_ram_mib,
        check_tensors=header.size <= _SMALL_MODEL_BYTES,
        adapter_names=tuple(settings.adapters),
        adapter_paths=tuple(
            str(_adapter(name, path, header.architecture))
            for name, path in settings.adapters.items()
        ),
    )
    return LocalEngine(config, header.control_tokens, settings.start_timeout_s, settings.adapter)


def _adapter(name: str, path: Path, architecture: str) -> Path:
    """The adapter's absolute path, once its file is known to be whole and of the model's kind."""
    try:
        header = read_gguf_header(path)
    except ModelFileError as error:
        raise ModelFileError(f"LLM_ADAPTERS: {name}: {error}") from None
    if not header.is_adapter or header.architecture != architecture:
        raise ModelFileError(
            f"LLM_ADAPTERS: {name}: {path} is no adapter for a {architecture} model; convert it"
            " with llama.cpp's convert_lora_to_gguf.py"
        )
    return path.resolve()


def _default_threads(model_bytes: int) -> int:
    """One thread for a small model: its steps are so short that threads mostly wait for another."""
    return 1 if model_bytes <= _SMALL_MODEL_BYTES else (os.cpu_count() or 1)
