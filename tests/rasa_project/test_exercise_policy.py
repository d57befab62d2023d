"""Leaving an exercise or a form, and coming back: what counts as an answer, and what returns."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from rasa.core.policies.policy import Policy
from rasa.engine.graph import ExecutionContext, GraphSchema
from rasa.engine.storage.local_model_storage import LocalModelStorage
from rasa.engine.storage.resource import Resource
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import (
    ActionExecuted,
    ActiveLoop,
    Event,
    SessionStarted,
    SlotSet,
    UserUttered,
)
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.shared.exceptions import InvalidConfigException

from policies.exercise_policy import ExercisePolicy
from policies.return_policy import ReturnPolicy

Said = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def domain(repository: Path) -> Domain:
    return Domain.load(str(repository / "rasa_project" / "domain"))


@pytest.fixture
def make(repository: Path, tmp_path: Path) -> Callable[..., Any]:
    """A policy with the settings of config.yml, changed by keyword."""
    content = yaml.safe_load((repository / "rasa_project" / "config.yml").read_text("utf-8"))
    blocks = {p["name"].rsplit(".", 1)[-1]: p for p in content["policies"]}

    def made(kind: Any, **config: Any) -> Any:
        return kind(
            {**kind.get_default_config(), **blocks[kind.__name__], **config},
            LocalModelStorage.create(tmp_path),
            Resource("policy"),
            ExecutionContext(GraphSchema({})),
        )

    return made


def answer(policy: Policy, domain: Domain, talk: list[Any]) -> str:
    """The next action after a talk of intents, (intent, confidence) pairs, actions and events."""
    found = DialogueStateTracker("t", domain.slots)
    found.update(SessionStarted(), domain)
    for step in talk:
        for event in events_of(step):
            found.update(event, domain)
    prediction = policy.predict_action_probabilities(found, domain)
    if prediction.max_confidence == 0:
        return ""
    return str(domain.action_names_or_texts[prediction.max_confidence_index])


def events_of(step: Any) -> list[Event]:
    if isinstance(step, Event):
        return [step]
    if isinstance(step, str) and step.startswith(("utter_", "action_", "referral_form")):
        return [ActionExecuted(step)]
    intent, confidence = step if isinstance(step, tuple) else (step, 1.0)
    said = {"name": intent, "confidence": confidence}
    return [ActionExecuted("action_listen"), UserUttered("words", said)]


STEP = ["exercise_grounding", "utter_grounding_1"]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (("share_grief", 0.8), ""),
        (("share_grief", 0.79), "utter_grounding_2"),
        (("share_money", 0.99), ""),
        (("share_anxiety", 0.99), "utter_grounding_2"),
        (("ask_advice", 0.9), ""),
        (("ask_advice", 0.5), "utter_grounding_2"),
        (("ask_privacy", 0.4), ""),
        (("bot_challenge", 0.4), ""),
        (("pause", 0.6), ""),
        (("just_listen", 0.6), ""),
        (("resume", 0.9), "utter_grounding_2"),
        (("nlu_fallback", 0.35), "utter_grounding_2"),
        (("affirm", 0.9), "utter_grounding_2"),
        (("stop", 0.9), "utter_exercise_stopped"),
    ],
)
def test_what_leaves_an_exercise(
    make: Callable[..., Any], domain: Domain, said: tuple[str, float], expected: str
) -> None:
    assert answer(make(ExercisePolicy), domain, [*STEP, said]) == expected


LEFT = ["share_grief", "action_llm_fallback"]


@pytest.mark.parametrize(
    ("talk", "expected"),
    [
        pytest.param([*LEFT, "resume"], "utter_grounding_1", id="back"),
        pytest.param([*LEFT * 3, "resume"], "utter_grounding_1", id="four messages later"),
        pytest.param([*LEFT * 4, "resume"], "", id="too long ago"),
        pytest.param([*LEFT, "affirm"], "", id="not asked for"),
        pytest.param(
            [*LEFT, "exercise_breathing"], "utter_breathing_1", id="another exercise begins"
        ),
        pytest.param([*LEFT, "exercise_grounding"], "utter_grounding_1", id="begun anew"),
        pytest.param(["stop", "utter_exercise_stopped", "resume"], "", id="stopped"),
        pytest.param(["affirm", "utter_grounding_4", "resume"], "", id="finished"),
        pytest.param(["crisis", "utter_crisis_ask_openly", "resume"], "", id="a crisis"),
        pytest.param(
            ["ask_referral", "referral_form", ActiveLoop("referral_form"), "stop", ActiveLoop(None),
             "utter_referral_stopped", "resume"], "", id="a form since",
        ),
        pytest.param([*LEFT, SessionStarted(), "resume"], "", id="a new session"),
    ],
)  # fmt: skip
def test_coming_back_to_an_exercise(
    make: Callable[..., Any], domain: Domain, talk: list[Any], expected: str
) -> None:
    assert answer(make(ExercisePolicy), domain, [*STEP, *talk]) == expected


def test_it_listens_after_the_step_that_is_said_again(
    make: Callable[..., Any], domain: Domain
) -> None:
    talk = [*STEP, *LEFT, "resume", "utter_grounding_1"]
    assert answer(make(ExercisePolicy), domain, talk) == "action_listen"
    on = answer(make(ExercisePolicy), domain, [*talk, "affirm"])
    assert on == "utter_grounding_2"


def test_every_topic_but_anxiety_leaves_an_exercise(
    make: Callable[..., Any], domain: Domain
) -> None:
    others = {"share_messages", "share_contact", "share_anxiety"}
    topics = {intent for intent in domain.intents if intent.startswith("share_")} - others
    assert topics <= set(make(ExercisePolicy).config["leave_when_sure"])


FORM = ["ask_referral", "utter_referral_start", "referral_form", ActiveLoop("referral_form")]
AWAY = ["share_grief", "action_deactivate_loop", ActiveLoop(None), "action_llm_fallback"]


@pytest.mark.parametrize(
    ("talk", "expected"),
    [
        pytest.param([*AWAY, "resume"], "utter_referral_again", id="back"),
        pytest.param([*AWAY, "resume", "utter_referral_again"], "referral_form", id="the form"),
        pytest.param(
            [*AWAY, "resume", "utter_referral_again", "referral_form", ActiveLoop("referral_form")],
            "", id="then the rules go on",
        ),
        pytest.param([*AWAY, *LEFT * 3, "resume"], "utter_referral_again", id="four later"),
        pytest.param([*AWAY, *LEFT * 4, "resume"], "", id="too long ago"),
        pytest.param([*AWAY, "affirm"], "", id="not asked for"),
        pytest.param(["resume"], "", id="still in it"),
        pytest.param(
            ["stop", "action_deactivate_loop", ActiveLoop(None), "utter_referral_stopped",
             "resume"], "", id="stopped",
        ),
        pytest.param(
            ["prefer_free", "referral_form", SlotSet("referral_cost", "free"), ActiveLoop(None),
             "action_find_support", "resume"], "", id="finished",
        ),
        pytest.param(
            ["crisis", ActiveLoop(None), "utter_crisis_ask_openly", "resume"], "", id="a crisis"
        ),
        pytest.param([*AWAY, SessionStarted(), "resume"], "", id="a new session"),
    ],
)  # fmt: skip
def test_coming_back_to_a_form(
    make: Callable[..., Any], domain: Domain, talk: list[Any], expected: str
) -> None:
    assert answer(make(ReturnPolicy), domain, [*FORM, *talk]) == expected


@pytest.mark.parametrize(
    ("kind", "config", "message"),
    [
        (ExercisePolicy, {"sure": 0}, "ExercisePolicy: sure"),
        (ExercisePolicy, {"sure": "high"}, "ExercisePolicy: sure"),
        (ExercisePolicy, {"return_turns": -1}, "ExercisePolicy: return_turns"),
        (ExercisePolicy, {"return_turns": True}, "ExercisePolicy: return_turns"),
        (ReturnPolicy, {"returns": ["referral_form"]}, "ReturnPolicy: returns must map"),
        (ReturnPolicy, {"returns": {"referral_form": []}}, "ReturnPolicy: returns must map"),
        (ReturnPolicy, {"return_turns": 1.5}, "ReturnPolicy: return_turns"),
        (ReturnPolicy, {"returns": {"tea_form": ["x"]}}, "ReturnPolicy: returns.tea_form is not"),
        (ReturnPolicy, {"returns": {"referral_form": ["x"]}}, "returns.referral_form names 'x'"),
        (ReturnPolicy, {"stopped": ["utter_tea"]}, "ReturnPolicy: stopped names 'utter_tea'"),
    ],
)
def test_a_bad_setting_is_named(
    make: Callable[..., Any], domain: Domain, kind: Any, config: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidConfigException, match=message):
        make(kind, **config).train([], domain)


@pytest.mark.integration
async def test_the_referral_is_left_and_returned_to(live: Any, heard_as: Said) -> None:
    start = await live.say("r", heard_as("a therapist", "ask_referral"))
    assert start == ["utter_referral_start", "referral_form"]
    told = await live.say("r", heard_as("my mum died in march", "share_grief"))
    assert told == ["action_deactivate_loop", "action_llm_fallback"]
    assert await live.say("r", heard_as("i miss her", "share_grief")) == ["action_llm_fallback"]
    back = await live.say("r", heard_as("i'm back", "resume"))
    assert back == ["utter_referral_again", "referral_form"]
    done = await live.say("r", heard_as("free", "prefer_free"))
    assert done == ["referral_form", "action_find_support"]
    slots = [e for e in await live.events("r") if isinstance(e, SlotSet)]
    assert [e.value for e in slots if e.key == "referral_cost" and e.value] == ["free"]


@pytest.mark.integration
@pytest.mark.parametrize(
    ("intent", "response"),
    [
        ("ask_privacy", "utter_privacy"),
        ("bot_challenge", "utter_bot_challenge"),
        ("ask_helpline", "utter_helpline"),
        ("ask_why", "utter_ask_why"),
        ("ask_medication", "utter_misuse_diagnosis_or_dosage"),
    ],
)
async def test_a_side_question_leads_back_to_the_referral(
    live: Any, heard_as: Said, intent: str, response: str
) -> None:
    await live.say(intent, heard_as("a therapist", "ask_referral"))
    answered = await live.say(intent, heard_as("x", intent))
    assert answered == [response, "referral_form"]
    texts = [e for e in await live.events(intent) if e.type_name == "bot"]
    assert "free" in (texts[-1].text or "")
    done = await live.say(intent, heard_as("about twenty", "nlu_fallback"))
    assert done == ["referral_form", "action_find_support"]


@pytest.mark.integration
async def test_the_referral_waits_and_is_left_for_an_exercise(live: Any, heard_as: Said) -> None:
    await live.say("w", heard_as("a therapist", "ask_referral"))
    assert await live.say("w", heard_as("hold on", "pause")) == ["utter_pause"]
    back = await live.say("w", heard_as("i'm back", "resume"))
    assert back == ["utter_referral_again", "referral_form"]
    other = await live.say("w", heard_as("breathe", "exercise_breathing"))
    assert other == ["action_deactivate_loop", "utter_breathing_1"]
    assert await live.say("w", heard_as("done", "affirm")) == ["utter_breathing_2"]


@pytest.mark.integration
async def test_an_exercise_is_left_and_returned_to(live: Any, heard_as: Said) -> None:
    assert await live.say("e", heard_as("g", "exercise_grounding")) == ["utter_grounding_1"]
    assert await live.say("e", heard_as("a lamp", "share_work", 0.5)) == ["utter_grounding_2"]
    assert await live.say("e", heard_as("she died", "share_grief")) == ["action_llm_fallback"]
    assert await live.say("e", heard_as("who reads this", "ask_privacy")) == ["utter_privacy"]
    assert await live.say("e", heard_as("i'm back", "resume")) == ["utter_grounding_2"]
    assert await live.say("e", heard_as("cold", "nlu_fallback", 0.3)) == ["utter_grounding_3"]
