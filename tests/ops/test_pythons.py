"""Finding a Python that really runs."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from ops import pythons
from ops.errors import PythonMissing

THIS = f"{sys.version_info.major}.{sys.version_info.minor}"


def script(path: Path, body: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def test_a_shim_that_does_not_resolve_does_not_count(tmp_path: Path) -> None:
    shim = script(
        tmp_path / "python3.10", "echo 'pyenv: python3.10: command not found' >&2; exit 127"
    )
    assert not pythons.works(str(shim), "3.10")
    assert not pythons.works(str(tmp_path / "absent"), "3.10")
    assert pythons.works(sys.executable, THIS)
    assert not pythons.works(sys.executable, "2.7")


def test_pyenv_is_searched_after_a_broken_shim_newest_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shims = tmp_path / "shims"
    script(shims / "python3.99", "exit 127")
    for patch in ("2", "13"):
        script(tmp_path / f"versions/3.99.{patch}/bin/python", "echo 3.99")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    monkeypatch.setenv("PATH", f"{shims}{os.pathsep}{os.environ['PATH']}")
    assert pythons.find("3.99").endswith("versions/3.99.13/bin/python")


def test_none_at_all_names_the_ways_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PythonMissing, match=r"Python 3\.98 was not found.*uv python install"):
        pythons.find("3.98")
