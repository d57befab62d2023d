"""The two questions that are no table of candidates, each in a process of its own.

Run as `python -m training_pipeline.intents.experiment ORDER.json`.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from training_pipeline.intents import datasets, distilbert, merge_or_stack
from training_pipeline.intents.cell import ROOT, Order, public_split, splits
from training_pipeline.intents.datasets import DatasetError, Split
from training_pipeline.record import write_atomically

NAMES = ("distilbert", "merge-or-stack")
DISTILBERT_ROWS = 600
BESIDE = "hwu"


def run(order: dict[str, Any]) -> dict[str, Any]:
    """Runs `distilbert` or `merge-or-stack`.

    Args:
        order: `experiment`, `folds`, `rows` and `sample` (see `cell.Order`) and `seed`.

    Raises:
        DatasetError: a set is absent or malformed.
    """
    began = time.monotonic()
    rows, sample, seed = order["rows"], order["sample"], order["seed"]
    if order["experiment"] == "distilbert":
        most = min(rows or DISTILBERT_ROWS, DISTILBERT_ROWS)
        figures = distilbert.compare(datasets.sample(datasets.own(ROOT), most, seed), seed=seed)
    else:
        own = splits(Order("", "own", folds=order["folds"], rows=rows, sample=sample, seed=seed))
        train, test = public_split(BESIDE, seed)
        beside = Split(
            datasets.sample(train, rows or sample, seed), datasets.sample(test, rows, seed)
        )
        figures = merge_or_stack.compare(
            own, beside, BESIDE, seed, tell=lambda line: print(line, flush=True)
        )
    return {
        "order": order,
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "seconds": round(time.monotonic() - began, 1),
        "figures": figures,
    }


def main(path: Path) -> int:
    """Runs the order in `path` and writes its report; 1 with one line where it cannot."""
    from training_pipeline.errors import PipelineError

    content = json.loads(path.read_text(encoding="utf-8"))
    try:
        report = run(content["order"])
    except (PipelineError, DatasetError) as error:
        print(error, file=sys.stderr)
        return 1
    write_atomically(Path(content["report"]), json.dumps(report, indent=2, sort_keys=True) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
