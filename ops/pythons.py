"""Finds a working Python of a given version: on the PATH, in pyenv, or by uv."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from ops.errors import PythonMissing


def find(version: str, uv: str | None = None) -> str:
    """Path of an interpreter whose `sys.version_info` starts with `version` ("3.10").

    Args:
        version: major and minor.
        uv: path of uv; if given, uv may download a managed Python as the last resort.

    Raises:
        PythonMissing: none was found; the message names the ways to get one.
    """
    for candidate in _candidates(version):
        if works(candidate, version):
            return candidate
    if uv:
        managed = _from_uv(uv, version)
        if managed and works(managed, version):
            return managed
    raise PythonMissing(
        f"Python {version} was not found. Install it (for example `apt install python{version}"
        f" python{version}-venv`, `pyenv install {version}` or `uv python install {version}`)"
        " and run the command again."
    )


def works(python: str, version: str) -> bool:
    """Whether `python` runs and is of `version` (a pyenv shim may exist and not resolve)."""
    try:
        answer = subprocess.run(
            [python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
            capture_output=True,
            text=True,
            timeout=20,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.returncode == 0 and answer.stdout.strip() == version


def _candidates(version: str) -> Iterator[str]:
    named = shutil.which(f"python{version}")
    if named:
        yield named
    roots = [os.environ.get("PYENV_ROOT"), str(Path.home() / ".pyenv")]
    for root in dict.fromkeys(r for r in roots if r):
        versions = Path(root) / "versions"
        found = sorted(versions.glob(f"{version}.*/bin/python"), key=_patch, reverse=True)
        yield from (str(path) for path in found)
    for folder in ("/usr/local/bin", "/usr/bin", "/opt/homebrew/bin"):
        yield f"{folder}/python{version}"


def _patch(path: Path) -> tuple[int, ...]:
    numbers = path.parents[1].name.split(".")
    return tuple(int(n) for n in numbers if n.isdigit())


def _from_uv(uv: str, version: str) -> str | None:
    for command in ("find", "install"):
        done = subprocess.run([uv, "python", command, version], capture_output=True, text=True)
        if command == "find" and done.returncode == 0:
            return done.stdout.strip()
    found = subprocess.run([uv, "python", "find", version], capture_output=True, text=True)
    return found.stdout.strip() if found.returncode == 0 else None
