"""Runs the services under supervisord and stays in front until told to stop.

supervisord starts, restarts and stops the processes; this module writes its configuration,
waits for the health checks, prints the `ready` line and watches for a service that supervisord
has given up on: Rasa ends everything, any other is tried again while Rasa goes on answering.
"""

from __future__ import annotations

import ctypes
import hashlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import xmlrpc.client
from pathlib import Path
from typing import Any, cast

from ops import places
from ops.errors import ServiceFailed
from ops.services import Service

STOP_DEADLINE_S = 25.0
RETRY_AFTER_S = 30.0
_PR_SET_PDEATHSIG = 1


class _Interrupted(Exception):
    """Ctrl-C or SIGTERM arrived."""


def supervise(services: list[Service]) -> int:
    """Starts `services`, prints `ready …`, and blocks until a signal or an unrecoverable Rasa.

    Returns:
        0 after a signal.

    Raises:
        ServiceFailed: a service did not become healthy in time, or Rasa cannot be kept running.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    started = time.time()
    control = control_socket()
    config = places.var() / "run" / "supervisord.conf"
    config.parent.mkdir(parents=True, exist_ok=True)
    (places.var() / "log").mkdir(exist_ok=True)
    config.write_text(configuration(services, control), encoding="utf-8")
    config.chmod(0o600)
    supervisord = places.MAIN_ENV / "bin" / "supervisord"
    process = subprocess.Popen(
        [str(supervisord), "--nodaemon", "--configuration", str(config)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_end_with_parent,
    )
    try:
        _await_health(services, control, process, started)
        print(ready_line(), flush=True)
        _watch(services, control, process)
    except _Interrupted:
        return 0
    finally:
        stop(process)
    return 0


def configuration(services: list[Service], control: Path) -> str:
    """supervisord's configuration: crashed services come back, each after a longer pause."""
    run, log = places.var() / "run", places.var() / "log"
    parts = [
        f"[unix_http_server]\nfile={_escape(str(control))}\nchmod=0700\n",
        f"[supervisord]\nlogfile={_escape(str(log / 'supervisord.log'))}\nlogfile_maxbytes=5MB\n"
        f"pidfile={_escape(str(run / 'supervisord.pid'))}\nchildlogdir={_escape(str(log))}\n"
        "nodaemon=true\nsilent=true\n",
        "[rpcinterface:supervisor]\n"
        "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n",
    ]
    for service in services:
        variables = ",".join(
            f'{key}="{_quote(value)}"' for key, value in sorted(service.environment.items())
        )
        parts.append(
            f"[program:{service.name}]\n"
            f"command={_escape(' '.join(_shell(word) for word in service.command))}\n"
            f"directory={_escape(str(service.directory))}\n"
            f"environment={variables}\n"
            "autostart=true\nautorestart=true\n"
            f"startsecs={service.start_seconds}\nstartretries=6\n"
            "stopsignal=TERM\nstopwaitsecs=10\nstopasgroup=true\nkillasgroup=true\n"
            "redirect_stderr=true\n"
            f"stdout_logfile={_escape(str(log / (service.name + '.log')))}\n"
            "stdout_logfile_maxbytes=10MB\nstdout_logfile_backups=3\n"
        )

    return "\n".join(parts)


def ready_line() -> str:
    """The line that a person (or a script) waits for."""
    host, rasa = "http://127.0.0.1", places.port("RASA_PORT")
    return (
        f"ready  chat {host}:{rasa}/webhooks/web/  rasa {host}:{rasa}"
        f"  actions {host}:{places.port('ACTIONS_PORT')}  llm {host}:{places.port('LLM_PORT')}/v1"
        f"  logs {places.var() / 'log'}  (Ctrl-C stops everything)"
    )


