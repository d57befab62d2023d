"""Finds numbers that point to one person: phones, cards, accounts, ids, dates of birth.

A run of seven digits or more is taken for such a number unless it is something else: a helpline, a
toll-free number, years, a date, or answers of a questionnaire. Ages, scores and years are shorter.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise

import phonenumbers

from llm_server.privacy.span import Span

_FEWEST_DIGITS = 7
# Longer runs are no phone numbers, and after so many in one text nobody looks closely any more.
_MOST_PHONE_DIGITS, _MOST_LOOKED_AT = 15, 100
# Regions whose national formats are tried; numbers with + need none.
_REGIONS = ("US", "GB", "IN", "AU", "IE", "NZ", "ZA", "DE", "FR", "ES", "IT", "NL", "BR", "MX")
_NOBODYS = {
    phonenumbers.PhoneNumberType.TOLL_FREE,
    phonenumbers.PhoneNumberType.SHARED_COST,
    phonenumbers.PhoneNumberType.PREMIUM_RATE,
    phonenumbers.PhoneNumberType.UAN,
}

_BETWEEN = r"(?:[ \u00a0\u202f]{1,2}|[-./\u2010-\u2015]| ?\( ?| ?\) ?-?| [-\u2013] )?"
_DIGITS = re.compile(rf"(?<![^\W_])(?:\+ ?)?\(?\d(?:{_BETWEEN}\d){{{_FEWEST_DIGITS - 1},}}")
# Letters and six digits or more in one word: passports, national insurance, tax and record numbers.
_MIXED = re.compile(r"(?<![^\W_])(?=(?:[A-Z]*\d){6})[A-Z\d]{7,}(?![^\W_])", re.IGNORECASE)
_SHAPED = re.compile(
    r"(?<!\w)(?:"
    r"[A-Z]{2} ?\d\d ?\d\d ?\d\d ?[A-D]"  # national insurance, United Kingdom
    r"|[A-Z]{5}\d{4}[A-Z]"  # PAN, India
    r"|[A-Z]{4}\d{6}[HM][A-Z]{5}[A-Z\d]\d"  # CURP, Mexico
    r"|\d{6}[-+A]\d{3}[\dA-Z]"  # personal identity codes, Finland
    r")(?!\w)",
    re.IGNORECASE,
)
_IBAN = re.compile(r"(?<!\w)[A-Z]{2}\d\d(?:[ -]?[A-Z\d]){11,30}", re.IGNORECASE)
_DATE = re.compile(r"(?:\d{1,2}[-./]\d{1,2}[-./](?:\d{4}|\d\d)|\d{4}[-./]\d{1,2}[-./]\d{1,2})")
_BIRTH = re.compile(
    r"\b(?:born(?: on)?|birthday(?: is)?(?: on)?|date of birth|d\.?o\.?b\.?|geboren(?: am)?"
    r"|née? le|nac[ií](?:do|da)?(?: el)?|nato il|nata il)\W{0,4}"
    r"(?P<date>\d{1,4}[-./]\d{1,2}[-./]\d{1,4}"
    r"|\d{1,2}(?:st|nd|rd|th|\.)? (?:of )?[^\W\d]{3,12},? \d{2,4}"
    r"|[^\W\d]{3,12} \d{1,2}(?:st|nd|rd|th)?,? \d{2,4})",
    re.IGNORECASE,
)


def digits_of(text: str) -> str:
    """The digits in ``text``, of whatever script, as ASCII."""
    return "".join(str(int(char)) for char in text if char.isdecimal())


def find(text: str, public: frozenset[str]) -> Iterator[Span]:
    """Every such number in ``text``, but for those of :func:`public_digits`."""
    for match in _BIRTH.finditer(text):
        yield Span(*match.span("date"), "date of birth")
    for match in _IBAN.finditer(text):
        end = _iban_end(match[0])
        if end:
            yield Span(match.start(), match.start() + end, "account")
    for pattern in (_SHAPED, _MIXED):
        for match in pattern.finditer(text):
            if not match[0].isdecimal():
                yield Span(*match.span(), "id")
    for count, match in enumerate(_DIGITS.finditer(text)):
        kind = _kind(match[0], public) if count < _MOST_LOOKED_AT else "number"
        if kind:
            yield Span(*match.span(), kind)


def public_digits(numbers: Iterable[str]) -> frozenset[str]:
    """What :func:`find` leaves alone: these numbers, by their last seven digits."""
    return frozenset(digits_of(number)[-_FEWEST_DIGITS:] for number in numbers)


def _kind(run: str, public: frozenset[str]) -> str | None:
    """What a run of digits is, or ``None`` if it points to nobody."""
    digits = digits_of(run)
    if digits[-_FEWEST_DIGITS:] in public or _is_harmless(run):
        return None
    if len(digits) > _MOST_PHONE_DIGITS:
        return "card" if len(digits) < 20 and _luhn(digits) else "number"
    numbers = [number for region in _REGIONS if (number := _phone(run, region))]
    kinds = {phonenumbers.number_type(number) for number in numbers}
    if kinds and kinds <= _NOBODYS:
        return None
    if len(digits) >= 13 and _luhn(digits):
        return "card"
    return "phone" if numbers else "number"


def _phone(run: str, region: str) -> phonenumbers.PhoneNumber | None:
    try:
        number = phonenumbers.parse(run, region)
    except phonenumbers.NumberParseException:
        return None
    return number if phonenumbers.is_valid_number(number) else None


def _is_harmless(run: str) -> bool:
    """Years, dates, or the answers of a questionnaire."""
    if _DATE.fullmatch(run):
        return True
    groups = re.findall(r"\d+", run)
    are_years = all(len(group) == 4 and 1900 <= int(group) < 2100 for group in groups)
    are_answers = all(len(group) == 1 and int(group) <= 4 for group in groups)
    return (are_years or are_answers) and not run.startswith("+")


def _iban_end(run: str) -> int | None:
    """Where the account number at the start of ``run`` ends, if there is one with a true sum."""
    ends = [at + 1 for at, char in enumerate(run) if char.isalnum()]
    for count in range(min(34, len(ends)), 14, -1):
        compact = re.sub(r"[ -]", "", run[: ends[count - 1]]).upper()
        value = "".join(str(int(char, 36)) for char in compact[4:] + compact[:4])
        if int(value) % 97 == 1:
            return ends[count - 1]
    return None


def _luhn(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0 and any(a != b for a, b in pairwise(digits))
