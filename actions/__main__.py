"""``python -m actions``: the action server on ``ACTIONS_HOST``:``ACTIONS_PORT``."""

from __future__ import annotations

import logging
import socket
import sys

from actions.bootstrap import build_app
from actions.errors import ConfigurationError
from actions.json_logs import configure_logging
from actions.settings import Settings, load_settings

logger = logging.getLogger("actions")


def main() -> int:
    """Serve until SIGTERM or SIGINT; a bad configuration is one line and exit status 2."""
    try:
        settings = load_settings()
        listening = _bound_socket(settings)
        configure_logging(settings.actions_log_level)
        app = build_app(settings)
    except ConfigurationError as error:
        print(f"actions: {error}", file=sys.stderr)
        return 2
    address = {"host": settings.actions_host, "port": listening.getsockname()[1]}
    logger.info("actions_starting", extra={"facts": {**address, "speaks_as": settings.speaks_as}})
    app.run(sock=listening, single_process=True, access_log=False, motd=False)
    logger.info("actions_stopped")
    return 0


def _bound_socket(settings: Settings) -> socket.socket:
    host, port = settings.actions_host, settings.actions_port
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
    except OSError as error:
        raise ConfigurationError(
            f"ACTIONS_HOST/ACTIONS_PORT: cannot listen on {host}:{port} ({error.strerror})"
        ) from None
    return listening


if __name__ == "__main__":
    raise SystemExit(main())
