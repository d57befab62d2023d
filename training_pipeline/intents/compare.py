"""`compare-nlu`: every candidate on every data set, and the page made from the figures.

Each candidate runs on each set in a process of its own, on one thread, and leaves one JSON file.
A file whose order is the same is kept, so that a run that was cut off goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from training_pipeline.errors import PipelineError
from training_pipeline.intents import cell, experiment, page
from training_pipeline.intents.candidates import ENTRIES, CandidateMissing, class_of, entry
from training_pipeline.intents.threads import ONE_THREAD
from training_pipeline.record import write_atomically

ROOT = cell.ROOT
REPORTS = ROOT / "reports" / "nlu-comparison"
PAGE = ROOT / "docs" / "nlu-comparison.md"
DEFAULT = tuple(name for name in ENTRIES if name != "spacy-bow")
NO_DATA = (
    "STILLPOINT_DATA is not set: CLINC150, BANKING77 and HWU64 cannot be read, and only our own"
    " data is compared. Set it to the folder that holds `intent/`."
)
SAMPLED = (
    "Every candidate was trained on the same sample of at most {rows} rows of each set (of our own"
    " data: sampled, then folded), because whole sets take a day on two cores. The test parts are"
    " whole. Accuracies on whole sets are higher."
)


class ComparisonFailed(PipelineError):
    """Some candidate failed; what could be run was run, and the page was written."""


@dataclass(frozen=True)
class Task:
    """One process: its name (that of its report), module, and order."""

    name: str
    module: str
    order: Mapping[str, Any]


@dataclass(frozen=True)
class Plan:
    """What one call of `compare-nlu` does.

    Attributes:
        tasks: in order.
        reports: folder of the JSON files.
        page: the Markdown file.
        notes: what is left out and why, for the page and the terminal.
    """

    tasks: Sequence[Task]
    reports: Path
    page: Path
    notes: Sequence[str] = field(default_factory=tuple)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `compare-nlu`."""
    names = ", ".join((*ENTRIES, *experiment.NAMES))
    parser.add_argument("--only", type=_list, help=f"some of: {names}")
    parser.add_argument("--sets", type=_list, help=f"some of: {', '.join(cell.SETS)}")
    parser.add_argument("--folds", type=int, default=3, help="folds of our own data (3)")
    parser.add_argument(
        "--sample", type=int, help="train every candidate on the same so many rows of each set"
    )
    parser.add_argument("--rows", type=int, help="at most so many rows at all: a quick run")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument(
        "--epochs", type=_epochs, default={}, metavar="NAME=N,…", help="diet-sparse=50,auto-model=5"
    )
    parser.add_argument("--force", action="store_true", help="run even what has a report")
    parser.add_argument("--render", action="store_true", help="run nothing, write the page anew")


