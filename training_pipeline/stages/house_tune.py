"""Tunes the pretrained model on the chat format with LoRA, and merges the result."""

from pathlib import Path
from typing import Any

from training_pipeline.stage import Metrics, Stage, Workspace
from training_pipeline.stages.house_pretrain import base_folder
from training_pipeline.stages.house_text import corpus_file
from training_pipeline.stages.house_tokenizer import tokenizer_folder

_LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def merged_folder(space: Workspace) -> Path:
    """The tuned and merged model in the Hugging Face format."""
    return space.work / "house" / "merged"


def _run(space: Workspace) -> Metrics:
    from training_pipeline.house.pace import yield_when_waiting

    yield_when_waiting()
    import torch
    from peft import LoraConfig, get_peft_model
    from tokenizers import Tokenizer
    from transformers import LlamaForCausalLM

    from training_pipeline.house.corpus_reader import documents
    from training_pipeline.house.packing import pack
    from training_pipeline.house.schedule import Budget
    from training_pipeline.house.trainer import Plan, train

    told = space.params.house_tune
    torch.manual_seed(space.params.seed)
    tokenizer = Tokenizer.from_file(str(tokenizer_folder(space) / "tokenizer.json"))
    data = pack(tokenizer, documents(corpus_file(space, "tune")), told.length, 0.0)
    base = LlamaForCausalLM.from_pretrained(str(base_folder(space)))
    model = get_peft_model(
        base,
        LoraConfig(
            r=told.rank, lora_alpha=told.alpha, target_modules=_LINEAR, task_type="CAUSAL_LM"
        ),
    )
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=told.rate, betas=(0.9, 0.99), weight_decay=0.0)
    plan = Plan(
        batch=told.batch,
        budget=Budget(told.minutes * 60, told.max_steps),
        warmup_steps=10,
        decay_share=0.8,
        seed=space.params.seed,
        checkpoint=None,
        checkpoint_seconds=0,
        key="",
        threads=told.threads,
        label="tune",
    )
    at = train(model, [optimizer], data, plan)
    merged: Any = model.merge_and_unload()  # type: ignore[operator]
    merged.save_pretrained(str(merged_folder(space)))
    return {
        "lora_parameters": sum(p.numel() for p in trained),
        "steps": at.step,
        "tokens_seen": at.step * told.batch * told.length,
        "seconds": round(at.elapsed),
        "loss": round(at.loss, 4),
        "loss_history": at.history,
    }


STAGE = Stage(
    name="house_tune",
    purpose="LoRA on the chat format, then merge",
    reads=lambda space: [
        corpus_file(space, "tune"),
        base_folder(space) / "model.safetensors",
        tokenizer_folder(space) / "tokenizer.json",
    ],
    writes=lambda space: [
        merged_folder(space) / "model.safetensors",
        merged_folder(space) / "config.json",
    ],
    uses=("house_tune",),
    run=_run,
)
