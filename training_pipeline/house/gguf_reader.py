"""Reads a GGUF of the house model back into transformers, dequantised, to measure what it lost."""

from pathlib import Path
from typing import TYPE_CHECKING

from training_pipeline.errors import ExportError
from training_pipeline.house.gguf_writer import gguf_name

if TYPE_CHECKING:
    import numpy as np
    from transformers import LlamaForCausalLM


def unpermute(weight: "np.ndarray", heads: int) -> "np.ndarray":
    """The inverse of ``gguf_writer.permute``."""
    rows, columns = weight.shape
    return (
        weight.reshape(heads, rows // heads // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns)
    )


def read_tensors(path: Path) -> dict[str, "np.ndarray"]:
    """Every tensor of the file in f32, by its GGUF name, shaped (rows, columns) or (size,)."""
    import gguf

    return {
        tensor.name: gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        for tensor in gguf.GGUFReader(str(path)).tensors
    }


def load_into(model: "LlamaForCausalLM", path: Path) -> "LlamaForCausalLM":
    """Replace the weights of a model of the same shape by those in the file.

    Raises:
        ExportError: the file lacks a tensor or has one of another shape.
    """
    import torch

    found = read_tensors(path)
    heads = model.config.num_attention_heads
    key_heads = model.config.num_key_value_heads
    for name, parameter in model.named_parameters():
        data = found.get(gguf_name(name))
        if data is None:
            raise ExportError(f"{path.name} has no {gguf_name(name)}")
        if ".q_proj." in name:
            data = unpermute(data, heads)
        elif ".k_proj." in name:
            data = unpermute(data, key_heads)
        if data.shape != tuple(parameter.shape):
            raise ExportError(f"{path.name}: {gguf_name(name)} has the shape {data.shape}")
        with torch.no_grad():
            parameter.copy_(torch.from_numpy(data.copy()))
    return model
