"""A name becomes one file on the Hub, or is refused."""

from pathlib import Path

import pytest

from llm_server.catalogue import CATALOGUE, hub_model
from llm_server.errors import SettingsError
from llm_server.model_file import model_file, wanted
from llm_server.settings import HOUSE_MODEL, Settings
from tests.llm_server.conftest import ROOT


def test_the_promised_names_are_known() -> None:
    assert set(CATALOGUE) == {"hermes-3-8b", "llama-3.1-8b", "llama-3.2-3b"}
    for model in CATALOGUE.values():
        assert model.file.endswith(".gguf")
        assert model.quantisation in model.file
        assert model.licence
        assert 1 < model.about_gb < 10


def test_the_documentation_lists_them_as_they_are() -> None:
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    for model in CATALOGUE.values():
        row = (
            f"| `{model.name}` | `{model.repo}`, {model.quantisation} | {model.about_gb} GB"
            f" | {model.licence} | {model.template} |"
        )
        assert row in text


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(SettingsError) as refusal:
        hub_model("gpt-5")
    for name in (*CATALOGUE, "stillpoint-house", "LLM_MODEL_PATH"):
        assert name in str(refusal.value)


def test_any_single_file_of_the_hub_can_be_named() -> None:
    model = hub_model("owner/Some-Model-GGUF/quants/model.Q4_0.gguf")
    assert (model.repo, model.file) == ("owner/Some-Model-GGUF", "quants/model.Q4_0.gguf")


@pytest.mark.parametrize(
    "name",
    [
        "owner/repo/model.bin",
        "owner/repo/../../etc/passwd.gguf",
        "../x/y.gguf",
        "owner/repo//x.gguf",
        "owner/model.gguf",
        "owner/repo/big-00001-of-00003.gguf",
    ],
)
def test_what_is_no_single_file_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="LLM_MODEL"):
        hub_model(name)


@pytest.mark.parametrize(
    ("settings", "file"),
    [
        ({}, HOUSE_MODEL),
        ({"model": "stillpoint-house"}, HOUSE_MODEL),
        ({"model_path": "/m/own.gguf", "model": "hermes-3-8b"}, Path("/m/own.gguf")),
        (
            {"model": "llama-3.2-3b", "STILLPOINT_VAR": "/state"},
            Path("/state/models/hub/bartowski--Llama-3.2-3B-Instruct-GGUF")
            / "Llama-3.2-3B-Instruct-Q4_K_M.gguf",
        ),
    ],
)
def test_where_the_model_file_lies(settings: dict[str, object], file: Path) -> None:
    assert model_file(Settings.model_validate(settings)) == file


def test_only_a_local_engine_looks_a_name_up() -> None:
    hosted = {"base_url": "https://api.example.org/v1", "hosted_consent": "yes"}
    assert wanted(Settings.model_validate({**hosted, "model": "gpt-5"})) is None
    assert wanted(Settings.model_validate({"model": "hermes-3-8b"})) is CATALOGUE["hermes-3-8b"]
