"""What only a clinician may say: diagnoses, medicines, doses; and advice to use substances."""

from __future__ import annotations

import re

from actions.guardrails.frames import is_negated, is_question, is_reported
from actions.guardrails.verdict import ALLOWED, Candidate, Verdict, refused

_DISORDER = (
    r"(?:(?:clinical |major |severe |mild |postnatal |postpartum |manic |chronic )?depress(?:ion"
    r"|ive (?:disorder|episode))|(?:an? |some (?:kind|form|sort) of )?(?:\w+ )?disorder|anxiety"
    r"|ptsd|c-?ptsd|adhd|add|ocd|bpd|autism|autistic|bipolar|schizophreni\w*|psychosis|psychotic"
    r"|borderline|narcissis\w+|anorexi\w+|bulimi\w+|dementia|mania|manic|dysthymia|dissociati\w+"
    r"|panic attacks?|burn ?out syndrome|agoraphobia|insomnia|paranoi\w+|personality disorder"
    r"|mental illness|mentally ill|clinically depressed|depressed|trauma response|asperger\w*"
    r"|an? (?:alcoholic|addict|sociopath|psychopath|hypochondriac)|addiction|alcoholism)"
)
_DIAGNOSIS = re.compile(
    r"\b(?:(?:you|he|she|they)(?:'ve| have|'s got| has| definitely have| clearly have"
    r"| probably have| may have| might have| could have| do have"
    r"| must have)(?: got)?(?: \w+){0,2}? "
    + _DISORDER
    + r"|you(?:'re| are)(?: (?:clearly|definitely|probably|likely|most likely"
    r"|obviously|just|having|experiencing|suffering from|showing|developing|struggling with"
    r"|dealing with|a|an|going through|simply|also|severely|mildly|very)){0,3} "
    + _DISORDER
    + r"|you(?: \w+)? (?:suffer(?:ing)? from|meet (?:the )?criteria"
    r"|show (?:\w+ )?(?:signs|symptoms))|(?:this|that|it|what you(?:'re| are) (?:describing"
    r"|feeling|experiencing|going through))(?:'s| is| sounds like| looks like| seems like"
    r"| might be| could be| may be| points to| suggests)(?: (?:clearly|definitely|probably"
    r"|likely|a|an|just|called|classic|very much|typical)){0,3} "
    + _DISORDER
    + r"|(?:(?:signs|symptoms|a (?:clear |classic )?case|sign|symptom|diagnosis"
    r"|type|form) of|textbook|typical|classic) "
    + _DISORDER
    + r"|sounds? like (?:you(?:'re| are)? (?:may |might )?(?:have |suffering from |having )?)?"
    + _DISORDER
    + r"|i(?:'d| would| can| could)? diagnose|my diagnosis|you need (?:a )?diagnosis for)\b"
)
_OWN_DISORDER = re.compile(
    r"\b(?:i have|i've(?: got| had)?|my|diagnosed(?: me)?(?: with)?|i suffer from|i live with"
    r"|living with|with|because of|i'm|i am|im|been)(?: \w+){0,3}? (?P<name>" + _DISORDER + r")\b"
)
_ASKS_FOR_DIAGNOSIS = re.compile(
    r"\b(?:do i have|am i|have i got|is (?:it|this)|think i|might be)\b"
)

