"""Exports the sentence encoder that Rasa's NLU components load."""

from training_pipeline.params import PACKAGE
from training_pipeline.stage import Metrics, Stage, Workspace, placed


def _run(space: Workspace) -> Metrics:
    from training_pipeline.gates.encoder import export_encoder

    params = space.params.sentence_encoder
    return export_encoder(params.source, placed(space, params.output), params.min_cosine)


STAGE = Stage(
    name="sentence_encoder",
    purpose="export MiniLM to ONNX",
    reads=lambda space: [PACKAGE / "gates" / "encoder.py"],
    writes=lambda space: [
        placed(space, space.params.sentence_encoder.output) / name
        for name in ("trunk.onnx", "upper.onnx", "tokenizer.json")
    ],
    uses=("sentence_encoder",),
    run=_run,
)
