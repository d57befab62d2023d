"""Wires the service from its settings; the one place that chooses an engine."""

import importlib.util
import os

from starlette.applications import Starlette

from llm_server.admission import Admission
from llm_server.app import create_app
from llm_server.engine.base import Engine
from llm_server.errors import EngineStartError
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
        )
    return _local_engine(settings, kind)


def _local_engine(settings: Settings, kind: str) -> Engine:
    from llm_server.engine.local import LocalEngine, LocalEngineConfig
    from llm_server.gguf_header import read_gguf_header

    package = _PACKAGES[kind]
    if importlib.util.find_spec(package) is None:
        raise EngineStartError(
            f"engine {kind} needs the package {kind}, which is not installed; "
            "install it in this environment or choose another LLM_ENGINE"
        )
    header = read_gguf_header(settings.model_path)
    trained = header.context_length or _DEFAULT_CONTEXT
    context = min(settings.ctx or _LONGEST_DEFAULT_CONTEXT, trained)
    config = LocalEngineConfig(
        kind=kind,
        model_path=str(header.path.resolve()),
        model_id=header.path.stem,
        context_length=context,
        slots=settings.slots,
        threads=settings.threads or _default_threads(header.size),
        cache_ram_mib=settings.cache_ram_mib,
        check_tensors=header.size <= _SMALL_MODEL_BYTES,
    )
    return LocalEngine(config, header.control_tokens, settings.start_timeout_s)


def _default_threads(model_bytes: int) -> int:
    """One thread for a small model: its steps are so short that threads mostly wait for another."""
    return 1 if model_bytes <= _SMALL_MODEL_BYTES else (os.cpu_count() or 1)
