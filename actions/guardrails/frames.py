"""Ways of speaking that change what a phrase means: asking, negating, passing on, wondering.

"You keep thinking it is your fault" is not blame, and "people told you to calm down" is not a
command. A frame is looked for in the words before a match, within its clause.
"""

from __future__ import annotations

import re

_CLAUSE_END = re.compile(r"[;:,]| - |\b(?:and|but|so)\b(?= (?:you|it|i|that|this|they)\b)")

_NEGATION = re.compile(
    r"\b(?:not|never|no|nobody|isn't|wasn't|aren't|don't|doesn't|didn't|can't|cannot|couldn't"
    r"|won't|wouldn't|without|rather than|instead of|unable|n't|nor|hardly)\b"
)
_REPORT = re.compile(
    r"\b(?:feel|feels|felt|feeling|think|thinks|thinking|thought|thoughts|believe|believing"
    r"|believed|belief|say|says|saying|said|tell|tells|telling|told|hear|hears|hearing|heard"
    r"|call|calls|called|calling|wonder|wondering|wondered|worry|worried|worrying|afraid|fear"
    r"|fears|scared|idea|sense|as if|as though|like|if|whether|when|seem|seems|seemed|convinced"
    r"|hope|hoping|hoped|wish|wishing|wished|mean|meant|imagine|decide|deciding|decided|blame"
    r"|blaming|voice|voices|message|messages|someone|people|everyone|others|want|wants|wanted"
    r"|wanting|urge|urges|expect|expected|expecting|pressure|rule|story|words|guilt|guilty)\b"
)
_ASKING = re.compile(
    r"^(?:(?:and|so|but|or|then|okay|ok|well|hm|may i ask|can i ask)[, ]+)*(?:are|is|was|were|do"
    r"|does|did|have|has|had|what|which|who|whose|when|where|why|how|would|could|can|will|shall"
    r"|might|may)\b"
)


_OWN_OPINION = re.compile(
    r"\bi(?:'d| would| do)?(?: really| also| just| still)? (?:think|feel|believe|say|mean|sense"
    r"|guess|imagine)\b"
)


def clause_before(text: str, position: int) -> str:
    """The words of the clause that ``position`` stands in, up to it."""
    before = text[:position]
    start = max((match.end() for match in _CLAUSE_END.finditer(before)), default=0)
    return before[start:]


def is_negated(text: str, position: int) -> bool:
    """Whether a negation stands in the clause before the position."""
    return bool(_NEGATION.search(clause_before(text, position)))


def is_reported(text: str, position: int) -> bool:
    """Whether the words at the position are passed on, felt, feared or wondered, or quoted.

    The assistant's own opinion ("I think you are …") is no such frame.
    """
    clause = _OWN_OPINION.sub(" ", clause_before(text, position))
    return bool(_REPORT.search(clause)) or text[:position].count('"') % 2 == 1


def is_question(text: str) -> bool:
    """Whether the sentence asks: ends in a question mark and begins like a question."""
    return text.rstrip("\"') ").endswith("?") and bool(_ASKING.match(text))


def found_plainly(pattern: re.Pattern[str], text: str) -> bool:
    """Whether the pattern occurs outside negated and reported frames."""
    return any(
        not is_negated(text, match.start()) and not is_reported(text, match.start())
        for match in pattern.finditer(text)
    )
