"""Parameters name the key they refuse; a stage runs again only when something changed."""

from dataclasses import replace
from pathlib import Path

import pytest

from training_pipeline.errors import ParamsError, StageError
from training_pipeline.params import PARAMS_FILE, SMOKE_FILE, load_params
from training_pipeline.record import is_fresh, read_record, run_stage
from training_pipeline.run import STAGES, run
from training_pipeline.stage import Stage, Workspace


def _overlay(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "over.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_shipped_parameters_load() -> None:
    assert load_params().house_pretrain.width % 32 == 0
    assert load_params(PARAMS_FILE, SMOKE_FILE).house_pretrain.max_steps < 100


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("house_tune: {rank: 0}", "house_tune.rank"),
        ("house_tune: {rnak: 4}", "house_tune.rnak"),
        ("house_pretrain: {width: 100}", "house_pretrain.width"),
        ("house_pretrain: {heads: 5}", "house_pretrain"),
        ("house_text: {wild: 1.5}", "house_text.wild"),
        ("colour: blue", "colour"),
    ],
)
def test_a_bad_value_is_refused_by_name(tmp_path: Path, text: str, key: str) -> None:
    with pytest.raises(ParamsError, match=key):
        load_params(PARAMS_FILE, _overlay(tmp_path, text))


def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match="mapping"):
        load_params(_overlay(tmp_path, "- 1"))


@pytest.fixture
def space(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path, tmp_path / "work", tmp_path / "reports", load_params())


@pytest.fixture
def copying(tmp_path: Path) -> Stage:
    source, target = tmp_path / "in.txt", tmp_path / "out.txt"
    source.write_text("one", encoding="utf-8")

    def copy(space: Workspace) -> dict[str, int]:
        target.write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
        return {"letters": len(source.read_text(encoding="utf-8"))}

    return Stage("copying", "", lambda s: [source], lambda s: [target], ("house_tune",), copy)


def test_a_record_holds_inputs_parameters_outputs_and_figures(
    space: Workspace, copying: Stage
) -> None:
    run_stage(copying, space)
    record = read_record(copying, space)
    assert record is not None
    assert list(record["inputs"]) == ["in.txt"]
    assert list(record["outputs"]) == ["out.txt"]
    assert record["params"]["house_tune"]["rank"] == space.params.house_tune.rank
    assert record["metrics"] == {"letters": 3}


def test_a_stage_is_fresh_until_input_output_or_parameter_changes(
    space: Workspace, copying: Stage, tmp_path: Path
) -> None:
    assert not is_fresh(copying, space)
    run_stage(copying, space)
    assert is_fresh(copying, space)
    (tmp_path / "in.txt").write_text("two", encoding="utf-8")
    assert not is_fresh(copying, space)
    run_stage(copying, space)
    (tmp_path / "out.txt").write_text("changed by hand", encoding="utf-8")
    assert not is_fresh(copying, space)
    run_stage(copying, space)
    other = load_params(PARAMS_FILE, _overlay(tmp_path, "house_tune: {rank: 3}"))
    assert not is_fresh(copying, replace(space, params=other))
    unrelated = load_params(PARAMS_FILE, _overlay(tmp_path, "house_text: {stories: 3}"))
    assert is_fresh(copying, replace(space, params=unrelated))


def test_a_missing_input_and_a_missing_output_are_errors(
    space: Workspace, copying: Stage, tmp_path: Path
) -> None:
    idle = replace(copying, run=lambda s: {})
    with pytest.raises(StageError, match="did not write"):
        run_stage(idle, space)
    (tmp_path / "in.txt").unlink()
    with pytest.raises(StageError, match=r"missing in\.txt"):
        run_stage(copying, space)


def test_an_unknown_stage_is_refused_with_the_names(space: Workspace) -> None:
    with pytest.raises(StageError, match="house_text"):
        run(space, "no_such_stage")


def test_every_stage_reads_what_stands_before_it(space: Workspace) -> None:
    written: set[Path] = set()
    for stage in STAGES:
        for path in stage.reads(space):
            if path.is_relative_to(space.work):
                assert path in written, f"{stage.name} reads {path.name} before it is written"
        written |= set(stage.writes(space))
    assert len({stage.name for stage in STAGES}) == len(STAGES)
