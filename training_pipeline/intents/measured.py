"""Latency, memory and size of a saved candidate, seen by a process that does nothing else.

Run as `python -m training_pipeline.intents.measured CANDIDATE FOLDER TEXTS.json REPORT.json`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from training_pipeline.errors import PipelineError
from training_pipeline.intents.threads import ONE_THREAD

ROOT = Path(__file__).resolve().parents[2]
WARM_UP = 20
MOST_TEXTS = 300


class MeasurementFailed(PipelineError):
    """The measuring process failed; the message ends with its last line."""


@dataclass(frozen=True)
class Measured:
    """What one process saw.

    Attributes:
        latencies_ms: time of each text on its own, milliseconds.
        peak_mib: largest resident memory of that process, MiB: the interpreter, every library it
            loaded, the candidate, and the shared encoder where it uses that.
    """

    latencies_ms: Sequence[float]
    peak_mib: float

    def as_json(self) -> dict[str, Any]:
        """Median, 95th percentile (both milliseconds) and memory, by name."""
        p50, p95 = np.percentile(np.asarray(self.latencies_ms), [50, 95])
        figures = {"p50_ms": p50, "p95_ms": p95, "peak_mib": self.peak_mib}
        return {name: round(float(value), 3) for name, value in figures.items()}


def peak_mib() -> float:
    """Largest resident memory of this process so far, MiB.

    Linux's VmHWM. `ru_maxrss` would start at the memory of the process that started this one.
    """
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise MeasurementFailed("/proc/self/status has no VmHWM")


def one_by_one(candidate: Any, texts: Sequence[str], warm_up: int) -> list[float]:
    """Milliseconds for each text alone, after `warm_up` texts that do not count."""
    for text in texts[:warm_up]:
        candidate.probabilities([text])
    latencies = []
    for text in texts:
        began = time.perf_counter()
        candidate.probabilities([text])
        latencies.append((time.perf_counter() - began) * 1000)
    return latencies


def measure(name: str, folder: Path, texts: Sequence[str], warm_up: int = WARM_UP) -> Measured:
    """Measures the candidate `name`, saved in `folder`, on at most `MOST_TEXTS` texts.

    Raises:
        CandidateMissing: no such candidate. MeasurementFailed: its process failed.
    """
    from training_pipeline.intents.candidates import class_of

    chosen = list(texts)[:MOST_TEXTS]
    own = getattr(class_of(name), "measured", None)
    if own is not None:
        found: Measured = own(folder, chosen, warm_up)
        return found
    with tempfile.TemporaryDirectory(prefix="stillpoint-measure-") as scratch:
        asked, report = Path(scratch) / "texts.json", Path(scratch) / "report.json"
        asked.write_text(json.dumps({"texts": chosen, "warm_up": warm_up}), encoding="utf-8")
        command = [sys.executable, "-m", __name__, name, str(folder), str(asked), str(report)]
        done = subprocess.run(
            command, cwd=ROOT, env={**os.environ, **ONE_THREAD}, capture_output=True, text=True
        )
        if done.returncode != 0:
            said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise MeasurementFailed(f"{name}: measuring failed: {said}")
        return Measured(**json.loads(report.read_text(encoding="utf-8")))


def artifact_bytes(folder: Path) -> int:
    """Size of every file below `folder`."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main(name: str, folder: str, asked: str, report: str) -> None:
    """Loads, predicts, and writes the report."""
    from training_pipeline.intents.candidates import class_of

    order = json.loads(Path(asked).read_text(encoding="utf-8"))
    candidate = class_of(name).load(Path(folder))
    latencies = one_by_one(candidate, order["texts"], order["warm_up"])
    found = asdict(Measured(latencies, peak_mib()))
    Path(report).write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:5])
