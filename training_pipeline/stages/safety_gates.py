"""Trains the gates on the project's own messages and calibrates them."""

import json

from training_pipeline.params import PACKAGE
from training_pipeline.record import write_atomically
from training_pipeline.stage import Metrics, Stage, Workspace, placed
from training_pipeline.stages.house_text import corpus_file


def _run(space: Workspace) -> Metrics:
    from training_pipeline.gates.safety import train_gates

    section = space.params.safety_gates
    params = {**section.model_dump(), "seed": space.params.seed}
    metrics = train_gates(
        params, space.root, placed(space, section.output), corpus_file(space, "tune")
    )
    write_atomically(space.reports / "safety_gates.json", json.dumps(metrics, indent=2) + "\n")
    return metrics


STAGE = Stage(
    name="safety_gates",
    purpose="tune and calibrate the risk and misuse classifier",
    reads=lambda space: [
        *sorted((PACKAGE / "gates").glob("*.py")),
        corpus_file(space, "tune"),
        *sorted((space.root / "data" / "safety").rglob("*.jsonl")),
        space.root / "data" / "safety" / "licensed_labels.csv",
        *sorted((space.root / "data" / "nlu").glob("*.yml")),
    ],
    writes=lambda space: [
        placed(space, space.params.safety_gates.output) / name
        for name in ("safety.onnx", "ngrams.npz", "safety.json", "reliability.svg")
    ],
    uses=("safety_gates",),
    run=_run,
)
