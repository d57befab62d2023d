"""A place in a text."""

from typing import NamedTuple


class Span(NamedTuple):
    """Characters ``start`` to ``end`` (exclusive) hold something of the kind ``kind``."""

    start: int
    end: int
    kind: str
