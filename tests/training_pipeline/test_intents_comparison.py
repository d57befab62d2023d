"""The comparison of intent classifiers: data sets, folds, scores, candidates, page, resuming."""

from __future__ import annotations

import argparse
import importlib.util
import json
import random
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from training_pipeline.intents import cell, compare, datasets, measured, page, scoring
from training_pipeline.intents.candidates import CandidateMissing, class_of, diet, diet_worker, make
from training_pipeline.intents.candidates.auto_model import batches
from training_pipeline.intents.datasets import DatasetError, Row
from training_pipeline.intents.scoring import Answers

ROOT = Path(__file__).resolve().parents[2]
GREETINGS = ["hello there", "hi you", "good morning to you", "hey, hello", "good evening",
             "hi, nice to meet you", "hello again my friend", "hey there you"]  # fmt: skip
FAREWELLS = ["bye for now", "see you later", "good night", "i have to go, bye",
             "talk to you tomorrow", "bye bye", "goodbye, take care", "see you soon"]  # fmt: skip
ORDERS = ["order me a pizza", "book a flight to rome", "play some jazz", "what's the weather",
          "set an alarm for six", "call me a taxi", "translate this to french",
          "buy two tickets"]  # fmt: skip
ROWS = [
    *(Row(text, "greet") for text in GREETINGS),
    *(Row(text, "goodbye") for text in FAREWELLS),
    *(Row(text, "out_of_scope") for text in ORDERS),
]


# Data sets


def write_clinc(folder: Path, **changes: Any) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "train": [["pay my bill", "pay_bill"]], "oos_train": [["who is the queen", "oos"]],
        "val": [["bill please", "pay_bill"]], "oos_val": [["how tall is it", "oos"]],
    }  # fmt: skip
    content = {key: value for key, value in {**content, **changes}.items() if value is not None}
    (folder / "data_full.json").write_text(json.dumps(content), encoding="utf-8")


def test_clinc_adds_its_out_of_scope_rows(tmp_path: Path) -> None:
    write_clinc(tmp_path)
    train, test = datasets.clinc(tmp_path)
    assert train == [("pay my bill", "pay_bill"), ("who is the queen", "out_of_scope")]
    assert [row.label for row in test] == ["pay_bill", "out_of_scope"]


def test_clinc_without_a_split_names_it(tmp_path: Path) -> None:
    write_clinc(tmp_path, oos_val=None)
    with pytest.raises(DatasetError, match=r"data_full\.json: the key 'oos_val' is missing"):
        datasets.clinc(tmp_path)
    (tmp_path / "data_full.json").write_text('{"train": [\n]', encoding="utf-8")
    with pytest.raises(DatasetError, match=r"data_full\.json:2: no JSON"):
        datasets.clinc(tmp_path)


