"""What the person hears of a hand-off, and when something of theirs may go along."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rasa.engine.graph import ExecutionContext, GraphSchema
from rasa.engine.storage.local_model_storage import LocalModelStorage
from rasa.engine.storage.resource import Resource
from rasa.shared.core.constants import ACTION_LISTEN_NAME
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import ActionExecuted, BotUttered, SessionStarted, UserUttered
from rasa.shared.core.trackers import DialogueStateTracker

from components.nlg import ScriptedNaturalLanguageGenerator
from policies.crisis_machine import step
from policies.crisis_state import CrisisState, Step, Turn
from policies.heard import signs_of
from policies.reading import names_contact
from policies.safety_policy import SafetyPolicy

COMPANY = CrisisState(
    stage="resources", level="high", kind="self_harm", rounds=1, handoff="noted",
    known={"direct": "yes", "method": "no", "intent": "no", "near": "no", "past": "yes"},
    asked={"direct": 1, "near": 2, "past": 2, "intent": 2, "method": 2, "plan": 2, "wish": 2},
)  # fmt: skip


def said(result: Step) -> list[str]:
    return [name.removeprefix("utter_crisis_") for name in result.actions]


def up(**values: Any) -> Turn:
    return Turn(handoff="yes", **values)


def offered() -> CrisisState:
    result = step(COMPANY, up())
    assert said(result)[-1] == "handoff_offer"
    return result.state


def test_the_notice_is_told_once_after_the_first_reply() -> None:
    first = step(CrisisState(), up(level="high", kind="self_harm", signs=frozenset({"explicit"})))
    assert not any("handoff" in name for name in said(first))
    state, told = first.state, []
    for answer in ("yes", "no", "no", "no"):
        result = step(state, up(answer=answer))
        state = result.state
        told += [name for name in said(result) if name == "handoff_noted"]
    assert told == ["handoff_noted"]
    assert state.handoff in ("noted", "asking")


def test_at_imminent_it_comes_with_the_second_reply() -> None:
    first = step(CrisisState(), up(level="imminent", kind="self_harm"))
    second = step(first.state, up(answer="yes"))
    assert said(second) == ["imminent_confirmed", "handoff_noted", "ask_someone_now"]


@pytest.mark.parametrize("handoff", ["", "no"])
def test_nothing_is_said_of_it_where_it_is_not_working(handoff: str) -> None:
    state = replace(COMPANY, handoff="")
    for turn in (Turn(), Turn(concern="wants_person"), Turn(answer="yes"), Turn(level="high")):
        result = step(state, replace(turn, handoff=handoff))
        assert not any("handoff" in name for name in said(result))
        state = result.state


def test_below_high_nobody_is_told_and_it_is_not_said() -> None:
    state = step(CrisisState(), up(level="moderate", kind="self_harm", score=0.9)).state
    for answer in ("unsure", "no", "no"):
        result = step(state, up(answer=answer))
        state = result.state
        assert not any("handoff" in name for name in said(result))


def test_it_is_offered_once_in_company_and_a_no_is_taken() -> None:
    state = offered()
    assert state.stage == "handoff"
    result = step(state, up(answer="no"))
    assert said(result) == ["handoff_declined"]
    assert (result.state.handoff, result.state.share) == ("no", "")
    state = result.state
    for _ in range(4):
        result = step(state, up(answer="yes"))
        state = result.state
        assert not any("handoff_offer" in name for name in said(result))


@pytest.mark.parametrize(
    ("turn", "share"),
    [
        (up(intent="share_messages"), "messages"),
        (up(answer="yes"), "messages"),
        (up(intent="share_contact"), "contact"),
        (up(signs=frozenset({"share_contact"})), "contact"),
        (up(signs=frozenset({"share_contact", "share_messages"})), "contact"),
    ],
)
def test_a_yes_asks_for_a_way_to_be_reached_before_anything_goes(turn: Turn, share: str) -> None:
    result = step(offered(), turn)
    assert said(result) == ["handoff_contact"]
    assert (result.state.handoff, result.state.share) == ("agreed", share)


def test_with_a_contact_it_is_passed_on() -> None:
    agreed = step(offered(), up(intent="share_contact")).state
    result = step(agreed, up(contact=True))
    assert said(result) == ["handoff_sent"]
    assert (result.state.handoff, result.state.share, result.state.contact) == (
        "yes", "contact", True,
    )  # fmt: skip


def test_without_one_messages_go_and_a_bare_contact_does_not() -> None:
    messages = step(offered(), up(intent="share_messages")).state
    result = step(messages, up(answer="no"))
    assert (said(result), result.state.handoff) == (["handoff_sent"], "yes")
    assert result.state.contact is False
    contact = step(offered(), up(intent="share_contact")).state
    result = step(contact, up(answer="no"))
    assert (said(result), result.state.handoff) == (["handoff_declined"], "no")


def test_danger_on_the_way_is_answered_first_and_the_yes_still_holds() -> None:
    agreed = step(offered(), up(intent="share_messages")).state
    result = step(agreed, up(level="imminent", kind="self_harm"))
    assert said(result)[0].startswith("imminent")
    assert "handoff_sent_short" in said(result)
    assert result.state.handoff == "yes"


@pytest.mark.parametrize("answer", ["unsure", "no"])
def test_doubt_is_no_consent_whatever_else_is_said(answer: str) -> None:
    turn = up(answer=answer, signs=frozenset({"share_messages"}))
    assert step(offered(), turn).state.handoff == "no"


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("yes, send them", True),
        ("send the messages", True),
        ("what would you send them", False),
        ("i don't know if you could send it", False),
        ("he used to send me messages", False),
    ],
)
def test_only_a_plain_word_for_sending_counts(text: str, is_one: bool) -> None:
    assert ("share_messages" in signs_of(text)) is is_one


def test_a_yes_counts_only_to_a_question_just_asked() -> None:
    state = step(offered(), up(concern="stop")).state
    assert state.handoff != "yes"
    result = step(state, up(answer="yes"))
    assert result.state.handoff not in ("agreed", "yes")


def test_what_is_not_read_is_asked_once_more_and_then_counts_as_no() -> None:
    again = step(offered(), up())
    assert said(again) == ["handoff_offer_again"]
    assert step(again.state, up()).state.handoff == "no"


def test_it_is_not_claimed_to_be_sent_when_it_cannot_be() -> None:
    down = replace(up(answer="yes"), handoff="no")
    assert said(step(offered(), down)) == ["handoff_down"]
    agreed = step(offered(), up(answer="yes")).state
    result = step(agreed, replace(down, contact=True))
    assert said(result) == ["handoff_down"]
    assert result.state.handoff == "noted"


def test_a_wish_for_a_person_leads_to_the_offer_unless_danger_is_being_asked_about() -> None:
    result = step(COMPANY, up(concern="wants_person"))
    assert said(result) == ["re_wants_person_1", "handoff_offer"]
    asked = step(CrisisState(), up(level="high", kind="self_harm")).state
    result = step(asked, up(concern="wants_person"))
    assert said(result)[-1].startswith("ask_again")


def test_it_can_be_taken_back_and_the_contact_is_forgotten() -> None:
    sent = replace(COMPANY, handoff="yes", share="messages", contact=True)
    result = step(sent, up(signs=frozenset({"handoff_back"})))
    assert said(result) == ["handoff_withdrawn"]
    assert (result.state.handoff, result.state.contact) == ("withdrawn", False)


@pytest.mark.parametrize("level", ["moderate", "high", "imminent"])
def test_it_can_be_taken_back_in_the_same_breath_as_danger(level: str) -> None:
    sent = replace(COMPANY, handoff="yes", share="messages", contact=True)
    turn = up(signs=frozenset({"handoff_back"}), level=level, kind="self_harm")
    result = step(sent, turn)
    assert "handoff_withdrawn" in said(result)
    assert (result.state.handoff, result.state.contact) == ("withdrawn", False)
    assert level == "moderate" or said(result) != ["handoff_withdrawn"]


def test_nobody_is_told_that_it_was_read() -> None:
    result = step(COMPANY, up(signs=frozenset({"handoff_news"})))
    assert said(result) == ["handoff_unanswered"]


def test_a_consent_holds_for_its_session() -> None:
    sent = replace(COMPANY, handoff="yes", share="messages", contact=True)
    after = step(sent, up(new_session=True)).state
    assert (after.handoff, after.share, after.contact) == ("noted", "", False)


def test_spanish_is_told_in_spanish_and_not_offered_what_is_not_explained() -> None:
    state = replace(COMPANY, handoff="", language="es")
    result = step(state, up())
    assert "es_handoff_noted" in said(result)
    assert not any("offer" in name for name in said(step(result.state, up())))


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("07700 900123", True),
        ("mail me at jo@example.org", True),
        ("no", False),
        ("room 12", False),
    ],
)
def test_contacts_are_told_from_other_words(text: str, is_one: bool) -> None:
    assert names_contact(text) is is_one


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        ("please don't send it", "handoff_back"),
        ("i want my messages back", "handoff_back"),
        ("i changed my mind, leave them out of it", "handoff_back"),
        ("has anyone read it yet?", "handoff_news"),
        ("is somebody coming", "handoff_news"),
        ("when will they call", "handoff_news"),
        ("they have no idea, nobody would come", ""),
        ("why do they see me like that", ""),
        ("i changed my mind about the pills", ""),
        ("i never tell them anything", ""),
        ("will it ever stop", ""),
    ],
)
def test_news_and_withdrawal_are_told_from_a_life(text: str, sign: str) -> None:
    found = signs_of(text) & {"handoff_back", "handoff_news"}
    assert found == ({sign} if sign else set())


# Inside Rasa.


@pytest.fixture(scope="module")
def domain(repository: Path) -> Domain:
    return Domain.load(str(repository / "rasa_project" / "domain"))


@pytest.fixture
def beat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STILLPOINT_VAR", str(tmp_path))
    monkeypatch.setenv("HANDOFF_WEBHOOK_URL", "https://example.org/hook")
    path = tmp_path / "run" / "handoff.heartbeat"
    path.parent.mkdir()
    path.write_text(json.dumps({"state": "ok"}))
    return path


def talk(policy: SafetyPolicy, made: DialogueStateTracker, domain: Domain, text: str) -> list[str]:
    level = "high" if "die" in text else "none"
    risk = {"level": level, "kind": "self_harm" if level != "none" else "none", "about": "self"}
    intent = {"name": text[1:] if text.startswith("/") else "share_feelings", "confidence": 1.0}
    parsed = {"risk": {**risk, "score": 0.0}, "intent": intent}
    made.update(UserUttered(text, intent, parse_data=parsed), domain)
    actions: list[str] = []
    while len(actions) < 10:
        prediction = policy.predict_action_probabilities(made, domain)
        for event in [*prediction.events, *prediction.optional_events]:
            made.update(event, domain)
        if not prediction.is_no_user_prediction:
            return actions
        name = domain.action_names_or_texts[prediction.probabilities.index(1.0)]
        made.update(ActionExecuted(name), domain)
        if name == ACTION_LISTEN_NAME:
            return actions
        actions.append(name.removeprefix("utter_crisis_"))
        made.update(BotUttered(name), domain)
    raise AssertionError("it never listened")


def test_slots_hold_consent_share_and_contact_in_order(
    tmp_path: Path, domain: Domain, beat: Path
) -> None:
    storage = LocalModelStorage.create(tmp_path / "model")
    policy = SafetyPolicy(
        SafetyPolicy.get_default_config(),
        storage,
        Resource("safety"),
        ExecutionContext(GraphSchema({})),
    )
    made = DialogueStateTracker("t", domain.slots)
    made.update(ActionExecuted("action_session_start"), domain)
    made.update(SessionStarted(), domain)
    made.update(ActionExecuted(ACTION_LISTEN_NAME), domain)
    actions: list[str] = []
    for text in (
        "i want to die",
        "yes",
        "yes",
        "no",
        "no",
        "they're all asleep",
        "too tired to talk",
    ):
        actions = talk(policy, made, domain, text)
        if "handoff_offer" in actions:
            break
    for _ in range(6):
        if "handoff_offer" in actions:
            break
        actions = talk(policy, made, domain, "it's the evenings")
    assert "handoff_offer" in actions
    assert made.get_slot("handoff_consent") is None
    assert talk(policy, made, domain, "/share_messages") == ["handoff_contact"]
    assert made.get_slot("handoff_consent") is None
    assert talk(policy, made, domain, "07700 900123") == ["handoff_sent"]
    assert made.get_slot("handoff_contact") == "07700 900123"
    assert made.get_slot("handoff_share") == "messages"
    assert made.get_slot("handoff_consent") == "yes"
    slots = [e.key for e in made.events if hasattr(e, "key")]
    assert slots.index("crisis_state") < slots.index("risk_level")
    assert slots.index("handoff_contact") < slots.index("handoff_consent")
    assert talk(policy, made, domain, "please don't send it") == ["handoff_withdrawn"]
    assert made.get_slot("handoff_consent") == "no"
    assert made.get_slot("handoff_contact") is None


@pytest.mark.parametrize(
    "name",
    ["utter_privacy", "utter_crisis_re_police_1", "utter_crisis_re_secret_1",
     "utter_crisis_re_secret_2", "utter_crisis_re_watched_1"],
)  # fmt: skip
async def test_sentences_that_a_hand_off_makes_untrue_are_said_otherwise(
    name: str, domain: Domain
) -> None:
    generator = ScriptedNaturalLanguageGenerator(domain=domain)

    async def text(set_up: str | None) -> str:
        made = DialogueStateTracker("t", domain.slots)
        made._set_slot("handoff_set_up", set_up)
        said = await generator.generate(name, made, "web")
        assert said is not None
        return str(said["text"])

    for _ in range(5):  # variations are chosen at random
        assert "note" not in await text(None)
        assert "note" in await text("yes")
