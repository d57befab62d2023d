"""Unusual beliefs and eating: neither shared nor argued with, no numbers, no praise."""

from __future__ import annotations

import re

from actions.guardrails.frames import is_negated, is_question, is_reported
from actions.guardrails.verdict import ALLOWED, Candidate, Verdict, refused

_UNUSUAL_BELIEF = re.compile(
    r"\b(?:(?:watching|following|tracking|listening to|spying on|monitoring|poisoning"
    r"|controlling|after|out to get|reading|broadcasting|recording|filming|bugging"
    r"|hacking) (?:me|my)\b|(?:chip|implant|camera|device|microphone|signal)s? (?:in|inside"
    r"|hidden|behind) my|voices? (?:tell|told|telling|say|said|saying|are|is|in my|want|command)"
    r"|hear(?:ing)? voices|(?:chosen one|messiah|prophet|god (?:told|speaks|talks|chose)"
    r"|special (?:mission|powers?)|i am (?:god|jesus)|i'm (?:god|jesus))|messages? (?:for me"
    r"|to me) (?:in|through|from|on)|(?:tv|radio|television|news|billboards?|songs?) (?:is |are "
    r"|was |were )?(?:talk|speak|send|sent|about me|tell|told)\w*|(?:cia|fbi|mi5|illuminati"
    r"|aliens?|government|demons?|neighbou?rs?) (?:is|are|were|was|have|has|want|put|sent|keep)"
    r"|read(?:ing)? my (?:mind|thoughts)|poison(?:ed|ing)? my|replaced by|impost[eo]rs?"
    r"|thoughts (?:into|in) my (?:head|mind)|they(?:'re| are) all in on it)\b"
)
_SHARES = re.compile(
    r"\b(?:(?:the|your|those) voices? (?:know|knows|are|is) (?:what|best|right|wise|real|true)"
    r"|(?:they|he|she|it|the (?:voices?|government|neighbou?rs?|cia|fbi|people|demons?"
    r"|aliens?))(?:'re| are|'s| is| must be| do| does)(?: really| definitely| indeed| probably"
    r"| clearly| all| certainly| likely)? (?:watching|following|tracking|listening|spying"
    r"|monitoring|poisoning|after|out to get|controlling|reading|trying to (?:hurt|kill|get"
    r"|poison|control)|real|right|telling (?:you )?the truth|sending)|you(?:'re| are)(?: really"
    r"| definitely| indeed| clearly)? (?:being (?:watched|followed|monitored|poisoned|tracked"
    r"|controlled|targeted)|the (?:chosen|messiah|prophet)|chosen|god|jesus|a prophet"
    r"|on a mission)|you (?:do |really )?have (?:a )?(?:special (?:power|mission|gift)s?"
    r"|superpowers?)|(?:trust|listen to|obey|follow|do what) (?:the|your|those) voices?|(?:god"
    r"|the universe) (?:has )?(?:chose|chosen|is speaking|picked|told) you|stay hidden"
    r"|don't trust (?:them|anyone)|cover (?:your|the) (?:windows|cameras?)|fight (?:them"
    r"|back against)|the (?:signs|messages?) (?:are|is) (?:real|for you|meant))\b"
)
_AGREES = re.compile(
    r"^(?:wow, )?(?:that is|that's|what) an? (?:amazing|great|wonderful|special) (?:gift|power)"
    r"|^(?:(?:oh|wow|well|hm)[, ]+)*(?:yes|yeah|yep|sure|you(?:'re| are) (?:absolutely "
    r"|probably )?right|true|exactly|(?:that|this|it)(?:'s| is) (?:true|right|real|possible"
    r"|likely|correct|amazing|great|incredible|wonderful)|(?:wow|an|what) .{0,12}(?:amazing"
    r"|great|wonderful|special) (?:gift|blessing|calling|power)|(?:he|she|it|they) (?:do|does"
    r"|did) (?:sound|seem|look)|i (?:do |totally )?(?:believe|agree)|definitely|absolutely"
    r"|(?:that|it) makes sense|of course|indeed|correct|good (?:thinking|idea|plan)|they (?:are"
    r"|must|do|probably)|congratulations)\b"
)
_ARGUES = re.compile(
    r"\b(?:(?:that|this|it|they)(?:'s| is|'re| are)(?: \w+)? ?(?:not (?:real|true|possible"
    r"|happening|watching|after)|n't (?:real|true|possible|happening)|impossible|delusions?"
    r"|hallucinations?|crazy|nonsense|paranoia|imaginary|in your (?:head|mind|imagination))"
    r"|isn't (?:real|true|possible|happening)|(?:nobody|no one) is (?:watching|following|after"
    r"|spying|listening)|you(?:'re| are) (?:delusional|hallucinating|paranoid|imagining"
    r"|psychotic|crazy))\b"
)
_EATING_NUMBERS = re.compile(
    r"\b\d+ ?(?:k?cals?|kilocalories|calories|kgs?|kilos?|kilograms?|lbs?|bmi|stone)\b"
    r"|\bbmi (?:of|under|below|is)\b|\b(?:goal|target|ideal) weight\b|\b(?:lose|losing|lost"
    r"|weigh|weighing|gain|drop) (?:\w+ )?\d+ (?:pounds|kilos)\b"
)
_EATING_ADVICE = re.compile(
    r"\b(?:throw(?:ing)? (?:it |that |them )?up (?:after|again)|(?:count|cut|restrict|burn|limit"
    r"|track|reduce)(?:ing)? (?:your |the |out |down on |off )*(?:calories|carbs|food|meals"
    r"|intake|portions|eating)|skip(?:ping)? (?:a |your )?(?:meals?|breakfast|lunch|dinner)"
    r"|(?:water |intermittent |juice )?fast(?:ing)? (?:for|is|can|helps|works)|purg(?:e|ing)"
    r"|laxatives?|diuretics?|diet pills?|throw(?:ing)? up after|mak(?:e|ing) yourself (?:sick"
    r"|throw up|vomit)|(?:start|try|go on|stick to) (?:a |your |the )?(?:\w+ )?diet|keto"
    r"|appetite suppress\w*|drink water (?:instead|when you(?:'re| are) hungry)|(?:exercise"
    r"|work out|run) (?:it|them|that|the food) off|burn (?:it|that|them) off)\b"
)
_NOT_EATING = re.compile(
    r"\b(?:skip(?:ped|ping)? (?:\w+ )?(?:lunch|dinner|breakfast|meals?|food)|starv\w+|fast(?:ed"
    r"|ing)|purg\w+|binge\w*|(?:didn't|haven't|not|nothing|stopped|without) (?:eat\w*|ate)"
    r"|ate nothing|calories|lost (?:\w+ )?(?:kilos|pounds|kg|lbs|weight)|threw up"
    r"|throw(?:ing)? up)\b"
)
_APPLAUDS = re.compile(
    r"\b(?:well done|good (?:job|for you|work)|great (?:job|work)?|nice(?: work)?|proud of"
    r"|impressive|amazing|congrat\w*|keep (?:it up|going)|awesome|discipline|willpower"
    r"|strong of you)\b"
)
_EATING_PRAISE = re.compile(
    r"\b(?:(?:great|good|strong|such|amazing) willpower|if you (?:lost|lose|dropped|weighed)"
    r"|(?:good job|well done|great|proud of you|impressive|amazing|nice work|keep (?:it )?up"
    r"|keep going|discipline|willpower)\b.{0,60}\b(?:weight|skipp\w+|fast\w*|restrict\w*"
    r"|not eating|thin(?:ner)?\b|skinny|slim\w*|eating less|calories|control)|(?:look|looking|be"
    r"|feel|you're|you are) (?:so |much |really )*(?:better|great|good|prettier|beautiful"
    r"|healthier|happier|fat|too fat|overweight|chubby)?(?: (?:when|if|now"
    r"|once)(?: \w+){0,3})? ?(?:thinner|skinny|skinnier|slimmer|too fat|overweight|chubby)"
    r"|nothing tastes as good|(?:you|to) (?:should|could|can|need to) (?:lose|drop) (?:some "
    r"|a little |more )?weight|(?:lose|drop) (?:some|a few|more) (?:weight|pounds|kilos))\b"
)


def check_beliefs(candidate: Candidate) -> Verdict:
    """Refuse sharing an unusual belief, and arguing with one; asking about it passes."""
    text = candidate.plain
    for match in _SHARES.finditer(text):
        asks_or_reports = is_question(text) or is_reported(text, match.start())
        if not asks_or_reports and not is_negated(text, match.start()):
            return refused("delusion_shared")
    if _UNUSUAL_BELIEF.search(candidate.plain_context):
        if _AGREES.search(text):
            return refused("delusion_shared")
        if _ARGUES.search(text):
            return refused("delusion_argued")
    return ALLOWED


def check_eating(candidate: Candidate) -> Verdict:
    """Refuse numbers, methods and praise around eating and weight."""
    text = candidate.plain
    if _EATING_NUMBERS.search(text) or _EATING_PRAISE.search(text):
        return refused("eating")
    if _NOT_EATING.search(candidate.plain_context) and _APPLAUDS.search(text):
        return refused("eating")
    for match in _EATING_ADVICE.finditer(text):
        told = is_question(text) or is_reported(text, match.start())
        if not told and not is_negated(text, match.start()):
            return refused("eating")
    return ALLOWED
