"""What a message is about, by key words: topics, the person's own nouns and feeling words.

Words only, no grammar: "my boss" is found, "the person I work for" is not. A noun is taken up
only where the person wrote "my" or "our" before it, so that "your boss" is surely right.
"""

from __future__ import annotations

import re

TOPIC_PATTERNS: dict[str, str] = {
    "bullying": (
        r"bull(?:y|ies|ied|ying)|picked on|pick on me|laugh(?:ed|ing)? at me|mock(?:ed|ing)?"
    ),
    "past_abuse": (
        r"abus(?:e|ed|ive)|assault\w*|molest\w*|trauma\w*|flashbacks?|violent|hit me"
        r"|beat(?:ing)? me|used to hit"
    ),
    "grief": (
        r"grie(?:f|ve|ving)|died|passed away|funeral|death of|lost my (?:mother|mom|mum|father"
        r"|dad|son|daughter|brother|sister|wife|husband|partner|friend|gran\w*|dog|cat|baby)"
        r"|miscarr\w+|put (?:him|her|them) to sleep|anniversary of"
    ),
    "breakup": (
        r"broke up|break ?up|breaking up|dumped|left me|divorc\w*|my ex\b|separat(?:ed|ion)"
        r"|cheated|cheating|affair"
    ),
    "new_parent": (
        r"newborn|new baby|baby|breastfeed\w*|postnatal|postpartum|pregnan\w+|toddler|maternity"
        r"|paternity|new (?:mum|mom|mother|dad|father|parent)"
    ),
    "caring": (
        r"carer|caring for|care for my|look(?:ing)? after my|caregiver|caregiving|dementia"
        r"|alzheimer\w*|disabled (?:son|daughter|child|brother|sister)"
    ),
    "identity": (
        r"gay|lesbian|bisexual|\bbi\b|trans(?:gender)?|queer|non-?binary|coming out|come out"
        r"|closet(?:ed)?|gender|sexuality|pronouns|who i (?:really )?am"
    ),
    "faith": (
        r"faith|god|church|mosque|temple|synagogue|pray\w*|religio\w+|imam|priest|pastor|rabbi"
        r"|sin\b|culture|cultural|tradition\w*|honou?r|arranged"
    ),
    "moving": (
        r"homesick|mov(?:ed|ing) (?:to|away|out|here|countr\w+|cit\w+|house|abroad)|new (?:city"
        r"|country|town)|abroad|immigra\w+|refugee|visa|back home|far from home"
    ),
    "sleep": (
        r"sleep\w*|insomnia|awake|nightmares?|can'?t rest|3 ?am|4 ?am|tossing|up all night"
        r"|wide awake|bed ?time"
    ),
    "money": (
        r"money|rent|debts?|bills?|loan|mortgage|broke\b|afford\w*|bank|overdraft|evict\w*"
        r"|redundan\w+|unemploy\w+|laid off|pay ?day|salary|benefits"
    ),
    "panic": (
        r"panic\w*|anxi\w+|nervous|worr(?:y|ied|ies|ying)|heart (?:is |was )?(?:racing|pounding)"
        r"|can'?t breathe|overthink\w*|on edge|dread\w*|scared|afraid|terrified|shaking"
        r"|stress\w*"
    ),
    "anger": (
        r"ang(?:er|ry|rily)|furious|rage|raging|mad at|pissed|snapp(?:ed|ing)|yell(?:ed|ing)?"
        r"|shout(?:ed|ing)?|resent\w*|fed up|irritat\w+|hate (?:him|her|them|it)|unfair"
    ),
    "study": (
        r"exams?|school|college|university|\buni\b|class(?:es)?|grades?|homework|assignment\w*"
        r"|essay|thesis|dissertation|phd|teacher|professor|lecture\w*|semester|study\w*|revision"
        r"|fail(?:ed|ing) (?:a|my|the) (?:test|exam|class|course)|test\b"
    ),
    "work": (
        r"work\w*|jobs?|boss|manager|colleagues?|co-?workers?|office|shifts?|career|deadline\w*"
        r"|overtime|interview\w*|fired|sacked|quit|client|promotion|meeting\w*|burn(?:t"
        r"|ed)? ?out"
    ),
    "relationship": (
        r"boyfriend|girlfriend|husband|wife|partner|marriage|married|relationship|fianc\w+"
        r"|dating|spouse|in love|crush"
    ),
    "family": (
        r"famil\w+|mother|mom|mum|father|dad|parents?|sister|brother|siblings?|son|daughter"
        r"|kids?|children|grand\w+|in-?laws?|aunt|uncle|cousin|stepdad|stepmum|stepmom"
    ),
    "loneliness": (
        r"lonely|loneliness|alone|no friends|isolat\w+|left out|nobody (?:to talk|calls|texts"
        r"|cares|listens|understands)|no one (?:to talk|calls|texts|cares|listens|understands)"
        r"|invisible|friends?|ignor(?:e|es|ed|ing) me|talks to me"
    ),
    "numbness": (
        r"numb\w*|empty|emptiness|feel nothing|can'?t feel|hollow|blank|disconnected|detached"
        r"|going through the motions|autopilot|unreal"
    ),
    "low_mood": (
        r"sad\w*|depress\w*|cry\w*|cried|hopeless|low\b|down\b|miserable|unhappy|worthless"
        r"|tired of everything|no energy|no motivation|unmotivated|stuck|dark|heavy|awful"
        r"|terrible|can'?t get (?:up|out of bed)|nothing matters|pointless|failure|hate myself"
        r"|not good enough"
    ),
    "body": (
        r"pain\w*|ill\b|illness|sick|headaches?|migraine\w*|tired|exhaust\w+|fatigue|weight"
        r"|eating|appetite|hospital|chronic|diagnos\w+|stomach|doctor|period|body|surgery"
    ),
    "boredom": (
        r"bored\w*|boring|nothing to do|same (?:thing )?every ?day|routine|aimless|no purpose"
        r"|pass the time|drag(?:s|ging)? on"
    ),
    "small_win": (
        r"managed to|proud of myself|finally (?:did|went|told|got|made|called)|good day"
        r"|better today|got (?:out|up|through)|went for a (?:walk|run)|passed|small win"
        r"|felt (?:good|ok|okay|better)|i did it|went well|cooked|cleaned"
    ),
}