def test_banking_and_hwu_hold_back_rows_that_are_in_one_part_only(tmp_path: Path) -> None:
    lines = [f"my card number {n} is lost,lost_card" for n in range(40)]
    lines += [f'"send {n}, please",transfer' for n in range(40)] + ["SEND 7 PLEASE,transfer"]
    (tmp_path / "train.csv").write_text("\n".join(["text,category", *lines]), encoding="utf-8")
    for seed in range(5):
        train, test = datasets.banking(tmp_path, seed)
        assert 7 <= len(test) <= 9
        assert {row.label for row in test} == {"lost_card", "transfer"}
        words = [{datasets.same_words(row.text) for row in part} for part in (train, test)]
        assert not words[0] & words[1]
    (tmp_path / "KFold_1_trainset.csv").write_text(
        "answerid;scenario;intent;answer_annotation;answer_from_anno;answer_from_user\n"
        + "".join(f"{n};alarm;set;x;wake me at {n};y\n" for n in range(20)),
        encoding="utf-8",
    )
    train, test = datasets.hwu(tmp_path)
    assert len(train) + len(test) == 20
    assert {row.label for row in (*train, *test)} == {"alarm_set"}
    assert test[0].text.startswith("wake me")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("text,intent\nhi,greet\n", r"some\.csv:1: the column 'label' is missing"),
        ("text,label\nhi,greet\nyo\n", r"some\.csv:3: the column 'label' is empty"),
        ("text,label\n  ,greet\n", r"some\.csv:2: the column 'text' is empty"),
        ("text,label\n", r"some\.csv: no rows"),
    ],
)
def test_a_wrong_csv_is_refused_with_its_place(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "some.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DatasetError, match=said):
        datasets.read_csv(path)


def test_csv_keeps_quotes_line_breaks_and_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "some.csv"
    path.write_bytes('\ufefftext,label,more\n"one, two\nthree",a,1\né,b,2\n'.encode())
    assert datasets.read_csv(path) == [("one, two\nthree", "a"), ("é", "b")]
    path.write_bytes(b"text,label\n\xff,a\n")
    with pytest.raises(DatasetError, match="not UTF-8 at byte 11"):
        datasets.read_csv(path)
    with pytest.raises(DatasetError, match=r"none\.csv: No such file"):
        datasets.read_csv(tmp_path / "none.csv")


def test_our_own_data_is_read_whole(tmp_path: Path) -> None:
    rows = datasets.own(ROOT)
    assert len({row.label for row in rows}) > 60
    assert "out_of_scope" in {row.label for row in rows}
    with pytest.raises(DatasetError, match="no examples"):
        datasets.own(tmp_path)
    folder = tmp_path / "data" / "nlu"
    folder.mkdir(parents=True)
    (folder / "a.yml").write_text("stories: []\n", encoding="utf-8")
    with pytest.raises(DatasetError, match=r"a\.yml: the key 'nlu' is missing"):
        datasets.own(tmp_path)
    (folder / "a.yml").write_text("nlu:\n- examples: '- hi'\n", encoding="utf-8")
    with pytest.raises(DatasetError, match=r"a\.yml: block 1: the key 'intent' is missing"):
        datasets.own(tmp_path)


def test_holding_back_takes_a_share_of_each_label_and_never_the_last_row() -> None:
    rows = [Row(f"{label} {n}", label) for label, many in (("a", 50), ("b", 30), ("c", 1))
            for n in range(many)]  # fmt: skip
    for seed in range(10):
        train, held = datasets.hold_back(rows, 0.1, seed)
        assert sorted((*train, *held)) == sorted(rows)
        count = Counter(row.label for row in held)
        assert count["a"] == 5
        assert count["b"] == 3
        assert count["c"] == 0
    assert datasets.hold_back(rows, 0.1, 1) == datasets.hold_back(rows, 0.1, 1)
    assert datasets.hold_back(rows, 0.1, 1) != datasets.hold_back(rows, 0.1, 2)


def test_a_sample_keeps_the_shares() -> None:
    rows = [Row(f"{label} {n}", label) for label in "abcd" for n in range(50)]
    chosen = datasets.sample(rows, 20, 3)
    assert Counter(row.label for row in chosen) == dict.fromkeys("abcd", 5)
    assert datasets.sample(rows, None, 3) == rows
    assert datasets.sample(rows, 900, 3) == rows


def test_near_duplicates_are_one_cluster() -> None:
    texts = [
        "i cannot sleep at night anymore", "I can't sleep at night anymore!", "bye", "Bye.", "hi",
        "my landlord wants the rent", "the dog ate my homework today", "i cannot sleep at night",
        "👍", "👎",
    ]  # fmt: skip
    cluster = datasets.near_duplicates(texts)
    assert cluster[0] == cluster[1] == cluster[7]
    assert cluster[2] == cluster[3]
    assert len(set(cluster)) == 7


def test_folds_use_each_row_once_and_keep_near_duplicates_together() -> None:
    rng = random.Random(4)
    rows = []
    for topic in ("work", "school", "money"):
        for _ in range(12):
            words = ["".join(rng.choices("abcdefghijklmnop", k=6)) for _ in range(6)]
            rows += [Row(" ".join(words), topic), Row(f"And {' '.join(words)}!", topic)]
    rows.append(Row("one of its kind", "rare"))
    parts = datasets.folds(rows, 3, 5)
    assert sorted(row for part in parts for row in part.test) == sorted(rows)
    group = dict(zip(rows, datasets.near_duplicates([row.text for row in rows])))
    for part in parts:
        assert sorted((*part.train, *part.test)) == sorted(rows)
        assert not {group[row] for row in part.train} & {group[row] for row in part.test}
        assert {"work", "school", "money"} <= {row.label for row in part.test}
    assert parts == datasets.folds(rows, 3, 5)
    with pytest.raises(DatasetError, match="1 clusters"):
        datasets.folds([Row("hi", "a"), Row("HI", "a")], 2, 0)


# Scores


def test_the_threshold_lets_pass_what_it_should() -> None:
    confidence = np.arange(1, 101) / 100
    threshold = scoring.threshold_for(confidence)
    assert threshold == pytest.approx(0.06)
    assert (confidence >= threshold).mean() == pytest.approx(0.95)
    assert scoring.threshold_for(np.array([0.3, 0.2])) == pytest.approx(0.2)
    with pytest.raises(ValueError, match="at least one"):
        scoring.threshold_for(np.array([]))


def test_scores_by_hand() -> None:
    labels = ["a", "b", "out_of_scope"]
    calibration = Answers(labels, np.array([[0.6, 0.1, 0.3]] * 20 + [[0.0, 0.0, 1.0]]))
    shares = [
        [0.7, 0.2, 0.1],  # a, right
        [0.3, 0.1, 0.6],  # a, right among in-scope labels, below the threshold
        [0.6, 0.4, 0.0],  # b, wrong
        [0.2, 0.8, 0.0],  # b, right
        [0.2, 0.1, 0.7],  # out of scope, seen
        [0.1, 0.9, 0.0],  # out of scope, not seen
    ]
    truth = ["a", "a", "b", "b", "out_of_scope", "out_of_scope"]
    scores = scoring.score(
        calibration, ["a"] * 20 + ["out_of_scope"], Answers(labels, np.array(shares)), truth
    )
    assert scores.threshold == pytest.approx(0.6)
    assert scores.accuracy == pytest.approx(3 / 4)
    assert scores.macro_f1 == pytest.approx((4 / 5 + 2 / 3) / 2)
    assert scores.accepted == pytest.approx(3 / 4)
    assert scores.oos_recall == pytest.approx(1 / 2)
    assert (scores.in_scope, scores.out_of_scope) == (4, 2)


def test_scores_agree_with_sklearn_and_without_out_of_scope_rows_recall_is_none() -> None:
    from sklearn.metrics import accuracy_score, f1_score

    rng = np.random.default_rng(3)
    labels = ["w", "x", "y", "z"]
    shares = rng.dirichlet(np.ones(4), size=300)
    truth = [labels[n] for n in rng.integers(0, 4, 300)]
    said = [labels[n] for n in shares.argmax(axis=1)]
    found = scoring.score(Answers(labels, shares), truth, Answers(labels, shares), truth)
    assert found.accuracy == pytest.approx(accuracy_score(truth, said))
    assert found.macro_f1 == pytest.approx(f1_score(truth, said, average="macro"))
    assert found.accepted == pytest.approx(0.95, abs=1e-9)
    assert found.oos_recall is None
    assert scoring.mean_of([found, found])["oos_recall"] is None
    assert scoring.mean_of([found, found])["accuracy_sd"] == pytest.approx(0)


def test_a_candidates_own_confidence_wins() -> None:
    shares = np.array([[0.9, 0.1], [0.9, 0.1]])
    known = Answers(["a", "b"], shares, np.array([0.5, 0.5]))
    test = Answers(["a", "b"], shares, np.array([0.6, 0.1]))
    scores = scoring.score(known, ["a", "a"], test, ["a", "out_of_scope"])
    assert (scores.accepted, scores.oos_recall) == (1.0, 1.0)
    with pytest.raises(ValueError, match="2 answers for 1 rows"):
        scoring.score(known, ["a"], test, ["a", "a"])


# Candidates


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """As in the comparison; several threads wait for each other where the cores are busy."""
    torch.set_num_threads(1)


def check(name: str, folder: Path, **settings: Any) -> None:
    """Trains on `ROWS`, and asks the saved candidate what the trained one said."""
    candidate = make(name, **settings)
    candidate.fit(ROWS, seed=1)
    texts = [row.text for row in ROWS]
    labels, shares = candidate.probabilities(texts)
    assert sorted(labels) == ["goodbye", "greet", "out_of_scope"]
    assert shares.shape == (len(ROWS), 3)
    assert shares.sum(axis=1) == pytest.approx(np.ones(len(ROWS)), abs=1e-4)
    right = [labels[n] == row.label for n, row in zip(shares.argmax(axis=1), ROWS)]
    assert np.mean(right) > 0.8
    candidate.save(folder)
    assert measured.artifact_bytes(folder) > 100
    names, again = class_of(name).load(folder).probabilities(texts[:1])
    assert names == labels
    assert again[0] == pytest.approx(shares[0], abs=1e-4)


def test_logistic_regression_on_the_committed_encoder(tmp_path: Path) -> None:
    check("logistic", tmp_path)


def test_two_labels_are_a_softmax_too(tmp_path: Path) -> None:
    from sklearn.linear_model import LogisticRegression

    from training_pipeline.intents.candidates.logistic import Logistic

    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(40, 384))
    labels = ["yes" if vector[0] > 0 else "no" for vector in vectors]
    model = Logistic(strength=0.1)
    model.fit_vectors(vectors, labels)
    known = LogisticRegression(C=0.1, max_iter=300, class_weight="balanced").fit(vectors, labels)
    assert model.of_vectors(vectors)[1] == pytest.approx(known.predict_proba(vectors), abs=1e-4)


