"""The shipped intent classifier: tuning, calibration, export, and the bench command."""

import csv
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from training_pipeline import __main__ as command
from training_pipeline.gates.encoder import locate_weights
from training_pipeline.intents import encoding
from training_pipeline.intents.bench import _of_intents
from training_pipeline.intents.datasets import Row
from training_pipeline.intents.shipped import BRANCH, TUNED, Shipped
from training_pipeline.intents.tuning import Branch

PARAMS: dict[str, Any] = {
    "seed": 1, "source": "package", "epochs": 1, "batch_size": 8, "learning_rate": 1e-4,
    "dropout": 0.1, "label_smoothing": 0.1, "ngram_share": 1.0, "pull": 10.0,
    "calibration_share": 0.25, "max_rows": 0,
}  # fmt: skip
FRAMES = {
    "weather": ["will it rain in {}", "how warm is {} today", "weather for {}", "is {} sunny"],
    "travel": ["book a train to {}", "i need a flight to {}", "take me to {}", "bus to {} please"],
    "out_of_scope": ["who won in {} in 1990", "draw {} for me", "{} in four words", "spell {}"],
}
PLACES = ["leeds", "pune", "rome", "lima"]
ROWS = [
    Row(frame.format(place), label)
    for label, frames in FRAMES.items()
    for frame in frames
    for place in PLACES
]


@pytest.fixture(scope="module")
def fitted() -> Shipped:
    made = Shipped(PARAMS)
    made.fit(ROWS, seed=1)
    return made


def test_what_is_saved_answers_alike(fitted: Shipped, tmp_path: Path) -> None:
    fitted.save(tmp_path)
    texts = ["is it sunny in oslo", "a train to oslo"]
    labels, shares = fitted.probabilities(texts)
    again_labels, again = Shipped.load(tmp_path).probabilities(texts)
    assert labels == again_labels == sorted(FRAMES)
    np.testing.assert_allclose(shares, again, rtol=1e-5)
    assert [labels[i] for i in shares.argmax(axis=1)] == ["weather", "travel"]


def test_only_rows_in_scope_that_it_had_not_seen_set_the_threshold(fitted: Shipped) -> None:
    assert len(fitted.confidence_held_back) == 8  # a quarter of the 32 rows in scope
    assert fitted.accuracy_held_back >= 0.5


def test_the_temperature_undoes_too_much_certainty() -> None:
    rng = np.random.default_rng(4)
    logits = rng.normal(0, 2, (4000, 3))
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = ["out_of_scope", "travel", "weather"]
    rows = [Row("x", labels[rng.choice(3, p=one)]) for one in shares]
    branch = SimpleNamespace(embed=lambda texts: None)
    certain = SimpleNamespace(labels=labels, logits=lambda vectors, texts: 2 * logits)
    made = Shipped(PARAMS)
    assert made._calibrated(branch, certain, rows) == pytest.approx(2.0, abs=0.15)
    assert len(made.confidence_held_back) == sum(row.label != "out_of_scope" for row in rows)


def test_the_exported_branch_agrees_with_torch(tmp_path: Path) -> None:
    branch = Branch(locate_weights("package"), ["travel", "weather"], dropout=0.1)
    known = [row for row in ROWS if row.label != "out_of_scope"]
    branch.tune([r.text for r in known], [r.label for r in known], PARAMS, 1, 1e-4)
    branch.export(tmp_path / BRANCH)
    texts = ["no", "will it rain", "a rather longer text about a train " * 5]
    exported = encoding.shared_encoder().through(encoding.session(tmp_path / BRANCH), texts)
    cosine = (exported * branch.embed(texts)).sum(axis=1)
    assert cosine.min() > 1 - 1e-3


def test_the_same_seed_tunes_the_same_head(tmp_path: Path) -> None:
    heads = []
    for _ in range(2):
        made = Shipped(PARAMS)
        made.fit(ROWS[:32], seed=5)
        made.save_tuned(tmp_path)
        heads.append(encoding.component("intent_head").TunedHead.load(tmp_path / TUNED))
    np.testing.assert_allclose(heads[0].weights, heads[1].weights, rtol=1e-4, atol=1e-5)


def test_what_rasa_and_the_gates_add_is_left_out() -> None:
    shares = np.array([[0.5, 0.3, 0.1, 0.1], [0.0, 0.0, 0.5, 0.5]])
    labels, kept = _of_intents((["nlu_fallback", "b", "crisis", "a"], shares), {"a", "b"})
    assert labels == ["b", "a"]
    np.testing.assert_allclose(kept, [[0.75, 0.25], [0.0, 1.0]])


def _csv(path: Path, rows: list[Row]) -> str:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["text", "label"])
        writer.writerows(rows)
    return str(path)


def test_bench_goes_through_the_whole_parse(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train = _csv(tmp_path / "train.csv", ROWS)
    test = [Row("is it warm in oslo", "weather"), Row("book a bus to oslo", "travel"),
            Row("draw a cat in four words", "out_of_scope")]  # fmt: skip
    arguments = ["--train", train, "--test", _csv(tmp_path / "test.csv", test)]
    assert command.main(["bench", "--task", "intent", *arguments]) == 0
    figures = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    assert set(figures) == {
        "accuracy", "macro_f1", "oos_recall", "accepted", "p50_ms", "p95_ms", "train_s",
    }  # fmt: skip
    assert figures["accuracy"] == 1.0
    assert 0 < figures["p50_ms"] <= figures["p95_ms"]


@pytest.mark.parametrize(
    ("rows", "named"),
    [
        ([Row("a", "x"), Row("b", "x")], "--train: the column 'label' needs"),
        ([], "train.csv:1|no rows"),
    ],
)
def test_bench_names_what_is_wrong(
    rows: list[Row], named: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = _csv(tmp_path / "train.csv", rows)
    assert command.main(["bench", "--task", "intent", "--train", path, "--test", path]) == 1
    said = capsys.readouterr().err
    assert any(part in said for part in named.split("|"))
