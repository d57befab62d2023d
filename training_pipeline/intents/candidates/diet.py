"""Rasa's DIET, on sparse features and on MiniLM, trained in Rasa's own environment.

`diet_worker.py` does the work there. One job at a time is handed over as files in a folder of its
own; nothing but files crosses between the two environments.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from training_pipeline.errors import PipelineError
from training_pipeline.intents.candidates.protocol import Probabilities
from training_pipeline.intents.datasets import Row
from training_pipeline.intents.measured import Measured
from training_pipeline.intents.threads import ONE_THREAD

ROOT = Path(__file__).resolve().parents[3]
RASA_HOME = ROOT / "rasa_project"
RASA_PYTHON = RASA_HOME / ".venv" / "bin" / "python"
WORKER = Path(__file__).with_name("diet_worker.py")
ARCHIVE = "model.tar.gz"

# DIET needs features of words, and MiniLM gives one vector a message: place and case stand in.
WORDS = [{"name": "WhitespaceTokenizer"}, {"name": "LexicalSyntacticFeaturizer"}]
PIPELINES: dict[str, list[dict[str, Any]]] = {
    "sparse": [
        {"name": "WhitespaceTokenizer"},
        {"name": "RegexFeaturizer"},
        {"name": "LexicalSyntacticFeaturizer"},
        {"name": "CountVectorsFeaturizer"},
        {"name": "CountVectorsFeaturizer", "analyzer": "char_wb", "min_ngram": 1, "max_ngram": 4},
    ],
    "minilm": [
        *WORDS,
        {"name": "components.sentence_features.SentenceFeatures", "embedding": True},
    ],
}


class WorkerFailed(PipelineError):
    """The process in Rasa's environment failed; the message ends with its last lines."""


class Diet:
    """One DIET pipeline, kept as Rasa's model archive."""

    name = "diet"

    def __init__(self, kind: str = "sparse", epochs: int = 30) -> None:
        """Takes `sparse` or `minilm`, and DIET's epochs.

        Raises:
            ValueError: another kind.
        """
        if kind not in PIPELINES:
            raise ValueError(f"kind must be one of {sorted(PIPELINES)}, not {kind!r}")
        self._kind = kind
        self._epochs = epochs
        self.trained_s: float | None = None
        """Seconds that Rasa's training took, its start left out; None before `fit`."""
        self._home = tempfile.TemporaryDirectory(prefix="stillpoint-diet-")

    @property
    def _archive(self) -> Path:
        return Path(self._home.name) / ARCHIVE

    def config(self, seed: int) -> dict[str, Any]:
        """Rasa's configuration of this pipeline."""
        classifier = {
            "name": "DIETClassifier",
            "epochs": self._epochs,
            "entity_recognition": False,
            "constrain_similarities": True,
            "ranking_length": 0,
            "random_seed": seed,
        }
        return {
            "recipe": "default.v1",
            "language": "en",
            "assistant_id": "stillpoint-comparison",
            "pipeline": [*PIPELINES[self._kind], classifier],
        }

    def fit(self, rows: Sequence[Row], seed: int) -> None:
        """Trains in Rasa's environment.

        Raises:
            WorkerFailed: with the reason that Rasa gave.
        """
        examples = [{"text": row.text, "intent": row.label} for row in rows]
        with tempfile.TemporaryDirectory(prefix="stillpoint-diet-") as folder:
            # JSON is YAML; examples in Rasa's YAML would be read as entity mark-up.
            config, data = Path(folder) / "config.yml", Path(folder) / "data.json"
            config.write_text(json.dumps(self.config(seed)), encoding="utf-8")
            content = {"rasa_nlu_data": {"common_examples": examples}}
            data.write_text(json.dumps(content), encoding="utf-8")
            job = {"do": "train", "config": config, "data": data, "model": self._archive}
            self.trained_s = _work(job, Path(folder))["train_s"]

    def probabilities(self, texts: Sequence[str]) -> Probabilities:
        """The whole intent ranking of each text.

        Raises:
            WorkerFailed: as `fit`.
        """
        with tempfile.TemporaryDirectory(prefix="stillpoint-diet-") as folder:
            found = Path(folder) / "probabilities.npz"
            job = {
                "do": "predict",
                "model": self._archive,
                "texts": _written(texts, folder),
                "probabilities": found,
            }
            _work(job, Path(folder))
            with np.load(found, allow_pickle=False) as arrays:
                labels = [str(label) for label in arrays["labels"]]
                return labels, np.asarray(arrays["probabilities"])

    def save(self, folder: Path) -> None:
        """Copies the archive to `folder`."""
        shutil.copyfile(self._archive, folder / ARCHIVE)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Takes a copy of the archive in `folder`."""
        made = cls()
        shutil.copyfile(folder / ARCHIVE, made._archive)
        return made

    @classmethod
    def measured(cls, folder: Path, texts: Sequence[str], warm_up: int) -> Measured:
        """Latencies and memory of Rasa's process that loads the archive in `folder`.

        Raises:
            WorkerFailed: as `fit`.
        """
        with tempfile.TemporaryDirectory(prefix="stillpoint-diet-") as scratch:
            written = _written(texts, scratch)
            job = {
                "do": "measure",
                "model": folder / ARCHIVE,
                "texts": written,
                "warm_up": warm_up,
            }
            report = _work(job, Path(scratch))
        return Measured(report["latencies_ms"], report["peak_mib"])


def _written(texts: Sequence[str], folder: str) -> Path:
    path = Path(folder) / "texts.json"
    path.write_text(json.dumps(list(texts)), encoding="utf-8")
    return path


def _work(job: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Runs one job of `diet_worker.py` in Rasa's environment and gives its report."""
    if not RASA_PYTHON.is_file():
        raise WorkerFailed(f"{RASA_PYTHON} is not there; run `make setup`")
    report = folder / "report.json"
    order = folder / "job.json"
    order.write_text(json.dumps({**job, "report": report}, default=str), encoding="utf-8")
    done = subprocess.run(
        [str(RASA_PYTHON), str(WORKER), str(order)],
        cwd=folder,
        env={**os.environ, **ONE_THREAD, "PYTHONPATH": str(RASA_HOME)},
        capture_output=True,
        text=True,
    )
    if done.returncode != 0 or not report.is_file():
        said = "\n".join(done.stderr.strip().splitlines()[-8:]) or "it said nothing"
        raise WorkerFailed(f"DIET, {job['do']}: exit status {done.returncode}: {said}")
    found: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    return found
