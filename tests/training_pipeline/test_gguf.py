"""The GGUF writer: names, permutation, control tokens, quantisation, and what comes back."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from training_pipeline.corpus.chat import CHAT_TEMPLATE, END, START
from training_pipeline.errors import ExportError
from training_pipeline.house.gguf_reader import load_into, read_tensors, unpermute
from training_pipeline.house.gguf_writer import gguf_name, permute, write_gguf
from training_pipeline.house.model import new_model
from training_pipeline.house.tokenizer import SEPARATOR, save_tokenizer, train_tokenizer
from training_pipeline.params import PARAMS_FILE, SMOKE_FILE, load_params


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("model")
    tokenizer = train_tokenizer(["my boss talks down to me", "how are you today"] * 20, 300)
    save_tokenizer(tokenizer, folder / "tokenizer", 64)
    torch.manual_seed(1)
    shape = load_params(PARAMS_FILE, SMOKE_FILE).house_pretrain
    end, pad = tokenizer.token_to_id(END), tokenizer.token_to_id(SEPARATOR)
    new_model(shape, tokenizer.get_vocab_size(), end, pad).save_pretrained(folder / "model")
    return folder / "model", folder / "tokenizer"


def _load(folder: Path):
    from transformers import LlamaForCausalLM

    return LlamaForCausalLM.from_pretrained(folder).eval()


def test_permutation_is_undone() -> None:
    weight = np.arange(64 * 8, dtype="float32").reshape(64, 8)
    moved = permute(weight, 4)
    assert not np.array_equal(moved, weight)
    assert np.array_equal(unpermute(moved, 4), weight)
    # Within a head of 16 rows, row 1 of the interleaved order is row 8 of the halves.
    assert np.array_equal(moved[1], weight[8])


def test_f32_round_trip_is_exact(folders: tuple[Path, Path], tmp_path: Path) -> None:
    target = tmp_path / "exact.gguf"
    write_gguf(*folders, target, quantise=False)
    before, after = _load(folders[0]), _load(folders[0])
    for parameter in after.parameters():
        parameter.data.zero_()
    load_into(after, target)
    for (name, one), (_, other) in zip(
        before.named_parameters(), after.named_parameters(), strict=True
    ):
        assert torch.equal(one, other), name


def test_q8_0_loses_little_and_is_smaller(folders: tuple[Path, Path], tmp_path: Path) -> None:
    exact = write_gguf(*folders, tmp_path / "exact.gguf", quantise=False)
    small = write_gguf(*folders, tmp_path / "small.gguf", quantise=True)
    assert small < 0.45 * exact
    model, rounded = _load(folders[0]), load_into(_load(folders[0]), tmp_path / "small.gguf")
    ids = torch.tensor([[5, 9, 20, 31, 44]])
    with torch.no_grad():
        one, other = model(input_ids=ids).logits, rounded(input_ids=ids).logits
    assert 0 < (one - other).abs().max() < 0.05 * one.abs().max()


def test_tied_embeddings_leave_out_the_output_matrix(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    write_gguf(*folders, tmp_path / "a.gguf", quantise=True)
    names = set(read_tensors(tmp_path / "a.gguf"))
    assert "token_embd.weight" in names
    assert "output.weight" not in names


def test_header_names_control_tokens_template_and_pretokeniser(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    import gguf

    write_gguf(*folders, tmp_path / "a.gguf", quantise=True)
    fields = gguf.GGUFReader(str(tmp_path / "a.gguf")).fields
    value = {name: field.contents() for name, field in fields.items()}
    tokens, kinds = value["tokenizer.ggml.tokens"], value["tokenizer.ggml.token_type"]
    control = {token for token, kind in zip(tokens, kinds, strict=True) if kind == 3}
    assert control == {SEPARATOR, START, END}
    assert value["tokenizer.ggml.pre"] == "llama-bpe"
    assert value["tokenizer.ggml.add_bos_token"] is False
    assert tokens[value["tokenizer.ggml.eos_token_id"]] == END
    assert value["tokenizer.chat_template"] == CHAT_TEMPLATE


def test_untied_embeddings_are_refused(folders: tuple[Path, Path], tmp_path: Path) -> None:
    import shutil

    shutil.copytree(folders[0], tmp_path / "model")
    config = tmp_path / "model" / "config.json"
    found = json.loads(config.read_text(encoding="utf-8"))
    config.write_text(json.dumps(found | {"tie_word_embeddings": False}), encoding="utf-8")
    with pytest.raises(ExportError, match="not tied"):
        write_gguf(tmp_path / "model", folders[1], tmp_path / "a.gguf", quantise=True)


def test_an_unknown_tensor_is_refused() -> None:
    assert gguf_name("model.layers.3.mlp.up_proj.weight") == "blk.3.ffn_up.weight"
    with pytest.raises(ExportError, match="rotary"):
        gguf_name("model.rotary.weight")


def test_a_file_of_another_shape_is_refused(folders: tuple[Path, Path], tmp_path: Path) -> None:
    write_gguf(*folders, tmp_path / "a.gguf", quantise=False)
    shape = load_params(PARAMS_FILE, SMOKE_FILE).house_pretrain
    wider = new_model(shape.model_copy(update={"width": 96}), 300, 2, 0)
    with pytest.raises(ExportError, match="shape"):
        load_into(wider, tmp_path / "a.gguf")
