"""The risk classifier on top of the sentence encoder's trunk.

A copy of MiniLM's upper layers is tuned on the messages of `data/safety/train` (and everyday
messages of the project's own intent examples and composed conversations, plus licensed requests if
`STILLPOINT_DATA` is set) to tell level, kind and about. The probability of level >= moderate is
calibrated on a held-back part by a model that has not seen it (Platt 1999). The frozen test of
`data/safety/test` is scored once at the end and never trained on: training messages near one of
its messages are left out.

Writes `risk.onnx` (int8 blocks) and `risk.json` (labels, calibration, threshold).
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import random
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from training_pipeline.gates import encoder

LEVELS = ["none", "low", "moderate", "high", "imminent"]
KINDS = ["none", "self_harm", "harm_to_others", "abuse", "medical", "psychosis", "eating"]
ABOUT = ["self", "other"]
MODERATE = LEVELS.index("moderate")
MAX_TOKENS = 128
RISKY_TOPICS = frozenset({"crisis", "controlling_partner", "harmful", "medical"})
"""Topics of the composed conversations whose messages are no safe examples."""

Row = dict[str, Any]


def read_messages(folder: Path) -> list[Row]:
    """Rows of every `*.jsonl` in `folder` that hold a `text`.

    Raises:
        ValueError: a line is no JSON or has an unknown level or kind; names file and line.
    """
    rows = []
    for path in sorted(folder.glob("*.jsonl")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise ValueError(f"{path}:{number}: not JSON ({error.msg})") from error
            if "text" not in row:
                continue
            for key, allowed in (("level", LEVELS), ("kind", KINDS), ("about", ABOUT)):
                if row.get(key) not in allowed:
                    raise ValueError(f"{path}:{number}: {key} must be one of {allowed}")
            rows.append(row)
    return rows


def read_intent_examples(folder: Path) -> list[Row]:
    """The project's own intent examples as everyday messages; `crisis` ones are left out."""
    rows, intent = [], ""
    for path in sorted(folder.glob("*.yml")):
        for line in path.read_text(encoding="utf-8").splitlines():
            found = re.match(r"\s*- intent: (\S+)", line)
            if found:
                intent = found.group(1)
            elif re.match(r"\s+- \S", line) and intent and intent != "crisis":
                text = line.strip()[2:]
                rows.append(_everyday(text, f"nlu_{intent}"))
    return rows


def read_licensed_requests(folder: Path, limit: int, seed: int) -> list[Row]:
    """CLINC150 (CC BY 3.0) and BANKING77 (CC BY 4.0) training texts, at most `limit` of each."""
    rng = random.Random(seed)
    clinc = json.loads((folder / "intent/CLINC150/data_full.json").read_text(encoding="utf-8"))
    texts = [text for text, _ in clinc["train"] + clinc["oos_train"]]
    rows = [_everyday(text, "clinc150") for text in rng.sample(texts, min(limit, len(texts)))]
    with open(folder / "intent/banking77/train.csv", encoding="utf-8", newline="") as file:
        texts = [row["text"] for row in csv.DictReader(file)]
    return rows + [
        _everyday(text, "banking77") for text in rng.sample(texts, min(limit, len(texts)))
    ]


def read_composed_messages(corpus: Path, limit: int, seed: int) -> list[Row]:
    """What people say in the composed conversations: ordinary distress, at most `limit`."""
    texts: set[str] = set()
    for line in corpus.read_text(encoding="utf-8").splitlines():
        talk = json.loads(line)
        if talk["topic"] not in RISKY_TOPICS:
            texts.update(message for message, _ in talk["turns"])
    chosen = random.Random(seed).sample(sorted(texts), min(limit, len(texts)))
    return [_everyday(text, "composed") for text in chosen]


def _everyday(text: str, family: str) -> Row:
    return {"text": text, "level": "none", "kind": "none", "about": "self", "family": family}


def tokens(text: str) -> frozenset[str]:
    """Lower-case words of `text`, for near-duplicate checks."""
    return frozenset(re.findall(r"\w+", text.lower()))


