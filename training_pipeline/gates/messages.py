"""The messages that the gates learn from and are judged on.

A row is `{"text", "level", "kind", "about", "misuse", "family"}`. `level` is None where a message
says nothing certain about risk, `misuse` is None where it says nothing certain about misuse and
`"none"` where it is none; both are left out of the loss where they are None. Licensed data sets
are read from `STILLPOINT_DATA`; their texts are never part of the repository, only the labels
that the project gave some of them (`data/safety/licensed_labels.csv`).
"""

from __future__ import annotations

import csv
import json
import random
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

LEVELS = ["none", "low", "moderate", "high", "imminent"]
KINDS = ["none", "self_harm", "harm_to_others", "abuse", "medical", "psychosis", "eating"]
ABOUT = ["self", "other"]
MISUSE = [
    "none", "jailbreak", "harmful_request", "illegal", "sexual", "diagnosis_or_dosage",
    "general_assistant", "abuse",
]  # fmt: skip
MODERATE = LEVELS.index("moderate")

LEFT_OUT_TOPICS = frozenset({"crisis", "controlling_partner", "harmful", "medical", "written"})
"""Topics of conversations whose messages are no safe examples, or labelled elsewhere."""
RISKY_INTENTS = frozenset({"crisis"})
UNDECIDED_MISUSE = frozenset(
    {"harm_to_others", "method_seeking", "medication", "everyday", "research"}
)
"""Kinds and tags of risk messages that may be misuse as well; nobody labelled them for it."""
UNDECIDED_INTENTS = frozenset(
    {"out_of_scope", "feedback_negative", "bot_challenge", "ask_diagnosis", "ask_medication"}
)
"""Intents whose examples may be misuse as well."""
UNDECIDED_RISK = frozenset({"harmful_request", "diagnosis_or_dosage", "abuse"})
"""Categories of misuse whose messages may carry risk as well."""
SOURCES = ("deepset", "self_reminder", "advbench", "harmbench")

Row = dict[str, Any]