def test_the_auto_class_tuned(tmp_path: Path) -> None:
    check("auto-model", tmp_path, epochs=8, batch_size=8, rate=5e-4)


def test_batches_hold_each_text_once() -> None:
    made = batches([3, 9, 4, 30, 5, 7, 31], 2, random.Random(1))
    assert sorted(place for batch in made for place in batch) == list(range(7))
    assert all(len(batch) <= 2 for batch in made)


@pytest.fixture
def spacy_or_fake(monkeypatch: pytest.MonkeyPatch) -> None:
    """spaCy where the group `compare` is installed, and something that stands for it elsewhere."""
    if importlib.util.find_spec("spacy") is None:
        for name, module in fake_spacy().items():
            monkeypatch.setitem(sys.modules, name, module)


class FakePipe:
    """A pipeline that remembers the texts it was trained on."""

    def __init__(self) -> None:
        self.known: dict[str, dict[str, float]] = {}
        self.labels: tuple[str, ...] = ()
        self.config: dict[str, Any] = {}

    def add_pipe(self, name: str, config: dict[str, Any]) -> None:
        assert name == "textcat"
        self.config = config

    def make_doc(self, text: str) -> str:
        return text

    def initialize(self, examples: Any) -> str:
        self.labels = tuple(examples()[0][1]["cats"])
        return "optimiser"

    def update(self, batch: Any, sgd: str, drop: float) -> None:
        assert sgd == "optimiser"
        self.known.update({text: given["cats"] for text, given in batch})

    def get_pipe(self, name: str) -> FakePipe:
        return self

    def pipe(self, texts: Any, batch_size: int) -> Any:
        for text in texts:
            yield argparse.Namespace(cats=self.known[text])

    def to_disk(self, folder: Path) -> None:
        content = {"labels": self.labels, "known": self.known, "config": self.config}
        (folder / "config.cfg").write_text(json.dumps(content), encoding="utf-8")