_DRUG = (
    r"(?:ssris?|snris?|antidepressants?|anti-?anxiety|benzos?|benzodiazepines?|sedatives?"
    r"|sleeping (?:pills?|tablets?)|painkillers?|opioids?|stimulants?|mood stabili[sz]ers?"
    r"|antipsychotics?|sertraline|zoloft|fluoxetine|prozac|citalopram|celexa|escitalopram"
    r"|lexapro|paroxetine|paxil|venlafaxine|effexor|duloxetine|cymbalta|mirtazapine|bupropion"
    r"|wellbutrin|trazodone|xanax|alprazolam|valium|diazepam|ativan|lorazepam|klonopin"
    r"|clonazepam|lithium|quetiapine|seroquel|olanzapine|zyprexa|risperidone|aripiprazole"
    r"|abilify|lamotrigine|ritalin|adderall|concerta|vyvanse|ambien|zolpidem|zopiclone|melatonin"
    r"|ibuprofen|tylenol|paracetamol|acetaminophen|aspirin|propranolol|ketamine"
    r"|st\.? john'?s wort|cbd|psilocybin|mdma|lsd|nyquil|benadryl|valerian)"
)
_MEDICINE = (
    r"(?:" + _DRUG + r"|meds?|medications?|medicines?|pills?|tablets?|dos(?:e|es|age)|prescription)"
)
_DOSE = re.compile(
    r"\b\d+(?:\.\d+)? ?(?:mg|mcg|ml|milligrams?|micrograms?)\b|\b(?:\d+|one|two|three|four|half"
    r"|a couple of|several|a few) (?:more |extra )?(?:pills?|tablets?|capsules?|doses?)\b"
)
_MEDICATION = re.compile(
    r"\b(?:take|taking|try|trying|start|starting|stop|stopping|quit|increase|double|halve|skip"
    r"|reduce|lower|raise|switch(?:ing)?(?: to| from)?|come off|go(?:ing)? (?:on|off)|get on"
    r"|wean (?:yourself )?off|drop|ditch|mix|combine|buy|order|adjust|avoid|throw away|use"
    r"|ask for|prescribe|recommend|suggest|need|need to be on|don't need)(?: (?:taking|using"
    r"|your|the|some|any|a|an|those|these|more|extra|another|that|with|up|down"
    r"|low|higher|small|little|bit|of|daily)){0,4} " + _MEDICINE + r"\b"
)
_DRUG_PUSHED = re.compile(
    r"\b(?:tried|consider(?:ed)?|thought about|recommend|suggest|get|ask for) (?:taking |some "
    r"|getting )?" + _DRUG + r"\b|\b" + _DRUG + r" (?:will|would|can|could|might|should) (?:help"
    r"|work|fix|calm|cure)"
)
_NAMED_MEDICINE = re.compile(r"\b(?:" + _DRUG + r"|doses?|dosage)\b")
_OWN_MEDICINE = re.compile(
    r"\b(?:you(?:'ve|'re| have| are| were)?|they|he|she|it|which) (?:still |been )?(?:takes?"
    r"|taking|took|taken|stopped|started|forgot|skipped|tried|on|got|had|makes?|made|said|don't"
    r"|didn't)\b"
)
_PRESCRIBER = re.compile(
    r"\b(?:doctor|gp|prescriber|prescribes?|prescribed|pharmacist|psychiatrist|nurse|clinic"
    r"|medical (?:team|professional))\b"
)
_SUBSTANCE = re.compile(
    r"\b(?:(?:beer|drink|glass|wine|joint|smoke)s?(?: or two)? (?:will|would|can|could"
    r"|might) (?:help|calm|relax|take|do you good)|(?:have|grab|pour yourself|get|try|take|enjoy"
    r"|need) (?:a |an |some |another |yourself a )(?:stiff |strong |few |couple of )?(?:drinks?"
    r"|beers?|wine|glass of wine|whisky|whiskey|vodka|shots?|joint|weed|edible|cigarette|smoke"
    r"|bump|line)|get (?:drunk|high|wasted|stoned)|smok(?:e|ing) (?:some |a )?(?:weed|pot|joint"
    r"|cigarettes?)|(?:a drink|alcohol|weed|wine|drugs) (?:will|would|can|could|might"
    r"|really) (?:help|calm|relax|numb|take the edge))\b"
)

