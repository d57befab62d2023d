"""The pipeline on one screen: what is trained, in which order."""

import os
from pathlib import Path

from training_pipeline.errors import StageError
from training_pipeline.params import PARAMS_FILE, SMOKE_FILE, load_params
from training_pipeline.record import is_fresh, run_stage
from training_pipeline.stage import Stage, Workspace
from training_pipeline.stages import (
    house_export,
    house_pretrain,
    house_sample,
    house_text,
    house_tokenizer,
    house_tune,
    house_verify,
    intents,
    safety_gates,
    sentence_encoder,
)

STAGES: tuple[Stage, ...] = (
    sentence_encoder.STAGE,  # MiniLM as ONNX, for every NLU component
    intents.STAGE,  # the intents' branch on the encoder's trunk
    house_text.STAGE,  # compose the conversations and the prose
    safety_gates.STAGE,  # the gates' branch on the encoder's trunk
    house_tokenizer.STAGE,  # learn the byte-level BPE vocabulary
    house_pretrain.STAGE,  # train the small Llama from scratch
    house_tune.STAGE,  # LoRA on the chat format, then merge
    house_export.STAGE,  # write GGUF, quantised to Q8_0
    house_verify.STAGE,  # compare llama.cpp with transformers, write the report
    house_sample.STAGE,  # answer hand-written openings, for people to judge
)


def open_workspace(params: Path = PARAMS_FILE, smoke: bool = False) -> Workspace:
    """The folders of this repository; a smoke run keeps to a work folder of its own.

    Raises:
        ParamsError: the parameters cannot work.
    """
    root = Path(__file__).resolve().parent.parent
    work = Path(os.environ.get("STILLPOINT_VAR") or root / "var").resolve() / "pipeline"
    if smoke:
        work = work.with_name("pipeline-smoke")
        return Workspace(root, work, work / "reports", load_params(params, SMOKE_FILE))
    return Workspace(root, work, root / "reports", load_params(params))


def run(space: Workspace, only: str | None = None, force: bool = False) -> None:
    """Run the stages in order, leaving out those whose inputs and outputs have not changed.

    Raises:
        StageError: ``only`` names no stage, or a stage fails.
    """
    chosen = [stage for stage in STAGES if only in (None, stage.name)]
    if not chosen:
        names = ", ".join(stage.name for stage in STAGES)
        raise StageError(f"no stage is called '{only}'; there are: {names}")
    for stage in chosen:
        if not force and is_fresh(stage, space):
            print(f"{stage.name}: unchanged", flush=True)
            continue
        print(f"{stage.name}: {stage.purpose}", flush=True)
        metrics = run_stage(stage, space)
        for key, value in metrics.items():
            print(f"  {key}: {value}", flush=True)