def fake_spacy() -> dict[str, ModuleType]:
    def load(folder: Path) -> FakePipe:
        pipe = FakePipe()
        pipe.__dict__.update(json.loads((folder / "config.cfg").read_text(encoding="utf-8")))
        return pipe

    def minibatch(rows: list[Any], size: int) -> Any:
        return (rows[start : start + size] for start in range(0, len(rows), size))

    example = argparse.Namespace(from_dict=lambda document, given: (document, given))
    parts: dict[str, dict[str, Any]] = {
        "spacy": {"blank": lambda language: FakePipe(), "load": load},
        "spacy.training": {"Example": example},
        "spacy.util": {"minibatch": minibatch},
        "thinc": {},
        "thinc.api": {"fix_random_seed": lambda seed: None},
    }
    made = {}
    for name, content in parts.items():
        made[name] = ModuleType(name)
        made[name].__dict__.update(content)
    return made


@pytest.mark.usefixtures("spacy_or_fake")
def test_spacys_ensemble(tmp_path: Path) -> None:
    check("spacy-ensemble", tmp_path, epochs=30, batch_size=8)


@pytest.mark.usefixtures("spacy_or_fake")
def test_spacys_bag_of_words(tmp_path: Path) -> None:
    check("spacy-bow", tmp_path, epochs=30, batch_size=8)


