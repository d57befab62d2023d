"""Trains, calibrates, exports and scores the gates' branch (risk and misuse together).

Messages: `data/safety/train`, `data/safety/misuse_train`, everyday ones from the project's own
intent examples and composed conversations, and licensed ones if `STILLPOINT_DATA` is set. The
probabilities are calibrated on a held-back part by a model that has not seen it (Platt 1999). The
frozen tests are scored once at the end and never trained on: training messages near one of their
messages are left out.

Writes `safety.onnx` (int8 blocks), `ngrams.npz`, `safety.json` (labels, calibration, operating
points) and `reliability.svg`.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
from pathlib import Path
from typing import Any

import numpy as np

from training_pipeline.gates import branch, encoder, messages, ngrams
from training_pipeline.gates.messages import ABOUT, KINDS, LEVELS, MISUSE, MODERATE, Row

NGRAM_SHARE = {"risk": 0.5, "high": 0.5, "misuse": 0.5}
"""Weight of the n-gram model's log odds beside the branch's, chosen on held-back messages."""
PROBES = ("i want to die", "this homework is killing me!!!", "k1ll mys3lf", "घर")
POINTS = (0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)


def logit(share: np.ndarray) -> np.ndarray:
    """Log odds of probabilities, shape (n,)."""
    clipped = share.clip(1e-6, 1 - 1e-6)
    return np.asarray(np.log(clipped / (1 - clipped)))


def calibrate(logits: np.ndarray, positive: np.ndarray) -> tuple[float, float]:
    """Platt's slope and intercept for `logits`, both shape (n,)."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=1e6).fit(logits[:, None], positive)
    return float(model.coef_[0, 0]), float(model.intercept_[0])


def probability(logits: np.ndarray, line: tuple[float, float]) -> np.ndarray:
    """Calibrated probabilities of `logits`."""
    return np.asarray(1 / (1 + np.exp(-(line[0] * logits + line[1]))))


def rates(scores: np.ndarray, levels: np.ndarray, threshold: float) -> dict[str, float]:
    """Recall of >= moderate and >= high and the false-alarm rate at `threshold`."""
    flagged = scores >= threshold
    return {
        "recall_moderate": float(flagged[levels >= MODERATE].mean()),
        "recall_high": float(flagged[levels > MODERATE].mean()),
        "false_alarms": float(flagged[levels < MODERATE].mean()),
    }


def reliability(scores: np.ndarray, positive: np.ndarray, bins: int = 10) -> list[dict[str, float]]:
    """Mean score, observed share and size of each non-empty bin of equal width."""
    place = np.minimum((scores * bins).astype(int), bins - 1)
    return [
        {
            "score": float(scores[place == number].mean()),
            "observed": float(positive[place == number].mean()),
            "rows": int((place == number).sum()),
        }
        for number in range(bins)
        if (place == number).any()
    ]


def calibration_error(table: list[dict[str, float]]) -> float:
    """Expected calibration error: |observed - score| weighted by rows (Naeini et al. 2015)."""
    rows = sum(row["rows"] for row in table)
    return sum(row["rows"] * abs(row["observed"] - row["score"]) for row in table) / rows


