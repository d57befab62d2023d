"""One training loop for pretraining and tuning: shuffled rows, checkpoints, resume after a kill."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from training_pipeline.house.model import weighted_loss
from training_pipeline.house.pace import Pace
from training_pipeline.house.packing import Rows
from training_pipeline.house.schedule import Budget, rate_scale


@dataclass
class Progress:
    """Where a run stands: steps done, seconds spent, smoothed loss and its history."""

    step: int = 0
    elapsed: float = 0.0
    loss: float = 0.0
    history: list[tuple[int, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Plan:
    """How to train.

    Attributes:
        batch: rows per step.
        budget: when to stop.
        warmup_steps: steps of rising rate.
        decay_share: last part of the budget in which the rate falls to zero.
        seed: order of the rows.
        checkpoint: file to save to and resume from, or None.
        checkpoint_seconds: time between saves.
        key: identifies data and parameters; a checkpoint with another key is ignored.
        threads: at most so many; see ``pace``.
        label: shown in the progress bar.
    """

    batch: int
    budget: Budget
    warmup_steps: int
    decay_share: float
    seed: int
    checkpoint: Path | None
    checkpoint_seconds: float
    key: str
    threads: int
    label: str


def row_order(rows: int, seed: int, epoch: int) -> torch.Tensor:
    """A permutation of row numbers, the same for equal seed and epoch."""
    generator = torch.Generator().manual_seed(seed * 1000 + epoch)
    return torch.randperm(rows, generator=generator)


def _batch(data: Rows, plan: Plan, step: int) -> tuple[torch.Tensor, torch.Tensor]:
    rows = len(data.tokens)
    first = step * plan.batch
    wanted = [
        int(row_order(rows, plan.seed, index // rows)[index % rows])
        for index in range(first, first + plan.batch)
    ]
    tokens = torch.from_numpy(data.tokens[wanted].astype("int64"))
    return tokens, torch.from_numpy(data.weights[wanted])


def _save(
    plan: Plan, model: torch.nn.Module, optimizers: list[torch.optim.Optimizer], at: Progress
) -> None:
    assert plan.checkpoint is not None
    plan.checkpoint.parent.mkdir(parents=True, exist_ok=True)
    draft = plan.checkpoint.with_suffix(".part")
    state = {
        "key": plan.key,
        "model": model.state_dict(),
        "optimizers": [optimizer.state_dict() for optimizer in optimizers],
        "progress": vars(at),
    }
    torch.save(state, draft)
    draft.replace(plan.checkpoint)


def _resume(
    plan: Plan, model: torch.nn.Module, optimizers: list[torch.optim.Optimizer]
) -> Progress:
    if plan.checkpoint is None or not plan.checkpoint.is_file():
        return Progress()
    state: dict[str, Any] = torch.load(plan.checkpoint, weights_only=True)
    if state["key"] != plan.key:
        return Progress()
    model.load_state_dict(state["model"])
    for optimizer, saved in zip(optimizers, state["optimizers"], strict=True):
        optimizer.load_state_dict(saved)
    return Progress(**state["progress"])


def train(
    model: torch.nn.Module,
    optimizers: list[torch.optim.Optimizer],
    data: Rows,
    plan: Plan,
    on_step: Callable[[Progress], None] | None = None,
) -> Progress:
    """Train until the budget is spent; the model is changed in place.

    Args:
        model: takes ``input_ids`` and answers with ``.logits``.
        optimizers: their present rates are the full rates of the schedule.
        data: packed rows.
        plan: everything else.
        on_step: called after each step.

    Returns:
        Steps, seconds and the loss history, earlier runs included.
    """
    full = [[group["lr"] for group in optimizer.param_groups] for optimizer in optimizers]
    at = _resume(plan, model, optimizers)
    pace = Pace(plan.threads)
    model.train()
    last_save = time.monotonic()
    with tqdm(total=100, desc=plan.label, unit="%", bar_format="{l_bar}{bar}| {postfix}") as bar:
        while (done := plan.budget.progress(at.elapsed, at.step)) < 1.0:
            began = time.monotonic()
            torch.set_num_threads(pace.threads)
            scale = rate_scale(done, at.step, plan.warmup_steps, plan.decay_share)
            for optimizer, rates in zip(optimizers, full, strict=True):
                for group, rate in zip(optimizer.param_groups, rates, strict=True):
                    group["lr"] = rate * scale
            tokens, weights = _batch(data, plan, at.step)
            loss = weighted_loss(model(input_ids=tokens).logits, tokens, weights)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            for optimizer in optimizers:
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
            at.loss = loss.item() if at.step == 0 else 0.95 * at.loss + 0.05 * loss.item()
            at.step += 1
            took = time.monotonic() - began
            pace.took(took)
            at.elapsed += took
            if at.step % 20 == 0 or at.step == 1:
                at.history.append((at.step, round(at.loss, 4)))
            bar.n = round(100 * plan.budget.progress(at.elapsed, at.step), 1)
            bar.set_postfix_str(
                f"step {at.step} loss {at.loss:.3f} {at.elapsed:.0f} s x{pace.threads}"
            )
            if plan.checkpoint and time.monotonic() - last_save > plan.checkpoint_seconds:
                _save(plan, model, optimizers, at)
                last_save = time.monotonic()
            if on_step:
                on_step(at)
    if plan.checkpoint:
        _save(plan, model, optimizers, at)
    model.eval()
    return at
