"""Runs the service until a signal ends it: the socket, the HTTP server and the engine."""

import asyncio
import logging
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from llm_server.admission import Admission
from llm_server.bootstrap import bootstrap
from llm_server.engine.base import Engine
from llm_server.errors import PortTakenError
from llm_server.json_log import log
from llm_server.settings import Settings

_GRACE_S = 1


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        StartError: the service cannot start, or its engine cannot.
    """
    app, engine, admission = bootstrap(settings)
    listener = _listen(settings.host, settings.port)
    server = _Server(
        uvicorn.Config(
            app,
            lifespan="off",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=_GRACE_S,
        )
    )
    if not settings.loopback_only and settings.api_key is None:
        log(logging.WARNING, "open_without_key", host=settings.host)
    if settings.scrubs and not settings.upstream_is_loopback:
        log(
            logging.WARNING,
            "messages_leave_this_machine",
            to=settings.base_url,
            told="what people write goes to this address; its operator can read and keep it",
        )
    log(
        logging.INFO,
        "listening",
        host=settings.host,
        port=settings.port,
        engine=engine.name,
        model=engine.model_id,
        context=engine.context_length,
        parallel=settings.slots,
    )
    await _run(server, listener, engine, admission)
    log(logging.INFO, "stopped")


async def _run(
    server: "_Server", listener: socket.socket, engine: Engine, admission: Admission
) -> None:
    """Run engine and HTTP server side by side; the end of either is the end of both."""
    loop = asyncio.get_running_loop()
    engine_task = asyncio.create_task(engine.run())

    def stop() -> None:
        admission.close()
        engine_task.cancel()
        server.should_exit = True

    engine_task.add_done_callback(lambda _task: stop())
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    try:
        await server.serve(sockets=[listener])
    finally:
        engine_task.cancel()
        (ended,) = await asyncio.gather(engine_task, return_exceptions=True)
        listener.close()
    if isinstance(ended, Exception):
        raise ended


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers, which would end the process by signal."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=512)
    except OSError as error:
        raise PortTakenError(
            f"cannot listen on {host}:{port} ({error.strerror}); "
            "stop what uses it or set LLM_PORT / LLM_HOST"
        ) from None
