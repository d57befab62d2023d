"""Fixtures for the Rasa environment's tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def repository() -> Path:
    """The repository's root."""
    return REPOSITORY


@pytest.fixture(scope="session")
def model_path() -> Path:
    """The trained Rasa model; `make test` trains it before these tests run."""
    folder = Path(os.environ.get("STILLPOINT_VAR") or REPOSITORY / "var")
    path = folder / "models" / "stillpoint.tar.gz"
    assert path.is_file(), f"{path} is missing: run `make train` first"
    return path
