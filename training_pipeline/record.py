"""Remembers what each stage read, was told and wrote, so that nothing runs twice in vain."""

import hashlib
import json
import time
from pathlib import Path
from typing import Any

from training_pipeline.errors import StageError
from training_pipeline.stage import Metrics, Stage, Workspace


def file_hash(path: Path) -> str:
    """sha256 of a file, as hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def write_atomically(path: Path, text: str) -> None:
    """Write a text file so that a reader sees the old content or the new, never half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".part")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


def _name(path: Path, space: Workspace) -> str:
    for base in (space.root, space.work):
        if path.is_relative_to(base):
            return str(path.relative_to(base))
    return path.name


def _hashes(paths: list[Path], space: Workspace) -> dict[str, str]:
    return {_name(path, space): file_hash(path) for path in paths}


def _record_file(stage: Stage, space: Workspace) -> Path:
    return space.work / "records" / f"{stage.name}.json"


def _told(stage: Stage, space: Workspace) -> dict[str, Any]:
    every = space.params.model_dump(mode="json")
    return {name: every[name] for name in ("seed", *stage.uses)}


def read_record(stage: Stage, space: Workspace) -> dict[str, Any] | None:
    """The stage's last record, or None if there is none that can be read."""
    try:
        found = json.loads(_record_file(stage, space).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def is_fresh(stage: Stage, space: Workspace) -> bool:
    """Whether inputs, parameters and outputs are all as the record says."""
    record = read_record(stage, space)
    if record is None or record.get("params") != _told(stage, space):
        return False
    files = stage.reads(space) + stage.writes(space)
    if not all(path.is_file() for path in files):
        return False
    return bool(
        record.get("inputs") == _hashes(stage.reads(space), space)
        and record.get("outputs") == _hashes(stage.writes(space), space)
    )


def run_stage(stage: Stage, space: Workspace) -> Metrics:
    """Run a stage and record it.

    Raises:
        StageError: an input is missing, or a promised output was not written.
    """
    absent = [path for path in stage.reads(space) if not path.is_file()]
    if absent:
        raise StageError(f"{stage.name}: missing {_name(absent[0], space)}; run the stages before")
    inputs = _hashes(stage.reads(space), space)
    began = time.monotonic()
    metrics = stage.run(space)
    absent = [path for path in stage.writes(space) if not path.is_file()]
    if absent:
        raise StageError(f"{stage.name}: did not write {_name(absent[0], space)}")
    record = {
        "stage": stage.name,
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "seconds": round(time.monotonic() - began, 1),
        "params": _told(stage, space),
        "inputs": inputs,
        "outputs": _hashes(stage.writes(space), space),
        "metrics": metrics,
    }
    write_atomically(_record_file(stage, space), json.dumps(record, indent=2, sort_keys=True))
    return metrics
