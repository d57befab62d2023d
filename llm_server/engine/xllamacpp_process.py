"""Runs llama.cpp's own HTTP server through ``xllamacpp``, in the engine process."""

import signal
import threading
from collections.abc import Callable
from typing import Any

_BATCH_TOKENS = 64


def serve(config: dict[str, Any], ready: Callable[[str], None]) -> None:
    """Load the model, call ``ready`` with the address, and serve until the process ends.

    Raises:
        ImportError: xllamacpp is not installed.
        RuntimeError: llama.cpp cannot load the model.
    """
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = config["model_path"]
    params.model_alias = {config["model_id"]}
    params.check_tensors = config["check_tensors"]

    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [config["api_key"]]
    params.ui = False
    params.endpoint_slots = False
    params.endpoint_props = False
    params.endpoint_metrics = True
    # A streaming connection holds an HTTP thread for its whole life.
    params.n_threads_http = 2 * config["slots"] + 4

    # One pool of cells shared by all slots, sized so that each can fill its context.
    params.n_parallel = config["slots"]
    params.n_ctx = config["slots"] * config["context_length"]
    params.kv_unified = True
    params.kv_unified_per_slot = config["context_length"]
    params.fit_params = False
    # A generation is cancelled between two batches: small ones, so that a long prompt can be left.
    params.n_batch = params.n_ubatch = max(_BATCH_TOKENS, config["slots"])
    params.cache_ram_mib = config["cache_ram_mib"]

    params.cpuparams.n_threads = config["threads"]
    params.cpuparams_batch.n_threads = config["threads"]
    # Answers are plain text: no tool calls or reasoning blocks to parse out of them.
    params.force_pure_content_parser = True
    params.verbosity = 1

    # Loaded, but off: each request says which adapter it wants.
    params.lora_adapters = [
        xllamacpp.CommonAdapterLoraInfo(path, 0.0) for path in config["adapter_paths"]
    ]

    server = xllamacpp.Server(params)
    # llama.cpp installs handlers that wait for its own loop; this process just ends.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    ready(server.listening_address)
    threading.Event().wait()
