"""Packing, schedule, optimiser and the training loop, with a model of a few thousand weights."""

import multiprocessing
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from training_pipeline.corpus.chat import CHAT_TEMPLATE, END, START, SYSTEM_PROMPT, pieces
from training_pipeline.corpus.conversation import Conversation
from training_pipeline.house.corpus_reader import documents, plain_texts
from training_pipeline.house.model import new_model, weighted_loss
from training_pipeline.house.muon import Muon, orthogonalise
from training_pipeline.house.pace import Pace
from training_pipeline.house.packing import Rows, encode, pack
from training_pipeline.house.schedule import Budget, rate_scale
from training_pipeline.house.tokenizer import SEPARATOR, save_tokenizer, train_tokenizer
from training_pipeline.house.trainer import Plan, Progress, train
from training_pipeline.params import PARAMS_FILE, SMOKE_FILE, load_params

TALK = Conversation("work", (("my boss shouts", "Your boss shouts. What then?"), ("idk", "Okay.")))


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(["my boss shouts", "Your boss shouts. What then?", "Okay."] * 9, 320)


def test_system_prompt_and_template_are_the_contract() -> None:
    assert SYSTEM_PROMPT == (
        "You are Stillpoint, a support assistant. Listen, reflect, ask one open question."
    )
    assert START == "<|im_start|>"
    assert END == "<|im_end|>"


