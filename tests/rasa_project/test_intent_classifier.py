"""The intent classifier: head arithmetic, and the component inside Rasa's contract."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rasa.shared.exceptions import InvalidConfigException
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from components import intent_head
from components.intent_classifier import DEFAULT_FOLDER, EmbeddingIntentClassifier
from components.intent_head import HeadError, IntentHead, TunedHead
from components.sentence_features import SentenceFeatures

WIDTH = 384
RNG = np.random.default_rng(3)
DIRECTIONS = np.linalg.qr(RNG.normal(size=(WIDTH, 4)))[0].T


def near(direction: int, count: int) -> np.ndarray:
    vectors = DIRECTIONS[direction] + RNG.normal(scale=0.03, size=(count, WIDTH))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def tuned(**changes: Any) -> TunedHead:
    known = {
        "labels": ["apple", "pear"],
        "weights": 16 * DIRECTIONS[:2],
        "bias": np.zeros(2),
        "ngram_share": 1.0,
        "temperature": 1.0,
    }
    return TunedHead(**{**known, **changes})


def examples(*directions: int) -> "tuple[np.ndarray, list[str], list[str]]":
    names = ["apple", "pear", "quince", "plum"]
    vectors = np.vstack([near(direction, 12) for direction in directions])
    labels = [names[direction] for direction in directions for _ in range(12)]
    return vectors, [f"some {label} number {i}" for i, label in enumerate(labels)], labels


def test_an_intent_that_tuning_never_saw_is_learnt() -> None:
    head = intent_head.fit(*examples(0, 1, 2), tuned(), pull=10)
    assert head.labels == ["apple", "pear", "quince"]
    shares = head.probabilities(near(2, 5), ["a thing"] * 5)
    assert (shares.argmax(axis=1) == 2).all()
    assert shares.sum(axis=1) == pytest.approx(np.ones(5))


def test_an_intent_that_has_no_examples_any_more_is_gone() -> None:
    head = intent_head.fit(*examples(1, 2), tuned(), pull=10)
    assert head.labels == ["pear", "quince"]


def test_pull_holds_the_head_to_the_tuned_one() -> None:
    vectors, texts, labels = examples(0, 1)
    swapped = ["pear" if label == "apple" else "apple" for label in labels]
    held = intent_head.fit(vectors, texts, swapped, tuned(ngram_share=0.0), pull=1e6)
    free = intent_head.fit(vectors, texts, swapped, tuned(ngram_share=0.0), pull=0.0)
    assert held.probabilities(near(0, 1), ["x"])[0].argmax() == 0
    assert free.probabilities(near(0, 1), ["x"])[0].argmax() == 1


def test_a_spelling_decides_where_the_embedding_says_nothing() -> None:
    head = intent_head.fit(*examples(0, 1), tuned(), pull=10)
    nothing = np.zeros((2, WIDTH), dtype=np.float32)
    shares = head.probabilities(nothing, ["a peear number", "the aple number"])
    assert [head.labels[i] for i in shares.argmax(axis=1)] == ["pear", "apple"]


def test_temperature_changes_certainty_and_no_answer() -> None:
    data = examples(0, 1, 2)
    sure = intent_head.fit(*data, tuned(), pull=10)
    unsure = intent_head.fit(*data, tuned(temperature=3.0), pull=10)
    vectors, texts = near(1, 4), ["a pear"] * 4
    one, other = sure.probabilities(vectors, texts), unsure.probabilities(vectors, texts)
    assert (one.argmax(axis=1) == other.argmax(axis=1)).all()
    assert (one.max(axis=1) > other.max(axis=1)).all()


def test_heads_survive_being_saved(tmp_path: Path) -> None:
    tuned().save(tmp_path / "tuned.npz")
    start = TunedHead.load(tmp_path / "tuned.npz")
    assert start.labels == ["apple", "pear"]
    assert start.ngram_share == 1.0
    head = intent_head.fit(*examples(0, 1), start, pull=10)
    head.save(tmp_path / "fitted.npz")
    again = IntentHead.load(tmp_path / "fitted.npz")
    vectors = near(0, 3)
    np.testing.assert_allclose(
        head.probabilities(vectors, ["an apple"] * 3),
        again.probabilities(vectors, ["an apple"] * 3),
    )


def test_what_is_wrong_is_named(tmp_path: Path) -> None:
    with pytest.raises(HeadError, match="absent.npz is missing; run `make intents`"):
        TunedHead.load(tmp_path / "absent.npz")
    np.savez(tmp_path / "half.npz", labels=np.array(["a"]))
    with pytest.raises(HeadError, match="the array 'bias' is missing"):
        TunedHead.load(tmp_path / "half.npz")
    with pytest.raises(HeadError, match="at least two intents"):
        intent_head.fit(*examples(0), tuned(), pull=10)


class Storage:
    """A model storage with one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def write_to(self, resource: Any) -> Iterator[Path]:
        yield self.folder

    read_from = write_to


