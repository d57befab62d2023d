"""Reads a GGUF file's header and checks that the file is whole.

The check covers the magic, the version, every key and every tensor's extent against the size
of the file. It does not know whether the weights themselves are right: there is no checksum in
the format.
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from llm_server.errors import ModelFileError

# Value types of the format: 0-7 and 10-12 are scalars, 8 is a string, 9 an array.
_SCALARS = {
    0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i",
    6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d",
}  # fmt: skip
_STRING, _ARRAY = 8, 9

# ggml tensor type → (elements in a block, bytes of a block).
_BLOCKS = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34),
    9: (32, 40), 10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210),
    15: (256, 292), 16: (256, 66), 17: (256, 74), 18: (256, 98), 19: (256, 50), 20: (32, 18),
    21: (256, 110), 22: (256, 82), 23: (256, 136), 24: (1, 1), 25: (1, 2), 26: (1, 4),
    27: (1, 8), 28: (1, 8), 29: (256, 56), 30: (1, 2), 34: (256, 54), 35: (256, 66), 39: (32, 17),
    40: (64, 36), 41: (128, 18),
}  # fmt: skip

_UNKNOWN, _CONTROL, _USER_DEFINED = 2, 3, 4  # tokenizer.ggml.token_type


@dataclass(frozen=True)
class GgufHeader:
    """What the server needs to know of a model file.

    Attributes:
        path: the file.
        size: bytes.
        architecture: ``general.architecture``, such as ``llama``.
        context_length: tokens the model was trained for, or ``None`` if the file does not say.
        control_tokens: token texts that steer the chat template, such as ``<|im_end|>``.
        is_adapter: whether it is a LoRA adapter and no model of its own.
    """

    path: Path
    size: int
    architecture: str
    context_length: int | None
    control_tokens: tuple[str, ...]
    is_adapter: bool


def read_gguf_header(path: Path) -> GgufHeader:
    """Read and check ``path``.

    Raises:
        ModelFileError: the file is missing, unreadable, not GGUF, or shorter than it says.
    """
    if not path.exists():
        raise ModelFileError(
            f"model file {path} does not exist; "
            "train one with `make train` or point LLM_MODEL_PATH at a .gguf file"
        )
    if not path.is_file():
        raise ModelFileError(f"LLM_MODEL_PATH {path} is not a file; point it at a .gguf file")
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            return _Reader(file, path, size).header()
    except OSError as error:
        raise ModelFileError(f"model file {path} cannot be read: {error.strerror}") from None


class _Reader:
    """One pass over the header; every read is checked against the size of the file."""

    def __init__(self, file: BinaryIO, path: Path, size: int) -> None:
        self._file = file
        self._path = path
        self._size = size

    def header(self) -> GgufHeader:
        if self._size < 24 or self._file.read(4) != b"GGUF":
            raise ModelFileError(
                f"model file {self._path} is not a GGUF file; "
                "fetch or train it again, or point LLM_MODEL_PATH at a .gguf file"
            )
        version = self._scalar("<I")
        if version not in (2, 3):
            raise ModelFileError(
                f"model file {self._path} has GGUF version {version}, this server reads 2 and 3; "
                "convert the model again with a current converter"
            )
        tensors, pairs = self._scalar("<Q"), self._scalar("<Q")
        if tensors * 24 > self._size or pairs * 12 > self._size:
            raise self._cut()
        keys: dict[str, Any] = {}
        for _ in range(pairs):
            name = self._text()
            keys[name] = self._value(self._scalar("<I"))
        self._check_tensors(tensors, int(keys.get("general.alignment", 32)))
        architecture = keys.get("general.architecture")
        if not isinstance(architecture, str) or tensors == 0:
            raise ModelFileError(
                f"model file {self._path} holds no language model; "
                "point LLM_MODEL_PATH at a converted model"
            )
        context = keys.get(f"{architecture}.context_length")
        return GgufHeader(
            path=self._path,
            size=self._size,
            architecture=architecture,
            context_length=context if isinstance(context, int) else None,
            control_tokens=_control_tokens(keys),
            is_adapter=keys.get("general.type") == "adapter",
        )

    def _check_tensors(self, count: int, alignment: int) -> None:
        end = 0
        for _ in range(count):
            self._text()
            elements = 1
            dimensions = self._scalar("<I")
            if dimensions > 8:
                raise self._cut()
            for _ in range(dimensions):
                elements *= self._scalar("<Q")
            block, block_bytes = _BLOCKS.get(self._scalar("<I"), (1, 0))
            end = max(end, self._scalar("<Q") + -(-elements // block) * block_bytes)
        alignment = max(alignment, 1)
        start = -(-self._file.tell() // alignment) * alignment
        if start + end > self._size:
            raise self._cut(start + end)

    def _value(self, kind: int) -> Any:
        if kind in _SCALARS:
            return self._scalar(_SCALARS[kind])
        if kind == _STRING:
            return self._text()
        if kind != _ARRAY:
            raise self._cut()
        item, count = self._scalar("<I"), self._scalar("<Q")
        if count > self._size:
            raise self._cut()
        if item in _SCALARS:
            code = _SCALARS[item][1]
            data = self._bytes(count * struct.calcsize(f"<{code}"))
            return struct.unpack(f"<{count}{code}", data)
        return [self._value(item) for _ in range(count)]

    def _scalar(self, layout: str) -> Any:
        return struct.unpack(layout, self._bytes(struct.calcsize(layout)))[0]

    def _text(self) -> str:
        return self._bytes(self._scalar("<Q")).decode("utf-8", errors="replace")

    def _bytes(self, count: int) -> bytes:
        if count > self._size - self._file.tell():
            raise self._cut()
        return self._file.read(count)

    def _cut(self, expected: int | None = None) -> ModelFileError:
        wanted = f", {expected} expected" if expected is not None else ""
        return ModelFileError(
            f"model file {self._path} is cut short or damaged ({self._size} bytes{wanted}); "
            "fetch or train it again"
        )


def _control_tokens(keys: dict[str, Any]) -> tuple[str, ...]:
    """Texts that the tokenizer turns into a control token wherever they stand in a prompt."""
    tokens = keys.get("tokenizer.ggml.tokens") or ()
    kinds = keys.get("tokenizer.ggml.token_type") or ()
    found = {
        token
        for token, kind in zip(tokens, kinds, strict=False)
        if len(token) >= 3
        and (kind in (_UNKNOWN, _CONTROL) or (kind == _USER_DEFINED and token[0] in "<["))
    }
    return tuple(sorted(found, key=lambda token: (-len(token), token)))
