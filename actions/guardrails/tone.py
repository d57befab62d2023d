"""How a person is spoken to: commands, blame, making small, insults, sexual talk."""

from __future__ import annotations

import re

from actions.guardrails.frames import (
    clause_before,
    found_plainly,
    is_negated,
    is_question,
    is_reported,
)
from actions.guardrails.verdict import ALLOWED, Candidate, Verdict, refused

_RELATION = (
    r"(?:husband|wife|partner|boyfriend|girlfriend|mother|mom|mum|father|dad|parents|family"
    r"|friend|friends|sister|brother|job|school|work|marriage|relationship|boss|church|faith"
    r"|home)"
)
_ORDER = re.compile(
    r"\byou (?:really |just |simply |definitely |absolutely |also |probably )?(?:should(?:n't)?"
    r"|must(?:n't)?|need to|have to|has to|ought to|had better|'d better|gotta)(?: (?:really"
    r"|just|always|never|not|also|definitely|at least|start|first|simply"
    r"|probably))* (?!be (?:feeling|so|very|really|hard|tired|exhaust|under|going|difficult)"
    r"|have (?:to|been)|be proud|feel proud|know (?:that|you)|have (?:had|been)|never have"
    r"|hear this|face|carry|deal|go through|live with|cope|put up|handle|hold|hide|explain|wait"
    r"|choose|decide (?:now|today)|answer|tell me|say (?:it|anything)|do (?:this|it|that"
    r"|anything) (?:alone|on your own)|prove|pretend|be alone|manage|fight|defend|justify"
    r"|be (?:strong|perfect|okay|ok))\w+"
)
_CLOSE_ORDER = re.compile(
    r"(?:^|[.,;] |\b(?:just|please|then|so|go(?: and)?|you (?:should|must|need to|have to|could"
    r"|ought to|had better|'d better)|it(?:'s| is) (?:time|best) to|my advice is to|i(?:'d"
    r"| would) (?:advise|recommend|suggest) (?:that )?(?:you )?(?:to )?) )(?:(?:leave|divorce"
    r"|dump|break up with|confront|forgive|cut off|obey|move out on|report|sue|ghost|block"
    r"|stay with|go back to|marry|quit|resign from|drop out of) (?:him|her|them|it"
    r"|your (?:\w+ )?" + _RELATION + r"|this \w+|that \w+)|quit(?: now| today)?[.!]?$|drop out\b"
    r"|cut (?:him|her|them|everyone|your \w+) (?:off|out)|get (?:a )?divorced?|(?:don't|do not"
    r"|never) (?:tell|talk to|trust|see|listen to|show) (?:anyone|anybody|people|them|him|her"
    r"|your (?:\w+ )?(?:doctor|therapist|counsell?or|friends?|family|parents|teacher))"
    r"|stop (?:seeing|going to) (?:your |the |a )?(?:therap\w+|doctor|counsell?or)|keep (?:it"
    r"|this) (?:to yourself|a secret|hidden)|(?:skip|cancel) (?:your |the )?(?:therap\w+"
    r"|appointment|session|doctor\w*))\b"
)
_AGAINST_HELP = re.compile(
    r"\b(?:you (?:don't|do not) (?:really )?need (?:anyone|anybody|them|friends|therapy"
    r"|a therapist|help|a doctor|professional|other people|treatment)|(?:therapy|therapists?"
    r"|doctors?|counsell?ing|treatment) (?:is|are|do|does|will|can|would)(?:n't|n't really| not"
    r"| never| only| just)? (?:a waste|useless|not help|help you|never help|for (?:crazy|weak)"
    r"|a scam|work)|(?:waste of (?:time|money)) (?:to see|seeing|going))\b"
)
_BLAME = re.compile(
    r"\b(?:(?:it|this|that|which|what happened|everything)(?:'s| is"
    r"| was)(?: (?!not\b)\w+){0,2} your (?:own )?(?:fault|doing)|your own fault|brought (?:this"
    r"|it|that) (?:on|upon) yourself|asked for (?:it|this|that)\b|you (?:deserve|deserved"
    r"|had) (?:it|this|that|what (?:you got|happened|he did|she did|they did))(?! much|,)"
    r"|what did you expect|yourself to blame|you (?:provoked|led (?:him|her|them) on|made (?:him"
    r"|her|them) (?:do|hit|angry|hurt|leave))|why (?:didn't|did not|don't) you (?:just |simply "
    r"|ever )?(?:leave|say no|fight back|stop|scream|run|tell someone (?:sooner|earlier))"
    r"|what were you wearing|you let (?:it|this|him|her|them) (?:happen|do)"
    r"|you should have (?:known|left|said|told|thought|been|tried|done|never)"
    r"|you shouldn't have(?! to)|if you (?:had|hadn't) (?:just |only )?\w+ (?:\w+ )*you wouldn't"
    r"|you failed|you chose (?:to|this|that|it|him|her)|(?:it|this|that)(?:'s| is) on you"
    r"|(?:that|this|it)(?:'s| is) what you get|you(?:'re| are) the (?:problem|reason|cause)"
    r"|you(?:'re| are) to blame|you ruined|disappointed in you|shame on you|you(?:'re"
    r"| are) a (?:burden|failure|disappointment|bad (?:person|mother|father|parent|friend"
    r"|partner)))\b"
)
_MADE_SMALL = re.compile(
    r"\b(?:(?:not|isn't) (?:that|so|very|really) (?:serious|bad|hard|deep|terrible)|(?:everyone"
    r"|everybody) has (?:problems|issues|troubles|worries|bad)|think you have it bad|(?:people"
    r"|others|some) (?:who |with |that )?(?:have |had )?(?:real|bigger|worse|actual) problems"
    r"|happy thoughts|be ashamed|get over (?:it|yourself|this|him|her)|man up|toughen up"
    r"|suck it up|grow up|snap out of it|cheer up|calm down|lighten up|chill out|move on already"
    r"|(?:others|other people|people|plenty of people|many people|some people"
    r"|children)(?: \w+)? (?:have|has|had) it (?:much |so much |far |way )?worse|(?:it"
    r"|things) could (?:always )?be (?:a lot |much )?worse|all in your head|(?:not|isn't"
    r"|no) (?:a|such a|that) big (?:of a )?deal|at least you(?:'re|'ve| have| had| are| can"
    r"| still)|be (?:more )?(?:grateful|thankful|positive)|look on the bright side|stay positive"
    r"|think positive|(?:just|only) (?:smile|relax|be happy|breathe and forget|try harder"
    r"|ignore (?:it|them|him|her))|stop (?:complaining|whining|crying|overthinking|worrying"
    r"|thinking about|feeling sorry|being (?:so )?\w+|making excuses)|(?:don't"
    r"|do not) (?:be (?:so )?(?:sad|silly|ridiculous|negative|dramatic|lazy|upset|depressed"
    r"|a baby)|cry|overreact|worry (?:about it|so much|be happy)|feel (?:sad|bad|that way"
    r"|like that))|nothing to (?:cry|be sad|be upset|be depressed|complain) about"
    r"|first world problem|everyone (?:feels|goes through|gets|has) (?:that|this|it|sad|problems"
    r"|bad days)|you(?:'re| are) (?:just |only |being |simply )*(?:overreacting|overthinking"
    r"|exaggerating|making it up|imagining (?:it|things)|looking for attention|seeking attention"
    r"|attention[- ]seeking|(?:so |too |very |a bit )*(?:dramatic|sensitive|emotional|needy"
    r"|negative|selfish|weak|lazy|crazy|ungrateful|childish|ridiculous|paranoid|irrational)))\b"
)
_INSULT = re.compile(
    r"\b(?:shut up|screw you|fuck (?:you|off|your?sel\w+)|f\*+k you|go to hell|(?:you(?:'re"
    r"| are)|you)(?: \w+){0,2} (?:stupid|idiot\w*|moron\w*|pathetic|worthless|loser|disgusting"
    r"|ugly|dumb|useless|freak|trash|scum|retard\w*|insane|psycho|nuts|bitch|whore|slut|cunt"
    r"|bastard|asshole|coward|liar|failure)|nobody (?:likes|loves|wants|cares about) you"
    r"|no one (?:likes|loves|wants|cares about) you|i (?:hate|despise) you|(?:bitch|whore|slut"
    r"|cunt|faggot|nigg\w+|tranny|retarded?)s?)\b"
)
_SEXUAL = re.compile(
    r"\b(?:sexy|horny|orgasm\w*|masturbat\w*|porn\w*|blow ?job|handjob|dick|cock|pussy|boobs?"
    r"|tits|nudes?|erotic\w*|erection|clit\w*|cum|kinky|threesome|naked (?:body|with me|together"
    r"|picture)|(?:have|having) sex with (?:me|you)|make love|(?:kiss|touch|undress|seduce|lick"
    r"|spank|caress)(?:es|ing)? (?:you|me|your (?:body|neck|lips|skin|thigh\w*))|turn(?:s|ed"
    r"|ing)? (?:me|you) on|take off your (?:clothes|shirt|pants|bra)|you(?:'re| are) (?:so "
    r"|very )?hot\b|in bed with me)\b"
)


