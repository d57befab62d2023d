"""`docs/nlu-comparison.md` from the reports: tables made here, words in `comparison.md.tmpl`."""

from __future__ import annotations

import json
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training_pipeline.errors import PipelineError
from training_pipeline.intents.candidates import ENTRIES
from training_pipeline.intents.merge_or_stack import WAYS

TEMPLATE = Path(__file__).with_name("comparison.md.tmpl")
TITLES = {
    "own": "Our own data",
    "clinc": "CLINC150",
    "banking": "BANKING77",
    "hwu": "HWU64",
}
MIB = 1024 * 1024
WAY_TITLES = {
    "alone": "one classifier for each set, told which",
    "stack": "the same behind a router",
    "merged": "one classifier over both, labels prefixed",
    "ngrams": "n-grams alone (a base model)",
    "stacked": "n-grams and MiniLM stacked",
}


class PageError(PipelineError):
    """A report is missing or malformed; the message names it."""


@dataclass(frozen=True)
class Heading:
    """When, how and where the figures came about."""

    date: str
    command: str
    machine: str


Report = Mapping[str, Any]


def read(folder: Path) -> dict[str, Report]:
    """The reports in `folder` by file name without ending.

    Raises:
        PageError: there is none, or one is no JSON object with an order and figures.
    """
    found: dict[str, Report] = {}
    for path in sorted(folder.glob("*.json")):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise PageError(f"{path}: {error}") from error
        keys = ("order", "figures", "date", "seconds")
        absent = [key for key in keys if not isinstance(content, dict) or key not in content]
        if absent:
            raise PageError(f"{path}: the key '{absent[0]}' is missing")
        found[path.stem] = content
    if not found:
        raise PageError(f"{folder}: no reports; run compare-nlu first")
    return found


def render(reports: Mapping[str, Report], heading: Heading, notes: Sequence[str] = ()) -> str:
    """The whole page.

    Raises:
        PageError: a report lacks a figure, or the template names a block that is not made.
    """
    template = string.Template(TEMPLATE.read_text(encoding="utf-8"))
    try:
        return template.substitute(
            date=heading.date,
            command=heading.command,
            machine=heading.machine,
            measured=_measured(reports),
            notes="".join(f"- **{note}**\n" for note in notes),
            tables=_tables(reports),
            artifacts=_artifacts(reports),
            classes=_classes(reports.get("distilbert")),
            ways=_ways(reports.get("merge-or-stack")),
        )
    except KeyError as error:
        raise PageError(f"the page needs {error}, which is not there") from error


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; the first column is text, the others are figures."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _measured(reports: Mapping[str, Report]) -> str:
    dates = sorted({str(report["date"]) for report in reports.values()})
    hours = sum(float(report["seconds"]) for report in reports.values()) / 3600
    when = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    return f"{when}, {hours:.1f} hours of computing"


def _number(places: int) -> Callable[[Any], str]:
    return lambda value: "–" if value is None else f"{value:.{places}f}"


COLUMNS: tuple[tuple[str, Callable[[Mapping[str, Any]], str]], ...] = (
    ("accuracy", lambda of: _spread(of, "accuracy")),
    ("macro-F1", lambda of: _number(3)(of["macro_f1"])),
    ("accepted", lambda of: _number(3)(of["accepted"])),
    ("out-of-scope recall", lambda of: _spread(of, "oos_recall")),
    ("p50 ms", lambda of: _number(1)(of["p50_ms"])),
    ("p95 ms", lambda of: _number(1)(of["p95_ms"])),
    ("memory MiB", lambda of: _number(0)(of["peak_mib"])),
    ("training s", lambda of: _number(0)(of["train_s"])),
    ("artifact MiB", lambda of: _number(1)(of["artifact_bytes"] / MIB)),
)


def _spread(figures: Mapping[str, Any], name: str) -> str:
    mean, spread = figures[name], figures.get(f"{name}_sd")
    said = _number(3)(mean)
    return said if mean is None or spread is None else f"{said} ± {spread:.3f}"


def _tables(reports: Mapping[str, Report]) -> str:
    parts = []
    for name, title in TITLES.items():
        found = {
            candidate: reports[f"{candidate}-{name}"]
            for candidate in ENTRIES
            if f"{candidate}-{name}" in reports
        }
        if found:
            parts.append(f"### {title}\n\n{_size(next(iter(found.values())))}\n\n{_figures(found)}")
    return "\n\n".join(parts) or "No candidate has been run."


def _size(report: Report) -> str:
    folds = len(report["folds"])
    how = f"{folds} grouped folds" if folds > 1 else "one split"
    train, test, labels = report["train_rows"], report["test_rows"], report["labels"]
    return f"{labels} labels; {train} rows to train on, {test} to test; {how}."


def _figures(found: Mapping[str, Report]) -> str:
    rows = []
    for candidate, report in found.items():
        cells = [show(report["figures"]) for _, show in COLUMNS]
        epochs = report["order"]["settings"].get("epochs")
        title = ENTRIES[candidate].title + (f", {epochs} epochs" if epochs else "")
        rows.append([title, *cells])
    return table(["", *(name for name, _ in COLUMNS)], rows)


def _artifacts(reports: Mapping[str, Report]) -> str:
    run = {str(report["order"].get("candidate")) for report in reports.values()}
    lines = [f"{one.title}: {one.ships}" for name, one in ENTRIES.items() if name in run]
    return "; ".join(lines) or "no candidate has been run"


def _classes(report: Report | None) -> str:
    if report is None:
        return "Not run."
    found = report["figures"]
    named, auto = found["classes"]["distilbert"], found["classes"]["auto"]
    same = "yes" if found["same_class"] else "no"
    rows = [
        ["class of the loaded model", f"`{named}`", f"`{auto}`"],
        ["best of three loads, s", *(f"{found['load_s'][n]:.3f}" for n in ("distilbert", "auto"))],
    ]
    for key, title in (
        ("class", "given MiniLM (a BERT): class"),
        ("weights", "weights of that model"),
        ("missing", "of them not in the checkpoint, left random"),
        ("unexpected", "weights of the checkpoint with no place"),
    ):
        rows.append([title, *(str(found["bert"][one][key]) for one in ("distilbert", "auto"))])
    header = ["", "`DistilBertForSequenceClassification`", "`AutoModelForSequenceClassification`"]
    facts = (
        f"The same class: {same}. Largest difference between their logits: "
        f"{found['logit_difference']:g}; after the same further tuning, which moved the logits by "
        f"up to {found['tuned_moved']:.2g}: {found['tuned_difference']:g}. The checkpoint has "
        f"{found['parameters']:,} parameters and was tuned on {found['rows']} rows."
    )
    return f"{table(header, rows)}\n\n{facts}"


def _ways(report: Report | None) -> str:
    if report is None:
        return "Not run."
    found = report["figures"]
    other = str(found["other"])
    rows = [
        [WAY_TITLES[way], *(f"{found['accuracy'][way][one]:.3f}" for one in ("own", other))]
        for way in WAYS
    ]
    rows.append(["the router is right", *(f"{found['router'][one]:.3f}" for one in ("own", other))])
    trained, tested = found["train_rows"], found["test_rows"]
    size = (
        f"{found['folds']} folds of our data ({trained['own']} rows to train on in each,"
        f" {tested['own']} to test in all), with {TITLES[other]} ({trained[other]} and"
        f" {tested[other]}) beside each."
    )
    return f"{table(['accuracy', TITLES['own'], TITLES[other]], rows)}\n\n{size}"
