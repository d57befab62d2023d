"""The whole pipeline, end to end and tiny, through the command line and real llama.cpp."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from training_pipeline.run import STAGES

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "llm_server" / "models" / "stillpoint-house-q8_0.gguf"


def _run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "STILLPOINT_VAR": str(folder)}
    return subprocess.run(
        [sys.executable, "-m", "training_pipeline", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_importing_the_command_line_loads_no_heavy_library() -> None:
    code = (
        "import sys, training_pipeline.__main__, training_pipeline.run;"
        "heavy = {'torch', 'transformers', 'peft', 'gguf', 'xllamacpp'} & set(sys.modules);"
        "sys.exit(str(sorted(heavy)) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_an_unknown_stage_ends_in_one_line(tmp_path: Path) -> None:
    done = _run(tmp_path, "run", "--stage", "no_such_stage")
    assert done.returncode == 1
    assert done.stderr.strip().count("\n") == 0
    assert "house_text" in done.stderr


def test_a_bad_parameter_file_ends_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("seed: 1\n", encoding="utf-8")
    done = _run(tmp_path, "run", "--params", str(path))
    assert done.returncode == 1
    assert "Field required" in done.stderr


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_smoke_run_makes_a_model_that_llama_cpp_serves_and_is_then_skipped(tmp_path: Path) -> None:
    before = SHIPPED.read_bytes() if SHIPPED.is_file() else None
    done = _run(tmp_path, "run", "--smoke")
    assert done.returncode == 0, done.stderr[-2000:]
    work = tmp_path / "pipeline-smoke"
    figures = json.loads((work / "reports" / "house.json").read_text(encoding="utf-8"))
    assert figures["texts_tokenised_differently"] == 0
    assert figures["prompts_rendered_differently"] == 0
    assert figures["greedy_f32"]["parted"] == 0
    assert figures["reply_perplexity_q8_0"] == pytest.approx(
        figures["reply_perplexity_f32"], rel=0.05
    )
    assert (work / "reports" / "house.md").is_file()
    record = json.loads((work / "records" / "house_pretrain.json").read_text(encoding="utf-8"))
    assert record["metrics"]["steps"] == 12
    again = _run(tmp_path, "run", "--smoke")
    assert again.returncode == 0
    assert again.stdout.count("unchanged") == len(STAGES)
    # A smoke run never touches the model that ships.
    assert (SHIPPED.read_bytes() if SHIPPED.is_file() else None) == before
