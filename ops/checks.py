"""What must be true before the services can start; `make doctor` tells all of it at once.

Standard library only: it runs before any environment exists.
"""

from __future__ import annotations

import datetime
import os
import shutil
import socket
import struct
import subprocess
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ops import contact_dates, handoff, places, pythons
from ops.errors import DiskFull, ModelUnusable, OpsError, PortTaken, SettingInvalid

MIB = 1024 * 1024
FIRST_INSTALL_MIB = 4500
RUNNING_MIB = 200
_LLM_SETTINGS_REFUSED = 2  # its exit code
SERVICE_OF_PORT = {"RASA_PORT": "Rasa", "ACTIONS_PORT": "the actions", "LLM_PORT": "the LLM server"}


class Concern(str):
    """A finding that is worth a look and fails nothing."""

    __slots__ = ()


@dataclass(frozen=True)
class Check:
    """A named check; `run` returns a short finding or raises an OpsError."""

    name: str
    run: Callable[[], str]


def all_checks() -> list[Check]:
    """Every check of `make doctor`, in the order in which a start would meet them."""
    return [
        Check("Python 3.11", lambda: pythons.find("3.11", shutil.which("uv"))),
        Check("Python 3.10", lambda: pythons.find("3.10", shutil.which("uv"))),
        Check("disk", free_disk),
        Check("state folder", state_folder),
        *[Check(f"port {name}", partial(free_port, name)) for name in places.DEFAULT_PORTS],
        Check("language model", language_model_loads),
        Check("Rasa model", rasa_model),
        Check("hand-off", handoff_settings),
        Check("helplines", contact_points),
    ]


def preflight() -> None:
    """The checks that a start needs.

    Raises:
        OpsError: the first one that fails.
    """
    free_disk()
    state_folder()
    for name in places.DEFAULT_PORTS:
        free_port(name)
    language_model()


def free_disk() -> str:
    """Room for the environments (first time) or for the state (later).

    Raises:
        DiskFull: too little; says how much is missing and where.
    """
    installed = places.MAIN_ENV.is_dir() and places.RASA_ENV.is_dir()
    needed = RUNNING_MIB if installed else FIRST_INSTALL_MIB
    for folder in (places.ROOT, places.var()):
        free = shutil.disk_usage(folder).free // MIB
        if free < needed:
            raise DiskFull(
                f"The disk of {folder} has {free} MiB free; {needed} MiB are needed."
                " Free some space, or set STILLPOINT_VAR to a folder on another disk."
            )
    return f"{shutil.disk_usage(places.var()).free // MIB} MiB free"


def state_folder() -> str:
    """The state folder can be written to.

    Raises:
        SettingInvalid: it cannot.
    """
    probe = places.var() / ".probe"
    try:
        probe.write_bytes(b"x" * 4096)
        probe.unlink()
    except OSError as error:
        raise SettingInvalid(
            f"{places.var()} cannot be written to ({error.strerror}); set STILLPOINT_VAR to a"
            " folder that can."
        ) from error
    return str(places.var())


def free_port(name: str) -> str:
    """The port named by the environment variable is free on 127.0.0.1.

    Raises:
        PortTaken: another program listens there. SettingInvalid: no port number.
    """
    number = places.port(name)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", number))
        except OSError as error:
            raise PortTaken(
                f"Port {number} for {SERVICE_OF_PORT[name]} is taken by another program; stop"
                f" it, or choose another with {name}={number + 1000}."
            ) from error
    return f"{number} is free"


def language_model() -> str:
    """The GGUF file exists and begins like one; the LLM server checks its tensors at start.

    Raises:
        ModelUnusable: missing or not a GGUF file.
    """
    if os.environ.get("LLM_BASE_URL"):
        return "a hosted model is configured (LLM_BASE_URL)"
    if os.environ.get("LLM_MODEL") and not os.environ.get("LLM_MODEL_PATH"):
        return f"LLM_MODEL={os.environ['LLM_MODEL']}"
    path = places.llm_model()
    hint = "Restore it with `git checkout -- llm_server/models`, or set LLM_MODEL_PATH."
    if not path.is_file():
        raise ModelUnusable(f"The language model {path} is missing. {hint}")
    with open(path, "rb") as file:
        head = file.read(8)
    if len(head) < 8 or head[:4] != b"GGUF" or not 2 <= struct.unpack("<I", head[4:])[0] <= 3:
        raise ModelUnusable(f"The language model {path} is damaged or no GGUF file. {hint}")
    return f"{path.name}, {path.stat().st_size // MIB} MiB"


