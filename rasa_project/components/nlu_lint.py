"""Finds intent examples that teach the wrong thing: `make nlu-lint`.

Two findings, over `data/nlu`:

- near-duplicates: equal words, a word overlap (Jaccard) of `OVERLAP`, or embeddings closer than
  `CLOSE` (cosine); two sentences that say one thing teach one thing;
- examples that sit nearer to another intent: the classifier of `config.yml`, trained on the other
  folds of the data (`FOLDS`), gives another intent at least `SURE`.

What was looked at and is right as it is stands in `data/nlu/reviewed.txt`, one example a line.
Exit status: 0 nothing new, 1 something to look at.
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, FrozenSet, List, Optional, Sequence

import numpy as np
import yaml

from components.encoder import SentenceEncoder, shared_encoder
from components.sentence_features import readable

REPOSITORY = Path(__file__).resolve().parents[2]
DATA = REPOSITORY / "data" / "nlu"
REVIEWED = "reviewed.txt"
OVERLAP = 0.8
LEAST_WORDS = 3
"""Shorter examples may share their words: "thank you" and "thank u"."""
CLOSE = 0.97
SURE = 0.8
FOLDS = 5
STRENGTH = 20.0
"""Inverse regularisation, as in `config.yml`."""


@dataclass(frozen=True)
class Example:
    """One example and its intent."""

    intent: str
    text: str


@dataclass(frozen=True)
class Finding:
    """`example` and what it is too near to; `other` says it in words."""

    kind: str
    example: Example
    other: str


def read(folder: Path) -> List[Example]:
    """The examples of every file, in order.

    Raises:
        ValueError: a file is no Rasa NLU YAML; the message names it.
    """
    found: List[Example] = []
    for path in sorted(folder.glob("*.yml")):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict) or not isinstance(content.get("nlu"), list):
            raise ValueError(f"{path.name}: the key 'nlu' is missing")
        for block in content["nlu"]:
            lines = str(block.get("examples") or "").splitlines()
            found += [
                Example(str(block.get("intent")), line[2:].strip())
                for line in lines
                if line.startswith("- ")
            ]
    return found


def words_of(text: str) -> FrozenSet[str]:
    """Lower-case words."""
    return frozenset(re.findall(r"[^\W_]+", text.lower().replace("'", "").replace("\u2019", "")))


def embeddings(
    examples: Sequence[Example], encoder: Optional[SentenceEncoder] = None
) -> np.ndarray:
    """Unit vectors of the texts, shape (n, 384)."""
    encoder = encoder or shared_encoder()
    vectors = np.stack([encoder.encode([readable(e.text)])[0] for e in examples])
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def near_duplicates(examples: Sequence[Example], vectors: np.ndarray) -> List[Finding]:
    """Pairs that say the same, each told once, at its later example."""
    found: List[Finding] = []
    words = [words_of(example.text) for example in examples]
    for place, example in enumerate(examples):
        mine = words[place]
        if not mine:
            continue  # emoji and dots have one embedding and many shapes
        cosine = vectors[:place] @ vectors[place]
        for other in range(place):
            if not words[other]:
                continue
            shared = len(mine & words[other]) / len(mine | words[other])
            long_enough = min(len(mine), len(words[other])) >= LEAST_WORDS
            same = mine == words[other] and example.text.lower() == examples[other].text.lower()
            if same or (long_enough and (shared >= OVERLAP or cosine[other] >= CLOSE)):
                twin = examples[other]
                found.append(Finding("near-duplicate", example, f"{twin.intent}: {twin.text}"))
                break
    return found


def elsewhere(examples: Sequence[Example], vectors: np.ndarray, seed: int = 0) -> List[Finding]:
    """Examples that a classifier which has not seen them is sure to be of another intent."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold

    intents = np.array([example.intent for example in examples])
    found: Dict[int, Finding] = {}
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    for known, held_back in folds.split(vectors, intents):
        model = LogisticRegression(C=STRENGTH, max_iter=300, class_weight="balanced")
        model.fit(vectors[known], intents[known])
        shares = model.predict_proba(vectors[held_back])
        for place, share in zip(held_back, shares):
            best = int(share.argmax())
            if model.classes_[best] != intents[place] and share[best] >= SURE:
                other = f"{model.classes_[best]} ({share[best]:.2f})"
                found[int(place)] = Finding("nearer to another intent", examples[place], other)
    return [found[place] for place in sorted(found)]


def reviewed(folder: Path) -> FrozenSet[str]:
    """Examples that were looked at and stay."""
    path = folder / REVIEWED
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return frozenset(line.strip() for line in lines if line.strip() and line[0] != "#")


def main(arguments: Optional[List[str]] = None) -> int:
    """Prints the findings; 1 if there is one that nobody has looked at."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--folder", type=Path, default=DATA, help="NLU files (data/nlu)")
    folder: Path = parser.parse_args(arguments).folder
    examples = read(folder)
    if not examples:
        print(f"There are no examples in {folder}.", file=sys.stderr)
        return 1
    vectors = embeddings(examples)
    kept = reviewed(folder)
    findings = near_duplicates(examples, vectors) + elsewhere(examples, vectors)
    new = [finding for finding in findings if finding.example.text not in kept]
    for finding in new:
        print(
            f"{finding.kind}: {finding.example.intent}: {finding.example.text} <> {finding.other}"
        )
    unknown = kept - {example.text for example in examples}
    for text in sorted(unknown):
        print(f"{REVIEWED}: no such example: {text}")
    print(f"{len(examples)} examples, {len(findings)} findings, {len(new)} not looked at yet.")
    return 1 if new or unknown else 0


if __name__ == "__main__":
    sys.exit(main())