def test_trained_text_is_what_the_template_renders(tokenizer, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    save_tokenizer(tokenizer, tmp_path, 64)
    fast = AutoTokenizer.from_pretrained(tmp_path)
    messages = [{"role": "system", "content": SYSTEM_PROMPT}]
    for user, reply in TALK.turns:
        messages += [{"role": "user", "content": user}, {"role": "assistant", "content": reply}]
    text = "".join(piece for piece, _ in pieces(TALK))
    assert fast.apply_chat_template(messages, tokenize=False) == text
    ids = fast.apply_chat_template(messages)
    assert encode(tokenizer, pieces(TALK), 0.0)[0][:-1] == list(ids)
    prompt = fast.apply_chat_template(messages[:2], tokenize=False, add_generation_prompt=True)
    assert text.startswith(prompt)
    assert prompt.endswith("<|im_start|>assistant\n")
    assert fast.chat_template == CHAT_TEMPLATE


def test_only_replies_and_their_end_count_in_full(tokenizer) -> None:
    tokens, weights = encode(tokenizer, pieces(TALK), 0.0)
    counted = [token for token, weight in zip(tokens, weights, strict=True) if weight]
    assert tokenizer.decode(counted, skip_special_tokens=False) == (
        "Your boss shouts. What then?<|im_end|>Okay.<|im_end|>"
    )


def test_packing_keeps_documents_whole_and_loses_none(tokenizer) -> None:
    talks = [pieces(TALK, system=n % 2 == 0) for n in range(30)]
    rows = pack(tokenizer, talks, 200, 0.25)
    separator = tokenizer.token_to_id(SEPARATOR)
    wanted = sorted(tuple(encode(tokenizer, talk, 0.25)[0]) for talk in talks)
    found = []
    for row in rows.tokens.tolist():
        document: list[int] = []
        for token in row:
            document.append(token)
            if token == separator:
                found += [tuple(document)] if len(document) > 1 else []
                document = []
    assert sorted(found) == wanted
    assert rows.texts == 30
    assert set(np.unique(rows.weights)) <= {0.0, np.float32(0.25), 1.0}
    assert (rows.weights[:, 0] == 0).all()


def test_a_document_longer_than_a_row_is_cut(tokenizer) -> None:
    rows = pack(tokenizer, [[("my boss shouts " * 50, True)]], 16, 1.0)
    assert rows.tokens.shape == (1, 16)


def test_corpus_files_are_read_back(tmp_path: Path) -> None:
    path = tmp_path / "part.jsonl"
    path.write_text('{"text": "A story."}\n{"topic": "t", "turns": [["a", "B."]]}\n' * 4)
    assert list(plain_texts(path))[:3] == ["A story.", "a", "B."]
    texts = ["".join(piece for piece, _ in one) for one in documents(path, 0.5)]
    assert sum(SYSTEM_PROMPT in text for text in texts) == 2
    assert texts[0] == "A story."


def test_loss_ignores_what_weighs_nothing() -> None:
    logits = torch.randn(1, 4, 7)
    tokens = torch.tensor([[1, 2, 3, 4]])
    weights = torch.tensor([[0.0, 1.0, 0.0, 1.0]])
    log = logits.log_softmax(-1)
    expected = -(log[0, 0, 2] + log[0, 2, 4]) / 2
    assert torch.allclose(weighted_loss(logits, tokens, weights), expected)


def test_orthogonalise_levels_the_singular_values() -> None:
    torch.manual_seed(0)
    for shape in ((32, 32), (32, 80), (80, 32)):
        values = torch.linalg.svdvals(orthogonalise(torch.randn(shape), steps=6))
        assert values.min() > 0.3
        assert values.max() < 1.4


def test_muon_lowers_a_loss() -> None:
    torch.manual_seed(0)
    matrix = torch.nn.Parameter(torch.randn(8, 12))
    goal = torch.randn(8, 12)
    optimizer = Muon([matrix], lr=0.1)
    first = (matrix - goal).pow(2).sum().item()
    for _ in range(40):
        loss = (matrix - goal).pow(2).sum()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    assert loss.item() < 0.2 * first


def test_schedule_warms_up_stays_and_falls_to_zero() -> None:
    scale = [rate_scale(step / 100, step, 10, 0.4) for step in range(101)]
    assert scale[0] == pytest.approx(0.1)
    assert scale[9] == scale[60] == 1.0
    assert scale[80] == pytest.approx(0.5)
    assert scale[100] == 0.0
    assert Budget(10.0, 100).progress(5.0, 1) == 0.5
    assert Budget(10.0, 100).progress(0.0, 90) == 0.9


def test_pace_settles_on_the_faster_choice() -> None:
    for seconds, faster in (({1: 3.0, 2: 1.0}, 2), ({1: 1.0, 2: 3.0}, 1)):
        pace = Pace(2, load=lambda: 0.5)
        used = []
        for _ in range(60):
            used.append(pace.threads)
            pace.took(seconds[pace.threads])
        assert used.count(faster) > 50
        assert len(set(used)) == 2


def test_pace_keeps_to_one_thread_on_a_crowded_machine() -> None:
    pace = Pace(2, load=lambda: 4.0)
    for _ in range(60):
        assert pace.threads == 1
        pace.took(1.0)


def _task() -> tuple[torch.nn.Module, list[torch.optim.Optimizer], Rows]:
    torch.manual_seed(3)
    shape = load_params(PARAMS_FILE, SMOKE_FILE).house_pretrain
    model = new_model(shape.model_copy(update={"width": 32, "feed_forward": 32}), 40, 2, 0)
    tokens = np.tile(np.arange(16, dtype=np.uint16), (32, 1))
    tokens += np.arange(32, dtype=np.uint16)[:, None] % 8
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    return model, [optimizer], Rows(tokens, np.ones((32, 16), dtype=np.float32), 32)


def _plan(checkpoint: Path | None, steps: int) -> Plan:
    return Plan(
        batch=4,
        budget=Budget(600.0, steps),
        warmup_steps=2,
        decay_share=0.3,
        seed=5,
        checkpoint=checkpoint,
        checkpoint_seconds=0.0,
        key="same",
        threads=1,
        label="test",
    )


def test_training_lowers_the_loss() -> None:
    model, optimizers, data = _task()
    at = train(model, optimizers, data, _plan(None, 60))
    assert at.step == 60
    assert at.history[-1][1] < 0.5 * at.history[0][1]


class _Interrupted(Exception):
    pass


def _stop_at(step: int):
    def on_step(at: Progress) -> None:
        if at.step == step:
            raise _Interrupted

    return on_step


def test_an_interrupted_run_ends_with_the_weights_of_an_uninterrupted_one(tmp_path: Path) -> None:
    model, optimizers, data = _task()
    train(model, optimizers, data, _plan(None, 20))
    plan = _plan(tmp_path / "run.pt", 20)
    broken, its_optimizers, _ = _task()
    with pytest.raises(_Interrupted):
        train(broken, its_optimizers, data, plan, on_step=_stop_at(9))
    resumed, its_optimizers, _ = _task()
    steps: list[int] = []
    at = train(resumed, its_optimizers, data, plan, on_step=lambda at: steps.append(at.step))
    assert steps == list(range(10, 21))
    assert at.step == 20
    for one, other in zip(model.parameters(), resumed.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-6)


def test_a_checkpoint_of_other_data_or_parameters_is_not_used(tmp_path: Path) -> None:
    model, optimizers, data = _task()
    plan = _plan(tmp_path / "run.pt", 5)
    train(model, optimizers, data, plan)
    steps: list[int] = []
    model, optimizers, _ = _task()
    train(model, optimizers, data, replace(plan, key="other"), lambda at: steps.append(at.step))
    assert steps[0] == 1


def _train_slowly(checkpoint: Path) -> None:
    model, optimizers, data = _task()
    train(model, optimizers, data, _plan(checkpoint, 120), on_step=lambda at: time.sleep(0.05))


@pytest.mark.slow
def test_a_killed_process_leaves_a_checkpoint_to_resume_from(tmp_path: Path) -> None:
    checkpoint = tmp_path / "run.pt"
    process = multiprocessing.get_context("fork").Process(target=_train_slowly, args=(checkpoint,))
    torch.set_num_threads(1)
    process.start()
    deadline = time.monotonic() + 60
    while not checkpoint.is_file() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.5)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    model, optimizers, data = _task()
    steps: list[int] = []
    train(model, optimizers, data, _plan(checkpoint, 120), lambda at: steps.append(at.step))
    assert steps[0] > 1
    assert steps[-1] == 120