def stop(process: subprocess.Popen[str]) -> None:
    """Ends supervisord and with it every service; kills what does not go."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if process.poll() is None:
        print("Stopping …", file=sys.stderr, flush=True)
        process.terminate()
        try:
            process.wait(STOP_DEADLINE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await_health(
    services: list[Service], control: Path, process: subprocess.Popen[str], started: float
) -> None:
    waiting = {service.name: service for service in services}
    live = sys.stderr.isatty()
    while waiting:
        if process.poll() is not None:
            reason = (process.stderr.read().strip() if process.stderr else "").splitlines()
            raise ServiceFailed(f"The supervisor ended at once: {reason[-1:] or 'no reason given'}")
        for name, service in list(waiting.items()):
            if service.healthy(started):
                del waiting[name]
        states = _states(control)
        for name in waiting:
            if states.get(name) == "FATAL":
                raise ServiceFailed(_ended(name))
        elapsed = time.time() - started
        for name, service in waiting.items():
            if elapsed > service.start_deadline_s:
                raise ServiceFailed(
                    f"{name} was not healthy after {service.start_deadline_s:.0f} s."
                    f" {_last_words(name)}"
                )
        if live and waiting:
            print(f"\rStarting {', '.join(waiting)} … {elapsed:3.0f} s   ", end="", file=sys.stderr)
        time.sleep(0.3)
    if live:
        print("\r" + " " * 70 + "\r", end="", file=sys.stderr)


def _watch(services: list[Service], control: Path, process: subprocess.Popen[str]) -> None:
    essential = {service.name for service in services if service.essential}
    given_up: dict[str, float] = {}
    while process.poll() is None:
        time.sleep(1.0)
        for name, state in _states(control).items():
            if state != "FATAL":
                given_up.pop(name, None)
            elif name in essential:
                raise ServiceFailed(_ended(name))
            elif name not in given_up:
                given_up[name] = time.monotonic()
                print(
                    f"{name} keeps ending; Rasa goes on without it. {_last_words(name)}"
                    f" Trying again every {RETRY_AFTER_S:.0f} s.",
                    file=sys.stderr,
                    flush=True,
                )
            elif time.monotonic() - given_up[name] > RETRY_AFTER_S:
                given_up[name] = time.monotonic()
                _call(control, "startProcess", name, False)
    raise ServiceFailed("The supervisor ended unexpectedly; see supervisord.log.")


def _ended(name: str) -> str:
    return f"{name} cannot be kept running. {_last_words(name)}"


def _last_words(name: str) -> str:
    """The last line that a service logged (services do not log message texts)."""
    path = places.var() / "log" / f"{name}.log"
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        lines = []
    last = f'Its last line: "{lines[-1][:300]}".' if lines else "It logged nothing."
    return f"{last} More in {path}."


def _states(control: Path) -> dict[str, str]:
    answer = _call(control, "getAllProcessInfo")
    return {info["name"]: info["statename"] for info in answer or []}


def _call(control: Path, method: str, *arguments: Any) -> list[dict[str, Any]] | None:
    proxy = xmlrpc.client.ServerProxy("http://supervisor", transport=_UnixTransport(control))
    try:
        answer = getattr(proxy.supervisor, method)(*arguments)
        return cast(list[dict[str, Any]], answer) if isinstance(answer, list) else None
    except (OSError, http.client.HTTPException, xmlrpc.client.Error):
        return None


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=5)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(5)
        self.sock.connect(str(self._path))


class _UnixTransport(xmlrpc.client.Transport):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        return _UnixConnection(self._path)


def control_socket() -> Path:
    """supervisord's socket: in the state folder, or in /tmp where that path is too long."""
    path = places.var() / "run" / "supervisor.sock"
    if len(str(path)) < 90:
        return path
    digest = hashlib.sha256(str(path).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"stillpoint-{digest}.sock"


def _interrupt(number: int, frame: object) -> None:
    raise _Interrupted


def _end_with_parent() -> None:
    """If this process is killed outright, supervisord gets SIGTERM and stops its services."""
    os.setpgrp()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _escape(text: str) -> str:
    return text.replace("%", "%%")


def _quote(text: str) -> str:
    return _escape(text).replace("\\", "\\\\").replace('"', '\\"')


def _shell(word: str) -> str:
    return f'"{word}"' if " " in word else word
