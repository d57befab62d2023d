"""Finds names that somebody introduces, and where they are said again.

"My name is …", "I'm called …", "this is … speaking" in several languages; "Dr …", "Mrs …"; "my
brother …". A name that is never introduced is not found, and no list of names is consulted.
"""

import re
from collections.abc import Iterator, Set

from llm_server.privacy.span import Span
from llm_server.privacy.words import ALSO_WORDS, I_AM, NO_NAME

# Accents and vowel signs that stand as characters of their own belong to the letter before them.
_MARKS = "\u0300-\u036f\u064b-\u065f\u0900-\u0903\u093a-\u094f\u0951-\u0957"
_LETTERS = rf"(?:[^\W\d_][{_MARKS}]{{0,4}}){{1,40}}"
_WORD = rf"{_LETTERS}(?:['’-]{_LETTERS}){{0,3}}"
_INTRODUCED = re.compile(
    r"\b(?:my (?:full |first |last |real |given |family )?name(?:['’]s| is|:)|name['’]s"
    r"|i[’']?m called|i am called|(?:you can|please|just) call me|i go by"
    r"|me llamo|mi nombre es|je m['’]appelle|mon nom est|mon prénom est"
    r"|ich hei(?:ß|ss)e|mein name ist|me chamo|(?:o )?meu nome é|mi chiamo|il mio nome è"
    r"|ik heet|mijn naam is|nazywam się|mam na imię|jag heter|jeg hedder|jeg heter"
    r"|mera naam|benim adım|меня зовут|мене звати|मेरा नाम|اسمي)[ :,]+"
    rf"(?P<name>{_WORD}(?: {_WORD}){{0,2}})",
    re.IGNORECASE,
)
_SPEAKING = re.compile(
    rf"\b(?:this is|it[’']?s) (?P<name>{_WORD}(?: {_WORD})?)"
    r"(?= (?:speaking|here|calling|writing)\b)",
    re.IGNORECASE,
)
# With a capital only: "I'm sad", "they call me worthless", "my mother said" hold no name.
_CALLED = re.compile(
    r"\b(?i:(?:they|people|friends|everyone|everybody) calls? me|call me) "
    r"(?P<name>[A-ZÀ-Þ][^\W\d_]+)"
)
_GREETING = re.compile(
    r"(?:^|[.!?\n] *)(?:(?i:hi|hello|hey|hola|bonjour|hallo|ciao)(?: (?i:there|all))?[,.! ]+)?"
    r"(?:I[’']?m|I am|[Ii]m|i[’']m|[Ss]oy|[Ii]ch bin) "
    r"(?P<name>[A-ZÀ-Þ][^\W\d_]+(?: [A-ZÀ-Þ][^\W\d_]+)?)(?=\s*(?:[,.!]|$|and\b|y\b|und\b))"
)
_SIGNED = re.compile(
    r"(?:^|\n|[.!?,] *)(?i:regards|best wishes|yours|cheers|love|sincerely|thanks),? *\n? *[-–—]? *"
    r"(?P<name>[A-ZÀ-Þ][^\W\d_]+(?: [A-ZÀ-Þ][^\W\d_]+)?)\s*$"
)
_TITLED = re.compile(
    r"\b(?:Dr|Mr|Mrs|Ms|Mx|Prof|Frau|Herr|Mme|Sr|Sra|Señor|Señora|Doctor|Nurse|Pastor|Father)\.? "
    r"(?P<name>[A-ZÀ-Þ][^\W\d_]+(?:[ -][A-ZÀ-Þ][^\W\d_]+)?)"
)
_RELATED = re.compile(
    r"\b(?i:my|our|mein|meine|mi|mon|ma) "
    r"(?i:(?:ex-?|late |old |best |little |big |older |younger )?"
    r"(?:husband|wife|partner|boyfriend|girlfriend|fiancé|fiancée|fiance|fiancee|friend|boss|manager"
    r"|son|daughter|child|baby|brother|sister|mother|father|mum|mom|dad|uncle|aunt|cousin|roommate"
    r"|flatmate|neighbour|neighbor|teacher|therapist|counsellor|counselor|doctor|psychiatrist"
    r"|ex|bruder|schwester|mann|frau|hermano|hermana|frère|sœur))[ ,]+(?i:called |named )?"
    r"(?P<name>[A-ZÀ-Þ][^\W\d_]+)"
)


def introduced(text: str) -> Iterator[Span]:
    """Each word of each name that ``text`` introduces."""
    for pattern in (_INTRODUCED, _SPEAKING):
        for match in pattern.finditer(text):
            closes = re.match(r"\s*(?:$|[.,;!?)\n])", text[match.end() : match.end() + 3])
            yield from _name_words(match, closes=closes is not None)
    for match in _GREETING.finditer(text):
        if match["name"].split()[0].lower() not in I_AM:
            yield from _name_words(match, closes=True)
    for pattern in (_CALLED, _SIGNED, _TITLED, _RELATED):
        for match in pattern.finditer(text):
            yield from _name_words(match, closes=True)


def _name_words(match: re.Match[str], *, closes: bool) -> Iterator[Span]:
    """The words of a name: the first, and what follows while it looks like one.

    A small letter does not look like one, but for scripts without capitals, or where the
    sentence ends there (``closes``).
    """
    words = list(re.finditer(_LETTERS, match["name"]))
    for number, word in enumerate(words):
        if word[0].lower() in NO_NAME:
            return
        if number and word[0][0].islower() and not (closes and word is words[-1]):
            return
        start = match.start("name") + word.start()
        yield Span(start, start + len(word[0]), "name")


def find(text: str, names: Set[str]) -> Iterator[Span]:
    """Every word of ``text`` that is one of ``names``, which are in small letters.

    In whatever case; a name that is a common word too (Will, Hope) with a capital only.
    """
    for match in re.finditer(_LETTERS, text):
        word = match[0].lower()
        if word in names and len(word) > 1 and not (word in ALSO_WORDS and match[0].islower()):
            yield Span(*match.span(), "name")
