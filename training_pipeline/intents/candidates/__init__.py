"""The candidates by name. A module is imported when its candidate is made, not before."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from training_pipeline.errors import PipelineError
from training_pipeline.intents.candidates.protocol import Candidate


class CandidateMissing(PipelineError):
    """No candidate of that name, or what it needs is not installed."""


@dataclass(frozen=True)
class Entry:
    """Where a candidate is and what the page says of it.

    Attributes:
        module, attribute: its class.
        settings: keyword arguments of the class.
        title: the name in the tables.
        ships: what `artifact_bytes` is the size of; the shared trunk is left out.
    """

    module: str
    attribute: str
    settings: Mapping[str, Any]
    title: str
    ships: str


_HERE = "training_pipeline.intents.candidates"


def _entry(where: str, title: str, ships: str, **settings: Any) -> Entry:
    module, attribute = where.rsplit(".", 1)
    return Entry(module, attribute, MappingProxyType(settings), title, ships)


ENTRIES: Mapping[str, Entry] = MappingProxyType(
    {
        "spacy-ensemble": _entry(
            f"{_HERE}.spacy_textcat.SpacyTextcat",
            "spaCy `textcat`, ensemble",
            "the spaCy pipeline",
            architecture="ensemble",
        ),
        "spacy-bow": _entry(
            f"{_HERE}.spacy_textcat.SpacyTextcat",
            "spaCy `textcat`, bag of words",
            "the spaCy pipeline",
            architecture="bow",
        ),
        "diet-sparse": _entry(
            f"{_HERE}.diet.Diet", "DIET on sparse features", "Rasa's model archive", kind="sparse"
        ),
        "diet-minilm": _entry(
            f"{_HERE}.diet.Diet",
            "DIET on MiniLM",
            "Rasa's model archive; MiniLM's upper layers (6 MB) come on top",
            kind="minilm",
        ),
        "logistic": _entry(
            f"{_HERE}.logistic.Logistic",
            "logistic regression on MiniLM",
            "weights; MiniLM's upper layers (6 MB) come on top",
        ),
        "auto-model": _entry(
            f"{_HERE}.auto_model.AutoModel",
            "`AutoModelForSequenceClassification` from MiniLM",
            "a whole encoder of its own",
        ),
        "shipped": _entry(
            "training_pipeline.intents.shipped.Shipped",
            "what ships",
            "its own upper layers, weights and n-grams",
        ),
    }
)


def entry(name: str) -> Entry:
    """The entry of `name`.

    Raises:
        CandidateMissing: there is none; the message lists what there is.
    """
    if name not in ENTRIES:
        raise CandidateMissing(f"no candidate is called '{name}'; there are: {', '.join(ENTRIES)}")
    return ENTRIES[name]


def class_of(name: str) -> type[Candidate]:
    """The class of a candidate.

    Raises:
        CandidateMissing: no such candidate, or a package or module it needs is not installed.
    """
    found = entry(name)
    try:
        module = importlib.import_module(found.module)
    except ModuleNotFoundError as error:
        raise CandidateMissing(f"{name}: {error.name} is not there") from error
    made: type[Candidate] = getattr(module, found.attribute)
    return made


def make(name: str, **settings: Any) -> Candidate:
    """A new, untrained candidate; `settings` are laid over those of its entry.

    Raises:
        CandidateMissing: as `class_of`.
    """
    made: Candidate = class_of(name)(**{**entry(name).settings, **settings})
    return made