def message(text: str, intent: str = "") -> Message:
    return Message({"text": text, **({"intent": intent} if intent else {})})


EXAMPLES = [
    ("hi there", "greet"), ("hello", "greet"), ("good evening", "greet"),
    ("who can read this", "ask_privacy"), ("is this private", "ask_privacy"),
    ("where do my words go", "ask_privacy"), ("my goldfish can sing", "fish"),
    ("the goldfish sang again", "fish"), ("a goldfish with a voice", "fish"),
]  # fmt: skip


@pytest.fixture(scope="module")
def trained(
    tmp_path_factory: pytest.TempPathFactory,
) -> "tuple[EmbeddingIntentClassifier, Storage]":
    storage = Storage(tmp_path_factory.mktemp("model"))
    config = EmbeddingIntentClassifier.get_default_config()
    classifier = EmbeddingIntentClassifier(config, storage, None)  # type: ignore[arg-type]
    classifier.train(TrainingData([message(text, intent) for text, intent in EXAMPLES]))
    return classifier, storage


def parsed(classifier: EmbeddingIntentClassifier, text: str) -> Message:
    features = SentenceFeatures.create({**SentenceFeatures.get_default_config()}, None, None, None)  # type: ignore[arg-type]
    return classifier.process(features.process([message(text)]))[0]


def test_examples_train_it_without_tuning(
    trained: "tuple[EmbeddingIntentClassifier, Storage]",
) -> None:
    result = parsed(trained[0], "can goldfish sing")
    assert result.get("intent")["name"] == "fish"
    ranking = result.get("intent_ranking")
    assert ranking[0]["name"] == "fish"
    assert len(ranking) == 3
    assert sum(entry["confidence"] for entry in ranking) == pytest.approx(1.0)


def test_what_was_loaded_answers_alike(
    trained: "tuple[EmbeddingIntentClassifier, Storage]",
) -> None:
    classifier, storage = trained
    config = classifier.get_default_config()
    again = EmbeddingIntentClassifier.load(config, storage, None, None)  # type: ignore[arg-type]
    one, other = (parsed(c, "is it private here") for c in (classifier, again))
    assert one.get("intent_ranking") == other.get("intent_ranking")


def test_a_cautious_intent_needs_its_probability(
    trained: "tuple[EmbeddingIntentClassifier, Storage]",
) -> None:
    _, storage = trained
    config = {**EmbeddingIntentClassifier.get_default_config(), "cautious": {"fish": 1.01}}
    careful = EmbeddingIntentClassifier.load(config, storage, None, None)  # type: ignore[arg-type]
    assert parsed(careful, "can goldfish sing").get("intent")["name"] == "nlu_fallback"


def test_a_message_without_text_has_no_intent(
    trained: "tuple[EmbeddingIntentClassifier, Storage]",
) -> None:
    result = trained[0].process([Message({})])[0]
    assert result.get("intent") == {"name": None, "confidence": 0.0}


def test_a_head_for_another_branch_is_refused(
    trained: "tuple[EmbeddingIntentClassifier, Storage]", tmp_path: Path
) -> None:
    shutil.copytree(DEFAULT_FOLDER, tmp_path / "other")
    with open(tmp_path / "other" / "branch.onnx", "ab") as branch:
        branch.write(b"\0")
    config = {**EmbeddingIntentClassifier.get_default_config(), "folder": str(tmp_path / "other")}
    with pytest.raises(InvalidConfigException, match="run `make train`"):
        EmbeddingIntentClassifier.load(config, trained[1], None, None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("setting", "named"), [({"pull": -1.0}, "pull"), ({"folder": "/nowhere"}, "/nowhere/head.npz")]
)
def test_settings_that_cannot_work_are_named(
    setting: "dict[str, Any]", named: str, tmp_path: Path
) -> None:
    config = {**EmbeddingIntentClassifier.get_default_config(), **setting}
    rows = [message(text, intent) for text, intent in EXAMPLES]
    with pytest.raises(InvalidConfigException, match=named):
        EmbeddingIntentClassifier(config, Storage(tmp_path), None).train(TrainingData(rows))  # type: ignore[arg-type]