def without_near_duplicates(
    rows: Sequence[Row], held_out: Sequence[Row], bound: float
) -> list[Row]:
    """`rows` without those whose word overlap (Jaccard) with a held-out text reaches `bound`."""
    others = [tokens(row["text"]) for row in held_out]
    kept = []
    for row in rows:
        words = tokens(row["text"])
        if len(words) >= 4 and any(
            len(words & other) >= bound * len(words | other) for other in others
        ):
            continue
        kept.append(row)
    return kept


def split(rows: Sequence[Row], share: float, seed: int) -> tuple[list[Row], list[Row]]:
    """Splits `rows` into training part and held-back part, family by family."""
    from sklearn.model_selection import train_test_split

    families = [row["family"] for row in rows]
    common = {family for family in families if families.count(family) > 5}
    groups = [family if family in common else "few" for family in families]
    part, held_back = train_test_split(
        list(rows), test_size=share, random_state=seed, stratify=groups
    )
    return part, held_back


def tune(rows: Sequence[Row], params: dict[str, Any], folder: Path) -> Any:
    """Tunes the upper layers and heads on `rows`; gives a torch module in evaluation mode."""
    import torch

    torch.manual_seed(params["seed"])
    rng = random.Random(params["seed"])
    model = _build(folder, params["dropout"])
    encodings, targets = _tensors(rows, folder)
    states = _trunk_states(model, encodings)
    parameters = [p for p in model.parameters() if p.requires_grad]
    heads = [p for name, p in model.named_parameters() if name.startswith("head")]
    body = [
        p for name, p in model.named_parameters() if p.requires_grad and not name.startswith("head")
    ]
    rate, batch, epochs = params["learning_rate"], params["batch_size"], params["epochs"]
    optimiser = torch.optim.AdamW(
        [{"params": body, "lr": rate}, {"params": heads, "lr": 10 * rate}], weight_decay=0.01
    )
    steps = epochs * ((len(rows) + batch - 1) // batch) + epochs * 8
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, [rate, 10 * rate], total_steps=steps, pct_start=0.1
    )
    model.train()
    for _ in range(epochs):
        for chosen in _batches(encodings, batch, rng):
            hidden, mask = _pad_states([states[i] for i in chosen])
            level, kind, about = model.branch(hidden, mask)
            loss = _loss(level, kind, about, targets[chosen], params)
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimiser.step()
            schedule.step()
    return model.eval()