def test_wrong_settings_and_names_are_refused() -> None:
    with pytest.raises(CandidateMissing, match="no candidate is called 'bert'; there are: spacy"):
        make("bert")
    with pytest.raises(ValueError, match="architecture must be one of"):
        make("spacy-ensemble", architecture="cnn")
    with pytest.raises(ValueError, match="kind must be one of"):
        make("diet-sparse", kind="dense")


def test_a_failing_worker_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "worker.py"
    script.write_text("raise SystemExit('no such feature')\n", encoding="utf-8")
    monkeypatch.setattr(diet, "WORKER", script)
    monkeypatch.setattr(diet, "RASA_PYTHON", Path(sys.executable))
    with pytest.raises(diet.WorkerFailed, match=r"DIET, train: exit status 1: no such feature"):
        make("diet-sparse").fit(ROWS, seed=1)
    monkeypatch.setattr(diet, "RASA_PYTHON", tmp_path / "python")
    with pytest.raises(diet.WorkerFailed, match="run `make setup`"):
        make("diet-sparse").fit(ROWS, seed=1)


def test_what_the_worker_writes_is_what_the_candidate_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both halves of DIET's candidate over real files, with a ranking that Rasa might give."""
    rankings = {
        "hello": [{"name": "greet", "confidence": 0.75}, {"name": "bye", "confidence": 0.25}],
        "🙂": [],
    }

    class Agent:
        async def parse_message(self, text: str) -> dict[str, Any]:
            return {"intent_ranking": rankings[text]}

    def work(job: dict[str, Any], folder: Path) -> dict[str, Any]:
        done: dict[str, Any] = getattr(diet_worker, job["do"])(job)
        return done

    monkeypatch.setattr(diet_worker, "_agent", lambda job: Agent())
    monkeypatch.setattr(diet, "_work", work)
    labels, shares = make("diet-sparse").probabilities(["🙂", "hello"])
    assert labels == ["bye", "greet"]
    assert shares.tolist() == [[0.5, 0.5], [0.25, 0.75]]
    seen = measured.measure("diet-sparse", tmp_path, ["hello", "🙂"], warm_up=1)
    assert len(seen.latencies_ms) == 2
    assert seen.peak_mib > 50


# A cell, measured