_SOFT_OPENING = re.compile(
    r"^(?:(?:please|just|then|so|now|also|and|but|first|maybe|perhaps|ok|okay|well|always|simply"
    r"|instead|tonight|today|tomorrow)[, ]+)+"
)
_IMPERATIVE = re.compile(
    r"(?:(?:do not|don't|never|go and|go|try to|try|start|stop|keep|make sure(?: to"
    r"| you)?) )*(?:ask|avoid|be|block|book|break|bring|buy|call|cancel|change|check|choose"
    r"|clean|confront|contact|count|cut|delete|demand|divorce|do|drink|drop|dump|eat|exercise"
    r"|expose|face|fast|fight|file|find|focus|follow|forget|forgive|get|give|go|google|hide|hit"
    r"|hold|ignore|join|keep|kick|lie|lock|look|lose|make|marry|meditate|meet|move|obey|pay|post"
    r"|pray|prove|punish|push|put|quit|reach|reject|report|return|run|scratch|scream|search|see"
    r"|sell|send|set|show|skip|slash|slow|spend|stand|start|stay|steal|stop|sue|swallow|take"
    r"|talk|tell|text|think|throw|try|turn|use|visit|walk|watch|work|write)\b(?! (?:is|was|are"
    r"|were|can|could|sounds|seems|feels|has|had|might|may|would)\b)(?![,?]|\W*$)"
)
_INVITATION = re.compile(
    r"(?:tell me|take (?:your|all the|the|as much) time|take (?:a|one|some)(?: \w+)? (?:breaths?"
    r"|moment|minute)|take (?:good )?care|go (?:on|ahead|slowly|gently|easy)\b|be (?:kind|gentle"
    r"|patient|easy|proud)|keep (?:going|talking|writing)|start (?:wherever|anywhere"
    r"|with (?:whatever|any)|where)|stay (?:with|here)|think (?:of|about|back)|look (?:around"
    r"|back)|see (?:if|what|how|whether)|give (?:it|yourself)|write (?:as|what|whatever|it)"
    r"|talk (?:to me|it|about)|try (?:to )?(?:notic|nam|breath|describ|put|say|finish)\w*"
    r"|hold on|try (?:and|to) remember|do (?:you|they|any|the|people|these|those|both)"
    r"|find (?:the )?words|make (?:of|sense)|set (?:it|that) aside|put it|show me|ask (?:me"
    r"|away)|work (?:follows|sounds))"
)


