"""The DIET worker of the comparison: a real, tiny training in a process that has Rasa loaded."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

GREETINGS = ["hello there", "hi you", "good morning", "hey hello", "good evening", "hi again"]
FAREWELLS = ["bye now", "see you later", "goodbye then", "i have to go", "bye bye", "until then"]


def test_a_tiny_diet_is_trained_asked_and_timed(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The worker sets its defaults on import; the other tests keep theirs.
    monkeypatch.setenv("RASA_MAX_CACHE_SIZE", "0")
    monkeypatch.setenv("RASA_TELEMETRY_ENABLED", "false")
    path = repository / "training_pipeline" / "intents" / "candidates" / "diet_worker.py"
    spec = importlib.util.spec_from_file_location("diet_worker", path)
    assert spec
    assert spec.loader
    worker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(worker)
    examples = [{"text": text, "intent": "greet"} for text in GREETINGS]
    examples += [{"text": text, "intent": "goodbye"} for text in FAREWELLS]
    data, config, texts = (tmp_path / name for name in ("data.json", "config.yml", "texts.json"))
    data.write_text(json.dumps({"rasa_nlu_data": {"common_examples": examples}}))
    pipeline = [
        {"name": "WhitespaceTokenizer"},
        {"name": "LexicalSyntacticFeaturizer"},
        {"name": "components.sentence_features.SentenceFeatures"},
        {"name": "DIETClassifier", "epochs": 1, "entity_recognition": False, "ranking_length": 0,
         "constrain_similarities": True, "random_seed": 1},
    ]  # fmt: skip
    config.write_text(
        json.dumps({"recipe": "default.v1", "language": "en", "assistant_id": "x",
                    "pipeline": pipeline})
    )  # fmt: skip
    texts.write_text(json.dumps(["hello you", "see you"]))
    job = {
        "config": str(config), "data": str(data), "texts": str(texts), "warm_up": 1,
        "model": str(tmp_path / "model.tar.gz"), "probabilities": str(tmp_path / "found.npz"),
    }  # fmt: skip
    assert worker.train(job)["train_s"] > 0
    assert worker.predict(job) == {"texts": 2}
    with np.load(tmp_path / "found.npz", allow_pickle=False) as found:
        assert list(found["labels"]) == ["goodbye", "greet"]
        assert found["probabilities"].sum(axis=1) == pytest.approx([1, 1], abs=1e-3)
