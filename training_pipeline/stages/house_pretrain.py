"""Trains the small Llama from scratch on the composed text; resumes where it was killed.

The record does not watch the training code: a comment should not cost an hour. After a change that
matters, run the stage with ``--force``.
"""

from pathlib import Path

from training_pipeline.stage import Metrics, Stage, Workspace
from training_pipeline.stages.house_text import corpus_file
from training_pipeline.stages.house_tokenizer import tokenizer_folder

_BUDGET = {"minutes", "max_steps", "threads", "checkpoint_seconds"}


def base_folder(space: Workspace) -> Path:
    """The pretrained model in the Hugging Face format."""
    return space.work / "house" / "base"


def _run(space: Workspace) -> Metrics:
    import hashlib
    import json

    from training_pipeline.house.pace import yield_when_waiting

    yield_when_waiting()
    import torch
    from tokenizers import Tokenizer

    from training_pipeline.corpus.chat import END
    from training_pipeline.house.corpus_reader import documents
    from training_pipeline.house.model import new_model
    from training_pipeline.house.muon import Muon
    from training_pipeline.house.packing import pack
    from training_pipeline.house.schedule import Budget
    from training_pipeline.house.tokenizer import SEPARATOR
    from training_pipeline.house.trainer import Plan, train
    from training_pipeline.record import file_hash

    told = space.params.house_pretrain
    torch.manual_seed(space.params.seed)
    corpus = corpus_file(space, "pretrain")
    tokenizer = Tokenizer.from_file(str(tokenizer_folder(space) / "tokenizer.json"))
    share = space.params.house_text.system_share
    data = pack(tokenizer, documents(corpus, share), told.length, told.user_weight)
    model = new_model(
        told,
        tokenizer.get_vocab_size(),
        tokenizer.token_to_id(END),
        tokenizer.token_to_id(SEPARATOR),
    )
    matrices = [p for name, p in model.named_parameters() if p.ndim == 2 and "embed" not in name]
    chosen = {id(p) for p in matrices}
    others = [p for p in model.parameters() if id(p) not in chosen]
    optimizers: list[torch.optim.Optimizer] = [
        Muon(matrices, lr=told.matrix_rate),
        torch.optim.AdamW(others, lr=told.other_rate, betas=(0.9, 0.95), weight_decay=0.0),
    ]
    # The budget is no part of the key: with more minutes a finished run goes on.
    shape = told.model_dump(mode="json", exclude=_BUDGET)
    key = hashlib.sha256(json.dumps([shape, file_hash(corpus)]).encode()).hexdigest()
    plan = Plan(
        batch=told.batch,
        budget=Budget(told.minutes * 60, told.max_steps),
        warmup_steps=told.warmup_steps,
        decay_share=told.decay_share,
        seed=space.params.seed,
        checkpoint=space.work / "house" / "pretrain.pt",
        checkpoint_seconds=told.checkpoint_seconds,
        key=key,
        threads=told.threads,
        label="pretrain",
    )
    at = train(model, optimizers, data, plan)
    model.save_pretrained(str(base_folder(space)))
    return {
        "parameters": sum(p.numel() for p in model.parameters()),
        "rows": len(data.tokens),
        "steps": at.step,
        "tokens_seen": at.step * told.batch * told.length,
        "seconds": round(at.elapsed),
        "loss": round(at.loss, 4),
        "loss_history": at.history,
    }


STAGE = Stage(
    name="house_pretrain",
    purpose="train the small Llama from scratch",
    reads=lambda space: [
        corpus_file(space, "pretrain"),
        tokenizer_folder(space) / "tokenizer.json",
    ],
    writes=lambda space: [base_folder(space) / "model.safetensors"],
    uses=("house_pretrain",),
    run=_run,
)