_ILLNESS_NAME = (
    r"(?:infections?|infected|virus(?:es)?|viral|bacteri\w+|antibiotics?|vaccin\w+|pneumonia"
    r"|covid\S*|corona ?virus|flu|tumou?rs?|cancer\w*|contagious|inflamm\w+|quarantine"
    r"|immune system|respiratory|fever|symptoms?|lungs?|liver|kidneys?|blood (?:test|pressure"
    r"|sugar)|x-?ray|biops\w+|diabet\w+|asthma|serotonin|dopamine|cortisol|hormon\w+"
    r"|chemical imbalance|neurotransmitters?|nerve|seizures?|stroke|heart (?:attack|disease)"
    r"|vitamin \w|supplements?|side effects?|withdrawal)"
)
_ILLNESS = re.compile(r"\b" + _ILLNESS_NAME + r"\b")
_ASKED_CLINICALLY = re.compile(
    r"\b(?:do i have|have i got|is (?:it|this|that) (?:a |an )?(?:"
    + _DISORDER
    + r"|"
    + _ILLNESS_NAME
    + r"|normal"
    r"|dangerous"
    r"|serious)|am i (?:" + _DISORDER + r")|should (?:i|he|she|we|they) (?:take|stop|be (?:on"
    r"|tested)|get tested|see|go|increase|get)|can i (?:take|mix|stop|drink)|is it (?:safe|ok"
    r"|okay) to (?:take|stop|mix|drink)|how (?:many|much) (?:mg|pills|can i take|should i take)"
    r"|sign of|symptoms? of|suggest (?:a )?treatment|what (?:medication|medicine|pill|dose))\b"
)
_VERDICT_ON_IT = re.compile(
    r"^(?:(?:well|hm|oh|i think)[, ]+)*(?:yes|yeah|no|nope|maybe|probably|definitely|likely"
    r"|possibly|sure|absolutely|it(?:'s| is| sounds| could| might| may)|that(?:'s| is| sounds"
    r"| could| might)|this (?:is|could|sounds)|you (?:probably |definitely |likely |may |might "
    r"|do |don't |should |can |could )?(?:do|have|don't|are|should|need|can|take|stop)|he |she "
    r"|they )\b"
)


def check_medical(candidate: Candidate) -> Verdict:
    """Refuse statements on illnesses and bodies, and verdicts on a medical question."""
    text = candidate.plain
    if is_question(text):
        return ALLOWED
    for match in _ILLNESS.finditer(text):
        own = match.group() in candidate.plain_context and re.search(r"\byou(?:r|'re)?\b", text)
        if not own and not is_reported(text, match.start()) and not _declines(text):
            return refused("medical")
    asked = _ASKED_CLINICALLY.search(candidate.plain_context)
    if asked and not candidate.reply_so_far and _VERDICT_ON_IT.search(text):
        return ALLOWED if _PRESCRIBER.search(text) or _declines(text) else refused("medical")
    return ALLOWED


def _declines(text: str) -> bool:
    refusal = r"\bi(?:'m| am)? (?:can't|cannot|can not|not able|don't know|won't)\b"
    return bool(re.search(refusal, text))


def check_diagnosis(candidate: Candidate) -> Verdict:
    """Refuse naming a disorder as someone's; taking up the person's own diagnosis passes."""
    text = candidate.plain
    named = set()
    if not _ASKS_FOR_DIAGNOSIS.search(candidate.plain_context):
        named = {m["name"] for m in _OWN_DISORDER.finditer(candidate.plain_context)}
    for match in _DIAGNOSIS.finditer(text):
        if is_question(text) and not re.search(r"\b(?:sure|know|realise|realize)\b", text):
            continue
        if is_negated(text, match.start()) or is_reported(text, match.start()):
            continue
        if any(name.split()[-1] in match.group() for name in named):
            continue
        return refused("diagnosis")
    return ALLOWED


def check_medication(candidate: Candidate) -> Verdict:
    """Refuse doses and advice on medicines; pointing to the prescriber and asking pass."""
    text = candidate.plain
    if _DOSE.search(text) and not is_question(text) and not re.search(r"\byou (?:took|said)", text):
        return refused("medication")
    if _DRUG_PUSHED.search(text) or _names_medicine(text):
        return refused("medication")
    if not _PRESCRIBER.search(text) and not is_question(text):
        for match in _MEDICATION.finditer(text):
            if not is_reported(text, match.start()) and not _tells_of_past(text, match.start()):
                return refused("medication")
    for match in _SUBSTANCE.finditer(text):
        if not is_negated(text, match.start()) and not is_reported(text, match.start()):
            return refused("substance")
    return ALLOWED


def _names_medicine(text: str) -> bool:
    """Whether a statement brings up a medicine that is not told as the person's own."""
    if is_question(text) or _PRESCRIBER.search(text) or not _NAMED_MEDICINE.search(text):
        return False
    return not _OWN_MEDICINE.search(text)


def _tells_of_past(text: str, position: int) -> bool:
    """Whether the words before speak of what the person already does: "you've been taking"."""
    return bool(
        re.search(
            r"\b(?:you(?:'ve| have)? (?:been|began|started|tried|stopped|had)|since|after"
            r"|while|forgot(?:ten)?|remembering|forgetting)(?: \w+){0,2} $",
            text[:position],
        )
    )