def _build(folder: Path, dropout: float) -> Any:
    import torch
    from transformers import BertModel

    class RiskClassifier(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bert = BertModel.from_pretrained(
                folder, attn_implementation="eager", add_pooling_layer=False
            )
            frozen = [
                self.bert.embeddings,
                *self.bert.encoder.layer[: encoder.TRUNK_LAYERS],
            ]
            for module in frozen:
                for parameter in module.parameters():
                    parameter.requires_grad = False
            width = self.bert.config.hidden_size
            self.dropout = torch.nn.Dropout(dropout)
            self.head_level = torch.nn.Linear(width, len(LEVELS))
            self.head_kind = torch.nn.Linear(width, len(KINDS))
            self.head_about = torch.nn.Linear(width, len(ABOUT))

        def trunk(self, ids: Any, mask: Any) -> Any:
            bias = (1.0 - mask[:, None, None, :].float()) * -1e9
            hidden = self.bert.embeddings(ids)
            for layer in self.bert.encoder.layer[: encoder.TRUNK_LAYERS]:
                hidden = layer(hidden, bias)[0]
            return hidden

        def branch(self, hidden: Any, mask: Any) -> tuple[Any, Any, Any]:
            bias = (1.0 - mask[:, None, None, :].float()) * -1e9
            for layer in self.bert.encoder.layer[encoder.TRUNK_LAYERS :]:
                hidden = layer(hidden, bias)[0]
            weights = mask[:, :, None].float()
            pooled = self.dropout((hidden * weights).sum(1) / weights.sum(1).clamp(min=1e-9))
            return self.head_level(pooled), self.head_kind(pooled), self.head_about(pooled)

        def forward(self, ids: Any, mask: Any) -> tuple[Any, Any, Any]:
            with torch.no_grad():
                hidden = self.trunk(ids, mask)
            return self.branch(hidden, mask)

    return RiskClassifier()


def _loss(level: Any, kind: Any, about: Any, target: Any, params: dict[str, Any]) -> Any:
    import torch
    from torch.nn.functional import cross_entropy

    log_p = torch.log_softmax(level, dim=-1)
    risky = target[:, 0] >= MODERATE
    above = torch.logsumexp(log_p[:, MODERATE:], dim=1)
    below = torch.logsumexp(log_p[:, :MODERATE], dim=1)
    gate = -torch.where(risky, params["risk_weight"] * above, below).mean()
    fine = cross_entropy(level, target[:, 0], label_smoothing=0.05)
    return (
        gate
        + 0.5 * fine
        + 0.3 * cross_entropy(kind, target[:, 1])
        + 0.3 * cross_entropy(about, target[:, 2])
    )


def _tensors(rows: Sequence[Row], folder: Path) -> tuple[list[list[int]], Any]:
    import torch
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    targets = [
        [LEVELS.index(r["level"]), KINDS.index(r["kind"]), ABOUT.index(r["about"])] for r in rows
    ]
    return [tokenizer.encode(r["text"]).ids for r in rows], torch.tensor(targets)


def _batches(encodings: list[list[int]], size: int, rng: random.Random) -> list[list[int]]:
    order = list(range(len(encodings)))
    rng.shuffle(order)
    batches = []
    for start in range(0, len(order), size * 8):
        bucket = sorted(order[start : start + size * 8], key=lambda i: len(encodings[i]))
        batches += [bucket[i : i + size] for i in range(0, len(bucket), size)]
    rng.shuffle(batches)
    return batches


def _pad(rows: list[list[int]]) -> tuple[Any, Any]:
    import torch

    width = max(len(row) for row in rows)
    ids = torch.zeros(len(rows), width, dtype=torch.long)
    mask = torch.zeros(len(rows), width, dtype=torch.long)
    for number, row in enumerate(rows):
        ids[number, : len(row)] = torch.tensor(row)
        mask[number, : len(row)] = 1
    return ids, mask


def _trunk_states(model: Any, encodings: list[list[int]]) -> list[Any]:
    """The frozen trunk's output per text, shape (tokens, width), computed once."""
    import torch

    model.eval()
    states: list[Any] = [None] * len(encodings)
    order = sorted(range(len(encodings)), key=lambda i: len(encodings[i]))
    with torch.no_grad():
        for start in range(0, len(order), 64):
            chosen = order[start : start + 64]
            hidden = model.trunk(*_pad([encodings[i] for i in chosen]))
            for position, index in enumerate(chosen):
                states[index] = hidden[position, : len(encodings[index])].clone()
    return states


def _pad_states(rows: list[Any]) -> tuple[Any, Any]:
    import torch

    hidden = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
    lengths = torch.tensor([len(row) for row in rows])
    mask = (torch.arange(hidden.shape[1])[None, :] < lengths[:, None]).long()
    return hidden, mask


def predict(model: Any, rows: Sequence[Row], folder: Path) -> np.ndarray:
    """Level probabilities of `rows`, shape (len(rows), 5)."""
    import torch

    encodings, _ = _tensors(rows, folder)
    result = np.zeros((len(rows), len(LEVELS)))
    order = sorted(range(len(rows)), key=lambda i: len(encodings[i]))
    with torch.no_grad():
        for start in range(0, len(order), 64):
            chosen = order[start : start + 64]
            level, _, _ = model(*_pad([encodings[i] for i in chosen]))
            result[chosen] = torch.softmax(level, dim=-1).numpy()
    return result


def risk_logit(levels: np.ndarray) -> np.ndarray:
    """Log odds of level >= moderate from level probabilities, shape (n,)."""
    risky = levels[:, MODERATE:].sum(axis=1).clip(1e-6, 1 - 1e-6)
    return np.asarray(np.log(risky / (1 - risky)))


def calibrate(logits: np.ndarray, risky: np.ndarray) -> tuple[float, float]:
    """Platt's slope and intercept for `logits`."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=1e6).fit(logits[:, None], risky)
    return float(model.coef_[0, 0]), float(model.intercept_[0])


def export_branch(model: Any, target: Path) -> None:
    """Writes trunk states + mask -> level, kind, about probabilities as int8-block ONNX."""
    import torch

    class Branch(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, trunk: Any, attention_mask: Any) -> tuple[Any, ...]:
            heads = self.model.branch(trunk, attention_mask)
            return tuple(torch.softmax(head, dim=-1) for head in heads)

    mask = torch.ones(2, 7, dtype=torch.long)
    axes = {0: "batch", 1: "tokens"}
    full = target.with_suffix(".f32.onnx")
    torch.onnx.export(
        Branch().eval(),
        (torch.zeros(2, 7, model.bert.config.hidden_size), mask),
        str(full),
        input_names=["trunk", "attention_mask"],
        output_names=["level", "kind", "about"],
        dynamic_axes={"trunk": axes, "attention_mask": axes, "level": {0: "batch"},
                      "kind": {0: "batch"}, "about": {0: "batch"}},
        opset_version=17,
        dynamo=False,
    )  # fmt: skip
    encoder.quantise_weights(full, target)
    full.unlink()


def rates(scores: np.ndarray, levels: np.ndarray, threshold: float) -> dict[str, float]:
    """Recall of >= moderate and >= high and the false-alarm rate at `threshold`."""
    flagged = scores >= threshold
    return {
        "recall_moderate": float(flagged[levels >= MODERATE].mean()),
        "recall_high": float(flagged[levels > MODERATE].mean()),
        "false_alarms": float(flagged[levels < MODERATE].mean()),
    }


def train_gate(params: dict[str, Any], root: Path, output: Path, corpus: Path) -> dict[str, Any]:
    """Trains, calibrates, exports and scores the gate.

    Args:
        params: section `risk_gate` of `params.yaml`, with `seed`.
        root: the repository's root.
        output: folder for `risk.onnx` and `risk.json`.
        corpus: composed conversations, JSON Lines (stage `house_text`).

    Returns:
        Metrics of the held-back part and of the frozen test (classifier alone).
    """
    folder = encoder.locate_weights(params["source"])
    test = read_messages(root / "data/safety/test")
    rows = without_near_duplicates(read_messages(root / "data/safety/train"), test, 0.7)
    composed = read_composed_messages(corpus, params["composed_limit"], params["seed"])
    everyday = without_near_duplicates(
        read_intent_examples(root / "data/nlu") + composed, test, 0.7
    )
    data = os.environ.get("STILLPOINT_DATA")
    if data:
        everyday += read_licensed_requests(Path(data), params["licensed_limit"], params["seed"])
    if params["max_rows"]:
        rng = random.Random(params["seed"])
        rows = rng.sample(rows, min(len(rows), params["max_rows"]))
        everyday = rng.sample(everyday, min(len(everyday), params["max_rows"]))
    part, held_back = split(rows, params["calibration_share"], params["seed"])
    levels = np.array([LEVELS.index(row["level"]) for row in held_back])
    unseen = risk_logit(predict(tune(part + everyday, params, folder), held_back, folder))
    slope, intercept = calibrate(unseen, levels >= MODERATE)
    model = tune(rows + everyday, params, folder)
    output.mkdir(parents=True, exist_ok=True)
    export_branch(model, output / "risk.onnx")

    def probability(logits: np.ndarray) -> np.ndarray:
        return np.asarray(1 / (1 + np.exp(-(slope * logits + intercept))))

    test_levels = np.array([LEVELS.index(row["level"]) for row in test])
    test_scores = probability(risk_logit(predict(model, test, folder)))
    points = [0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]
    card = {
        "levels": LEVELS,
        "kinds": KINDS,
        "about": ABOUT,
        "slope": slope,
        "intercept": intercept,
        "threshold": params["threshold"],
    }
    (output / "risk.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    return {
        "train_rows": len(rows),
        "everyday_rows": len(everyday),
        "licensed_data": bool(data),
        "held_back": {str(t): rates(probability(unseen), levels, t) for t in points},
        "frozen_test": {str(t): rates(test_scores, test_levels, t) for t in points},
        "sha256": hashlib.sha256((output / "risk.onnx").read_bytes()).hexdigest(),
    }
