"""The generator: equal seeds give equal text, and every reply keeps to the voice."""

import random
import re
from pathlib import Path

import pytest

from training_pipeline.corpus.conversation import ConversationComposer
from training_pipeline.corpus.grammar import Binding, slots
from training_pipeline.corpus.person import mirror, second_person
from training_pipeline.corpus.stories import StoryComposer
from training_pipeline.corpus.voice_rules import problems, sentences
from training_pipeline.corpus.world import World, load_world
from training_pipeline.corpus.writing import draw_persona, type_as
from training_pipeline.corpus.written import WrittenComposer
from training_pipeline.errors import CorpusError
from training_pipeline.stages.house_sample import OPENINGS

SAMPLE = 3000


@pytest.fixture(scope="module")
def world() -> World:
    return load_world()


@pytest.fixture(scope="module")
def talks(world: World) -> list:
    composer = ConversationComposer(world, 11)
    return [composer.compose(number) for number in range(SAMPLE)]


def test_equal_seeds_give_equal_conversations(world: World) -> None:
    first, second = ConversationComposer(world, 3), ConversationComposer(world, 3)
    assert [first.compose(n) for n in range(50)] == [second.compose(n) for n in range(50)]


def test_another_seed_gives_other_conversations(world: World) -> None:
    first, second = ConversationComposer(world, 3), ConversationComposer(world, 4)
    differing = sum(first.compose(n) != second.compose(n) for n in range(50))
    assert differing > 45


def test_a_conversation_does_not_depend_on_those_before_it(world: World) -> None:
    one, other = ConversationComposer(world, 3), ConversationComposer(world, 3)
    for number in range(20):
        one.compose(number)
    assert one.compose(40) == other.compose(40)


def test_replies_keep_to_the_voice(talks: list) -> None:
    for talk in talks:
        for _, reply in talk.turns:
            assert "!" not in reply
            assert reply.count("?") <= 1
            assert 1 <= sentences(reply) <= 3
            assert not problems(reply), reply


def test_most_replies_ask_exactly_one_question(talks: list) -> None:
    replies = [reply for talk in talks for _, reply in talk.turns]
    asking = sum(reply.count("?") == 1 for reply in replies)
    assert asking / len(replies) > 0.95


def test_conversations_are_distinct_and_of_one_to_several_turns(talks: list) -> None:
    assert len({talk.turns for talk in talks}) > 0.9 * len(talks)
    assert {1, 2, 3, 4} <= {len(talk.turns) for talk in talks}


def test_every_situation_comes_up(world: World, talks: list) -> None:
    met = {talk.topic for talk in talks}
    assert {situation.name for situation in world.situations} <= met
    assert len(world.situations) >= 55


def test_replies_take_up_the_persons_own_words(world: World, talks: list) -> None:
    named = {situation.name for situation in world.situations}
    openings = [talk.turns[0] for talk in talks if talk.topic in named]
    shared = 0
    for user, reply in openings:
        theirs = set(re.findall(r"[a-z]{4,}", second_person(user.lower())))
        shared += bool(theirs & set(re.findall(r"[a-z]{4,}", reply.lower())))
    assert shared / len(openings) > 0.75


def test_no_question_is_asked_twice_about_one_topic(world: World) -> None:
    composer = ConversationComposer(world, 5)
    repeated = total = 0
    for number in range(400):
        asked = [reply.rpartition(". ")[2] for _, reply in composer.compose(number).turns]
        repeated += len(asked) - len(set(asked))
        total += len(asked)
    assert repeated / total < 0.02


def test_openings_do_not_repeat_a_handful_of_replies(talks: list) -> None:
    first = [talk.turns[0][1] for talk in talks]
    assert len(set(first)) > 0.85 * len(first)


@pytest.mark.parametrize(
    ("said", "given_back"),
    [
        ("my boss talks down to me", "your boss talks down to you"),
        ("i'm scared i was wrong", "you're scared you were wrong"),
        ("i am sure i'll hurt myself less", "you are sure you'll hurt yourself less"),
        ("we lost our home", "you lost your home"),
        ("honestly my mum hates mine", "your mum hates yours"),
        ("it's stupid but i burnt dinner", "you burnt dinner"),
        ("Priya took my bike", "Priya took your bike"),
    ],
)
def test_mirror_turns_the_first_person_into_the_second(said: str, given_back: str) -> None:
    assert mirror(said) == given_back


@pytest.mark.parametrize("question", ["should i go back", "what if i fail", "why am i like this"])
def test_a_question_is_not_given_back_as_a_fact(question: str) -> None:
    assert mirror(question) is None


def test_judgements_on_oneself_are_never_given_back_as_facts(world: World) -> None:
    composer = ConversationComposer(world, 9)
    for number in range(4000):
        for _, reply in composer.compose(number).turns:
            assert not re.match(r"(So )?[Yy]ou(r| a)e a (failure|bad mum|bad dad)", reply), reply
            assert not reply.startswith(("You're a failure.", "You hate yourself.")), reply


def test_a_slot_keeps_its_value_and_mirrors_it(world: World) -> None:
    binding = Binding({"person": ("my aunt",)}, random.Random(1))
    assert binding.fill("{person} left; {Person~} is gone") == "my aunt left; Your aunt is gone"
    assert binding.bound("{person}")
    assert not binding.bound("{place}")
    assert slots("{Person~} and {place}") == ["Person", "place"]


