"""The DIET candidate's half that runs in Rasa's environment: trains, predicts, measures.

Run as `rasa_project/.venv/bin/python diet_worker.py JOB.json` with `rasa_project` on PYTHONPATH, so
that `components.*` can be imported. Needs rasa and what it brings. A job is one JSON object:

- `{"do": "train", "config", "data", "model"}` writes the model archive `model`, and the seconds
  that training took to `report`;
- `{"do": "predict", "model", "texts", "probabilities"}` writes `labels` and the matrix
  (texts, labels) to the `.npz` file `probabilities`;
- `{"do": "measure", "model", "texts", "warm_up"}` parses the texts one by one and writes
  `latencies_ms` and `peak_mib` to `report`.

Every job names a `report`, a JSON file, which is written last.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import time
import warnings
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("RASA_TELEMETRY_ENABLED", "false")
os.environ.setdefault("RASA_MAX_CACHE_SIZE", "0")
os.environ.setdefault("SQLALCHEMY_SILENCE_UBER_WARNING", "1")

import numpy as np


def _quiet() -> None:
    """Errors only: Rasa logs message texts in places, and TensorFlow a great deal."""
    import structlog

    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))


def train(job: dict[str, Any]) -> dict[str, Any]:
    """Trains one model archive; gives `train_s`, seconds.

    Raises:
        RuntimeError: Rasa made no model.
    """
    from rasa.model_training import train_nlu

    model = Path(job["model"])
    began = time.monotonic()
    made = train_nlu(
        config=job["config"],
        nlu_data=job["data"],
        output=str(model.parent),
        fixed_model_name=model.name,
    )
    if not made or not Path(made).is_file():
        raise RuntimeError("Rasa made no model archive")
    return {"train_s": time.monotonic() - began}


def typed(text: str) -> str:
    """`text` without leading slashes: Rasa would take it for a button's payload."""
    return text.lstrip("/ ") or text


async def parse_all(agent: Any, texts: list[str]) -> list[dict[str, float]]:
    """The whole intent ranking of each text, as probability by label."""
    rankings = []
    for text in texts:
        parsed = await agent.parse_message(typed(text))
        rankings.append({row["name"]: row["confidence"] for row in parsed["intent_ranking"]})
    return rankings


def predict(job: dict[str, Any]) -> dict[str, Any]:
    """Writes the probabilities of every text; a text without any feature gets equal ones."""
    texts = json.loads(Path(job["texts"]).read_text(encoding="utf-8"))
    rankings = asyncio.run(parse_all(_agent(job), texts))
    labels = sorted({label for ranking in rankings for label in ranking})
    probabilities = np.full((len(texts), len(labels)), 1.0 / max(1, len(labels)))
    for row, ranking in enumerate(rankings):
        if ranking:
            probabilities[row] = [ranking.get(label, 0.0) for label in labels]
    np.savez(job["probabilities"], labels=np.array(labels), probabilities=probabilities)
    return {"texts": len(texts)}


def measure(job: dict[str, Any]) -> dict[str, Any]:
    """Latency of each text after `warm_up` of them, milliseconds, and the peak memory, MiB."""
    texts = json.loads(Path(job["texts"]).read_text(encoding="utf-8"))
    agent = _agent(job)

    async def timed() -> list[float]:
        for text in texts[: job["warm_up"]]:
            await agent.parse_message(typed(text))
        latencies = []
        for text in texts:
            began = time.perf_counter()
            await agent.parse_message(typed(text))
            latencies.append((time.perf_counter() - began) * 1000)
        return latencies

    return {"latencies_ms": asyncio.run(timed()), "peak_mib": peak_mib()}


def peak_mib() -> float:
    """Largest resident memory of this process so far (VmHWM), MiB."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("/proc/self/status has no VmHWM")


def _agent(job: dict[str, Any]) -> Any:
    from rasa.core.agent import Agent

    return Agent.load(job["model"])


def main(path: Path) -> None:
    """Does the job in the file `path` and writes its report."""
    from rasa.utils.tensorflow.environment import setup_tf_environment

    _quiet()
    setup_tf_environment()
    job = json.loads(path.read_text(encoding="utf-8"))
    report = {"train": train, "predict": predict, "measure": measure}[job["do"]](job)
    Path(job["report"]).write_text(json.dumps(report), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