def language_model_loads() -> str:
    """Asks the LLM server whether its settings and every tensor of its model file are usable.

    Before its environment exists, only the file's head is looked at.

    Raises:
        SettingInvalid, ModelUnusable: they are not; carries the LLM server's own line.
    """
    finding = language_model()
    python = places.MAIN_ENV / "bin" / "python"
    if not python.is_file():
        return finding
    command = [str(python), "-m", "llm_server", "--check"]
    asked = subprocess.run(
        command, cwd=places.ROOT, env=_llm_environment(), capture_output=True, text=True
    )
    if asked.returncode != 0:
        reason = (asked.stderr.strip().splitlines() or ["it gave no reason"])[-1]
        reason = reason.removeprefix("llm_server: ").rstrip(".")
        if asked.returncode == _LLM_SETTINGS_REFUSED:
            raise SettingInvalid(f"{reason}.")
        raise ModelUnusable(
            f"{reason}. Check the LLM_… settings, or"
            " restore the house model with `git checkout -- llm_server/models`."
        )
    return (asked.stdout.strip().splitlines() or [finding])[-1]


def fetch_language_model() -> None:
    """Has the LLM server fetch the model that LLM_MODEL names; its progress bar shows through.

    It takes as long as it takes: nothing else has been started yet.

    Raises:
        ModelUnusable: it could not be fetched; the reason stands above.
    """
    if not os.environ.get("LLM_MODEL"):
        return
    command = [str(places.MAIN_ENV / "bin" / "python"), "-m", "llm_server", "--fetch"]
    process = subprocess.Popen(command, cwd=places.ROOT, env=_llm_environment())
    try:
        status = process.wait()
    except BaseException:
        process.terminate()
        process.wait()
        raise
    if status != 0:
        raise ModelUnusable("The language model could not be fetched; the reason stands above.")


def _llm_environment() -> dict[str, str]:
    """What the LLM server will get from the supervisor."""
    port = str(places.port("LLM_PORT"))
    return {**os.environ, "STILLPOINT_VAR": str(places.var()), "LLM_PORT": port}


def rasa_model() -> str:
    """The trained Rasa model, if there is one, can be opened.

    Raises:
        ModelUnusable: the archive is damaged.
    """
    path = places.rasa_model()
    if not path.is_file():
        return "not trained yet; `make run` trains it"
    if not readable_archive(path):
        raise ModelUnusable(
            f"The Rasa model {path} is damaged. Delete it; `make run` trains it again."
        )
    return f"{path.stat().st_size // MIB} MiB"


def readable_archive(path: Path) -> bool:
    """Whether the model archive at `path` can be read to its end."""
    try:
        with tarfile.open(path) as archive:
            return any(member.name.endswith("metadata.json") for member in archive)
    except (tarfile.TarError, EOFError, OSError):
        return False


def handoff_settings() -> str:
    """Asks the hand-off service whether its settings are usable.

    Raises:
        SettingInvalid: they are not; carries the service's own line.
    """
    if not handoff.is_configured():
        return "off (HANDOFF_WEBHOOK_URL is not set): no human is told of a crisis"
    python = places.MAIN_ENV / "bin" / "python"
    if not python.is_file():
        return "HANDOFF_WEBHOOK_URL is set; checked once the environment exists"
    command = [str(python), "-m", "handoff", "check"]
    asked = subprocess.run(command, cwd=places.ROOT, capture_output=True, text=True)
    if asked.returncode != 0:
        reason = (asked.stderr.strip().splitlines() or ["it gave no reason"])[-1]
        raise SettingInvalid(reason.removeprefix("handoff: "))
    line = (asked.stdout.strip().splitlines() or ["configured"])[-1]
    return Concern(line) if "failed" in line else line


def contact_points() -> str:
    """How old the helplines and partners are; old ones are a warning, never a failure."""
    data = places.ROOT / "data"
    try:
        old, total = contact_dates.old_entries(
            [data / "helplines.yml", data / "partners.yml"], datetime.date.today()
        )
    except (OSError, ValueError) as error:
        return Concern(f"cannot be read ({type(error).__name__}); run pytest tests/data")
    line = contact_dates.summary(old, total)
    return Concern(line) if old else line


def doctor() -> int:
    """Prints every check's finding; returns the number that failed."""
    failed = 0
    for check in all_checks():
        try:
            finding = check.run()
            mark = "warn" if isinstance(finding, Concern) else "ok  "
            print(f"  {mark}  {check.name}: {finding}")
        except OpsError as error:
            failed += 1
            print(f"  FAIL  {check.name}: {error}")
    print("All is well." if not failed else f"{failed} of {len(all_checks())} checks failed.")
    return failed