def reliability_plot(table: list[dict[str, float]], title: str) -> str:
    """`table` as an SVG: observed share over score, the diagonal, areas by number of rows."""
    side, edge = 320, 44
    most = max(row["rows"] for row in table)

    def x(value: float) -> float:
        return edge + value * side

    def y(value: float) -> float:
        return edge + (1 - value) * side

    ticks = "".join(
        f'<text x="{x(t):.0f}" y="{y(0) + 18:.0f}" text-anchor="middle">{t}</text>'
        f'<text x="{x(0) - 8:.0f}" y="{y(t) + 4:.0f}" text-anchor="end">{t}</text>'
        for t in (0, 0.25, 0.5, 0.75, 1)
    )
    dots = "".join(
        f'<circle cx="{x(r["score"]):.1f}" cy="{y(r["observed"]):.1f}"'
        f' r="{3 + 9 * (r["rows"] / most) ** 0.5:.1f}" fill="#2b6cb0" fill-opacity="0.6"/>'
        for r in table
    )
    path = " ".join(f"{x(r['score']):.1f},{y(r['observed']):.1f}" for r in table)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side + 2 * edge} '
        f'{side + 2 * edge + 10}" font-family="sans-serif" font-size="12">'
        f'<rect width="100%" height="100%" fill="white"/>'
        f'<text x="{x(0.5)}" y="24" text-anchor="middle" font-size="14">{title}</text>'
        f'<rect x="{x(0)}" y="{y(1)}" width="{side}" height="{side}" fill="none" stroke="#999"/>'
        f'<line x1="{x(0)}" y1="{y(0)}" x2="{x(1)}" y2="{y(1)}" stroke="#999"'
        f' stroke-dasharray="4 4"/>'
        f'<polyline points="{path}" fill="none" stroke="#2b6cb0"/>{dots}{ticks}'
        f'<text x="{x(0.5)}" y="{y(0) + 36:.0f}" text-anchor="middle">score</text>'
        f'<text x="12" y="{y(0.5)}" transform="rotate(-90 12 {y(0.5)})"'
        f' text-anchor="middle">observed share</text></svg>\n'
    )


def read_all(params: dict[str, Any], root: Path, corpus: Path) -> dict[str, list[Row]]:
    """The messages by part: `risk`, `misuse`, `ordinary`, and `test` (all frozen messages)."""
    safety = root / "data/safety"
    test = [
        *messages.read_risk(safety / "test"),
        *messages.read_risk(safety / "test_second"),
        *messages.read_misuse(safety / "misuse_test"),
    ]
    bound = params["near_duplicate"]

    def clean(rows: list[Row]) -> list[Row]:
        return messages.without_near_duplicates(rows, test, bound)

    risk = clean(messages.read_risk(safety / "train"))
    misuse = clean(messages.read_misuse(safety / "misuse_train"))
    ordinary = clean(
        messages.read_intent_examples(root / "data/nlu")
        + messages.read_composed(corpus, params["composed_limit"], params["seed"])
    )
    folder = os.environ.get("STILLPOINT_DATA")
    if folder:
        data = Path(folder)
        ordinary += messages.read_requests(data, params["licensed_limit"], params["seed"])
        risk += messages.read_labelled(safety / "licensed_labels.csv", data)
        misuse += messages.read_published_misuse(data)
    if params["max_rows"]:
        rng = random.Random(params["seed"])
        risk, misuse, ordinary = (
            rng.sample(rows, min(len(rows), params["max_rows"]))
            for rows in (risk, misuse, ordinary)
        )
    return {"risk": risk, "misuse": misuse, "ordinary": ordinary, "test": test}


def fit_ngrams(rows: list[Row], strength: float) -> dict[str, tuple[np.ndarray, float]]:
    """The linear models of risk (level >= moderate), high (level >= high) and misuse (any)."""
    risk = [row for row in rows if row["level"] is not None]
    levels = np.array([LEVELS.index(row["level"]) for row in risk])
    texts = [row["text"] for row in risk]
    judged = [row for row in rows if row["misuse"] is not None]
    misuse = np.array([row["misuse"] != "none" for row in judged])
    return {
        "risk": ngrams.fit(texts, levels >= MODERATE, strength),
        "high": ngrams.fit(texts, levels > MODERATE, strength),
        "misuse": ngrams.fit([row["text"] for row in judged], misuse, strength),
    }


def log_odds(
    model: Any, linear: dict[str, tuple[np.ndarray, float]], rows: list[Row], folder: Path
) -> dict[str, np.ndarray]:
    """Joined log odds of risk, high and misuse for `rows`, each of shape (n,)."""
    judged = branch.predict(model, rows, folder)
    shares = {
        "risk": judged["level"][:, MODERATE:].sum(axis=1),
        "high": judged["level"][:, MODERATE + 1 :].sum(axis=1),
        "misuse": 1 - judged["misuse"][:, 0],
    }
    texts = [row["text"] for row in rows]
    return {
        name: logit(share) + NGRAM_SHARE[name] * ngrams.score(texts, linear[name])
        for name, share in shares.items()
    }


