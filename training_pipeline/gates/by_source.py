"""Cross-validation of the misuse classifier, grouped by source.

Each public set of the developer data is left out once: the branch is tuned on the project's own
messages and the other sets, and judged on the one it has never seen. Needs `STILLPOINT_DATA`;
reports the classifier alone, without the patterns that join it at run time.
"""

from __future__ import annotations

import hashlib
import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from training_pipeline.gates import branch, encoder, messages, safety
from training_pipeline.gates.messages import MISUSE, SOURCES
from training_pipeline.record import write_atomically


def cross_validate(
    params: dict[str, Any],
    root: Path,
    corpus: Path,
    rows: int,
    known: dict[str, Any] | None = None,
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Recall and false alarms on each source when it is left out, one source at a time.

    Args:
        params: section `safety_gates` of `params.yaml`, with `seed`.
        root: the repository's root.
        corpus: composed conversations (stage `house_text`).
        rows: risk messages taken along, to keep the time in bounds.
        known: figures of sources that need not be tried again.

    Yields:
        A source with `rows`, `recall` of its misuse, `false_alarms` among its safe rows (None where
        it has none) at `misuse_threshold`, and at `jailbreak_threshold` where that is likeliest.

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
    for source in SOURCES:
        if known and source in known:
            yield source, known[source]
            continue
        left_out = [row for row in published if row["source"] == source]
        rest = [row for row in published if row["source"] != source]
        rest = messages.without_near_duplicates(rest, left_out, params["near_duplicate"])
        part, held_back = messages.split(own + parts["ordinary"], params["calibration_share"], 1)
        model = branch.tune(part + rest + risk, params, folder)
        linear = safety.fit_ngrams(part + rest + risk, params["ngram_strength"])
        asked = [row for row in held_back if row["misuse"] is not None]
        line = safety.calibrate(
            safety.log_odds(model, linear, asked, folder)["misuse"],
            np.array([row["misuse"] != "none" for row in asked]),
        )
        truth = np.array([MISUSE.index(row["misuse"]) > 0 for row in left_out])
        wrong = safety.log_odds(model, linear, left_out, folder)["misuse"]
        share = branch.predict(model, left_out, folder)["misuse"]
        is_jailbreak = 1 + share[:, 1:].argmax(axis=1) == MISUSE.index("jailbreak")
        threshold = np.where(
            is_jailbreak, params["jailbreak_threshold"], params["misuse_threshold"]
        )
        caught = safety.probability(wrong, line) >= threshold
        yield (
            source,
            {
                "rows": len(left_out),
                "recall": float(caught[truth].mean()),
                "false_alarms": float(caught[~truth].mean()) if (~truth).any() else None,
            },
        )


def main() -> int:
    """Runs it with `params.yaml` and writes `reports/misuse-by-source.json`; 1 without data.

    A run that was cut off goes on with the next source, unless params or messages have changed.
    """
    from training_pipeline.run import open_workspace
    from training_pipeline.stages.house_text import corpus_file

    space = open_workspace()
    params = {**space.params.safety_gates.model_dump(), "seed": space.params.seed}
    key = hashlib.sha256(json.dumps(params, sort_keys=True, default=str).encode())
    for path in sorted((space.root / "data/safety/misuse_train").glob("*.jsonl")):
        key.update(path.read_bytes())
    target = space.reports / "misuse-by-source.json"
    report = json.loads(target.read_text(encoding="utf-8")) if target.is_file() else {}
    if report.get("key") != key.hexdigest():
        report = {"key": key.hexdigest(), "sources": {}}
    found = cross_validate(
        params, space.root, corpus_file(space, "tune"), rows=2500, known=report["sources"]
    )
    try:
        for source, figures in found:
            report["sources"][source] = figures
            write_atomically(target, json.dumps(report, indent=2) + "\n")
            print(source, json.dumps(figures), flush=True)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