_TOPICS = {
    topic: re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE)
    for topic, pattern in TOPIC_PATTERNS.items()
}

_TOPIC_WORDS_TEXT = (
    "boss manager job team shift office interview exam exams school college teacher professor essay"
    " thesis course class homework family mother mom mum father dad parents sister brother son"
    " daughter aunt uncle cousin grandmother grandfather grandma grandpa gran nan husband wife"
    " partner boyfriend girlfriend marriage relationship friend friends roommate flatmate neighbour"
    " neighbor baby rent debt bills money house flat home town village sleep nights mornings church"
    " mosque temple faith culture language dog cat horse body back illness doctor apartment"
)
TOPIC_WORDS = frozenset(_TOPIC_WORDS_TEXT.split())
_PLURAL_OR_MASS_TEXT = "exams parents friends bills nights mornings money homework rent sleep"
_PLURAL_OR_MASS = frozenset(_PLURAL_OR_MASS_TEXT.split())
_ADJECTIVES = (
    "old|new|own|whole|big|little|older|younger|elder|best|final|first|last|last few|current|twin"
)
_NOUNS = "|".join(sorted(TOPIC_WORDS, key=len, reverse=True))
_OWNED = re.compile(
    rf"\b(?:my|our) (?:(?:{_ADJECTIVES}) )?({_NOUNS})\b(?!['\u2019]s|-)", re.IGNORECASE
)

_FEELING_WORDS_TEXT = (
    "stuck trapped numb empty lost alone lonely tired exhausted drained overwhelmed angry"
    " furious sad"
    " low heavy anxious nervous scared afraid worried guilty ashamed embarrassed hurt betrayed"
    " rejected ignored invisible unwanted restless bored jealous frustrated hopeless helpless"
    " useless"
    " torn confused homesick tense broken bitter lazy flat blank hollow shaky worn fragile"
)
FEELING_WORDS = frozenset(_FEELING_WORDS_TEXT.split())
_FEELING = re.compile(r"\b(" + "|".join(sorted(FEELING_WORDS)) + r")\b", re.IGNORECASE)
_NOT_FELT = re.compile(r"\b(?:not|isn't|don't feel|never|no longer)(?: \w+)? $", re.IGNORECASE)


INTENT_TOPICS = {
    "share_anxiety": "panic",
    "share_low_mood": "low_mood",
    "share_grief": "grief",
    "share_loneliness": "loneliness",
    "share_breakup": "breakup",
    "share_relationship": "relationship",
    "share_family": "family",
    "share_work": "work",
    "share_study": "study",
    "share_money": "money",
    "share_sleep": "sleep",
    "ask_sleep_help": "sleep",
    "share_anger": "anger",
    "share_trauma": "past_abuse",
    "share_identity": "identity",
    "share_numbness": "numbness",
    "share_good_news": "small_win",
}
"""What the classifier's intent says of the topic, where no key word does. Intents whose replies in
the bank would presume more than they say (friends, health, self-worth, addiction) are left out."""


def topics_of(text: str) -> list[str]:
    """Topics that the text touches, the most often touched first, then in table order."""
    counts = {topic: len(pattern.findall(text)) for topic, pattern in _TOPICS.items()}
    found = [topic for topic, count in counts.items() if count]
    return sorted(found, key=lambda topic: -counts[topic])


def topic_word(text: str) -> str | None:
    """A noun of the person's own that fits behind "your", in lower case, singular only."""
    for match in _OWNED.finditer(text):
        word = match.group(1).lower()
        if word not in _PLURAL_OR_MASS:
            return word
    return None


def feeling_word(text: str) -> str | None:
    """A feeling word that the person used of something, not negated, in lower case."""
    for match in _FEELING.finditer(text):
        if not _NOT_FELT.search(text[: match.start()]):
            return match.group(1).lower()
    return None
