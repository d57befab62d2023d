"""Trains the risk gate on the project's own messages and scores it on the frozen test."""

import json

from training_pipeline.params import PACKAGE
from training_pipeline.record import write_atomically
from training_pipeline.stage import Metrics, Stage, Workspace, placed
from training_pipeline.stages.house_text import corpus_file


def _run(space: Workspace) -> Metrics:
    from training_pipeline.gates.risk import train_gate

    section = space.params.risk_gate
    params = {**section.model_dump(), "seed": space.params.seed}
    metrics = train_gate(
        params, space.root, placed(space, section.output), corpus_file(space, "tune")
    )
    write_atomically(space.reports / "risk_gate.json", json.dumps(metrics, indent=2) + "\n")
    return metrics


STAGE = Stage(
    name="risk_gate",
    purpose="tune and calibrate the risk classifier",
    reads=lambda space: [
        PACKAGE / "gates" / "encoder.py",
        PACKAGE / "gates" / "risk.py",
        corpus_file(space, "tune"),
        *sorted((space.root / "data" / "safety").rglob("*.jsonl")),
        *sorted((space.root / "data" / "nlu").glob("*.yml")),
    ],
    writes=lambda space: [
        placed(space, space.params.risk_gate.output) / name for name in ("risk.onnx", "risk.json")
    ],
    uses=("risk_gate",),
    run=_run,
)
