"""The sentence splitter: known hard cases, and properties of any text and any chunking."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actions.sentences import SentenceSplitter, split_sentences


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Dr. Smith said so. What then?", ["Dr. Smith said so.", "What then?"]),
        ("So do I. What now?", ["So do I.", "What now?"]),
        ("Well... and then it stopped. Hm… Ok", ["Well... and then it stopped.", "Hm…", "Ok"]),
        ("That is big! 🙂 What now? ❤️ Ok", ["That is big! 🙂", "What now? ❤️", "Ok"]),
        ('He said "stop." Then he left.', ['He said "stop."', "Then he left."]),
        ("“Stop.” “Why?” she asked.", ["“Stop.”", "“Why?”", "she asked."]),
        ("It was 3.5 km, e.g. far. Yes.", ["It was 3.5 km, e.g. far.", "Yes."]),
        ("No. Not that. No. 5 it is.", ["No.", "Not that.", "No. 5 it is."]),
        ("Really?! You did?? Ok", ["Really?!", "You did??", "Ok"]),
        ("first line\nsecond line\n\nthird", ["first line", "second line", "third"]),
        ("1. Breathe. 2. Rest.", ["1. Breathe.", "2. Rest."]),
        ("no terminator at all", ["no terminator at all"]),
        ("i see. what happened?", ["i see.", "what happened?"]),
        ("milk, etc. Then home. etc. and more", ["milk, etc.", "Then home.", "etc. and more"]),
        ("   ", []),
        ("", []),
    ],
)  # fmt: skip
def test_known_cases(text: str, sentences: list[str]) -> None:
    assert split_sentences(text) == sentences


def test_a_sentence_is_out_as_soon_as_the_next_one_begins() -> None:
    splitter = SentenceSplitter()
    assert splitter.feed("That sounds hard.") == []
    assert splitter.feed(" ") == []
    assert splitter.feed("W") == ["That sounds hard."]
    assert splitter.pending == "W"


TEXTS = st.text(
    st.one_of(st.sampled_from(".!?… \n\t\"'”)abcDEIr3🙂❤️\u200d-,eg"), st.characters(codec="utf-8")),
    max_size=120,
)


@given(TEXTS)
def test_nothing_but_white_space_is_lost(text: str) -> None:
    assert "".join(split_sentences(text)).split() == ["".join(text.split())] * bool(
        text.split()
    ) or ("".join("".join(split_sentences(text)).split()) == "".join(text.split()))


@given(TEXTS, st.lists(st.integers(0, 120), max_size=12))
def test_chunking_does_not_matter(text: str, cuts: list[int]) -> None:
    splitter = SentenceSplitter()
    places = [0, *sorted(cut for cut in cuts if cut <= len(text)), len(text)]
    sentences = []
    for start, end in itertools.pairwise(places):
        sentences += splitter.feed(text[start:end])
    assert sentences + splitter.flush() == split_sentences(text)


@given(TEXTS)
def test_sentences_are_tidy(text: str) -> None:
    for sentence in split_sentences(text):
        assert sentence
        assert sentence == " ".join(sentence.split())