def test_a_cell_scores_saves_and_measures(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    rows = [Row(f"{row.text} {word}", row.label) for row in ROWS
            for word in ("alpha beta", "gamma delta")]  # fmt: skip
    monkeypatch.setattr(datasets, "own", lambda root: rows)
    order = cell.Order("logistic", "own", folds=2)
    report = tmp_path / "logistic-own.json"
    path = tmp_path / "order.json"
    content = {"order": {"candidate": "logistic", "set": "own", "folds": 2}, "report": str(report)}
    path.write_text(json.dumps(content), encoding="utf-8")
    assert cell.main(path) == 0
    found = json.loads(report.read_text(encoding="utf-8"))
    assert found["test_rows"] == len(rows)
    assert found["order"]["seed"] == order.seed
    assert len(found["folds"]) == 2
    figures = found["figures"]
    assert figures["accuracy"] > 0.7
    assert 0 < figures["p50_ms"] <= figures["p95_ms"]
    assert figures["peak_mib"] > 50
    assert figures["artifact_bytes"] > 384 * 3 * 4
    text = page.render({"logistic-own": found}, page.Heading("2026-11-24", "x", "y"))
    assert "logistic regression on MiniLM" in text


def test_memory_is_that_of_the_measuring_process_alone() -> None:
    """`ru_maxrss` of a child begins at what its parent has; the figure must not."""
    import subprocess

    ballast = np.ones(60_000_000)  # 458 MiB here
    code = "from training_pipeline.intents.measured import peak_mib; print(peak_mib())"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True)
    assert float(done.stdout) < 300 < ballast.nbytes / 2**20 < measured.peak_mib()


def test_an_absent_set_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STILLPOINT_DATA", str(tmp_path))
    path = tmp_path / "order.json"
    content = {"order": {"candidate": "logistic", "set": "clinc"}, "report": str(tmp_path / "r")}
    path.write_text(json.dumps(content), encoding="utf-8")
    assert cell.main(path) == 1
    assert "data_full.json: No such file" in capsys.readouterr().err
    with pytest.raises(DatasetError, match="no data set is called 'snips'"):
        cell.splits(cell.Order("logistic", "snips"))


# The two questions


def test_both_classes_are_one_on_a_distilbert_checkpoint() -> None:
    from training_pipeline.intents import distilbert

    found = distilbert.compare(ROWS, epochs=1)
    assert found["same_class"]
    assert found["classes"]["auto"] == "DistilBertForSequenceClassification"
    assert found["logit_difference"] == 0
    assert found["tuned_difference"] == 0
    assert found["tuned_moved"] > 1e-4
    bert = found["bert"]
    assert bert["auto"]["class"] == "BertForSequenceClassification"
    assert bert["auto"]["missing"] == 2  # the new classifier's weight and bias
    assert bert["distilbert"]["missing"] > 90
    assert bert["distilbert"]["unexpected"] > 90


def test_merging_and_stacking_on_two_small_sets() -> None:
    from training_pipeline.intents import merge_or_stack

    more = [Row(f"{row.text} {word}", row.label) for row in ROWS for word in ("now", "please ok")]
    orders = [Row(f"{verb} the {thing}", f"{verb}_{thing}") for verb in ("open", "close", "clean")
              for thing in ("door", "window")]  # fmt: skip
    other = [Row(f"{start} {row.text}", row.label) for row in orders
             for start in ("please", "can you", "now", "quickly", "just", "go and")]  # fmt: skip
    lines: list[str] = []
    found = merge_or_stack.compare(
        datasets.folds(more, 2, 1), datasets.hold_back(other, 0.3, 1), "hwu", 1, lines.append
    )
    assert lines == ["fold 1 of 2", "fold 2 of 2"]
    assert set(found["accuracy"]) == set(merge_or_stack.WAYS)
    for by_set in (*found["accuracy"].values(), found["router"]):
        assert set(by_set) == {"own", "hwu"}
        assert all(0 <= value <= 1 for value in by_set.values())
    assert found["accuracy"]["alone"]["hwu"] > 0.7
    assert found["accuracy"]["stack"]["own"] <= found["accuracy"]["alone"]["own"]
    assert found["router"]["own"] > 0.7


# The page, and going on


def report(name: str, chosen: str, **figures: Any) -> dict[str, Any]:
    values = {
        "accuracy": 0.8125, "accuracy_sd": 0.01, "macro_f1": 0.75, "threshold": 0.2,
        "accepted": 0.94, "oos_recall": 0.5, "oos_recall_sd": 0.02, "p50_ms": 8.25, "p95_ms": 12.5,
        "peak_mib": 301.4, "train_s": 3.3, "artifact_bytes": 2 * 1024 * 1024, **figures,
    }  # fmt: skip
    return {
        "order": {"candidate": name, "set": chosen, "folds": 3, "rows": None, "seed": 7,
                  "settings": {}},
        "date": "2026-11-23", "seconds": 1800.0, "labels": 66, "train_rows": 3725,
        "test_rows": 5588, "figures": values, "folds": [{}] * (3 if chosen == "own" else 1),
    }  # fmt: skip


