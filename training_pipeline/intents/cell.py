"""One candidate on one data set: trained, scored, saved, measured, in a process of its own.

Run as `python -m training_pipeline.intents.cell ORDER.json`; see `Order`.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from training_pipeline.intents import datasets, measured
from training_pipeline.intents.candidates import make
from training_pipeline.intents.candidates.protocol import Candidate
from training_pipeline.intents.datasets import DatasetError, Row, Split
from training_pipeline.intents.scoring import Answers, Scores, mean_of, score
from training_pipeline.record import write_atomically

ROOT = Path(__file__).resolve().parents[2]
SETS = ("own", "clinc", "banking", "hwu")
FOLDERS = {"clinc": "CLINC150", "banking": "banking77", "hwu": "HWU64"}
CALIBRATION = 0.1
"""Share of each train part that is kept for the threshold."""
TEST_SHARE = 3
"""A quick run tests on a third as many rows as it trains on."""


@dataclass(frozen=True)
class Order:
    """What is to be run.

    Attributes:
        candidate, set: names.
        folds: how many, for our own data.
        rows: most training rows, for a quick run; None for all.
        sample: most training rows with the test part left whole, of our own data before they are
            folded; None for all.
        seed: of folds, samples and training.
        settings: laid over the candidate's own.
    """

    candidate: str
    set: str
    folds: int = 3
    rows: int | None = None
    sample: int | None = None
    seed: int = 7
    settings: Mapping[str, Any] = field(default_factory=dict)


def data_folder() -> Path | None:
    """The public sets' folder, or None without `STILLPOINT_DATA`."""
    named = os.environ.get("STILLPOINT_DATA")
    return Path(named) / "intent" if named else None


def public_split(name: str, seed: int) -> Split:
    """The train and test part of a public set.

    Raises:
        DatasetError: `STILLPOINT_DATA` is not set, or the set is not in it.
    """
    data = data_folder()
    if data is None:
        raise DatasetError(f"STILLPOINT_DATA is not set: '{name}' cannot be read")
    folder = data / FOLDERS[name]
    if name == "clinc":
        return datasets.clinc(folder)
    return datasets.banking(folder, seed) if name == "banking" else datasets.hwu(folder, seed)


def splits(order: Order) -> list[Split]:
    """Train and test parts of the ordered set: the folds of our own data, or one split.

    Raises:
        DatasetError: the set is unknown, absent or malformed.
    """
    if order.set not in SETS:
        raise DatasetError(f"no data set is called '{order.set}'; there are: {', '.join(SETS)}")
    if order.set == "own":
        rows = datasets.sample(datasets.own(ROOT), order.rows or order.sample, order.seed)
        return datasets.folds(rows, order.folds, order.seed)
    train, test = public_split(order.set, order.seed)
    most = None if order.rows is None else max(1, order.rows // TEST_SHARE)
    return [
        Split(
            datasets.sample(train, order.rows or order.sample, order.seed),
            datasets.sample(test, most, order.seed),
        )
    ]


def answers(candidate: Candidate, texts: Sequence[str]) -> Answers:
    """A candidate's answers, with its own confidence where it has one."""
    labels, probabilities = candidate.probabilities(texts)
    own = getattr(candidate, "confidence", None)
    return Answers(labels, probabilities, None if own is None else own(texts))


def trained(candidate: Candidate, part: Split, seed: int) -> tuple[Scores, float]:
    """Trains on nine tenths of the train part, and scores with the threshold of the last tenth.

    Returns:
        The scores, and the seconds that training took.
    """
    train, calibration = datasets.hold_back(part.train, CALIBRATION, seed)
    began = time.monotonic()
    candidate.fit(train, seed)
    # A candidate that trains in another process knows better than to count that one's start.
    seconds = getattr(candidate, "trained_s", None) or time.monotonic() - began
    # Asked at once: some candidates load themselves anew for each call.
    known = len(calibration)
    said = answers(candidate, [row.text for row in (*calibration, *part.test)])
    return (
        score(
            _part(said, slice(0, known)),
            [row.label for row in calibration],
            _part(said, slice(known, None)),
            [row.label for row in part.test],
        ),
        seconds,
    )


def _part(said: Answers, rows: slice) -> Answers:
    own = said.own_confidence
    return Answers(said.labels, said.probabilities[rows], None if own is None else own[rows])


def run(order: Order) -> dict[str, Any]:
    """Runs the order.

    Returns:
        What the report file holds: the order, its date, figures over all folds, the folds' own
        scores, and latency, memory and size of the first fold's model.

    Raises:
        PipelineError, DatasetError: the candidate or the set cannot be had.
    """
    began = time.monotonic()
    parts = splits(order)
    scores: list[Scores] = []
    seconds: list[float] = []
    figures: dict[str, Any] = {}
    for number, part in enumerate(parts):
        candidate = make(order.candidate, **order.settings)
        scored, took = trained(candidate, part, order.seed)
        scores.append(scored)
        seconds.append(took)
        if number == 0:
            figures = _saved(order.candidate, candidate, part.test)
    return {
        "order": asdict(order),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "seconds": round(time.monotonic() - began, 1),
        "labels": len({row.label for row in parts[0].train}),
        "train_rows": round(sum(len(part.train) for part in parts) / len(parts)),
        "test_rows": sum(len(part.test) for part in parts),
        "figures": {
            **mean_of(scores),
            "train_s": round(sum(seconds) / len(seconds), 2),
            **figures,
        },
        "folds": [one.as_json() for one in scores],
    }


def _saved(name: str, candidate: Candidate, test: Sequence[Row]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="stillpoint-artifact-") as scratch:
        folder = Path(scratch)
        candidate.save(folder)
        seen = measured.measure(name, folder, [row.text for row in test])
        return {**seen.as_json(), "artifact_bytes": measured.artifact_bytes(folder)}


def main(path: Path) -> int:
    """Runs the order in `path` and writes its report; 1 with one line where it cannot."""
    from training_pipeline.errors import PipelineError

    content = json.loads(path.read_text(encoding="utf-8"))
    try:
        report = run(Order(**content["order"]))
    except (PipelineError, DatasetError) as error:
        print(error, file=sys.stderr)
        return 1
    write_atomically(Path(content["report"]), json.dumps(report, indent=2, sort_keys=True) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
