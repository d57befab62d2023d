"""`make nlu-lint`: what repeats another example, and what sits nearer to another intent."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from components import nlu_lint
from components.nlu_lint import Example


def around(centre: int, rows: int, noise: float = 0.05) -> np.ndarray:
    """Unit vectors near one axis, shape (rows, 16)."""
    random = np.random.default_rng(centre)
    vectors = np.eye(16)[centre] + noise * random.standard_normal((rows, 16))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def test_examples_that_say_the_same_are_found_once() -> None:
    examples = [
        Example("thank", "thank you for everything"),
        Example("thank", "Thank you for everything!"),
        Example("thank", "that was kind of you"),
        Example("greet", "you were very kind there"),
        Example("thank", "ty"),
        Example("silence_noise", "..."),
        Example("silence_noise", "…"),
    ]
    vectors = around(0, len(examples), noise=1.0)
    vectors[3] = vectors[2]
    found = nlu_lint.near_duplicates(examples, vectors)
    assert [(f.example.text, f.other) for f in found] == [
        ("Thank you for everything!", "thank: thank you for everything"),
        ("you were very kind there", "thank: that was kind of you"),
    ]


def test_an_example_of_the_wrong_intent_is_found() -> None:
    examples = [Example("pause", f"wait {n}") for n in range(20)]
    examples += [Example("goodbye", f"bye {n}") for n in range(20)]
    examples.append(Example("goodbye", "hold on a minute"))
    vectors = np.vstack([around(0, 20), around(1, 20), around(0, 1)])
    found = nlu_lint.elsewhere(examples, vectors)
    assert [f.example.text for f in found] == ["hold on a minute"]
    assert found[0].other.startswith("pause (")


def test_what_was_looked_at_stays_and_what_is_gone_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = "".join(f"    - hello number {n} of many\n" for n in range(6))
    lines += "    - hello of many number 1\n"
    nlu = f'version: "3.1"\nnlu:\n- intent: greet\n  examples: |\n{lines}'
    (tmp_path / "a.yml").write_text(nlu, encoding="utf-8")
    monkeypatch.setattr(nlu_lint, "embeddings", lambda rows: around(0, len(rows), noise=1.0))
    monkeypatch.setattr(nlu_lint, "elsewhere", lambda *_: [])
    assert nlu_lint.main(["--folder", str(tmp_path)]) == 1
    assert "near-duplicate: greet: hello of many number 1" in capsys.readouterr().out
    (tmp_path / "reviewed.txt").write_text("# kept\nhello of many number 1\n", encoding="utf-8")
    assert nlu_lint.main(["--folder", str(tmp_path)]) == 0
    (tmp_path / "reviewed.txt").write_text("hello of many number 1\ngone\n", encoding="utf-8")
    assert nlu_lint.main(["--folder", str(tmp_path)]) == 1
    assert "no such example: gone" in capsys.readouterr().out


def test_a_file_that_is_no_training_data_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.yml").write_text("stories: []\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"bad\.yml: the key 'nlu'"):
        nlu_lint.read(tmp_path)


def test_every_reviewed_example_exists() -> None:
    texts = {example.text for example in nlu_lint.read(nlu_lint.DATA)}
    assert nlu_lint.reviewed(nlu_lint.DATA) <= texts
