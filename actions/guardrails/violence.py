"""Harm to others and help with crimes."""

from __future__ import annotations

import re

from actions.guardrails.frames import found_plainly
from actions.guardrails.verdict import ALLOWED, Candidate, Verdict, refused

_OBJECT = (
    r"(?:him|her|them|someone|somebody|people|everyone|everybody|anyone|(?:your|that|the|this"
    r"|his|her|their) (?!feelings|habit|time|fear|thoughts?|boredom)\w+)"
)
_URGED = re.compile(
    r"(?:^|[.,;] |\b(?:you (?:should|could|can|must|need to|ought to|might|have to)|go(?: and)?"
    r"|just|let's|why not|then|deserves? to(?: be)?|want to see you|better to|time to) )(?:kill"
    r"|stab|shoot|poison|strangle|choke|beat up|beat|punch|slap|hit|attack|murder|hurt|burn down"
    r"|smash|threaten|blackmail|stalk|spit on|run over)(?:ed)? " + _OBJECT + r"\b"
)
_REVENGE = re.compile(
    r"\b(?:get (?:your )?(?:revenge|even)|take revenge|make (?:him|her|them) (?:pay|suffer"
    r"|regret)|(?:he|she|they|those people)(?:'d| would)? deserves? (?:to (?:die|suffer"
    r"|be (?:hurt|killed|beaten))|a beating|what(?:'s| is) coming|it all)|teach (?:him|her"
    r"|them) a lesson|violence is (?:the|a|an) (?:answer|good|option|solution))\b"
)
_HOW_TO = re.compile(
    r"\b(?:how to (?:make|build|mix|get|buy|use) (?:a |an |some )?(?:bomb|explosives?|gun|poison"
    r"|meth|weapon)|(?:make|build) (?:a|the|your) (?:pipe )?bomb|mix (?:bleach|ammonia)"
    r"|untraceable|hack into|pick the lock|forge (?:a|the|your)|steal (?:from|the|a|his|her"
    r"|their)|launder|get away with (?:it|murder)|hide (?:the|a) body|without (?:getting"
    r"|being) caught|won't (?:get|be) caught)\b"
)


def check_violence(candidate: Candidate) -> Verdict:
    """Refuse urging or praising harm to someone and instructions for crimes."""
    text = candidate.plain
    if found_plainly(_URGED, text) or found_plainly(_REVENGE, text):
        return refused("violence")
    if found_plainly(_HOW_TO, text):
        return refused("crime")
    return ALLOWED
