"""The NLU training data and the held-back test set: format, size, duplicates, leakage."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

DATA = Path(__file__).resolve().parents[2] / "data"
TRAINING = DATA / "nlu"
HELD_BACK = DATA / "nlu_test" / "test.yml"

INTENTS = Path(__file__).resolve().parents[2] / "docs" / "intents.md"
DOMAIN = Path(__file__).resolve().parents[2] / "rasa_project" / "domain"
STORIES = Path(__file__).resolve().parents[1] / "rasa_project" / "stories"
MINIMUM = 50
HELD_BACK_MINIMUM = 9
NEAR_DUPLICATE = 0.8

# Suicidal content belongs to `crisis`; what is shared goes to the language model.
RISK_WORDS = re.compile(
    r"suicid|kill(ing)? myself|end (it all|my life)|self[- ]?harm|(hurt|harm|cut)(ting)? myself"
    r"|(want|wish|ready) to die|be dead|better off without me"
    r"|don'?t want to (live|be here|wake up)",
    re.IGNORECASE,
)


class Example(NamedTuple):
    """One example and where it stands."""

    intent: str
    text: str
    file: str


def parse(content: object, file: str) -> list[Example]:
    """The examples of one loaded NLU file.

    Raises:
        ValueError: the content is not Rasa 3.1 NLU YAML with plain intent examples.
    """
    if not isinstance(content, dict) or content.get("version") != "3.1":
        raise ValueError(f'{file}: the file needs version: "3.1"')
    examples: list[Example] = []
    for block in content.get("nlu") or []:
        if set(block) != {"intent", "examples"}:
            raise ValueError(f"{file}: a block has the keys {sorted(block)}, not intent, examples")
        for line in str(block["examples"]).splitlines():
            if not line.startswith("- ") or not line[2:].strip():
                raise ValueError(f"{file}: {block['intent']}: not an example line: {line!r}")
            examples.append(Example(block["intent"], line[2:], file))
    if not examples:
        raise ValueError(f"{file}: no examples")
    return examples


def normalise(text: str) -> str:
    """Lower case words without punctuation; the text itself where there are no words."""
    folded = (
        unicodedata.normalize("NFC", text)
        .casefold()
        .replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    )
    return " ".join(re.findall(r"[\w']+", folded)) or folded.strip()


def duplicates(examples: list[Example]) -> list[list[Example]]:
    """Groups of examples that are equal after normalisation, within and between intents."""
    groups: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        groups[normalise(example.text)].append(example)
    return [group for group in groups.values() if len(group) > 1]


def overlaps(held_back: list[Example], training: list[Example]) -> list[tuple[Example, Example]]:
    """Pairs that are equal, or whose words have a Jaccard index of `NEAR_DUPLICATE` or more."""
    known = [(example, set(normalise(example.text).split())) for example in training]
    pairs = []
    for candidate in held_back:
        words = set(normalise(candidate.text).split())
        for example, other in known:
            if len(words & other) / len(words | other) >= NEAR_DUPLICATE:
                pairs.append((candidate, example))
    return pairs


def load(path: Path) -> list[Example]:
    """The examples of the file at `path`."""
    return parse(yaml.safe_load(path.read_text(encoding="utf-8")), path.name)


@pytest.fixture(scope="module")
def training() -> list[Example]:
    return [example for path in sorted(TRAINING.glob("*.yml")) for example in load(path)]


@pytest.fixture(scope="module")
def held_back() -> list[Example]:
    return load(HELD_BACK)


def count(examples: list[Example], intent: str) -> int:
    return sum(example.intent == intent for example in examples)


def documented() -> dict[str, str]:
    """Intent -> what it leads to, from the table of docs/intents.md."""
    rows = re.findall(r"^\| `(\w+)` \|[^|]+\| ([^|]+) \|", INTENTS.read_text("utf-8"), re.MULTILINE)
    return {intent: end.strip().strip("`") for intent, end in rows}


def test_the_intents_are_the_documented_ones(
    training: list[Example], held_back: list[Example]
) -> None:
    assert {example.intent for example in training} == set(documented())
    assert {example.intent for example in held_back} == set(documented())
    domain = yaml.safe_load((DOMAIN / "core.yml").read_text(encoding="utf-8"))["intents"]
    assert set(documented()) <= set(domain)
    assert len(documented()) >= 40
    assert len(training) >= 3000


def test_every_intent_leads_where_the_document_says() -> None:
    ends: dict[str, str] = {}
    for path in sorted((DATA / "rules").glob("*.yml")):
        for rule in yaml.safe_load(path.read_text(encoding="utf-8"))["rules"]:
            steps = rule["steps"]
            if "condition" in rule or "intent" not in steps[0]:
                continue
            named = [step["action"] for step in steps[1:] if "action" in step]
            form = [name for name in named if name.endswith("_form")]
            ends[steps[0]["intent"]] = (form or named)[0]
    config = yaml.safe_load((DOMAIN.parent / "config.yml").read_text(encoding="utf-8"))
    exercises = next(p for p in config["policies"] if "exercises" in p)
    for intent, name in exercises["start_intents"].items():
        ends[intent] = exercises["exercises"][name][0]
    ends["crisis"] = "the crisis conversation"
    assert {intent: ends.get(intent) for intent in documented()} == documented()


def test_every_intent_has_a_test_story() -> None:
    told: set[str] = set()
    for path in sorted(STORIES.glob("*.yml")):
        for story in yaml.safe_load(path.read_text(encoding="utf-8"))["stories"]:
            told |= {step["intent"] for step in story["steps"] if "intent" in step}
    assert set(documented()) - told == set()


def test_every_intent_has_enough_examples(
    training: list[Example], held_back: list[Example]
) -> None:
    for intent in documented():
        assert count(training, intent) >= MINIMUM, f"{intent}: too few training examples"
        assert count(held_back, intent) >= HELD_BACK_MINIMUM, f"{intent}: too few test examples"


def test_no_example_stands_twice(training: list[Example], held_back: list[Example]) -> None:
    assert duplicates(training) == []
    assert duplicates(held_back) == []


def test_no_held_back_example_leaks_into_training(
    training: list[Example], held_back: list[Example]
) -> None:
    assert overlaps(held_back, training) == []


def test_examples_are_plain_text(training: list[Example], held_back: list[Example]) -> None:
    # Rasa reads brackets as entities and a leading slash as a command.
    marked = [e for e in training + held_back if re.search(r"[\[\]{}]", e.text) or e.text[0] == "/"]
    assert marked == []
    padded = [e for e in training + held_back if e.text != e.text.strip()]
    assert padded == []


def test_nothing_suicidal_is_labelled_as_sharing(
    training: list[Example], held_back: list[Example]
) -> None:
    wrong = [
        example
        for example in training + held_back
        if (example.intent.startswith("share_") or example.intent == "ask_advice")
        and RISK_WORDS.search(example.text)
    ]
    assert wrong == []


def test_sharing_has_long_messages_and_fragments(training: list[Example]) -> None:
    lengths = [len(e.text.split()) for e in training if e.intent.startswith("share_")]
    assert sum(length >= 30 for length in lengths) >= 5
    assert sum(length <= 4 for length in lengths) >= 30


def test_checks_notice_bad_data() -> None:
    first = Example("greet", "Hello there, friend!", "a.yml")
    again = Example("thank", "hello there friend", "b.yml")
    near = Example("greet", "hello there my dear friend", "c.yml")
    long = Example("greet", "well hello there my dear friend", "d.yml")
    assert duplicates([first, again]) == [[first, again]]
    assert overlaps([again], [first]) == [(again, first)]
    assert overlaps([near], [long]) == [(near, long)]
    assert overlaps([near], [first]) == []
    assert normalise("...") == "..."
    assert RISK_WORDS.search("I want to kill myself")
    for content in (
        {"version": "3.0", "nlu": []},
        {"version": "3.1", "nlu": []},
        {"version": "3.1", "nlu": [{"intent": "greet", "examples": "hi"}]},
        {"version": "3.1", "nlu": [{"intent": "greet", "example": "- hi"}]},
    ):
        with pytest.raises(ValueError, match="bad.yml"):
            parse(content, "bad.yml")
