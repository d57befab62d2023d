"""The reply bank: its content keeps the voice, and its choice fits, varies and repeats never."""

from collections.abc import Callable
from pathlib import Path

import pytest
from rasa_sdk import Tracker

from actions.action_llm_fallback import open_turn
from actions.errors import DataFileError
from actions.guardrails.output import OutputGuardrail
from actions.history import Said
from actions.reply_bank import (
    FUNCTIONS,
    LAST_RESORT,
    Entry,
    ReplyBank,
    function_of,
    load_reply_bank,
)
from actions.reply_rules import broken_rules
from actions.responders.base import OpenTurn
from actions.topics import INTENT_TOPICS, TOPIC_PATTERNS, feeling_word, topic_word, topics_of

Make = Callable[..., OpenTurn]


def _entry(text: str, **more: str) -> Entry:
    return Entry("x.1", text, more.get("function", "explore"), more.get("topic"), (), "developer")


def test_every_reply_keeps_the_voice(bank: ReplyBank) -> None:
    guardrail = OutputGuardrail()
    broken = {
        entry.id: rules for entry in bank.entries if (rules := broken_rules(entry, guardrail))
    }
    assert broken == {}


def test_size_and_coverage(bank: ReplyBank) -> None:
    assert len(bank.entries) >= 150
    assert len({entry.text for entry in bank.entries}) == len(bank.entries)
    assert {entry.topic for entry in bank.entries} - {None} == set(TOPIC_PATTERNS)
    for function in FUNCTIONS:
        count = sum(entry.function == function for entry in bank.entries)
        assert count >= 4, function
    for topic in TOPIC_PATTERNS:
        assert sum(entry.topic == topic for entry in bank.entries) >= 5, topic


def test_functions_never_run_dry_without_key_words(bank: ReplyBank) -> None:
    for function in FUNCTIONS:
        assert any(
            entry.function == function and not entry.words and "{" not in entry.text
            for entry in bank.entries
        ), function


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("You should rest. What now?", "has an order"),
        ("Just breathe. What now?", "has an order"),
        ("That is great! What now?", "has an exclamation mark"),
        ("I am always here. What now?", "has a promise"),
        ("Call 123 now. What now?", "has a number or an address"),
        ("One. Two. Three. What now?", "has more than 3 sentences"),
        ("What now? What then?", "asks more than one question"),
        ("Your {word} hurts. What now?", "has an unknown placeholder"),
        ("Your {topic_word} and {feeling_word}. What now?", "has more than one placeholder"),
        ("I know exactly how you feel. What now?", "has claimed knowledge"),
        ("That is a symptom. What now?", "has a clinical word"),
        ("You are lazy. What now?", "is refused by the guardrail: makes_small"),
    ],
)
def test_validator_finds_what_it_is_for(text: str, rule: str) -> None:
    assert rule in broken_rules(_entry(text), OutputGuardrail())


@pytest.mark.parametrize(
    ("text", "function"),
    [
        ("", "silence"),
        ("...", "silence"),
        ("yes", "short_answer"),
        ("not really", "short_answer"),
        ("idk", "dont_know"),
        ("I don't know how to say it", "dont_know"),
        ("you're just a bot", "pushback"),
        ("this isn't helping", "pushback"),
        ("what should i do about it", "advice"),
        ("thank you so much", "thanks"),
        ("hi there", "opening"),
        ("i am so lonely since i moved", "explore"),
    ],
)
def test_function_of(text: str, function: str) -> None:
    assert function_of(text, is_first=True) == function


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("my boss hates me", "work"),
        ("exams next week and i can't study", "study"),
        ("my mum died last year", "grief"),
        ("my girlfriend broke up with me", "breakup"),
        ("i can't sleep at all", "sleep"),
        ("i can't pay the rent", "money"),
        ("i feel numb and empty", "numbness"),
        ("i moved to a new city and feel homesick", "moving"),
        ("they bully me at lunch", "bullying"),
        ("caring for my dad with dementia", "caring"),
    ],
)
def test_choice_fits_the_topic(bank: ReplyBank, make_turn: Make, text: str, topic: str) -> None:
    assert topics_of(text)[0] == topic
    assert bank.choose(make_turn(text)).id.split(".")[0] == topic


def test_the_intent_tells_the_topic_where_no_key_word_does(
    bank: ReplyBank, make_turn: Make
) -> None:
    text = "four in the morning and still counting the cracks in the ceiling"
    assert topics_of(text) == []
    assert bank.choose(make_turn(text, topic="sleep")).id.startswith("sleep.")
    assert not bank.choose(make_turn(text)).id.startswith("sleep.")
    assert bank.choose(make_turn("my boss shouts at me", topic="sleep")).id.startswith("work.")


@pytest.mark.parametrize(("confidence", "topic"), [(0.9, "grief"), (0.3, None), ("high", None)])
def test_only_a_sure_intent_tells_it(confidence: object, topic: str | None) -> None:
    latest = {"text": "x", "intent": {"name": "share_grief", "confidence": confidence}}
    tracker = Tracker("s", {}, latest, [], False, None, {}, "action_listen")
    assert open_turn(tracker).topic == topic


