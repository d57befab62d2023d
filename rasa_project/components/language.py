"""NLU component `LanguageDetector`: which language is this message written in?

Writes `language` on the message: `{"code", "handled", "sure"}`. `code` is `en`, a language with
crisis replies of its own (`es`, `fr`, `hi`, and `hi_latn` for Hindi in Latin letters) or another
ISO 639-1 code; `handled` says whether Stillpoint has replies in it; `sure` whether the text is
long and clear enough to act on. Other scripts are told by their letters (Unicode), Latin ones by
`lingua`, whose confidence in short, misspelt English is not to be trusted: it is believed only
where few words are English ones. In doubt a message counts as English.

What it does not know: which language the person would rather write.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from functools import lru_cache
from typing import Any, Dict, FrozenSet, List, Optional

from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.shared.nlu.constants import TEXT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from components.encoder import DEFAULT_FOLDER
from components.sentence_features import readable

LANGUAGE = "language"
HANDLED = ("en", "es", "fr", "hi", "hi_latn")
ENGLISH = {"code": "en", "handled": True, "sure": False}

SCRIPTS = {
    "DEVANAGARI": "hi", "CYRILLIC": "ru", "ARABIC": "ar", "HIRAGANA": "ja", "KATAKANA": "ja",
    "CJK": "zh", "HANGUL": "ko", "GREEK": "el", "HEBREW": "he", "THAI": "th", "BENGALI": "bn",
    "TAMIL": "ta", "TELUGU": "te", "GUJARATI": "gu", "GURMUKHI": "pa", "KANNADA": "kn",
    "MALAYALAM": "ml", "SINHALA": "si", "MYANMAR": "my", "KHMER": "km", "LAO": "lo",
    "ETHIOPIC": "am", "GEORGIAN": "ka", "ARMENIAN": "hy",
}  # fmt: skip
"""First word of a letter's Unicode name, and the language most often written with it."""

LATIN_LANGUAGES = (
    "ENGLISH", "SPANISH", "FRENCH", "GERMAN", "PORTUGUESE", "ITALIAN", "DUTCH", "POLISH",
    "TURKISH", "INDONESIAN", "SWEDISH", "ROMANIAN", "VIETNAMESE", "TAGALOG", "SWAHILI", "CZECH",
    "HUNGARIAN", "FINNISH", "DANISH", "CATALAN", "CROATIAN",
)  # fmt: skip


def _words(text: str) -> FrozenSet[str]:
    return frozenset(text.split())


ENGLISH_WORDS = _words(
    """
    the and is was are am be been my mine your you it its that this of for with to have has had
    not dont cant wont im ive id ill what how why when who where he she they them his her their
    we our do does did an a at on from just but so or if about all would could should can will
    get got go going know like want feel think there here no any some out up by as i in me
    """
)
SPANISH_WORDS = _words(
    """
    que el la los las un una de del en por para con sin mi mis me te se lo le yo tu no ya esta
    estoy es soy muy mas pero porque quiero puedo tengo hay como cuando nada todo vida hoy
    """
)
FRENCH_WORDS = _words(
    """
    je j tu il elle on nous vous le la les un une des du de et est suis ai as a ce c ca que qui
    ne n pas plus mon ma mes me m se s en dans pour avec sur mais quand tout rien veux peux vie
    au aux y l d
    """
)
HINDI_WORDS = _words(
    """
    hai hain nahi nahin nhi nai mujhe mujhko mujhse mera meri mere tera teri kya kyu kyun kyon
    kaise bahut bohot bht yaar raha rahi rahe hoon tha thi ho gaya gayi gaye gya karna karu karo
    karta karti kar koi kuch kuchh sab aur bhi toh ab aaj kal ghar log zindagi jeena jina marna
    mar dil mann accha theek thik matlab lekin mein apne apna apni kabhi baat bas bss sirf hua
    hui ki ka ke ko se na ne wo woh ye yeh phir abhi kisi kaun itna itni maine usne lag rha rhi
    chahta chahti chahiye pata papa mummy ji diya liya jaata jati jaa raat din saal liye wala
    wali
    """
)
MIN_WORDS = 3


def of_script(text: str) -> Optional[str]:
    """The language that most letters of `text` point to by their script; None if Latin."""
    scripts = Counter(
        unicodedata.name(letter, "LATIN").split()[0] for letter in text if letter.isalpha()
    )
    if not scripts:
        return None
    if scripts["HIRAGANA"] + scripts["KATAKANA"] > 0:
        scripts["HIRAGANA"] += scripts.pop("CJK", 0)
    script, letters = scripts.most_common(1)[0]
    return SCRIPTS.get(script) if letters * 2 > sum(scripts.values()) else None


@lru_cache(maxsize=1)
def _detector() -> Any:
    from lingua import Language, LanguageDetectorBuilder

    languages = [getattr(Language, name) for name in LATIN_LANGUAGES]
    builder = LanguageDetectorBuilder.from_languages(*languages).with_low_accuracy_mode()
    return builder.with_preloaded_language_models().build()


@lru_cache(maxsize=1)
def _vocabulary() -> FrozenSet[str]:
    """Whole words of the encoder's (English) vocabulary."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(DEFAULT_FOLDER / "tokenizer.json"))
    return frozenset(word for word in tokenizer.get_vocab() if word.isalpha())


def detect(text: str) -> Dict[str, Any]:
    """The `language` of one text; English and unsure when there is too little to tell."""
    other = of_script(text)
    if other is not None:
        return {"code": other, "handled": other in HANDLED, "sure": True}
    bare = unicodedata.normalize("NFD", text.lower())
    bare = re.sub("[\u0300-\u036f\u2019']", "", bare)
    words = re.findall(r"[^\W\d_]+", bare)
    if not words:
        return dict(ENGLISH)
    share = {
        code: sum(word in known for word in words) / len(words)
        for code, known in (
            ("en", ENGLISH_WORDS),
            ("es", SPANISH_WORDS),
            ("fr", FRENCH_WORDS),
            ("hi_latn", HINDI_WORDS),
        )
    }
    long_enough = len(words) >= MIN_WORDS
    if share["hi_latn"] * len(words) >= 2 and share["hi_latn"] >= max(0.25, share["en"]):
        return {"code": "hi_latn", "handled": True, "sure": long_enough}
    best = _detector().compute_language_confidence_values(text)[0]
    code, confidence = best.language.iso_code_639_1.name.lower(), best.value
    if code in ("es", "fr") and share[code] > share["en"] and confidence >= 0.4:
        return {"code": code, "handled": True, "sure": long_enough and confidence >= 0.6}
    english_vocabulary = sum(word in _vocabulary() for word in words) / len(words)
    foreign = confidence >= 0.8 and share["en"] <= 0.2 and english_vocabulary <= 0.75
    if code != "en" and foreign and long_enough:
        return {"code": code, "handled": code in HANDLED, "sure": True}
    return {"code": "en", "handled": True, "sure": code == "en" and long_enough}


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.MESSAGE_FEATURIZER, is_trainable=False)
class LanguageDetector(GraphComponent):
    """Writes `language` on every message."""

    @classmethod
    def create(
        cls,
        config: Dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> LanguageDetector:
        """Loads the language models, so that the first message does not wait for them."""
        _detector()
        _vocabulary()
        return cls()

    def process_training_data(self, training_data: TrainingData) -> TrainingData:
        """Nothing is learnt."""
        return training_data

    def process(self, messages: List[Message]) -> List[Message]:
        """Judges each message."""
        for message in messages:
            language = detect(readable(message.get(TEXT) or ""))
            message.set(LANGUAGE, language, add_to_output=True)
        return messages
