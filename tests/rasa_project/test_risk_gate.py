"""The risk gate as it ships: the contract of its output, operating points, idioms, long texts."""

from __future__ import annotations

import json

import numpy as np
import pytest
from rasa.shared.exceptions import InvalidConfigException
from rasa.shared.nlu.constants import INTENT, TEXT
from rasa.shared.nlu.training_data.message import Message

from components.encoder import shared_encoder
from components.lexicon import LEVELS, Lexicon
from components.misuse_gate import CATEGORIES, MisuseGate, MisusePatterns
from components.ngrams import LinearModels
from components.risk_gate import MODERATE, RiskGate, is_of_the_past
from components.safety_branch import (
    GATE_FOLDER,
    VERDICT,
    WINDOW_TOKENS,
    SafetyBranch,
    Verdict,
    shared_classifier,
    strongest,
)
from components.sentence_features import SentenceFeatures

PLAIN_DANGER = {
    "i want to kill myself": ("high", "self_harm", "self"),
    "i've decided, i'm ending my life tonight": ("imminent", "self_harm", "self"),
    "i just took all of my pills": ("imminent", "self_harm", "self"),
    "quiero suicidarme": ("high", "self_harm", "self"),
    "je veux me tuer": ("high", "self_harm", "self"),
}
PLAIN_SAFETY = [
    "hi", "how are you?", "this homework is killing me", "can you book me a table for two",
    "i passed my exam!", "what is cognitive behavioural therapy?", "i had pasta for lunch",
]  # fmt: skip


@pytest.fixture(scope="module")
def gate() -> RiskGate:
    return RiskGate({}, shared_classifier(), Lexicon.from_file())


@pytest.fixture(scope="module")
def misuse() -> MisuseGate:
    return MisuseGate({}, shared_classifier(), MisusePatterns.from_file())


def judged(gate: RiskGate, text: str) -> Message:
    message = Message({TEXT: text, INTENT: {"name": "share_feelings", "confidence": 0.9}})
    SentenceFeatures(shared_encoder(), False, 8).process([message])
    gate.process([message])
    return message


@pytest.mark.parametrize(("text", "wanted"), PLAIN_DANGER.items())
def test_plain_danger_is_seen_and_sets_the_intent(
    gate: RiskGate, text: str, wanted: tuple[str, str, str]
) -> None:
    message = judged(gate, text)
    risk = message.get("risk")
    level, kind, about = wanted
    assert LEVELS.index(risk["level"]) >= LEVELS.index(level)
    assert (risk["kind"], risk["about"]) == (kind, about)
    assert message.get(INTENT)["name"] == "crisis"


@pytest.mark.parametrize("text", PLAIN_SAFETY)
def test_plain_safety_is_left_alone(gate: RiskGate, text: str) -> None:
    message = judged(gate, text)
    assert LEVELS.index(message.get("risk")["level"]) < MODERATE
    assert message.get(INTENT)["name"] == "share_feelings"


@pytest.mark.parametrize("text", ["", "   ", "/greet", '/affirm{"x": 1}', "?", "😞", "a" * 5000])
def test_every_input_gets_both_verdicts(gate: RiskGate, misuse: MisuseGate, text: str) -> None:
    message = judged(gate, text)
    misuse.process([message])
    risk, wrong = message.get("risk"), message.get("misuse")
    assert risk["level"] in LEVELS
    assert 0 <= risk["score"] <= 1
    assert wrong["category"] in (None, *CATEGORIES)
    assert 0 <= wrong["score"] <= 1


def test_the_crisis_button_counts_as_high(gate: RiskGate) -> None:
    assert judged(gate, "/crisis").get("risk")["level"] == "high"


def test_risk_deep_inside_a_long_text_is_seen(gate: RiskGate) -> None:
    filler = (
        "We moved the desks again last week and my chair went missing for two days. The new boss "
        "wants a report every Friday, so I eat lunch at the keyboard. My sister rang about the "
        "holidays and we argued about who brings the dog. On Sunday I finally fixed the bike, then "
        "it rained until dinner and I watched half a film. The neighbour is learning the trumpet. "
        "I like him, but not at seven in the morning. Next month there is a course in Leeds and I "
        "still have to book the train, the hotel and somebody for the plants. "
    )
    filler += filler.replace("week", "month").replace("bike", "fence")
    text = f"{filler} Honestly I am going to kill myself, I have decided. {filler}"
    assert LEVELS.index(judged(gate, text).get("risk")["level"]) > MODERATE
    assert LEVELS.index(judged(gate, filler).get("risk")["level"]) < MODERATE


