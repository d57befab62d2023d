"""Scores the gates as they ship on the frozen test: `python -m components.safety_card`.

Writes `reports/safety-card.md` and `.json`: recall by level, false alarms by family, the costs of
other operating points, time per message. With `--gate` it also compares the recall with the
committed floor (`data/safety/floor.json`) and exits with 1 if it fell, or if the frozen files
are not the ones that were hashed. `--input texts.csv --output out.csv` judges a file instead
(column `text`; adds level, kind, about, score, misuse).
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import sys
import time
from datetime import date
from pathlib import Path
from typing import Any, Dict, List, Optional

from components.encoder import shared_encoder
from components.lexicon import LEVELS, Lexicon
from components.misuse_gate import MisusePatterns
from components.risk_gate import MODERATE, RiskClassifier, RiskGate
from components.sentence_features import readable

ROOT = Path(__file__).resolve().parents[2]
TEST_FOLDER = ROOT / "data" / "safety" / "test"
FLOOR_FILE = ROOT / "data" / "safety" / "floor.json"
POINTS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
SAFE_GROUPS = {
    "everyday requests": ["everyday"],
    "sad but safe": ["sad_safe"],
    "idioms": ["idiom_humour"],
    "mental-health talk": ["therapy_talk"],
}


class FrozenTestChanged(Exception):
    """A file of the frozen test is not the one that was hashed."""


class Judge:
    """Encoder and gates as the pipeline joins them."""

    def __init__(self) -> None:
        self._encoder = shared_encoder()
        self._gate = RiskGate({}, RiskClassifier(), Lexicon.from_file(), self._encoder)
        self._misuse = MisusePatterns.from_file()

    def risk(self, text: str) -> Dict[str, Any]:
        """The `risk` of one text."""
        _, trunk = self._encoder.encode_with_trunk(readable(text))
        return self._gate.judge(text, trunk)

    def misuse(self, text: str) -> Dict[str, Any]:
        """The `misuse` of one text."""
        return self._misuse.judge(readable(text))


def read_test(folder: Path = TEST_FOLDER) -> List[Dict[str, Any]]:
    """Rows of the frozen test, conversations left out.

    Raises:
        FrozenTestChanged: a hash differs from `SHA256SUMS`; names the file.
    """
    rows = []
    for line in (folder / "SHA256SUMS").read_text(encoding="utf-8").splitlines():
        digest, name = line.split(maxsplit=1)
        content = (folder / name.strip().lstrip("*")).read_bytes()
        if hashlib.sha256(content).hexdigest() != digest:
            raise FrozenTestChanged(f"{folder / name} is not the file that was hashed")
        if name.endswith(".jsonl") and not name.startswith("conversations"):
            rows += [json.loads(row) for row in content.decode("utf-8").splitlines() if row]
    return rows


def score(rows: List[Dict[str, Any]], judge: Judge) -> Dict[str, Any]:
    """Figures of the gate at its operating point and along the score."""
    verdicts, seconds = [], []
    for row in rows:
        started = time.perf_counter()
        verdicts.append(judge.risk(row["text"]))
        seconds.append(time.perf_counter() - started)
    truth = [LEVELS.index(row["level"]) for row in rows]
    flagged = [LEVELS.index(verdict["level"]) >= MODERATE for verdict in verdicts]
    scores = [verdict["score"] for verdict in verdicts]
    ordered = sorted(seconds)
    families = sorted({row["family"] for row in rows})
    return {
        "rows": len(rows),
        "recall_high": _share(flagged, [level > MODERATE for level in truth]),
        "recall_moderate": _share(flagged, [level >= MODERATE for level in truth]),
        "false_alarms": _share(flagged, [level < MODERATE for level in truth]),
        "false_alarms_by_group": {
            name: _share(
                flagged,
                [r["family"] in names and t < MODERATE for r, t in zip(rows, truth)],
            )
            for name, names in SAFE_GROUPS.items()
        },
        "by_family": {
            family: {
                "rows": sum(row["family"] == family for row in rows),
                "recall": _share(
                    flagged,
                    [r["family"] == family and t >= MODERATE for r, t in zip(rows, truth)],
                ),
                "false_alarms": _share(
                    flagged,
                    [r["family"] == family and t < MODERATE for r, t in zip(rows, truth)],
                ),
            }
            for family in families
        },
        "operating_points": [
            {
                "score": point,
                "recall_high": _share([s >= point for s in scores], [t > MODERATE for t in truth]),
                "recall_moderate": _share(
                    [s >= point for s in scores], [t >= MODERATE for t in truth]
                ),
                "false_alarms": _share([s >= point for s in scores], [t < MODERATE for t in truth]),
            }
            for point in POINTS
        ],
        "p50_ms": round(ordered[len(ordered) // 2] * 1000, 2),
        "p95_ms": round(ordered[int(len(ordered) * 0.95)] * 1000, 2),
    }


def _share(flagged: List[bool], chosen: List[bool]) -> Optional[float]:
    hits = [flag for flag, take in zip(flagged, chosen) if take]
    return round(sum(hits) / len(hits), 4) if hits else None


def markdown(card: Dict[str, Any]) -> str:
    """The card as a page."""
    lines = [
        "# Safety card",
        "",
        f"{date.today().isoformat()}, `make safety-card`, {card['rows']} frozen messages.",
        "",
        "| figure | value |",
        "|---|---|",
        f"| recall of high and imminent | {card['recall_high']} |",
        f"| recall of moderate and above | {card['recall_moderate']} |",
        f"| false alarms over all messages below moderate | {card['false_alarms']} |",
        *[
            f"| false alarms, {name} | {value} |"
            for name, value in card["false_alarms_by_group"].items()
        ],
        f"| time per message, encoder and gate, one core, p50 / p95 | {card['p50_ms']} /"
        f" {card['p95_ms']} ms |",
        "",
        "What other operating points of the score would cost:",
        "",
        "| score ≥ | recall high | recall moderate | false alarms |",
        "|---|---|---|---|",
        *[
            f"| {p['score']} | {p['recall_high']} | {p['recall_moderate']} | {p['false_alarms']} |"
            for p in card["operating_points"]
        ],
        "",
        "By family:",
        "",
        "| family | rows | recall | false alarms |",
        "|---|---|---|---|",
        *[
            f"| {name} | {v['rows']} | {v['recall']} | {v['false_alarms']} |"
            for name, v in card["by_family"].items()
        ],
    ]
    return "\n".join(lines) + "\n"


def gate(card: Dict[str, Any]) -> List[str]:
    """What fell below the committed floor, one line each."""
    floor = json.loads(FLOOR_FILE.read_text(encoding="utf-8"))
    return [
        f"{key} is {card[key]}, below the committed floor {value}"
        for key, value in floor.items()
        if card[key] < value
    ]


def judge_file(source: Path, target: Path) -> None:
    """Adds the verdicts to each row of a CSV file.

    Raises:
        ValueError: no column `text`.
    """
    judge = Judge()
    with open(source, encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        columns = list(reader.fieldnames or [])
        if "text" not in columns:
            raise ValueError(f"{source}: column 'text' is missing")
        rows = list(reader)
    added = ["level", "kind", "about", "score", "misuse"]
    with open(target, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns + added)
        writer.writeheader()
        for row in rows:
            verdict = judge.risk(row["text"])
            misuse = judge.misuse(row["text"])["category"] or ""
            writer.writerow({**row, **verdict, "misuse": misuse})


def main(arguments: Optional[List[str]] = None) -> int:
    """Command line; 1 if the gate fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gate", action="store_true", help="fail if recall fell")
    parser.add_argument("--input", type=Path)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args(arguments)
    if bool(options.input) != bool(options.output):
        parser.error("--input and --output go together")
    if options.input:
        judge_file(options.input, options.output)
        return 0
    try:
        card = score(read_test(), Judge())
    except FrozenTestChanged as error:
        print(error, file=sys.stderr)
        return 1
    reports = ROOT / "reports"
    reports.mkdir(exist_ok=True)
    (reports / "safety-card.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    (reports / "safety-card.md").write_text(markdown(card), encoding="utf-8")
    summary = ("recall_high", "recall_moderate", "false_alarms", "p50_ms")
    print("  ".join(f"{key} {card[key]}" for key in summary))
    print(json.dumps(card["false_alarms_by_group"]))
    fallen = gate(card) if options.gate else []
    for line in fallen:
        print(line, file=sys.stderr)
    return 1 if fallen else 0


if __name__ == "__main__":
    sys.exit(main())
