"""Scores the gates as they ship on the frozen tests: `python -m components.safety_card`.

Writes `reports/safety-card.md` and `.json`: recall by level, false alarms by group and family, the
costs of other operating points, calibration, the misuse gate's figures, time per message. With
`--gate` it also compares the figures with the committed floor (`data/safety/floor.json`) and exits
with 1 if one fell, or if a frozen file is not the one that was hashed.
`--input texts.csv --output out.csv` judges a file instead (column `text`; adds level, kind, about,
score, misuse, misuse_score).
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

from components.lexicon import LEVELS, Lexicon
from components.misuse_gate import CATEGORIES, MisuseGate, MisusePatterns
from components.risk_gate import MODERATE, RiskGate
from components.safety_branch import Verdict, shared_classifier
from components.sentence_features import readable

ROOT = Path(__file__).resolve().parents[2]
SAFETY = ROOT / "data" / "safety"
RISK_TESTS = {"first": SAFETY / "test", "second": SAFETY / "test_second"}
MISUSE_TEST = SAFETY / "misuse_test"
FLOOR_FILE = SAFETY / "floor.json"
POINTS = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
BINS = 10
GROUPS = {
    "everyday requests": ["everyday"],
    "sad but safe": ["sad_safe"],
    "idioms": ["idiom_humour"],
    "mental-health talk": ["therapy_talk"],
}

SCARY = ("homonym", "prevention", "definition", "history_news", "fiction", "legal_question")
"""Families of the misuse test that are safe and only sound dangerous."""


class FrozenTestChanged(Exception):
    """A file of a frozen test is not the one that was hashed."""


class Judge:
    """Encoder and gates as the pipeline joins them."""

    def __init__(self) -> None:
        self._classifier = shared_classifier()
        self._risk = RiskGate({}, self._classifier, Lexicon.from_file())
        self._misuse = MisuseGate({}, self._classifier, MisusePatterns.from_file())

    def verdict(self, text: str) -> Verdict:
        """The classifier's verdict, which both gates read."""
        return self._classifier.of_text(readable(text))

    def risk(self, text: str, verdict: Optional[Verdict] = None) -> Dict[str, Any]:
        """The `risk` of one text."""
        return self._risk.judge(text, verdict or self.verdict(text))

    def misuse(self, text: str, verdict: Optional[Verdict] = None) -> Dict[str, Any]:
        """The `misuse` of one text."""
        return self._misuse.judge(text, verdict or self.verdict(text))


