"""Replaces personal data by placeholders for the length of one request, and puts it back."""

import re
from collections import Counter
from collections.abc import Sequence

from llm_server.chat_request import Message
from llm_server.privacy import addresses, contacts, names, numbers
from llm_server.privacy.span import Span

_PLACEHOLDER = re.compile(
    r"\[(?:name|email|link|handle|ip|phone|card|account|number|id|address|date of birth)"
    r"(?: \d+)?\]",
    re.IGNORECASE,
)
_LONGEST_PLACEHOLDER = 24


class Scrubber:
    """Belongs to one request; the same thing gets the same placeholder throughout.

    Args:
        public: digits of numbers that belong to nobody, such as helplines.
    """

    def __init__(self, public: frozenset[str] = frozenset()) -> None:
        self._public = public
        self._placeholders: dict[tuple[str, str], str] = {}
        self._originals: dict[str, str] = {}
        self._taken: set[str] = set()
        self._count: Counter[str] = Counter()

    def scrub(self, messages: Sequence[Message]) -> list[dict[str, str]]:
        """The messages, oldest first, as ``{"role", "content"}`` without what was recognised."""
        said = [message.content for message in messages]
        self._taken = {found.lower() for text in said for found in _PLACEHOLDER.findall(text)}
        introduced = [
            list(names.introduced(message.content)) if message.role == "user" else []
            for message in messages
        ]
        known = frozenset(
            text[span.start : span.end].lower()
            for text, spans in zip(said, introduced, strict=True)
            for span in spans
        )
        return [
            {"role": message.role, "content": self._scrub(message.content, spans, known)}
            for message, spans in zip(messages, introduced, strict=True)
        ]

    def restore(self, text: str) -> str:
        """``text`` with every placeholder of this request replaced by what it stands for."""
        return _PLACEHOLDER.sub(lambda match: self._originals.get(match[0].lower(), match[0]), text)

    def _scrub(self, text: str, introduced: list[Span], known: frozenset[str]) -> str:
        spans = [
            *introduced,
            *contacts.find(text),
            *numbers.find(text, self._public),
            *addresses.find(text),
            *names.find(text, known),
        ]
        parts, at = [], 0
        for span in _joined(spans):
            parts.append(text[at : span.start])
            parts.append(self._placeholder(span.kind, text[span.start : span.end]))
            at = span.end
        return "".join(parts) + text[at:]

    def _placeholder(self, kind: str, original: str) -> str:
        plain = numbers.digits_of(original) if kind in ("phone", "number", "card") else original
        key = (kind, plain.casefold())
        if key not in self._placeholders:
            placeholder = self._unused(kind)
            self._placeholders[key] = placeholder
            self._originals[placeholder] = original
        return self._placeholders[key]

    def _unused(self, kind: str) -> str:
        """The next placeholder of this kind that nobody wrote themselves."""
        while True:
            self._count[kind] += 1
            number = self._count[kind]
            placeholder = f"[{kind}]" if number == 1 else f"[{kind} {number}]"
            if placeholder not in self._taken:
                return placeholder


class Restorer:
    """Puts things back into a streamed reply, whose placeholders may be cut anywhere."""

    def __init__(self, scrubber: Scrubber) -> None:
        self._scrubber = scrubber
        self._held = ""

    def feed(self, delta: str) -> str:
        """What can be said for sure after this delta; the start of a placeholder is held back."""
        text = self._held + delta
        opened = text.rfind("[")
        is_open = opened >= 0 and "]" not in text[opened:]
        if is_open and len(text) - opened <= _LONGEST_PLACEHOLDER:
            text, self._held = text[:opened], text[opened:]
        else:
            self._held = ""
        return self._scrubber.restore(text)

    def rest(self) -> str:
        """What is held back when the reply ends."""
        held, self._held = self._held, ""
        return held


def _joined(spans: list[Span]) -> list[Span]:
    """Spans in order; those that overlap become one, of the longer's kind."""
    joined: list[Span] = []
    for span in sorted(spans):
        last = joined[-1] if joined else None
        if last is None or span.start >= last.end:
            joined.append(span)
            continue
        longer = max(last, span, key=lambda item: item.end - item.start)
        joined[-1] = Span(last.start, max(last.end, span.end), longer.kind)
    return joined
