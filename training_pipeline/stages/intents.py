"""Tunes the intent classifier's branch on the project's own examples."""

import hashlib
import json

from training_pipeline.params import PACKAGE
from training_pipeline.record import write_atomically
from training_pipeline.stage import Metrics, Stage, Workspace, placed


def _run(space: Workspace) -> Metrics:
    from training_pipeline.intents.datasets import own, sample
    from training_pipeline.intents.shipped import BRANCH, TUNED, Shipped

    section = space.params.intents
    rows = sample(own(space.root), section.max_rows or None, space.params.seed)
    made = Shipped({**section.model_dump(), "seed": space.params.seed})
    made.fit(rows, space.params.seed)
    output = placed(space, section.output)
    output.mkdir(parents=True, exist_ok=True)
    made.save_tuned(output)
    test = own(space.root, "nlu_test")
    labels, shares = made.probabilities([row.text for row in test])
    said = [labels[place] for place in shares.argmax(axis=1)]
    right = sum(one == row.label for one, row in zip(said, test, strict=True))
    metrics = {
        "rows": len(rows),
        "test_rows": len(test),
        "accuracy_test": round(right / len(test), 4),
        "intents": len({row.label for row in rows}),
        "accuracy_held_back": round(made.accuracy_held_back, 4),
        "temperature": round(made.temperature, 2),
        "sha256": {
            name: hashlib.sha256((output / name).read_bytes()).hexdigest()
            for name in (BRANCH, TUNED)
        },
    }
    write_atomically(space.reports / "intents.json", json.dumps(metrics, indent=2) + "\n")
    return metrics


STAGE = Stage(
    name="intents",
    purpose="tune the intent classifier's branch",
    reads=lambda space: [
        *(PACKAGE / "gates" / name for name in ("encoder.py", "trunk.py")),
        *(PACKAGE / "intents" / name for name in ("datasets.py", "shipped.py", "tuning.py")),
        space.root / "rasa_project" / "components" / "intent_head.py",
        *sorted((space.root / "data" / "nlu").glob("*.yml")),
        *sorted((space.root / "data" / "nlu_test").glob("*.yml")),
    ],
    writes=lambda space: [
        placed(space, space.params.intents.output) / name for name in ("branch.onnx", "head.npz")
    ],
    uses=("intents",),
    run=_run,
)
