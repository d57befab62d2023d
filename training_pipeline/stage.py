"""What a stage is, and where it works."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training_pipeline.params import Params

Metrics = dict[str, Any]


@dataclass(frozen=True)
class Workspace:
    """The folders and parameters that a run of the pipeline uses.

    Attributes:
        root: the repository, or any folder that stands for it.
        work: where intermediate artifacts and records go (``var/pipeline``).
        reports: where JSON and Markdown reports go.
        params: everything from ``params.yaml``.
    """

    root: Path
    work: Path
    reports: Path
    params: Params

    def house_model(self) -> Path:
        """Where the exported house model belongs."""
        return placed(self, self.params.house_export.target)


@dataclass(frozen=True)
class Stage:
    """One step of the pipeline.

    Attributes:
        name: as on the command line and in ``params.yaml``.
        purpose: one line for ``list``.
        reads: files whose content the stage depends on, sources included.
        writes: files it promises to leave behind.
        uses: names of the parameter sections it depends on.
        run: does the work and returns figures for the record.
    """

    name: str
    purpose: str
    reads: Callable[[Workspace], list[Path]]
    writes: Callable[[Workspace], list[Path]]
    uses: tuple[str, ...]
    run: Callable[[Workspace], Metrics]


def placed(space: Workspace, target: Path) -> Path:
    """A configured output: relative to the repository, or in the work folder when it is bare."""
    return space.root / target if len(target.parts) > 1 else space.work / target
