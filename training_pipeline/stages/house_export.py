"""Writes the merged model as GGUF in Q8_0, and in f32 for comparison."""

from pathlib import Path

from training_pipeline.params import PACKAGE
from training_pipeline.stage import Metrics, Stage, Workspace
from training_pipeline.stages.house_tokenizer import tokenizer_folder
from training_pipeline.stages.house_tune import merged_folder

MAX_BYTES = 20 * 1000 * 1000


def exact_model(space: Workspace) -> Path:
    """The same model with every tensor in f32; stays in the work folder."""
    return space.work / "house" / "stillpoint-house-f32.gguf"


def _run(space: Workspace) -> Metrics:
    from training_pipeline.errors import ExportError
    from training_pipeline.house.gguf_writer import write_gguf
    from training_pipeline.record import file_hash

    folders = merged_folder(space), tokenizer_folder(space)
    write_gguf(*folders, exact_model(space), quantise=False)
    size = write_gguf(*folders, space.house_model(), quantise=True)
    if size > MAX_BYTES:
        raise ExportError(f"the house model has {size} bytes; at most {MAX_BYTES} may ship")
    return {"bytes": size, "sha256": file_hash(space.house_model())}


STAGE = Stage(
    name="house_export",
    purpose="write GGUF, quantised to Q8_0",
    reads=lambda space: [
        merged_folder(space) / "model.safetensors",
        merged_folder(space) / "config.json",
        tokenizer_folder(space) / "tokenizer.json",
        PACKAGE / "house" / "gguf_writer.py",
    ],
    writes=lambda space: [space.house_model(), exact_model(space)],
    uses=("house_export",),
    run=_run,
)