def train_gates(params: dict[str, Any], root: Path, output: Path, corpus: Path) -> dict[str, Any]:
    """Trains, calibrates, exports and scores.

    Args:
        params: section `safety_gates` of `params.yaml`, with `seed`.
        root: the repository's root.
        output: folder for the three files.
        corpus: composed conversations, JSON Lines (stage `house_text`).

    Returns:
        Metrics of the held-back part (classifier alone, no lexicon, no patterns).
    """
    folder = encoder.locate_weights(params["source"])
    rows = read_all(params, root, corpus)
    share, seed = params["calibration_share"], params["seed"]
    risk_part, risk_back = messages.split(rows["risk"], share, seed)
    misuse_part, misuse_back = messages.split(rows["misuse"], share, seed)
    ordinary_part, ordinary_back = messages.split(rows["ordinary"], share, seed)
    part = risk_part + misuse_part + ordinary_part
    blind = branch.tune(part, params, folder)
    linear = fit_ngrams(part, params["ngram_strength"])
    levels = np.array([LEVELS.index(row["level"]) for row in risk_back])
    risky = log_odds(blind, linear, risk_back, folder)
    lines = {
        "risk": calibrate(risky["risk"], levels >= MODERATE),
        "high": calibrate(risky["high"], levels > MODERATE),
    }
    asked = [row for row in misuse_back + ordinary_back if row["misuse"] is not None]
    wrong = log_odds(blind, linear, asked, folder)["misuse"]
    truth = np.array([MISUSE.index(row["misuse"]) for row in asked])
    lines["misuse"] = calibrate(wrong, truth > 0)
    ordinary = log_odds(blind, linear, ordinary_back, folder)["risk"]

    # What was held back is learnt as well: one more round over everything, at a lower rate.
    once_more = {**params, "epochs": 1, "learning_rate": params["learning_rate"] / 4}
    everything = rows["risk"] + rows["misuse"] + rows["ordinary"]
    model = branch.tune(everything, once_more, folder, start=blind)
    output.mkdir(parents=True, exist_ok=True)
    branch.export(model, output / "safety.onnx")
    linear = fit_ngrams(everything, params["ngram_strength"])
    ngrams.save(output / "ngrams.npz", **linear)
    card = {
        "levels": LEVELS,
        "kinds": KINDS,
        "about": ABOUT,
        "misuse": MISUSE,
        "lines": lines,
        "ngram_share": NGRAM_SHARE,
        "ngram_probes": {
            name: dict(zip(PROBES, ngrams.score(PROBES, model).round(3).tolist(), strict=True))
            for name, model in linear.items()
        },
        **{
            key: params[key]
            for key in (
                "threshold",
                "other_threshold",
                "high_threshold",
                "misuse_threshold",
                "jailbreak_threshold",
            )
        },
    }
    (output / "safety.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    scores = probability(risky["risk"], lines["risk"])
    table = reliability(scores, levels >= MODERATE)
    plot = reliability_plot(table, "risk.score against the share at moderate or above")
    (output / "reliability.svg").write_text(plot, encoding="utf-8")
    ordinary_scores = probability(ordinary, lines["risk"])
    misuse_scores = probability(wrong, lines["misuse"])
    return {
        "rows": {part: len(rows[part]) for part in ("risk", "misuse", "ordinary")},
        "licensed_data": "STILLPOINT_DATA" in os.environ,
        "held_back": {str(t): rates(scores, levels, t) for t in POINTS},
        "held_back_ordinary": {str(t): float((ordinary_scores >= t).mean()) for t in POINTS},
        "held_back_high": {
            str(t): rates(probability(risky["high"], lines["high"]), levels, t) for t in POINTS
        },
        "held_back_misuse": {
            str(t): {
                "recall": float((misuse_scores >= t)[truth > 0].mean()),
                "false_alarms": float((misuse_scores >= t)[truth == 0].mean()),
            }
            for t in POINTS
        },
        "calibration_error": calibration_error(table),
        "reliability": table,
        "sha256": hashlib.sha256((output / "safety.onnx").read_bytes()).hexdigest(),
    }