def every_report() -> dict[str, dict[str, Any]]:
    lacking = {"accuracy_sd": None, "oos_recall": None, "oos_recall_sd": None}
    both = {"own": 0.7, "hwu": 0.9}
    bert = {"class": "X", "weights": 105, "missing": 2, "unexpected": 0, "mismatched": 0}
    common = {"date": "2026-11-24", "seconds": 1800.0}
    return {
        "logistic-own": report("logistic", "own"),
        "diet-sparse-banking": report("diet-sparse", "banking", **lacking),
        "distilbert": {
            **common, "order": {"experiment": "distilbert"},
            "figures": {
                "rows": 600, "classes": {"distilbert": "D", "auto": "D"}, "same_class": True,
                "parameters": 4394178, "load_s": {"distilbert": 0.0134, "auto": 0.0139},
                "logit_difference": 0.0, "tuned_difference": 0.0, "tuned_moved": 0.0898,
                "bert": {"auto": bert, "distilbert": {**bert, "missing": 100}},
            },
        },
        "merge-or-stack": {
            **common, "order": {"experiment": "merge-or-stack"},
            "figures": {
                "other": "hwu", "folds": 3, "train_rows": {"own": 3725, "hwu": 8957},
                "test_rows": {"own": 5588, "hwu": 995}, "router": both,
                "accuracy": dict.fromkeys(
                    ("alone", "stack", "merged", "ngrams", "stacked"), both
                ),
            },
        },
    }  # fmt: skip


def test_the_page_is_made_from_the_reports() -> None:
    heading = page.Heading("2026-11-25", "python -m training_pipeline compare-nlu", "x86_64")
    text = page.render(every_report(), heading, ["Only a note."])
    assert "${" not in text
    assert "2026-11-23 to 2026-11-24, 2.0 hours" in text
    assert "- **Only a note.**" in text
    assert (
        "| logistic regression on MiniLM | 0.812 ± 0.010 | 0.750 | 0.940 | 0.500 ± 0.020 | 8.2 |"
        " 12.5 | 301 | 3 | 2.0 |" in text
    )
    assert "| DIET on sparse features | 0.812 | 0.750 | 0.940 | – |" in text
    assert "### CLINC150" not in text
    assert "66 labels; 3725 rows to train on, 5588 to test; 3 grouped folds." in text
    assert "| of them not in the checkpoint, left random | 100 | 2 |" in text
    assert "| n-grams and MiniLM stacked | 0.700 | 0.900 |" in text
    assert "4,394,178 parameters" in text


def test_the_page_without_experiments_says_so() -> None:
    heading = page.Heading("2026-11-25", "x", "y")
    assert page.render({"a-own": report("a", "own")}, heading).count("Not run.") == 2


def test_a_lacking_figure_is_named(tmp_path: Path) -> None:
    broken = report("logistic", "own")
    del broken["figures"]["macro_f1"]
    with pytest.raises(page.PageError, match="'macro_f1'"):
        page.render({"logistic-own": broken}, page.Heading("d", "c", "m"))
    with pytest.raises(page.PageError, match="no reports"):
        page.read(tmp_path)
    (tmp_path / "a.json").write_text('{"order": {}}', encoding="utf-8")
    with pytest.raises(page.PageError, match=r"a\.json: the key 'figures' is missing"):
        page.read(tmp_path)