def read_test(folder: Path) -> List[Dict[str, Any]]:
    """Rows of a frozen test, conversations left out.

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


def score_risk(rows: List[Dict[str, Any]], judge: Judge) -> Dict[str, Any]:
    """Figures of the risk gate at its operating point and along the score."""
    verdicts, seconds = [], []
    for row in rows:
        started = time.perf_counter()
        classified = judge.verdict(row["text"])
        encoded = time.perf_counter()
        verdicts.append(judge.risk(row["text"], classified))
        judge.misuse(row["text"], classified)
        seconds.append((encoded - started, time.perf_counter() - started))
    truth = [LEVELS.index(row["level"]) for row in rows]
    flagged = [LEVELS.index(verdict["level"]) >= MODERATE for verdict in verdicts]
    scores = [verdict["score"] for verdict in verdicts]
    ordered = sorted(whole for _, whole in seconds)
    return {
        "rows": len(rows),
        "recall_high": _share(flagged, [level > MODERATE for level in truth]),
        "recall_moderate": _share(flagged, [level >= MODERATE for level in truth]),
        "false_alarms": _share(flagged, [level < MODERATE for level in truth]),
        "false_alarms_by_group": {
            name: _share(
                flagged, [r["family"] in names and t < MODERATE for r, t in zip(rows, truth)]
            )
            for name, names in GROUPS.items()
        },
        "by_family": {
            family: {
                "rows": sum(row["family"] == family for row in rows),
                "recall": _share(
                    flagged, [r["family"] == family and t >= MODERATE for r, t in zip(rows, truth)]
                ),
                "false_alarms": _share(
                    flagged, [r["family"] == family and t < MODERATE for r, t in zip(rows, truth)]
                ),
            }
            for family in sorted({row["family"] for row in rows})
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
        "reliability": _reliability(scores, [level >= MODERATE for level in truth]),
        "p50_ms": round(ordered[len(ordered) // 2] * 1000, 2),
        "p95_ms": round(ordered[int(len(ordered) * 0.95)] * 1000, 2),
    }


def score_misuse(rows: List[Dict[str, Any]], judge: Judge) -> Dict[str, Any]:
    """Figures of the misuse gate: caught (any category), named right, turned down wrongly."""
    found = [judge.misuse(row["text"])["category"] for row in rows]
    caught = [category is not None for category in found]
    wanted = [row["category"] for row in rows]
    safe = [category is None for category in wanted]
    scary = [none and row["family"] in SCARY for row, none in zip(rows, safe)]
    return {
        "rows": len(rows),
        "caught": {
            name: _share(caught, [category == name for category in wanted]) for name in CATEGORIES
        },
        "named_right": _share([a == b for a, b in zip(found, wanted)], [not none for none in safe]),
        "turned_down_wrongly": _share(caught, safe),
        "turned_down_wrongly_scary": _share(caught, scary),
        "by_family": {
            family: {
                "rows": sum(row["family"] == family for row in rows),
                "caught": _share(caught, [row["family"] == family for row in rows]),
            }
            for family in sorted({row["family"] for row in rows})
        },
    }


def _reliability(scores: List[float], positive: List[bool]) -> List[Dict[str, float]]:
    table = []
    for number in range(BINS):
        inside = [
            (score, hit)
            for score, hit in zip(scores, positive)
            if min(int(score * BINS), BINS - 1) == number
        ]
        if inside:
            table.append(
                {
                    "score": round(sum(score for score, _ in inside) / len(inside), 3),
                    "observed": round(sum(hit for _, hit in inside) / len(inside), 3),
                    "rows": len(inside),
                }
            )
    return table


def _share(flagged: List[bool], chosen: List[bool]) -> Optional[float]:
    hits = [flag for flag, take in zip(flagged, chosen) if take]
    return round(sum(hits) / len(hits), 4) if hits else None


def markdown(card: Dict[str, Any]) -> str:
    """The card as a page."""
    lines = ["# Safety card", "", f"{date.today().isoformat()}, `make safety-card`."]
    for name, part in card["risk"].items():
        lines += [
            "",
            f"## Risk, {name} frozen test ({part['rows']} messages)",
            "",
            "| figure | value |",
            "|---|---|",
            f"| recall of high and imminent | {part['recall_high']} |",
            f"| recall of moderate and above | {part['recall_moderate']} |",
            f"| false alarms over all messages below moderate | {part['false_alarms']} |",
            *[
                f"| false alarms, {group} | {value} |"
                for group, value in part["false_alarms_by_group"].items()
            ],
            "| time per message, encoder and both gates, one core, p50 / p95 |"
            f" {part['p50_ms']} / {part['p95_ms']} ms |",
            "",
            "What other operating points of the score would cost:",
            "",
            "| score ≥ | recall high | recall moderate | false alarms |",
            "|---|---|---|---|",
            *[
                f"| {p['score']} | {p['recall_high']} | {p['recall_moderate']} |"
                f" {p['false_alarms']} |"
                for p in part["operating_points"]
            ],
            "",
            "Reliability of the score:",
            "",
            "| mean score | observed share | messages |",
            "|---|---|---|",
            *[f"| {r['score']} | {r['observed']} | {r['rows']} |" for r in part["reliability"]],
            "",
            "| family | rows | recall | false alarms |",
            "|---|---|---|---|",
            *[
                f"| {family} | {v['rows']} | {v['recall']} | {v['false_alarms']} |"
                for family, v in part["by_family"].items()
            ],
        ]
    misuse = card["misuse"]
    lines += [
        "",
        f"## Misuse, frozen test ({misuse['rows']} messages)",
        "",
        "| figure | value |",
        "|---|---|",
        *[f"| caught, {name} | {value} |" for name, value in misuse["caught"].items()],
        f"| category named right | {misuse['named_right']} |",
        f"| turned down wrongly, all safe messages | {misuse['turned_down_wrongly']} |",
        f"| turned down wrongly, safe but scary | {misuse['turned_down_wrongly_scary']} |",
        "",
        "| family | rows | caught |",
        "|---|---|---|",
        *[f"| {name} | {v['rows']} | {v['caught']} |" for name, v in misuse["by_family"].items()],
    ]
    return "\n".join(lines) + "\n"


def headline(card: Dict[str, Any]) -> Dict[str, float]:
    """The figures that have a floor or a ceiling, by name."""
    figures: Dict[str, float] = {}
    for name, part in card["risk"].items():
        for key in ("recall_high", "recall_moderate"):
            figures[f"{name}.{key}"] = part[key]
    for category in ("jailbreak", "harmful_request"):
        figures[f"misuse.{category}"] = card["misuse"]["caught"][category]
    return figures


def fallen(card: Dict[str, Any], floor: Dict[str, float]) -> List[str]:
    """What fell below the committed floor, one line each.

    Raises:
        KeyError: the floor names a figure that the card does not have.
    """
    figures = headline(card)
    return [
        f"{key} is {figures[key]}, below the committed floor {value}"
        for key, value in floor.items()
        if figures[key] < value
    ]


def judge_file(source: Path, target: Path) -> None:
    """Adds the verdicts to each row of a CSV file.

    Raises:
        ValueError: no column `text`.
    """
    with open(source, encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        columns = list(reader.fieldnames or [])
        if "text" not in columns:
            raise ValueError(f"{source}: column 'text' is missing")
        rows = list(reader)
    judge = Judge()
    added = ["level", "kind", "about", "score", "misuse", "misuse_score"]
    with open(target, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns + added)
        writer.writeheader()
        for row in rows:
            text = row["text"] or ""
            verdict = judge.verdict(text)
            misuse = judge.misuse(text, verdict)
            found = {"misuse": misuse["category"] or "", "misuse_score": misuse["score"]}
            writer.writerow({**row, **judge.risk(text, verdict), **found})


def main(arguments: Optional[List[str]] = None) -> int:
    """Command line; 1 if the gate fails or the input cannot be used."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gate", action="store_true", help="fail if a figure fell")
    parser.add_argument("--input", type=Path)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args(arguments)
    if bool(options.input) != bool(options.output):
        parser.error("--input and --output go together")
    try:
        if options.input:
            judge_file(options.input, options.output)
            return 0
        judge = Judge()
        card = {
            "risk": {
                name: score_risk(read_test(folder), judge) for name, folder in RISK_TESTS.items()
            },
            "misuse": score_misuse(read_test(MISUSE_TEST), judge),
        }
    except (FrozenTestChanged, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    reports = ROOT / "reports"
    reports.mkdir(exist_ok=True)
    (reports / "safety-card.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    (reports / "safety-card.md").write_text(markdown(card), encoding="utf-8")
    for name, value in headline(card).items():
        print(f"{name} {value}")
    for name, part in card["risk"].items():
        print(f"{name}: false alarms {part['false_alarms']}, {part['false_alarms_by_group']}")
    print(f"misuse: turned down wrongly {card['misuse']['turned_down_wrongly']}")
    floor = json.loads(FLOOR_FILE.read_text(encoding="utf-8")) if options.gate else {}
    lines = fallen(card, floor)
    for line in lines:
        print(line, file=sys.stderr)
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
