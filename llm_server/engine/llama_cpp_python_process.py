"""Runs ``llama_cpp.server`` (llama-cpp-python), in the engine process.

It is serial. Requests must not interrupt each other, hence ``interrupt_requests=False``; its own
routes all wait for the model's lock, so ``/health`` is added beside them.
"""

import socket
from collections.abc import Callable
from typing import Any


def serve(config: dict[str, Any], ready: Callable[[str], None]) -> None:
    """Load the model, call ``ready`` with the address, and serve until the process ends.

    Raises:
        ImportError: llama-cpp-python with its server is not installed.
        RuntimeError: llama.cpp cannot load the model.
    """
    import uvicorn
    from llama_cpp.server.app import create_app
    from llama_cpp.server.settings import (
        ModelSettings,
        ServerSettings,
    )

    listener = socket.create_server(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        app = create_app(
            server_settings=ServerSettings(
                host="127.0.0.1",
                port=listener.getsockname()[1],
                api_key=config["api_key"],
                interrupt_requests=False,
            ),
            model_settings=[
                ModelSettings(
                    model=config["model_path"],
                    model_alias=config["model_id"],
                    n_ctx=config["context_length"],
                    n_threads=config["threads"],
                    n_threads_batch=config["threads"],
                    logits_all=False,
                    verbose=False,
                )
            ],
        )
    except ValueError as error:  # llama_cpp's way to say that a model does not load
        raise RuntimeError(str(error)) from error

    async def health() -> dict[str, str]:
        return {"status": "ok"}

    app.add_api_route("/health", health)
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False))
    listener.listen(128)
    ready(address)
    server.run(sockets=[listener])