def test_an_unknown_slot_is_refused() -> None:
    with pytest.raises(CorpusError, match="nowhere"):
        Binding({}, random.Random(1)).fill("{nowhere}")


def test_articles_follow_the_word() -> None:
    binding = Binding({"job": ("accountant",)}, random.Random(1))
    assert binding.fill("as a {job} at a uni") == "as an accountant at a uni"


def test_personas_write_in_different_ways() -> None:
    rng = random.Random(2)
    ways = {type_as("i can't sleep because of you", draw_persona(rng), rng) for _ in range(200)}
    assert len(ways) > 8
    assert any(way.startswith("I can") for way in ways)
    assert any("cant" in way for way in ways)


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        ("You can do it!", "exclamation"),
        ("Why? And when?", "more than one question"),
        ("One. Two. Three. Four.", "more than three"),
        ("You should rest.", "banned"),
        ("I'm always here for you.", "banned"),
        ("You said {word}.", "residue"),
        ("and then", "unfinished"),
        ("very " * 70 + "long.", "too long"),
    ],
)
def test_the_voice_rules_catch_what_they_name(reply: str, problem: str) -> None:
    assert any(problem in found for found in problems(reply))


def test_stories_are_plain_and_repeatable(world: World) -> None:
    one, other = StoryComposer(world, 1), StoryComposer(world, 1)
    texts = [one.compose(number) for number in range(300)]
    assert texts == [other.compose(number) for number in range(300)]
    assert all("{" not in text and "\n" not in text and text.endswith((".", '"')) for text in texts)
    assert len(set(texts)) == len(texts)


def test_a_malformed_world_is_refused(tmp_path) -> None:
    for name in ("lexicon", "words", "work_and_study", "people", "inner_life", "world_and_days"):
        (tmp_path / f"{name}.txt").write_text("", encoding="utf-8")
    (tmp_path / "wild.txt").write_text("== half | work\nabout: it\nsay:\n  a\n", encoding="utf-8")
    with pytest.raises(CorpusError, match="half: missing"):
        load_world(tmp_path)


def written(folder: Path, **files: str) -> Path:
    content = {
        "pairs.tsv": "i lost my job\tLosing your job is a lot. What happened?\n",
        "talks.txt": "== work\nP: hi\nS: Hello. What's going on?\nP: work\nS: Work, then. Go on.\n",
        "gists.tsv": "I miss my gran.\tloss\tyour gran\tsad\tyour gran is gone\n",
        "frames.txt": "== open\nSo {gist}.\n{Gist}.\n== feel\nThat sounds {feeling}.\n"
        "== ask\nWhat then?\n== ask:about\nWhat about {about}?\n== ask:loss\nWho knows?\n",
    }
    for name, text in {**content, **files}.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_the_written_texts_make_conversations_that_keep_to_the_voice() -> None:
    composer = WrittenComposer(7)
    made = [*composer.pairs(), *composer.talks(), *composer.gists(each=2)]
    assert len(composer.pairs()) > 2000
    assert len(composer.talks()) > 100
    assert len(composer.gists(each=2)) > 8000
    for talk in made:
        for message, reply in talk.turns:
            assert message.strip()
            assert problems(reply) == []
            assert not re.search(r"[{}\t]", reply)


def test_equal_seeds_give_equal_written_conversations() -> None:
    assert WrittenComposer(7).gists(2) == WrittenComposer(7).gists(2)
    assert WrittenComposer(7).gists(2) != WrittenComposer(8).gists(2)


def test_what_is_held_back_is_never_trained_on() -> None:
    composer = WrittenComposer(7)
    trained = {turn for talk in [*composer.pairs(), *composer.talks()] for turn in talk.turns}
    held = [turn for talk in composer.held_back() for turn in talk.turns]
    assert len(held) > 100
    assert not trained & set(held)


def test_a_gist_becomes_different_replies_about_it(tmp_path: Path) -> None:
    made = WrittenComposer(1, written(tmp_path)).gists(each=6)
    replies = {talk.turns[0][1] for talk in made}
    assert len(replies) == len(made) == 6
    assert all("our gran is gone" in reply for reply in replies)


def test_no_opening_of_the_evaluation_is_among_the_written_texts() -> None:
    lines = OPENINGS.read_text("utf-8").splitlines()
    # Shorter ones, such as "hey", are said by everybody.
    openings = {line.strip().lower() for line in lines if len(line.split()) > 3}
    composer = WrittenComposer(7)
    made = [*composer.pairs(), *composer.talks(), *composer.gists(each=1)]
    assert not openings & {message.lower() for talk in made for message, _ in talk.turns}


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("pairs.tsv", "only a message\n", r"pairs.tsv:1: 2 fields"),
        ("pairs.tsv", "hi\tYou must go on!\n", r"pairs.tsv:1: the reply breaks the voice"),
        ("talks.txt", "== a\nP: hi\nP: there\n", r"talks.txt:3: 'P: ' and 'S: ' must"),
        ("talks.txt", "== a\nP: hi\n", r"talks.txt:3: a message has no reply"),
        ("gists.tsv", "hi\tloss\tyou\n", r"gists.tsv:1: 5 fields"),
        ("frames.txt", "So {gist}.\n", r"frames.txt:1: no name"),
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, name: str, text: str, said: str) -> None:
    with pytest.raises(CorpusError, match=said):
        WrittenComposer(1, written(tmp_path, **{name: text}))
