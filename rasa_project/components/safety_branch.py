"""The gates' classifier: from the sentence encoder's trunk states to risk and misuse.

`gates/safety.onnx` continues the trunk with a tuned copy of MiniLM's upper layers; a linear model
over n-grams (`ngrams`) adds its log odds. Both run once per message and both gates read the answer.
`gates/safety.json` holds labels, calibration and operating points; `gates/README.md` is the model
card.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Dict, List, Tuple

import numpy as np
from rasa.shared.exceptions import InvalidConfigException
from rasa.shared.nlu.training_data.message import Message

from components.encoder import SentenceEncoder, session, shared_encoder
from components.ngrams import LinearModels
from components.sentence_features import TRUNK, readable

GATE_FOLDER = Path(__file__).parent / "gates"
VERDICT = "safety_verdict"
HEADS = ("level", "kind", "about", "misuse")
MODERATE = 2
WINDOW_TOKENS = 128
"""Longest stretch of a text that is judged at once, as in training."""
MAX_WINDOWS = 8
"""A longer text is judged by this many windows, the last of which is its end."""


@dataclass(frozen=True)
class Verdict:
    """What the classifier says of one text.

    Attributes:
        level: probabilities of `none` to `imminent`, shape (5,).
        kind: probabilities of the kinds, shape (7,).
        about: probabilities of self and other, shape (2,).
        misuse: probabilities of none and the categories, shape (8,).
        risk: calibrated probability of level >= moderate.
        high: calibrated probability of level >= high.
        wrong: calibrated probability of any misuse.
    """

    level: np.ndarray
    kind: np.ndarray
    about: np.ndarray
    misuse: np.ndarray
    risk: float
    high: float
    wrong: float


class SafetyBranch:
    """The exported classifier with its calibration."""

    def __init__(self, folder: Path = GATE_FOLDER) -> None:
        """Loads `safety.onnx`, `ngrams.npz` and `safety.json`.

        Raises:
            InvalidConfigException: a file is missing; the message names it.
        """
        for name in ("safety.onnx", "safety.json", "ngrams.npz"):
            if not (folder / name).is_file():
                raise InvalidConfigException(f"{folder / name} is missing; run `make gates`.")
        self.card: Dict[str, Any] = json.loads((folder / "safety.json").read_text(encoding="utf-8"))
        self._linear = LinearModels(folder / "ngrams.npz", self.card["ngram_probes"])
        self._session = session(folder / "safety.onnx")

    def judge(self, text: str, trunk: np.ndarray) -> Verdict:
        """The verdict on `text` with its trunk states, shape (tokens, 384)."""
        states = trunk[None, :WINDOW_TOKENS, :].astype(np.float32)
        mask = np.ones(states.shape[:2], dtype=np.int64)
        inputs = {"trunk": states, "attention_mask": mask}
        level, kind, about, misuse = (
            values[0] for values in self._session.run(list(HEADS), inputs)
        )
        linear = self._linear.score(text)
        shares = {
            "risk": float(level[MODERATE:].sum()),
            "high": float(level[MODERATE + 1 :].sum()),
            "misuse": float(1 - misuse[0]),
        }
        calibrated = {
            name: self._calibrated(name, share, linear[name]) for name, share in shares.items()
        }
        return Verdict(
            level, kind, about, misuse,
            calibrated["risk"], calibrated["high"], calibrated["misuse"],
        )  # fmt: skip

    def _calibrated(self, name: str, share: float, linear: float) -> float:
        slope, intercept = self.card["lines"][name]
        share = min(max(share, 1e-6), 1 - 1e-6)
        odds = np.log(share / (1 - share)) + self.card["ngram_share"][name] * linear
        return float(1 / (1 + np.exp(-(slope * odds + intercept))))


class Classifier:
    """Encoder and branch joined: verdicts on texts of any length."""

    def __init__(self, encoder: SentenceEncoder, branch: SafetyBranch) -> None:
        self._encoder = encoder
        self._branch = branch
        self.card = branch.card

    def of_text(self, text: str) -> Verdict:
        """The verdict on `text`; a long one is judged window by window."""
        windows = self._encoder.windows(text, WINDOW_TOKENS, MAX_WINDOWS)
        verdicts = [self._branch.judge(window, self._encoder.trunk(window)) for window in windows]
        return strongest(verdicts)

    def of_message(self, message: Message, text: str) -> Verdict:
        """The verdict on a message's `text`, computed once and kept on the message."""
        kept: Tuple[str, Verdict] | None = message.get(VERDICT)
        if kept is not None and kept[0] == text:
            return kept[1]
        trunk = message.get(TRUNK)
        if trunk is not None and len(trunk) <= WINDOW_TOKENS:
            verdict = self._branch.judge(readable(text), trunk)
        else:
            verdict = self.of_text(readable(text))
        message.set(VERDICT, (text, verdict))
        return verdict


def strongest(verdicts: List[Verdict]) -> Verdict:
    """One verdict from those on a text's windows: the riskiest, with the surest misuse."""
    riskiest = max(verdicts, key=lambda verdict: verdict.risk)
    worst = max(verdicts, key=lambda verdict: verdict.wrong)
    return Verdict(
        riskiest.level,
        riskiest.kind,
        riskiest.about,
        worst.misuse,
        riskiest.risk,
        max(verdict.high for verdict in verdicts),
        worst.wrong,
    )


@lru_cache(maxsize=1)
def shared_classifier() -> Classifier:
    """The process's classifier; both gates and the channels share it."""
    return Classifier(shared_encoder(), SafetyBranch())