def test_intent_topics_exist() -> None:
    assert set(INTENT_TOPICS.values()) <= set(TOPIC_PATTERNS)


def test_topic_words_only_where_surely_theirs() -> None:
    assert topic_word("my new boss is cruel") == "boss"
    assert topic_word("my mother's boss is cruel") is None
    assert topic_word("the boss is cruel") is None
    assert topic_word("my exams are near") is None
    assert feeling_word("i feel Stuck") == "stuck"
    assert feeling_word("i am not angry") is None


def test_takes_up_the_own_word(bank: ReplyBank, make_turn: Make) -> None:
    reply = bank.choose(make_turn("i feel so stuck with my thesis"))
    assert "stuck" in reply.text or "thesis" in reply.text
    assert "{" not in reply.text


def test_same_turn_same_choice_other_sender_may_differ(bank: ReplyBank) -> None:
    def choice(sender: str) -> str:
        return bank.choose(OpenTurn(sender, "m", "something is odd today", ())).id

    assert choice("a") == choice("a")
    assert len({choice(f"sender{number}") for number in range(40)}) > 3


def test_a_long_conversation_hears_nothing_twice(bank: ReplyBank) -> None:
    said: list[Said] = []
    texts = []
    for number in range(40):
        text = f"it is still hard at work, day {number}"
        said.append(Said("user", text))
        reply = bank.choose(OpenTurn("s", str(number), text, tuple(said)))
        texts.append(reply.text)
        said.append(Said("assistant", reply.text, source="reply_bank"))
    first_repeat = next((i for i, t in enumerate(texts) if t in texts[:i]), len(texts))
    assert first_repeat >= 25


def test_risk_hold_stays_risk_hold_even_when_used_up(bank: ReplyBank) -> None:
    said: list[Said] = []
    ids = []
    for number in range(30):
        turn = OpenTurn("s", str(number), "i don't know", tuple(said))
        reply = bank.choose(turn, function="risk_hold")
        ids.append(reply.id)
        said.append(Said("assistant", reply.text, reply_id=reply.id))
    assert all(reply_id.startswith("risk_hold.") for reply_id in ids)
    pool = sum(entry.function == "risk_hold" for entry in bank.entries)
    assert len(set(ids[:pool])) == pool
    assert all(ids[i] != ids[i + 1] for i in range(len(ids) - 1))


def test_a_short_answer_keeps_earlier_topic_possible(bank: ReplyBank, make_turn: Make) -> None:
    reply = bank.choose(make_turn("yes", Said("user", "my boss shouted at me")))
    assert reply.id.startswith("short_answer.")


def test_slowness_is_owned_up_to_once(bank: ReplyBank, make_turn: Make) -> None:
    hello = Said("assistant", "Hello.")
    first = bank.choose_instead(make_turn("the thing with the fence again", hello), "slow")
    assert first.id.startswith("slow.")
    told = Said("assistant", first.text, reply_id=first.id)
    again = bank.choose_instead(make_turn("the thing with the fence again", hello, told), "slow")
    assert not again.id.startswith("slow.")
    fitting = bank.choose_instead(make_turn("my boss again", hello), "slow")
    assert fitting.id.startswith("work.")


def test_empty_bank_still_speaks(make_turn: Make) -> None:
    assert ReplyBank([]).choose(make_turn("hi")) == LAST_RESORT
    assert OutputGuardrail().check_reply(LAST_RESORT.text).allowed


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("replies: []", "no list 'replies'"),
        ("- a", "no list 'replies'"),
        ("replies: [{id: a}]", "needs exactly"),
        ("replies: [{id: a, text: b, when: {function: no}, reviewed_by: developer}]", "'function'"),
        ("replies: [{id: a, text: b, when: {function: explore, topic: x}, reviewed_by: developer}]",
         "topic 'x'"),
        ("replies: [{id: a, text: b, when: {function: explore, mood: x}, reviewed_by: developer}]",
         "'when' knows"),
        ("replies: [{id: a, text: b, when: {function: explore}, reviewed_by: me}]",
         "'reviewed_by'"),
        ("replies: [", "cannot be read"),
    ],
)  # fmt: skip
def test_bad_files_are_named(tmp_path: Path, content: str, complaint: str) -> None:
    (tmp_path / "bad.yml").write_text(content, encoding="utf-8")
    with pytest.raises(DataFileError) as error:
        load_reply_bank(tmp_path)
    assert complaint in str(error.value)
    assert "bad.yml" in str(error.value)


def test_missing_folder_and_double_id(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="no reply bank files"):
        load_reply_bank(tmp_path / "nothing")
    entry = "{id: a, text: Go on., when: {function: explore}, reviewed_by: developer}"
    (tmp_path / "two.yml").write_text(f"replies: [{entry}, {entry}]", encoding="utf-8")
    with pytest.raises(DataFileError, match="'a' occurs twice"):
        load_reply_bank(tmp_path)
