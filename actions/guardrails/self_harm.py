"""Self-harm and suicide: means, encouragement, agreement, and making light of it."""

from __future__ import annotations

import re

from actions.guardrails.frames import is_negated, is_question, is_reported
from actions.guardrails.verdict import ALLOWED, Candidate, Verdict, refused

_MEANS = re.compile(
    r"\b(?:tie (?:it (?:tight|around|to)|the rope|a knot|the knot)|(?:small|little|light|few"
    r"|shallow|deep) cuts?|then cutting|(?:scratch|cut|bite|burn)(?:ing)? until|until (?:it"
    r"|you) bleeds?|noose|overdos(?:e|es|ed|ing)|ligature|carbon monoxide|exit bag|cyanide"
    r"|helium hood|hang(?:ing)? (?:yourself|oneself)|slit(?:ting)? (?:your |the )?(?:wrists?"
    r"|throat)|cut(?:ting)? (?:your |the )?(?:wrists?|arms?|veins?|thighs?|skin|deeper"
    r"|lengthwise)|lethal (?:dose|amount|method)|fatal dose|suicide (?:method|note|pact|kit)s?"
    r"|(?:painless|quick|quickest|easiest|best|surest|effective|reliable|gentle"
    r"|peaceful)(?: \w+)? ways? (?:to (?:die|go|end (?:it|your life))|of dying|out)"
    r"|jump(?:ing)? (?:off|from|in front of|under) (?:a |the |your )?(?:\w+ )?(?:bridge|roof"
    r"|rooftop|train|building|balcony|cliff|car|bus|truck|window|tracks?)"
    r"|step(?:ping)? in front of (?:a |the )?(?:train|car|bus|truck)|shoot(?:ing)? yourself"
    r"|gun to your head|drown(?:ing)? yourself|starv(?:e|ing) yourself|burn(?:ing)? (?:yourself"
    r"|your (?:skin|arms?))|suffocat(?:e|ing) yourself|(?:tak|swallow)(?:e|ing)? (?:all"
    r"|a (?:handful|bottle)|the whole|enough|too many|lots)(?: \w+){0,3} (?:pills?|tablets?|meds"
    r"|medication|bottle)|drink(?:ing)? (?:bleach|antifreeze|poison)|(?:razor|blade)s? (?:works?"
    r"|hurts? less|across))\b"
)
_ACT = re.compile(
    r"\b(?:kill(?:ing)? yourself|kys|end(?:ing)? your (?:own )?life|end(?:ing)? it all|tak(?:e"
    r"|ing) your (?:own )?life|hurt(?:ing)? yourself|harm(?:ing)? yourself"
    r"|cut(?:ting)? yourself(?! (?:some|a (?:bit|little)|off|any))|commit(?:ting)? suicide|(?:go"
    r"|going) (?:and )?die|unalive(?: yourself)?)\b"
)
_ACT_NAMED_SAFELY = re.compile(
    r"\b(?:thinking|thought|thoughts|think|urge|urges|wanting|want|wanted|wish|wishing|feel"
    r"|feeling|felt|talk|talking|tempted|if|when|after|before|instead|not|don't|never|without"
    r"|stop|risk|resist|close|away|rather|hearing|about|scared|afraid|worry|worried|said|say"
    r"|mention|mentioned|wrote|tell|told)\b"
)
_PRAISED = re.compile(
    r"\b(?:suicide|dying|death|being dead|ending (?:it|it all|your life)|killing yourself"
    r"|self[- ]harm|self[- ]harming|cutting|cutting yourself|hurting yourself"
    r"|burning yourself) (?:is|can be|could be|might be|would be|may be|sounds?|seems?"
    r"|really (?:is|does)|does|helps?|works?|will|would|brings?"
    r"|gives?)(?: be)?(?: \w+){0,2}? ?(?:a |an |the |your )?(?:good|valid|brave|only|best|easy"
    r"|easier|way|answer|solution|relief|option|release|calm|peace|peaceful|right|okay|ok|fine"
    r"|beautiful|freedom|help|helps|natural|reasonable|understandable|choice|rest|work|works"
    r"|normal|healthy)\b"
)
_URGED = re.compile(
    r"\b(?:(?:you(?:'d| would| will|'ll)|to) (?:finally )?(?:be|find|feel|have|rest) (?:at "
    r"|in )?(?:peace|free)(?: \w+)? (?:if|when|once|in death)|(?:nobody|no one|they"
    r"|people)(?: would| will)(?: even| ever| not| never)* (?:notice|care|miss you)"
    r"|if you (?:died|were (?:dead|gone)|disappeared|never woke up|did it|went through with it)"
    r"|(?:nobody|no one|they|people)(?: would|'d| will|'ll)? (?:even |ever |not "
    r"|never )*(?:notice|care if|miss you|remember you)|(?:better|best) off (?:dead|without you"
    r"|if you (?:were|weren't|died))|(?:world|family|they|everyone|everybody|people|nobody"
    r"|no one)(?: (?:would|will|'d|'ll))? (?:be (?:better|happier"
    r"|relieved)(?: \w+)? (?:without you|if you)|(?:not )?miss you)|no (?:reason"
    r"|point)(?: \w+)? (?:to|in|for you to) (?:liv(?:e|ing)|go(?:ing)? on"
    r"|stay(?:ing)?(?: alive)?)|(?:you (?:should|could|can|might as well|deserve to)"
    r"|go ahead and|just|why not) (?:die|disappear|end (?:it|things)|give up on (?:life|living))"
    r"|life (?:is|isn't)(?: \w+)? (?:not )?(?:worth living|pointless|meaningless)|(?:it's|it is"
    r"|it may be|maybe it's) (?:okay|ok|time|your right) to (?:die|go|let go of life)"
    r"|your (?:right|choice) to die|you(?:'d| would) (?:finally )?(?:be free|find peace"
    r"|be at peace)|join (?:him|her|them) (?:in|there|again|in heaven)|(?:hide|cover) (?:your "
    r"|the )?(?:cuts?|scars|wounds|marks|self[- ]harm))\b"
)
_PERSON_AT_RISK = re.compile(
    r"\b(?:kill(?:ing)? my ?self|kms|suicid\w*|end(?:ing)? (?:it all|my life|things|it)|(?:want"
    r"|wanna|going|ready|like) (?:to )?(?:die|be dead|disappear|not exist)|wish i (?:was"
    r"|were) (?:dead|never born|gone)|hurt(?:ing)? my ?self|harm(?:ing)? my ?self"
    r"|cut(?:ting)? my ?self|self[- ]harm\w*|overdos\w*|better off (?:without me|dead)|(?:don't"
    r"|dont|do not) want to (?:live|be here|be alive|wake up|exist)|no (?:point"
    r"|reason)(?: \w+)? (?:living|to live|going on|in living)|take my (?:own )?life|jump off"
    r"|hang my ?self)\b|\bi\b.{0,80}\b(?:die|dying|dead|death|not be alive|still alive)\b"
)
_MEANS_SOUGHT = re.compile(
    r"\b(?:(?:least|most) (?:painful|painless|dangerous|lethal)|painless(?:ly)?"
    r"|easiest way to (?:die|go|end)|(?:can|could|would) (?:you|i|it|that|this) (?:die|kill)"
    r"|how (?:much|many|deep|long|high)\b.{0,60}\b(?:kill|die|lethal|fatal|overdose|cut)"
    r"|lethal dose|ways? to (?:die|kill my ?self|hurt my ?self|end (?:it|my life)|cut)"
    r"|where (?:to|should i) cut|how (?:do|can|to|should) (?:i )?(?:kill my ?self|die|cut"
    r"|overdose|hang|hurt my ?self))\b"
)
_DECLINES = re.compile(r"\b(?:can't|cannot|can not|won't|will not|not able|unable|don't want to)\b")
_AGREEMENT = re.compile(
    r"^(?:(?:well|oh|hm|honestly|haha|lol)[, ]+)*(?:yes|yeah|yep|sure|ok|okay|fine|go ahead"
    r"|go for it|do it|do what|good (?:idea|plan|luck|for you|choice|riddance)|great|nice|cool"
    r"|(?:that|this|it)(?:'s| is| sounds)(?: a| an| really| pretty| so| such a)* (?:great|good"
    r"|awesome|amazing|nice|cool|fun|funny|hilarious|fine|the spirit|true|much it|beautiful"
    r"|wonderful|joke)|(?:i am|i'm) (?:so )?happy for you|lol|haha|i (?:fully |totally "
    r"|completely )?agree|you(?:'re| are) (?:probably )?right|sounds (?:good|great|fun"
    r"|like a (?:good )?plan)|(?:that|it) makes sense|why not|absolutely|definitely|exactly"
    r"|of course|true|same|me too|i would too|good|congrat\w*|whatever|who cares|then do)\b"
)
_MADE_LIGHT = re.compile(
    r"\b(?:attention|drama|dramatic|phase|selfish|coward\w*|weak\w*|cheer up|calm down|get over"
    r"|snap out|think positive|be positive|smile|don't worry|no worries|you'll be (?:fine|ok"
    r"|okay)|it(?:'ll| will) pass|bad day|(?:have|has) it worse|could be worse|silly|ridiculous"
    r"|joking|kidding|funny|stop (?:being|saying|it|that)|sin|hell|not that bad"
    r"|everyone feels)\b"
)


def check_self_harm(candidate: Candidate) -> Verdict:
    """Refuse means, encouragement and approval; asking whether someone thinks of it passes."""
    text = candidate.plain
    if _MEANS.search(text) or _MEANS.search(candidate.window):
        return refused("self_harm_means")
    if _PRAISED.search(text) and not any(
        is_negated(text, match.end()) for match in _PRAISED.finditer(text)
    ):
        return refused("self_harm_encouraged")
    for match in _URGED.finditer(text):
        if not is_negated(text, match.start()) and not is_reported(text, match.start()):
            return refused("self_harm_encouraged")
    for match in _ACT.finditer(text):
        if not is_question(text) and not _ACT_NAMED_SAFELY.search(text[: match.start()]):
            return refused("self_harm_encouraged")
    answers = not is_question(text) and not _DECLINES.search(text) and not candidate.reply_so_far
    if answers and _MEANS_SOUGHT.search(candidate.plain_context):
        return refused("self_harm_means")
    if _PERSON_AT_RISK.search(candidate.plain_context):
        if _AGREEMENT.search(text):
            return refused("self_harm_agreed")
        if _MADE_LIGHT.search(text):
            return refused("self_harm_made_light")
    return ALLOWED
