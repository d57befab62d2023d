"""Where things are: the repository, its environments, the state folder, the ports."""

from __future__ import annotations

import os
from pathlib import Path

from ops.errors import SettingInvalid

ROOT = Path(__file__).resolve().parent.parent
MAIN_ENV = ROOT / ".venv"
RASA_ENV = ROOT / "rasa_project" / ".venv"
RASA_HOME = ROOT / "rasa_project"

DEFAULT_PORTS = {"RASA_PORT": 5005, "ACTIONS_PORT": 5055, "LLM_PORT": 8080}


def var() -> Path:
    """The state folder: `STILLPOINT_VAR`, or `var/` in the repository; made if absent."""
    folder = Path(os.environ.get("STILLPOINT_VAR") or ROOT / "var").absolute()
    folder.mkdir(parents=True, exist_ok=True)
    # Conversations are kept here: nobody else on this machine may read them.
    if folder.stat().st_uid == os.getuid() and folder.stat().st_mode & 0o077:
        folder.chmod(0o700)
    return folder


def port(name: str) -> int:
    """The port in environment variable `name`, or its default.

    Raises:
        SettingInvalid: not a number from 1 to 65535.
    """
    value = os.environ.get(name) or str(DEFAULT_PORTS[name])
    if not value.isdigit() or not 0 < int(value) < 65536:
        raise SettingInvalid(f"{name}={value!r} is not a port; use a number from 1 to 65535.")
    return int(value)


def rasa_model() -> Path:
    """The trained Rasa model that `make run` serves."""
    return var() / "models" / "stillpoint.tar.gz"


def llm_model() -> Path:
    """The GGUF file that the LLM server loads."""
    default = ROOT / "llm_server" / "models" / "stillpoint-house-q8_0.gguf"
    return Path(os.environ.get("LLM_MODEL_PATH") or default)