def _lines(folder: Path) -> Iterable[tuple[str, Row]]:
    for path in sorted(folder.glob("*.jsonl")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise ValueError(f"{path}:{number}: not JSON ({error.msg})") from error
            if "turns" not in row:
                yield f"{path}:{number}", row


def _check(where: str, row: Row, **allowed: Sequence[str | None]) -> None:
    if not str(row.get("text") or "").strip():
        raise ValueError(f"{where}: text is missing")
    for key, values in allowed.items():
        if row.get(key) not in values:
            raise ValueError(f"{where}: {key} must be one of {list(values)}")


def read_risk(folder: Path) -> list[Row]:
    """Rows of every `*.jsonl` of risk messages in `folder`; conversations are left out.

    Raises:
        ValueError: a line is no JSON, lacks its text or has an unknown label; names the place.
    """
    rows = []
    for where, row in _lines(folder):
        _check(where, row, level=LEVELS, kind=KINDS, about=ABOUT)
        undecided = UNDECIDED_MISUSE.intersection([row["kind"], *row.get("tags", ())])
        rows.append({**row, "misuse": None if undecided else "none"})
    return rows


def read_misuse(folder: Path) -> list[Row]:
    """Rows of every `*.jsonl` of misuse messages in `folder`.

    A disclosure may carry risk of its own, which nobody labelled: its level is None.

    Raises:
        ValueError: as `read_risk`.
    """
    rows = []
    for where, row in _lines(folder):
        _check(where, row, category=[None, *MISUSE[1:]])
        category = row["category"] or "none"
        undecided = category in UNDECIDED_RISK or "disclosure" in row.get("tags", ())
        rows.append(_row(row["text"], row["family"], None if undecided else "none", category))
    return rows


def read_intent_examples(folder: Path) -> list[Row]:
    """The project's own intent examples as everyday messages; `crisis` ones are left out."""
    rows, intent = [], ""
    for path in sorted(folder.glob("*.yml")):
        for line in path.read_text(encoding="utf-8").splitlines():
            found = re.match(r"\s*- intent: (\S+)", line)
            if found:
                intent = found.group(1)
            elif re.match(r"\s+- \S", line) and intent and intent not in RISKY_INTENTS:
                misuse = None if intent in UNDECIDED_INTENTS else "none"
                rows.append(_row(line.strip()[2:], f"nlu_{intent}", "none", misuse))
    return rows


def read_composed(corpus: Path, limit: int, seed: int) -> list[Row]:
    """What people say in the composed conversations: ordinary distress, at most `limit`."""
    texts: set[str] = set()
    for line in corpus.read_text(encoding="utf-8").splitlines():
        talk = json.loads(line)
        if talk["topic"] not in LEFT_OUT_TOPICS:
            texts.update(message for message, _ in talk["turns"])
    chosen = random.Random(seed).sample(sorted(texts), min(limit, len(texts)))
    return [_row(text, "composed") for text in chosen]


def read_requests(data: Path, limit: int, seed: int) -> list[Row]:
    """CLINC150 (CC BY 3.0) and BANKING77 (CC BY 4.0) training texts, at most `limit` of each."""
    rng = random.Random(seed)
    clinc = json.loads((data / "intent/CLINC150/data_full.json").read_text(encoding="utf-8"))
    texts = [text for text, _ in clinc["train"] + clinc["oos_train"]]
    rows = [_row(text, "clinc150") for text in rng.sample(texts, min(limit, len(texts)))]
    with open(data / "intent/banking77/train.csv", encoding="utf-8", newline="") as file:
        texts = [row["text"] for row in csv.DictReader(file)]
    return rows + [_row(text, "banking77") for text in rng.sample(texts, min(limit, len(texts)))]


def read_labelled(labels: Path, data: Path) -> list[Row]:
    """Messages of counsel-chat (MIT) and GoEmotions (Apache-2.0) with the project's risk labels.

    Args:
        labels: CSV with `source,id,level,kind,about`.
        data: the folder of `STILLPOINT_DATA`.

    Raises:
        ValueError: an id is not in the data set, or a label is unknown.
    """
    texts: dict[tuple[str, str], str] = {}
    with open(
        data / "support/counsel-chat/20200325_counsel_chat.csv", encoding="utf-8", newline=""
    ) as file:
        for row in csv.DictReader(file):
            text = f"{row['questionTitle']}\n{row['questionText']}".strip()
            texts.setdefault(("counsel_chat", row["questionID"]), text)
    for line in (data / "emotion/GoEmotions/train.tsv").read_text(encoding="utf-8").splitlines():
        text, _, identity = line.split("\t")
        texts[("goemotions", identity)] = text
    rows = []
    with open(labels, encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.DictReader(file), start=2):
            key = (row["source"], row["id"])
            if key not in texts:
                raise ValueError(f"{labels}:{number}: {key} is not in the data")
            _check(f"{labels}:{number}", {"text": texts[key], **row},
                   level=LEVELS, kind=KINDS, about=ABOUT)  # fmt: skip
            rows.append(
                {**_row(texts[key], row["source"], row["level"], "none"),
                 "kind": row["kind"], "about": row["about"]}
            )  # fmt: skip
    return rows


def read_published_misuse(data: Path) -> list[Row]:
    """The public misuse sets of the developer data (all MIT), each row with its `source`."""
    safety, rows = data / "safety", []

    def add(source: str, text: str, misuse: str) -> None:
        rows.append({**_row(text, source, None, misuse), "source": source})

    with open(safety / "deepset-prompt-injections/train.csv", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            add("deepset", row["text"], "jailbreak" if row["label"] == "1" else "none")
    with open(
        safety / "Self-Reminder/jailbreak_prompts_train.csv", encoding="utf-8", newline=""
    ) as file:
        for row in csv.DictReader(file):
            add("self_reminder", row["prompt"], "jailbreak")
    for source, name in (
        ("advbench", "advbench_behaviors.csv"),
        ("harmbench", "harmbench_behaviors_text_val.csv"),
    ):
        with open(safety / "harm-behaviors" / name, encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                copied = row.get("SemanticCategory") == "copyright"
                text = "\n".join(part for part in (row["ContextString"], row["Behavior"]) if part)
                add(source, text, "illegal" if copied else "harmful_request")
    return rows


def _row(text: str, family: str, level: str | None = "none", misuse: str | None = "none") -> Row:
    return {
        "text": text, "level": level, "kind": "none", "about": "self", "misuse": misuse,
        "family": family,
    }  # fmt: skip


def tokens(text: str) -> frozenset[str]:
    """Lower-case words of `text`, for near-duplicate checks."""
    return frozenset(re.findall(r"\w+", text.lower()))


def without_near_duplicates(
    rows: Sequence[Row], held_out: Sequence[Row], bound: float
) -> list[Row]:
    """`rows` without those whose word overlap (Jaccard) with a held-out text reaches `bound`."""
    others = [tokens(row["text"]) for row in held_out]
    exact = {" ".join(re.findall(r"\w+", row["text"].lower())) for row in held_out}
    kept = []
    for row in rows:
        words = tokens(row["text"])
        if " ".join(re.findall(r"\w+", row["text"].lower())) in exact:
            continue
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
