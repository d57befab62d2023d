"""Cross-validation of the misuse classifier, grouped by source.

Each public set of the developer data is left out once: the branch is tuned on the project's own
messages and the other sets, and judged on the one it has never seen. Needs `STILLPOINT_DATA`;
reports the classifier alone, without the patterns that join it at run time.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np

from training_pipeline.gates import branch, encoder, messages, safety
from training_pipeline.gates.messages import MISUSE, SOURCES


def cross_validate(params: dict[str, Any], root: Path, corpus: Path, rows: int) -> dict[str, Any]:
    """Recall and false alarms on each source when it is left out.

    Args:
        params: section `safety_gates` of `params.yaml`, with `seed`.
        root: the repository's root.
        corpus: composed conversations (stage `house_text`).
        rows: risk messages taken along, to keep the time in bounds.

    Returns:
        Per source: `rows`, `recall` of its misuse, `false_alarms` among its safe rows (None where
        it has none) at `misuse_threshold`.

    Raises:
        ValueError: `STILLPOINT_DATA` is not set.
    """
    folder = encoder.locate_weights(params["source"])
    parts = safety.read_all(params, root, corpus)
    published = [row for row in parts["misuse"] if "source" in row]
    if not published:
        raise ValueError("STILLPOINT_DATA is not set: there are no public sets to leave out")
    own = [row for row in parts["misuse"] if "source" not in row]
    rng = random.Random(params["seed"])
    risk = rng.sample(parts["risk"], min(rows, len(parts["risk"])))
    result: dict[str, Any] = {}
    for source in SOURCES:
        left_out = [row for row in published if row["source"] == source]
        rest = [row for row in published if row["source"] != source]
        rest = messages.without_near_duplicates(rest, left_out, params["near_duplicate"])
        part, held_back = messages.split(own + parts["ordinary"], params["calibration_share"], 1)
        model = branch.tune(part + rest + risk, params, folder)
        linear = safety.fit_ngrams(part + rest + risk, params["ngram_strength"])
        known = [row for row in held_back if row["misuse"] is not None]
        line = safety.calibrate(
            safety.log_odds(model, linear, known, folder)["misuse"],
            np.array([row["misuse"] != "none" for row in known]),
        )
        truth = np.array([MISUSE.index(row["misuse"]) > 0 for row in left_out])
        wrong = safety.log_odds(model, linear, left_out, folder)["misuse"]
        caught = safety.probability(wrong, line) >= params["misuse_threshold"]
        result[source] = {
            "rows": len(left_out),
            "recall": float(caught[truth].mean()),
            "false_alarms": float(caught[~truth].mean()) if (~truth).any() else None,
        }
    return result


def main() -> int:
    """Runs it with `params.yaml` and writes `reports/misuse-by-source.json`; 1 without data."""
    import json
    import sys

    from training_pipeline.run import open_workspace
    from training_pipeline.stages.house_text import corpus_file

    space = open_workspace()
    params = {**space.params.safety_gates.model_dump(), "seed": space.params.seed}
    try:
        figures = cross_validate(params, space.root, corpus_file(space, "tune"), rows=2500)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    space.reports.mkdir(exist_ok=True)
    text = json.dumps(figures, indent=2) + "\n"
    (space.reports / "misuse-by-source.json").write_text(text, encoding="utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