def _list(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _epochs(text: str) -> dict[str, int]:
    found = {}
    for part in _list(text):
        name, _, number = part.partition("=")
        if name not in ENTRIES or not number.isdigit() or int(number) < 1:
            raise argparse.ArgumentTypeError(f"'{part}' is no CANDIDATE=EPOCHS")
        found[name] = int(number)
    return found


def plan(arguments: argparse.Namespace) -> Plan:
    """What is to be run.

    Raises:
        CandidateMissing: a name in `--only` is unknown. ComparisonFailed: a name in `--sets` is, or
            a public set was asked for and `STILLPOINT_DATA` is not set, or a number is too small.
    """
    sizes = [size for size in (arguments.rows, arguments.sample) if size is not None]
    if arguments.folds < 2 or any(size < 30 for size in sizes):
        raise ComparisonFailed("--folds must be at least 2, --rows and --sample at least 30")
    if len(sizes) == 2:
        raise ComparisonFailed("--rows and --sample exclude each other")
    sets, notes = _sets(arguments.sets)
    wanted = arguments.only or [*DEFAULT, *experiment.NAMES]
    candidates = [name for name in wanted if name not in experiment.NAMES]
    for name in candidates:
        entry(name)
    if arguments.only is None:
        candidates, absent = _installed(candidates)
        notes += absent
    common = {
        "folds": arguments.folds,
        "rows": arguments.rows,
        "sample": arguments.sample,
        "seed": arguments.seed,
    }
    if arguments.sample is not None:
        notes.insert(0, SAMPLED.format(rows=arguments.sample))
    tasks = []
    for chosen in sets:
        for name in candidates:
            epochs = arguments.epochs.get(name)
            settings = {} if epochs is None else {"epochs": epochs}
            order = cell.Order(name, chosen, settings=settings, **common)
            tasks.append(Task(f"{name}-{chosen}", cell.__name__, asdict(order)))
    for name in experiment.NAMES:
        if name in wanted and (name != "merge-or-stack" or cell.data_folder() is not None):
            tasks.append(Task(name, experiment.__name__, {"experiment": name, **common}))
    if arguments.rows is None:
        return Plan(tasks, REPORTS, PAGE, notes)
    quick = REPORTS.with_name("nlu-comparison-quick")
    notes.insert(0, f"A quick run on at most {arguments.rows} training rows: no result.")
    return Plan(tasks, quick, quick / PAGE.name, notes)


def _sets(asked: list[str] | None) -> tuple[list[str], list[str]]:
    unknown = [name for name in asked or () if name not in cell.SETS]
    if unknown:
        known = ", ".join(cell.SETS)
        raise ComparisonFailed(f"no data set is called '{unknown[0]}'; there are: {known}")
    if cell.data_folder() is not None:
        return asked or list(cell.SETS), []
    public = [name for name in asked or () if name != "own"]
    if public:
        raise ComparisonFailed(f"STILLPOINT_DATA is not set: '{public[0]}' cannot be read")
    return ["own"], [NO_DATA]


def _installed(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """The candidates that can be imported, and a line about each other one."""
    found, absent = [], []
    for name in names:
        try:
            class_of(name)
        except CandidateMissing as error:
            absent.append(f"Not run: {error}.")
        else:
            found.append(name)
    return found, absent


def is_done(task: Task, reports: Path) -> bool:
    """Whether a report of the same order is there."""
    try:
        found = json.loads((reports / f"{task.name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    # Through JSON, which turns tuples into lists.
    return isinstance(found, dict) and found.get("order") == json.loads(json.dumps(task.order))


def run_task(task: Task, reports: Path) -> str | None:
    """Runs one task in a process of its own, on one thread; the reason if it failed."""
    with tempfile.TemporaryDirectory(prefix="stillpoint-compare-") as scratch:
        order = Path(scratch) / "order.json"
        report = (reports / f"{task.name}.json").resolve()
        content = {"order": task.order, "report": str(report)}
        order.write_text(json.dumps(content), encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", task.module, str(order)],
            cwd=ROOT,
            env={**os.environ, **ONE_THREAD},
            stderr=subprocess.PIPE,
            text=True,
        )
    if done.returncode == 0:
        return None
    return "\n".join(done.stderr.strip().splitlines()[-8:]) or f"exit status {done.returncode}"


def machine() -> str:
    """The machine in words: architecture, cores, and the processor's name."""
    name = platform.processor() or "unknown processor"
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                name = line.split(":", 1)[1].strip()
                break
    except OSError:
        pass
    return f"{platform.machine()}, {os.cpu_count()} cores, {name}"


def write_page(made: Plan, command: str) -> None:
    """Writes the page from the reports that are there.

    Raises:
        PageError: there is none, or one of them cannot be read.
    """
    text = page.render(
        page.read(made.reports),
        page.Heading(time.strftime("%Y-%m-%d", time.gmtime()), command, machine()),
        made.notes,
    )
    write_atomically(made.page, text)
    print(f"wrote {made.page}", flush=True)


def main(arguments: argparse.Namespace, argv: Sequence[str]) -> None:
    """Runs what is wanted and not there yet, and writes the page.

    Args:
        arguments: see `add_arguments`.
        argv: the command line, for the page.

    Raises:
        ComparisonFailed: a task failed; the others were run, and the page was written.
        CandidateMissing, PageError: as `plan` and `write_page`.
    """
    made = plan(arguments)
    for note in made.notes:
        print(note, file=sys.stderr, flush=True)
    failed = []
    for number, task in enumerate([] if arguments.render else made.tasks, start=1):
        where = f"[{number}/{len(made.tasks)}] {task.name}"
        if not arguments.force and is_done(task, made.reports):
            print(f"{where}: there already", flush=True)
            continue
        print(f"{where}: running", flush=True)
        began = time.monotonic()
        reason = run_task(task, made.reports)
        print(
            f"{where}: {time.monotonic() - began:.0f} s{', failed' if reason else ''}", flush=True
        )
        if reason:
            failed.append(f"{task.name}: {reason}")
    if not failed or any(made.reports.glob("*.json")):
        words = [word for word in argv if word != "--render"]
        write_page(made, shlex.join(["python", "-m", "training_pipeline", *words]))
    if failed:
        raise ComparisonFailed("\n".join([f"{len(failed)} failed", *failed]))
