"""Reads the composed corpus back."""

import json
from collections.abc import Iterator
from pathlib import Path

from training_pipeline.corpus.chat import Piece, pieces
from training_pipeline.corpus.conversation import Conversation


def records(path: Path) -> Iterator[Conversation | str]:
    """Conversations and plain texts, in file order."""
    with path.open(encoding="utf-8") as stream:
        for line in stream:
            found = json.loads(line)
            if "text" in found:
                yield found["text"]
            else:
                turns = tuple((user, reply) for user, reply in found["turns"])
                yield Conversation(found["topic"], turns)


def plain_texts(path: Path) -> Iterator[str]:
    """Every message and text on its own, for learning a vocabulary."""
    for record in records(path):
        if isinstance(record, str):
            yield record
        else:
            for user, reply in record.turns:
                yield user
                yield reply


def documents(path: Path, system_share: float = 1.0) -> Iterator[list[Piece]]:
    """Every record as text pieces with their authorship.

    Args:
        path: a corpus file.
        system_share: share of the conversations, 0..1, that open with the system prompt; they
            are spread evenly.
    """
    owed = 0.0
    for record in records(path):
        if isinstance(record, str):
            yield [(record, True)]
            continue
        owed += system_share
        with_system = owed >= 1.0
        owed -= with_system
        yield pieces(record, with_system)