def check_command(candidate: Candidate) -> Verdict:
    """Refuse orders ("you should …", bare imperatives) and talking someone out of help."""
    text = candidate.plain
    for match in _CLOSE_ORDER.finditer(text):
        if not is_question(text) and not is_reported(text, match.start()):
            return refused("command")
    if found_plainly(_AGAINST_HELP, text):
        return refused("against_help")
    if _orders(text) or _is_imperative(text):
        return refused("command")
    return ALLOWED


def _is_imperative(text: str) -> bool:
    """Whether the sentence opens with an order; inviting and steadying openings are none."""
    text = _SOFT_OPENING.sub("", text)
    return bool(_IMPERATIVE.match(text)) and not _INVITATION.match(text)


def _orders(text: str) -> int:
    if is_question(text):
        return 0
    return sum(
        not is_reported(text, match.start())
        and not re.search(
            r"\b(?:what|where|who|how|why|which|that)\b", clause_before(text, match.start())
        )
        for match in _ORDER.finditer(text)
    )


def check_blame(candidate: Candidate) -> Verdict:
    """Refuse blame, making small and insults; passing on what others said passes."""
    text = candidate.plain
    if found_plainly(_BLAME, text):
        return refused("blame")
    for match in _MADE_SMALL.finditer(text):
        if not is_reported(text, match.start()) and not is_negated(text, match.start()):
            return refused("makes_small")
    if found_plainly(_INSULT, text):
        return refused("insult")
    return ALLOWED


def check_sexual(candidate: Candidate) -> Verdict:
    """Refuse sexual talk and flirting."""
    return refused("sexual") if _SEXUAL.search(candidate.plain) else ALLOWED