def test_windows_cover_the_text_and_keep_its_end() -> None:
    encoder = shared_encoder()
    words = [f"word{number}" for number in range(3000)]
    windows = encoder.windows(" ".join(words), WINDOW_TOKENS, 4)
    assert len(windows) == 4
    assert windows[0].startswith("word0 ")
    assert windows[-1].endswith("word2999")
    assert encoder.windows("short", WINDOW_TOKENS, 4) == ["short"]


def test_the_verdict_is_computed_once_per_message(
    gate: RiskGate, misuse: MisuseGate, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = []
    original = SafetyBranch.judge

    def counted(self: SafetyBranch, text: str, trunk: np.ndarray) -> Verdict:
        runs.append(1)
        return original(self, text, trunk)

    monkeypatch.setattr(SafetyBranch, "judge", counted)
    message = judged(gate, "nobody at work talks to me anymore")
    misuse.process([message])
    assert len(runs) == 1
    assert VERDICT not in message.as_dict(only_output_properties=True)


def verdict(risk: float, high: float, kind: int, wrong: float = 0.0) -> Verdict:
    level = np.array([0.1, 0.1, 0.2, 0.5, 0.1])
    return Verdict(level, np.eye(7)[kind], np.array([1.0, 0.0]), np.eye(8)[2], risk, high, wrong)


@pytest.mark.parametrize(
    ("risk", "high", "kind", "level"),
    [
        (0.9, 0.0, 1, "high"),
        (0.3, 0.0, 1, "moderate"),  # flagged but unsure: asked about, no emergency
        (0.3, 0.0, 3, "none"),  # another kind needs more
        (0.1, 0.0, 1, "none"),
        (0.1, 0.6, 1, "moderate"),  # the probability of high alone suffices
    ],
)
def test_operating_points(risk: float, high: float, kind: int, level: str) -> None:
    config = {"threshold": 0.2, "other_threshold": 0.4, "high_threshold": 0.5}
    gate = RiskGate(config, shared_classifier(), Lexicon({}))
    assert gate.judge("words", verdict(risk, high, kind))["level"] == level


def test_the_riskiest_window_speaks_for_the_text() -> None:
    joined = strongest([verdict(0.1, 0.2, 1, wrong=0.9), verdict(0.8, 0.1, 2, wrong=0.1)])
    assert (joined.risk, joined.high, joined.wrong) == (0.8, 0.2, 0.9)


@pytest.mark.parametrize("key", ["threshold", "other_threshold", "high_threshold", "sure"])
def test_a_bad_operating_point_is_named(key: str) -> None:
    with pytest.raises(InvalidConfigException, match=key):
        RiskGate({key: 1.5}, shared_classifier(), Lexicon({}))
    with pytest.raises(InvalidConfigException, match="threshold"):
        MisuseGate({"threshold": 0.0}, shared_classifier(), MisusePatterns({}))


def test_a_missing_file_is_named(tmp_path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InvalidConfigException, match=r"safety\.onnx"):
        SafetyBranch(tmp_path)


def test_weights_that_do_not_fit_the_card_are_refused(tmp_path) -> None:  # type: ignore[no-untyped-def]
    card = json.loads((GATE_FOLDER / "safety.json").read_text(encoding="utf-8"))
    probes = card["ngram_probes"]
    assert set(LinearModels(GATE_FOLDER / "ngrams.npz", probes).score("hi")) == set(probes)
    probes["risk"]["i want to die"] += 1
    with pytest.raises(InvalidConfigException, match="does not fit"):
        LinearModels(GATE_FOLDER / "ngrams.npz", probes)
    with pytest.raises(InvalidConfigException, match="missing"):
        LinearModels(tmp_path / "ngrams.npz", probes)


@pytest.mark.parametrize(
    ("text", "past"),
    [
        ("i took some stuff 3 weeks ago. nobody knows. i was just sick all night. im ok now", True),
        ("I tried in September and nobody noticed", True),
        ("she left 3 weeks ago. i took everything in the cabinet", False),
        ("i took pills a few days ago and i'm going to do it again", False),
        ("i tried last month. tonight i won't fail", False),
        ("took them 3 minutes ago", False),
        ("i took pills 3 days ago and feel ok", False),
        ("i feel awful", False),
    ],
)
def test_an_act_of_weeks_ago_is_not_under_way(text: str, past: bool) -> None:
    assert is_of_the_past(text) is past
