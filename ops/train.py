"""Trains the Rasa model when one of its inputs changed."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from ops import places
from ops.checks import readable_archive
from ops.errors import ModelUnusable

DATA_FOLDERS = ("nlu", "rules", "stories")


def inputs() -> Iterator[Path]:
    """Every file that the trained model depends on, in a stable order."""
    yield places.RASA_HOME / "config.yml"
    for folder in DATA_FOLDERS:
        yield from sorted((places.ROOT / "data" / folder).rglob("*.yml"))
    yield from sorted((places.RASA_HOME / "domain").rglob("*.yml"))
    for folder in ("components", "policies"):
        for path in sorted((places.RASA_HOME / folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path
    yield places.RASA_HOME / "requirements.txt"


def fingerprint() -> str:
    """Hash over the inputs' names and contents."""
    digest = hashlib.sha256()
    for path in inputs():
        digest.update(str(path.relative_to(places.ROOT)).encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def up_to_date() -> bool:
    """Whether the model exists, can be read, and was trained on today's inputs."""
    model, stamp = places.rasa_model(), places.rasa_model().with_suffix(".inputs")
    if not model.is_file() or not stamp.is_file() or stamp.read_text() != fingerprint():
        return False
    return readable_archive(model)


def train(force: bool = False) -> bool:
    """Trains if needed; returns whether it did.

    Raises:
        ModelUnusable: Rasa's training failed; the log's place is named.
    """
    if not force and up_to_date():
        return False
    model = places.rasa_model()
    model.parent.mkdir(parents=True, exist_ok=True)
    log = places.var() / "log" / "train.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    current = fingerprint()
    command = [
        str(places.RASA_ENV / "bin" / "python"), "-m", "rasa", "train",
        "--config", "config.yml", "--domain", "domain",
        "--data", *[str(places.ROOT / "data" / folder) for folder in DATA_FOLDERS],
        "--out", str(model.parent), "--fixed-model-name", model.name.split(".")[0],
    ]  # fmt: skip
    environment = {
        **os.environ,
        "PYTHONPATH": str(places.RASA_HOME),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "RASA_TELEMETRY_ENABLED": "false",
    }
    with open(log, "wb") as output:
        process = subprocess.Popen(
            command, cwd=places.RASA_HOME, env=environment, stdout=output, stderr=output
        )
        try:
            _wait(process, "Training the Rasa model")
        except BaseException:
            process.terminate()
            process.wait()
            raise
    if process.returncode != 0 or not readable_archive(model):
        raise ModelUnusable(f"Training the Rasa model failed; the reason is in {log}.")
    model.with_suffix(".inputs").write_text(current)
    return True


def _wait(process: subprocess.Popen[bytes], label: str) -> None:
    started = time.monotonic()
    live = sys.stderr.isatty()
    if not live:
        print(f"{label} …", file=sys.stderr, flush=True)
    while process.poll() is None:
        if live:
            print(f"\r{label} … {time.monotonic() - started:3.0f} s", end="", file=sys.stderr)
        time.sleep(0.5)
    end = "\r" if live else ""
    print(f"{end}{label}: {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
