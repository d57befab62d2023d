"""Creates the two environments from the locked requirement files, with uv.

Standard library only. An environment is rebuilt when its lock files, its Python or the wish
list (a purpose of `GROUPS`) changed; otherwise set-up costs nothing.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from ops import pythons
from ops.errors import InstallFailed
from ops.places import MAIN_ENV, RASA_ENV, RASA_HOME, ROOT, var

TORCH = "torch==2.13.0"
RUN_GROUPS = ("actions", "llm", "analytics", "ops")
TEST_GROUPS = (*RUN_GROUPS, "training", "dev")
COMPARE_GROUPS = (*TEST_GROUPS, "compare")
GROUPS = {"run": RUN_GROUPS, "test": TEST_GROUPS, "compare": COMPARE_GROUPS}
"""What the services' environment holds for each purpose; a later one serves the ones before."""


@dataclass(frozen=True)
class Environment:
    """One environment: its folder, Python version, lock files, and whether it holds torch."""

    name: str
    folder: Path
    python: str
    locks: list[Path]
    torch: bool = False

    @property
    def stamp(self) -> Path:
        """File that records what the environment was built from."""
        return self.folder / ".stillpoint-locks"

    def fingerprint(self) -> str:
        """Hash over the lock files and the torch wish."""
        digest = hashlib.sha256(f"{self.python} torch={self.torch}".encode())
        for lock in self.locks:
            digest.update(lock.read_bytes())
        return digest.hexdigest()

    def is_built(self) -> bool:
        """Whether the folder holds just this."""
        return self.stamp.is_file() and self.stamp.read_text() == self.fingerprint()


def environments(purpose: str) -> list[Environment]:
    """The environments for `run`, `test` or `compare` (tests, and what only `compare-nlu` needs).

    A services' environment that was built for a later one of them serves the earlier ones too.
    """
    purposes = list(GROUPS)
    larger = purposes[purposes.index(purpose) + 1 :]
    purpose = next((wider for wider in larger if _services(wider).is_built()), purpose)
    rasa_lock = "requirements.txt" if purpose == "run" else "requirements-dev.txt"
    return [Environment("Rasa", RASA_ENV, "3.10", [RASA_HOME / rasa_lock]), _services(purpose)]


def _services(purpose: str) -> Environment:
    return Environment(
        "services",
        MAIN_ENV,
        "3.11",
        [ROOT / "requirements" / f"{group}.txt" for group in GROUPS[purpose]],
        torch=purpose != "run",
    )


def install(purpose: str) -> None:
    """Makes the environments for a purpose of `GROUPS`, telling what it does.

    Raises:
        PythonMissing: no Python 3.10 or 3.11. InstallFailed: uv could not build one.
    """
    stale = [environment for environment in environments(purpose) if not environment.is_built()]
    if not stale:
        return
    uv = find_uv()
    for number, environment in enumerate(stale, start=1):
        started = time.monotonic()
        print(f"[{number}/{len(stale)}] Installing the {environment.name} environment", flush=True)
        build(environment, uv)
        print(f"      done in {time.monotonic() - started:.0f} s", flush=True)


def build(environment: Environment, uv: str) -> None:
    """Builds one environment from scratch or brings it up to its locks."""
    interpreter = pythons.find(environment.python, uv)
    python = environment.folder / "bin" / "python"
    if not pythons.works(str(python), environment.python):
        _uv(uv, "venv", "--quiet", "--clear", "--python", interpreter, str(environment.folder))
    environment.stamp.unlink(missing_ok=True)
    files = [part for lock in environment.locks for part in ("--requirement", str(lock))]
    install_ = ["pip", "install", "--python", str(python)]
    # The locks are complete, so nothing is resolved again; torch stands outside them.
    _uv(uv, *install_, "--compile-bytecode", "--no-deps", "--require-hashes", *files)
    if environment.torch:
        links = find_links()
        source = ["--find-links", links] if links else ["--torch-backend", torch_backend()]
        _uv(uv, *install_, *source, TORCH)
    environment.stamp.write_text(environment.fingerprint())


def torch_backend() -> str:
    """`STILLPOINT_TORCH` (a uv torch backend such as `cpu`, `auto`, `cu128`); `cpu` by default."""
    return os.environ.get("STILLPOINT_TORCH") or "cpu"


def find_links() -> str | None:
    """A folder with a torch wheel that pip or uv is configured to look into, if there is one."""
    configured = os.environ.get("UV_FIND_LINKS")
    if not configured:
        asked = subprocess.run(
            [sys.executable, "-m", "pip", "config", "get", "global.find-links"],
            capture_output=True,
            text=True,
        )
        configured = asked.stdout.strip() if asked.returncode == 0 else ""
    for place in configured.split():
        if any(Path(place).glob("torch-*.whl")):
            return place
    return None


def find_uv() -> str:
    """uv from the PATH, or one installed for this repository alone under the state folder.

    Raises:
        InstallFailed: pip could not fetch it.
    """
    on_path = shutil.which("uv")
    if on_path:
        return on_path
    home = var() / "tools" / "uv"
    private = home / "bin" / "uv"
    if not private.is_file():
        print("Fetching uv, which builds the environments", flush=True)
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(home), "uv"]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0 or not private.is_file():
            reason = (done.stderr.strip().splitlines() or ["pip gave no reason"])[-1]
            raise InstallFailed(f"uv could not be installed ({reason}). Install uv and run again.")
    return str(private)


def _uv(uv: str, *arguments: str) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "VIRTUAL_ENV"}
    if subprocess.run([uv, *arguments], env=environment).returncode != 0:
        raise InstallFailed(
            f"`uv {' '.join(arguments[:2])}` failed, the reason stands above. Check the network"
            " and the free disk space (`make doctor`), then run the command again."
        )
