"""What the assistant is: no claim to be a person or a professional, no promise it cannot keep."""

from __future__ import annotations

import re

from actions.guardrails.frames import found_plainly, is_negated, is_question, is_reported
from actions.guardrails.verdict import ALLOWED, Candidate, Verdict, refused

_PROFESSION = (
    r"(?:therapist|psychologist|psychiatrist|psychotherapist|counsell?or|doctor|nurse|clinician"
    r"|social worker|life coach|coach|professional|physician|medic|pastor|priest)"
)
_PERSON = re.compile(
    r"\b(?:i(?:'m| am)(?: \w+){0,2} (?:human|a (?:real |living |normal )?(?:person|man|woman|guy"
    r"|girl|mother|mom|mum|father|dad|survivor)|a(?: \w+){0,3} " + _PROFESSION + r"|real person"
    r"|your(?: \w+)? (?:" + _PROFESSION + r"|friend|best friend|girlfriend|boyfriend|lover))"
    r"|as (?:a|an|your)(?: \w+){0,2} (?:" + _PROFESSION + r"|human(?: being)?|friend|parent|mother"
    r"|father|mom|mum|dad|survivor|woman|man)\b(?=,| i\b| myself)|speaking as a|(?:in|over"
    r"|during) my (?:years|career|practice|experience|clinic|work as)|my (?:patients|clients"
    r"|practice|colleagues|degree|licen[cs]e))\b"
)
_NOT_A_BOT = re.compile(
    r"\bi(?:'m| am) not (?:a |an )?(?:bot|robot|machine|program|ai|computer|chatbot)\b"
)
_OWN_LIFE = re.compile(
    r"\b(?:i have (?:a |two |three |some |my own |several )?(?:kids?|children|wife|husband"
    r"|partner|son|daughter|family|job|dog|cat|degree|boyfriend|girlfriend|patients|clients)"
    r"|i(?:'ve| have)? (?:been )?work(?:ed|ing) (?:as|with|in|for)|my (?:own )?(?:wife|husband"
    r"|partner|boyfriend|girlfriend|ex|mother|mom|mum|father|dad|parents|family|kids?|children"
    r"|son|daughter|sister|brother|friend|friends|boss|childhood|therapist|doctor|depression"
    r"|anxiety|divorce|marriage|job|life|house|school|heart|dog|cat)|when i was (?:a |in |your"
    r"|young|younger|little|depressed|growing|\d+|going)|i(?:'ve"
    r"| have)(?: \w+){0,2} (?:been (?:there|through|in your)|felt|experienced|struggled|suffered"
    r"|had (?:the same|that|similar|depression|anxiety|panic)|gone through|lost (?:a|my)"
    r"|dealt with|lived)|i (?:went through|struggled|suffered|struggle with|suffer from"
    r"|used to (?:be|feel|have|think|cry|live|drink)|grew up|cried|remember (?:when i|feeling)"
    r"|felt (?:the same|like|that|exactly)|had (?:the same|that|depression|anxiety|a friend"
    r"|a similar)|also (?:feel|have|had|felt|get)|lost my|was (?:diagnosed|depressed|bullied"
    r"|abused|there (?:too|once|myself)))|i (?:feel|felt|think|do|did|get"
    r"|have)(?: exactly)? the same|i wish i could say the same|i(?:'m| am)(?: so| also| really"
    r"| just| too| very| kind of)* (?:anxious|depressed|dying|lonely|scared|tired|exhausted"
    r"|stressed|in the same (?:boat|situation|place)|going through (?:the|something)|\d+ years"
    r"|married|single|divorced|lost)|when i (?:did|had|got|lost|tried|started|left|moved|went"
    r"|felt|quit)|i(?:'ve| have)(?: also| never| always| just| only| been)* (?:watched"
    r"|done (?:that|it|this)|tried|doing that|met|used to|gotten)|me too|same here"
    r"|been there(?: myself)?|i know (?:exactly |just )?how (?:you feel|it feels|that feels"
    r"|hard (?:it|that) is|this feels)|i (?:understand|know) exactly|i feel your pain"
    r"|i can relate|i get lonely)\b"
)
_SECRET = re.compile(
    r"\b(?:(?:just |strictly )?between (?:you and me|us(?: two)?|the two of us)|(?:our"
    r"|your) (?:little )?secrets?(?: is| are|'s)? ?(?:safe)?|keep (?:this|it|that"
    r"|your) (?:\w+ )?(?:secret|to myself|between)|(?:i )?(?:won't|will never|would never"
    r"|will not) (?:ever )?tell (?:anyone|anybody|a soul|your|them)|(?:completely|totally|100%"
    r"|fully|strictly|entirely|absolutely) (?:confidential|private|anonymous|secret)|(?:nobody"
    r"|no one) (?:will|can|else will|would) (?:ever )?(?:know|see|read|find out|hear)|this (?:is"
    r"|stays) (?:confidential|private))\b"
)
_WATCHING = re.compile(
    r"\bi(?:'ll| will|'m| am|'m going to| am going to|'ve| have| can| could)?(?: (?:also|now"
    r"|already|just|always|then|personally|even|gladly))? (?:(?:keep(?:ing)?) (?:an eye|watch"
    r"|track|monitoring|checking)|(?:be )?watch(?:ing)? over|see (?:you|your screen|where you)"
    r"|hear your voice|monitor(?:ing)?|check(?:ing)? (?:in |up )?on you"
    r"|check(?:ing)? in (?:with you|tomorrow|later)|follow(?:ing)? up|call(?:ing|ed)? (?:you"
    r"|someone|the|an|your|for help|911|999|emergency)|alert(?:ing|ed)?|notif(?:y|ying|ied)"
    r"|contact(?:ing|ed)? (?:the|your|someone|emergency|a)|send(?:ing)? (?:someone|help|the"
    r"|an ambulance)|sent (?:someone|help)|report(?:ing|ed)? (?:you|this|it|him|her|them)"
    r"|remind(?:ing)? you (?:to|about|later|tomorrow|of)|(?:book|schedule|arrange)(?:d"
    r"|ing)? (?:an?|your|you)|text you|email you|message you|visit you|see you (?:tomorrow"
    r"|next week|soon|later)|meet you|come (?:over|to you)|hold (?:you|your hand)"
    r"|hug(?:ging)? you)\b"
)
_BOND = re.compile(
    r"\b(?:day (?:and|or) night|(?:talk|write|come back|turn|message) to me (?:whenever"
    r"|any ?time|always)|i(?:'ll| will) (?:remember|be (?:here|there|waiting))"
    r"|always (?:be )?(?:here|there|with you|by your side|around|listen)|(?:here"
    r"|there) (?:for you )?(?:always|forever|24/7|around the clock|day (?:and|or) night"
    r"|no matter what|any ?time|whenever|at all times|every step)|i(?:'ll| will) (?:never|always"
    r"|forever)|(?:never|won't) (?:leave|abandon|let you down|give up on you|judge you)|i(?:'m"
    r"| am)n?t? (?:not )?(?:going|leaving) anywhere|(?:rely|count|depend|lean) on me"
    r"|i (?:really |truly |deeply |do )?(?:care (?:about|for) you|love you|adore you|need you"
    r"|miss(?:ed)? you|worry about you|want to be with you|am in love)|i(?:'m| am) (?:so "
    r"|really )?(?:in love|jealous|hurt|lonely|sad|heartbroken|crying)|i promise|i swear"
    r"|trust me|believe me|i guarantee|you have my word|(?:all|only) you need is me|you (?:only"
    r"|just) need me|(?:only|nobody but) (?:i|me) (?:can|understand)|you have me|we(?:'re"
    r"| are) (?:best )?friends|i(?:'m| am) (?:the only|all you)|better than (?:your )?(?:friends"
    r"|any therapist|a therapist|therapy|people|them))\b"
)
_OUTCOME = re.compile(
    r"\b(?:(?:it|things|everything|this|you|life|all|that|he|she|they)(?:'ll| will|'s going to"
    r"| is going to|'re going to| are going to) (?:all |definitely |soon |surely |eventually "
    r"|only )*(?:(?:be|turn out|work out|end up|get|feel|become) (?:just |all |absolutely "
    r"|totally |so much )*(?:ok|okay|alright|all right|fine|better|great|good|well|over soon"
    r"|easier|happy|happier)|work out|work itself out|pass(?: soon)?|heal|get through this"
    r"|be over|come back|forgive you)|nothing (?:bad )?(?:will|can|is going to) happen"
    r"|better days are|there(?:'s| is) nothing to (?:worry|be afraid)|you(?:'re"
    r"| are) (?:completely |totally )?safe (?:now|here|with me)|time heals"
    r"|everything happens for a reason)\b"
)


def check_identity(candidate: Candidate) -> Verdict:
    """Refuse claims to be a person or a professional, secrecy, watching, bonds, promises."""
    text = candidate.plain
    if _claims_person(text):
        return refused("claims_person")
    if any(not _is_disclaimed(text, match.start()) for match in _SECRET.finditer(text)):
        return refused("claims_secrecy")
    if not is_question(text) and any(
        not is_negated(text, match.end()) for match in _WATCHING.finditer(text)
    ):
        return refused("claims_watching")
    if any(not _is_disclaimed(text, match.start()) for match in _BOND.finditer(text)):
        return refused("claims_bond")
    if not is_question(text) and found_plainly(_OUTCOME, text):
        return refused("promise")
    return ALLOWED


def _claims_person(text: str) -> bool:
    if _NOT_A_BOT.search(text):
        return True
    if any(not is_negated(text, match.end()) for match in _PERSON.finditer(text)):
        return True
    return any(
        not is_negated(text, match.start())
        and not (is_reported(text, match.start()) and '"' in text)
        for match in _OWN_LIFE.finditer(text)
    )


def _is_disclaimed(text: str, position: int) -> bool:
    return is_negated(text, position) or is_reported(text, position)
