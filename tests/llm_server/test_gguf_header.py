"""A damaged model file is recognised before an engine sees it."""

from pathlib import Path

import pytest

from llm_server.errors import ModelFileError
from llm_server.gguf_header import read_gguf_header


def test_a_whole_file_is_read(tiny_gguf: Path) -> None:
    header = read_gguf_header(tiny_gguf)
    assert header.architecture == "llama"
    assert header.context_length == 4096
    assert set(header.control_tokens) == {"<|im_start|>", "<|im_end|>"}


def test_a_file_cut_anywhere_is_refused(tiny_gguf: Path, tmp_path: Path) -> None:
    whole = tiny_gguf.read_bytes()
    cut = tmp_path / "cut.gguf"
    lengths = [0, 3, 4, 20, 24, 100, 1000, 5000, 20_000, len(whole) // 2, len(whole) - 64]
    for length in lengths:
        cut.write_bytes(whole[:length])
        with pytest.raises(ModelFileError, match=r"GGUF|cut short"):
            read_gguf_header(cut)


def test_a_count_that_the_file_cannot_hold_is_refused(tiny_gguf: Path, tmp_path: Path) -> None:
    damaged = bytearray(tiny_gguf.read_bytes())
    damaged[8:16] = b"\xff" * 8
    path = tmp_path / "damaged.gguf"
    path.write_bytes(damaged)
    with pytest.raises(ModelFileError, match="cut short or damaged"):
        read_gguf_header(path)


def test_every_damaged_header_byte_ends_in_a_header_or_a_refusal(
    tiny_gguf: Path, tmp_path: Path
) -> None:
    whole = tiny_gguf.read_bytes()
    path = tmp_path / "flipped.gguf"
    for at in [*range(400), *range(400, 12_000, 97)]:
        damaged = bytearray(whole)
        damaged[at] ^= 0xFF
        path.write_bytes(damaged[:20_000])
        with pytest.raises(ModelFileError):
            read_gguf_header(path)


@pytest.mark.parametrize("content", [b"", b"hello, this is no model at all", b"PK\x03\x04" * 20])
def test_another_kind_of_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.gguf"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match="not a GGUF file"):
        read_gguf_header(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"does not exist.*LLM_MODEL_PATH"):
        read_gguf_header(tmp_path / "none.gguf")
    with pytest.raises(ModelFileError, match="not a file"):
        read_gguf_header(tmp_path)