def arguments(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    compare.add_arguments(parser)
    return parser.parse_args(words)


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Reports and page in a folder of the test's own."""
    monkeypatch.setattr(compare, "REPORTS", tmp_path / "nlu-comparison")
    monkeypatch.setattr(compare, "PAGE", tmp_path / "nlu-comparison.md")
    monkeypatch.delenv("STILLPOINT_DATA", raising=False)
    return tmp_path


@pytest.mark.usefixtures("places")
def test_without_the_data_folder_only_our_own_is_run() -> None:
    made = compare.plan(arguments())
    assert {task.order["set"] for task in made.tasks if "set" in task.order} == {"own"}
    assert "merge-or-stack" not in [task.name for task in made.tasks]
    assert compare.NO_DATA in made.notes
    with pytest.raises(compare.ComparisonFailed, match="STILLPOINT_DATA is not set: 'hwu'"):
        compare.plan(arguments("--sets", "own,hwu"))


def test_the_plan_has_every_candidate_on_every_set(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STILLPOINT_DATA", str(places))
    made = compare.plan(arguments("--only", "logistic,diet-sparse,distilbert", "--epochs",
                                  "diet-sparse=5"))  # fmt: skip
    assert len(made.tasks) == 2 * 4 + 1
    by_name = {task.name: task for task in made.tasks}
    assert by_name["diet-sparse-clinc"].order["settings"] == {"epochs": 5}
    assert by_name["logistic-clinc"].order["settings"] == {}
    quick = compare.plan(arguments("--rows", "50"))
    assert quick.page.parent.name == "nlu-comparison-quick"
    assert "merge-or-stack" in [task.name for task in quick.tasks]
    for words, said in ((["--sets", "snips"], "'snips'"), (["--folds", "1"], "--folds")):
        with pytest.raises(compare.ComparisonFailed, match=said):
            compare.plan(arguments(*words))
    with pytest.raises(CandidateMissing, match="'bert'"):
        compare.plan(arguments("--only", "bert"))


def test_what_is_there_is_kept_and_what_failed_is_told(
    places: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran: list[str] = []

    def run_task(task: compare.Task, reports: Path) -> str | None:
        ran.append(task.name)
        if task.name == "auto-model-own":
            return "out of memory"
        content = {**report(task.order["candidate"], "own"), "order": dict(task.order)}
        reports.mkdir(exist_ok=True)
        (reports / f"{task.name}.json").write_text(json.dumps(content), encoding="utf-8")
        return None

    monkeypatch.setattr(compare, "run_task", run_task)
    words = ["--only", "logistic,auto-model"]
    for _ in range(2):
        with pytest.raises(compare.ComparisonFailed, match="auto-model-own: out of memory"):
            compare.main(arguments(*words), ["compare-nlu", *words])
    assert ran == ["logistic-own", "auto-model-own", "auto-model-own"]
    assert "logistic-own: there already" in capsys.readouterr().out
    text = (places / "nlu-comparison.md").read_text(encoding="utf-8")
    assert "`python -m training_pipeline compare-nlu --only logistic,auto-model`" in text
    assert compare.NO_DATA in text
    # Another order is not the same report, and --force asks for a new one.
    for extra, expected in ((["--seed", "8"], 1), (["--seed", "8"], 0), (["--force"], 1)):
        ran.clear()
        compare.main(arguments("--only", "logistic", *extra), ["compare-nlu"])
        assert len(ran) == expected


def test_rendering_runs_nothing(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "run_task", lambda *_: pytest.fail("ran"))
    with pytest.raises(page.PageError, match="no reports"):
        compare.main(arguments("--render"), ["compare-nlu", "--render"])
    (places / "nlu-comparison").mkdir()
    for name, content in every_report().items():
        path = places / "nlu-comparison" / f"{name}.json"
        path.write_text(json.dumps(content), encoding="utf-8")
    compare.main(arguments("--render"), ["compare-nlu", "--render"])
    text = (places / "nlu-comparison.md").read_text(encoding="utf-8")
    assert "`python -m training_pipeline compare-nlu`" in text


def test_a_task_runs_in_a_process_of_its_own(tmp_path: Path) -> None:
    """The real process, with an order that it refuses at once."""
    order = {"candidate": "logistic", "set": "snips"}
    task = compare.Task("logistic-snips", cell.__name__, order)
    reason = compare.run_task(task, tmp_path)
    assert reason
    assert "no data set is called 'snips'" in reason
    assert not compare.is_done(task, tmp_path)
