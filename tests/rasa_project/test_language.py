"""Which language a message is in, and when not to be sure."""

from __future__ import annotations

import json

import pytest
from rasa.shared.nlu.constants import TEXT
from rasa.shared.nlu.training_data.message import Message

from components.language import HANDLED, LanguageDetector, detect, of_script

SURE = {
    "i can't sleep and i don't know who to tell": "en",
    "no quiero seguir viviendo así, estoy muy cansado": "es",
    "je ne sais plus quoi faire, je suis tellement fatiguée": "fr",
    "मुझे बहुत अकेला लगता है": "hi",
    "yaar mujhe kuch samajh nahi aa raha hai, bahut tension hai": "hi_latn",
    "Ich weiß nicht mehr weiter und bin so müde": "de",
    "estou muito triste hoje e não tenho ninguém": "pt",
    "czuję się bardzo samotny": "pl",
    "мне очень плохо сегодня": "ru",
    "أنا حزين جدا اليوم": "ar",
    "我不知道该怎么办": "zh",
    "もう疲れました": "ja",
    "너무 힘들어요": "ko",
}
ENGLISH_ALL_THE_SAME = [
    "hi", "no", "ok", "", "😞", "kms this hw lol", "i tihnk abuot it evry day", "srsly tho",
    "my boss is a slave driver haha, three reports by noon", "UV index in sydney",
    "therapy tmrw, scared af", "what's the dress code at a gurdwara", "123", "...",
]  # fmt: skip


@pytest.mark.parametrize(("text", "code"), SURE.items())
def test_a_clear_message_is_told_surely(text: str, code: str) -> None:
    assert detect(text) == {"code": code, "handled": code in HANDLED, "sure": True}


@pytest.mark.parametrize("text", ENGLISH_ALL_THE_SAME)
def test_in_doubt_it_is_english(text: str) -> None:
    assert detect(text)["code"] == "en"


def test_ordinary_english_messages_are_hardly_ever_another_language(repository) -> None:  # type: ignore[no-untyped-def]
    texts = [
        row["text"]
        for name in ("sad_safe", "everyday_requests", "direct_ideation")
        for row in map(
            json.loads,
            (repository / f"data/safety/train/{name}.jsonl")
            .read_text(encoding="utf-8")
            .splitlines(),
        )
        if not {"es", "fr", "hi", "hi_latn", "code_mixed"} & set(row["tags"])
    ]
    foreign = [text for text in texts if detect(text)["code"] != "en"]
    assert len(foreign) <= 0.01 * len(texts), foreign


def test_a_word_of_another_script_in_english_stays_english() -> None:
    assert of_script("my नानी used to say that about every exam") is None


def test_the_component_writes_the_language_on_each_message() -> None:
    message = Message({TEXT: "je ne sais plus quoi faire de ma vie"})
    LanguageDetector().process([message, Message({})])
    assert message.get("language")["code"] == "fr"
    assert "language" in message.as_dict(only_output_properties=True)
