"""Writes a Hugging Face Llama with tied embeddings as GGUF, matrices in Q8_0.

It knows only what the house model needs: no grouped key heads beyond Llama's own layout, no
rope scaling, no biases, no separate output matrix.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training_pipeline.corpus.chat import CHAT_TEMPLATE, END, START
from training_pipeline.errors import ExportError
from training_pipeline.house.tokenizer import SEPARATOR, SPECIAL

if TYPE_CHECKING:
    import numpy as np

PRE_TOKENIZER = "llama-bpe"
_LAYER_NAMES = {
    "input_layernorm.weight": "attn_norm.weight",
    "self_attn.q_proj.weight": "attn_q.weight",
    "self_attn.k_proj.weight": "attn_k.weight",
    "self_attn.v_proj.weight": "attn_v.weight",
    "self_attn.o_proj.weight": "attn_output.weight",
    "post_attention_layernorm.weight": "ffn_norm.weight",
    "mlp.gate_proj.weight": "ffn_gate.weight",
    "mlp.up_proj.weight": "ffn_up.weight",
    "mlp.down_proj.weight": "ffn_down.weight",
}


def permute(weight: "np.ndarray", heads: int) -> "np.ndarray":
    """Reorder the rows of a query or key matrix from half-split to interleaved rotary pairs.

    Args:
        weight: (heads * head size, width).
        heads: number of heads that the rows belong to.
    """
    rows, columns = weight.shape
    return (
        weight.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)
    )


def gguf_name(name: str) -> str:
    """The GGUF name of a tensor.

    Raises:
        ExportError: the tensor is not one of a plain Llama.
    """
    fixed = {
        "model.embed_tokens.weight": "token_embd.weight",
        "model.norm.weight": "output_norm.weight",
    }
    if name in fixed:
        return fixed[name]
    start, _, rest = name.removeprefix("model.layers.").partition(".")
    if name.startswith("model.layers.") and start.isdigit() and rest in _LAYER_NAMES:
        return f"blk.{start}.{_LAYER_NAMES[rest]}"
    raise ExportError(f"a tensor that the writer does not know: {name}")


def _write_tokenizer(writer: Any, tokenizer_file: Path) -> None:
    import gguf

    found = json.loads(tokenizer_file.read_text(encoding="utf-8"))
    vocabulary = found["model"]["vocab"] | {
        token["content"]: token["id"] for token in found["added_tokens"]
    }
    tokens = sorted(vocabulary, key=vocabulary.__getitem__)
    if [vocabulary[token] for token in tokens] != list(range(len(tokens))):
        raise ExportError("the tokenizer's ids have gaps")
    kinds = [
        gguf.TokenType.CONTROL if token in SPECIAL else gguf.TokenType.NORMAL for token in tokens
    ]
    merges = [m if isinstance(m, str) else " ".join(m) for m in found["model"]["merges"]]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(PRE_TOKENIZER)
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(merges)
    writer.add_eos_token_id(vocabulary[END])
    writer.add_eot_token_id(vocabulary[END])
    writer.add_pad_token_id(vocabulary[SEPARATOR])
    # llama.cpp asks for a first token even where none is ever added.
    writer.add_bos_token_id(vocabulary[START])
    writer.add_add_bos_token(False)
    writer.add_add_eos_token(False)
    writer.add_chat_template(CHAT_TEMPLATE)


def write_gguf(model_folder: Path, tokenizer_folder: Path, target: Path, quantise: bool) -> int:
    """Write the model.

    Args:
        model_folder: ``config.json`` and ``model.safetensors``.
        tokenizer_folder: ``tokenizer.json``.
        target: the file to write; replaced as a whole.
        quantise: matrices in Q8_0 rather than in f32; vectors are always f32.

    Returns:
        The size in bytes.

    Raises:
        ExportError: the model is not a plain Llama with tied embeddings, or a matrix's rows are
            not a multiple of 32.
    """
    import gguf
    from safetensors.numpy import load_file

    config = json.loads((model_folder / "config.json").read_text(encoding="utf-8"))
    if not config["tie_word_embeddings"]:
        raise ExportError("the embeddings are not tied")
    heads, key_heads = config["num_attention_heads"], config["num_key_value_heads"]
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(target.name + ".part")
    writer = gguf.GGUFWriter(str(draft), "llama")
    writer.add_name("Stillpoint house model")
    writer.add_license("apache-2.0")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(key_heads)
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_rope_dimension_count(config["hidden_size"] // heads)
    writer.add_vocab_size(config["vocab_size"])
    kind = gguf.LlamaFileType.MOSTLY_Q8_0 if quantise else gguf.LlamaFileType.ALL_F32
    writer.add_file_type(kind)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    _write_tokenizer(writer, tokenizer_folder / "tokenizer.json")
    for name, tensor in sorted(load_file(str(model_folder / "model.safetensors")).items()):
        if name == "lm_head.weight":
            continue
        data = tensor.astype("float32")
        if ".q_proj." in name:
            data = permute(data, heads)
        elif ".k_proj." in name:
            data = permute(data, key_heads)
        if quantise and data.ndim == 2:
            if data.shape[1] % 32:
                raise ExportError(f"{name}: rows of {data.shape[1]} are no multiple of 32")
            q8 = gguf.GGMLQuantizationType.Q8_0
            writer.add_tensor(gguf_name(name), gguf.quants.quantize(data, q8), raw_dtype=q8)
        else:
            writer.add_tensor(gguf_name(name), data)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    draft.replace(target)
    return target.stat().st_size
