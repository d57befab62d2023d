"""Asks once, then listens: when the question is asked, what the answer leads to, and when never."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from rasa.core.policies.ensemble import DefaultPolicyPredictionEnsemble
from rasa.core.policies.policy import Policy
from rasa.engine.graph import ExecutionContext, GraphSchema
from rasa.engine.storage.local_model_storage import LocalModelStorage
from rasa.engine.storage.resource import Resource
from rasa.shared.core.constants import ACTION_LISTEN_NAME
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import (
    ActionExecuted,
    ActiveLoop,
    BotUttered,
    SessionStarted,
    UserUttered,
)
from rasa.shared.core.generator import TrackerWithCachedStates, TrainingDataGenerator
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.shared.core.training_data.loading import load_data_from_files
from rasa.shared.core.training_data.structures import StoryGraph
from rasa.shared.exceptions import InvalidConfigException

from policies.clarify_policy import QUESTION, ClarifyPolicy, asked_before, questions
from policies.exercise_policy import ExercisePolicy
from policies.safety_policy import SafetyPolicy

Said = Callable[..., dict[str, Any]]

NEVER_ASKED = {
    "greet", "goodbye", "thank", "how_are_you", "repeat_request", "pause", "resume", "stop",
    "silence_noise", "out_of_scope", "ask_diagnosis", "ask_medication", "crisis",
}  # fmt: skip
"""Intents with a scripted end and no question, see docs/intents.md, "When it is not sure"."""

HELPLINE = {"ask_helpline": 0.5, "ask_human": 0.2, "share_loneliness": 0.1}


@pytest.fixture(scope="module")
def domain(repository: Path) -> Domain:
    return Domain.load(str(repository / "rasa_project" / "domain"))


@pytest.fixture(scope="module")
def configured(repository: Path) -> dict[str, dict[str, Any]]:
    """Policy -> its block in config.yml."""
    content = yaml.safe_load((repository / "rasa_project" / "config.yml").read_text("utf-8"))
    return {p["name"].rsplit(".", 1)[-1]: p for p in content["policies"]}


@pytest.fixture(scope="module")
def rules(repository: Path, domain: Domain) -> list[TrackerWithCachedStates]:
    files = [str(path) for path in sorted((repository / "data" / "rules").glob("*.yml"))]
    graph = StoryGraph(load_data_from_files(files, domain))
    return TrainingDataGenerator(graph, domain, augmentation_factor=0).generate()


def made(kind: Any, folder: Path, **config: Any) -> Any:
    return kind(
        {**kind.get_default_config(), **config},
        LocalModelStorage.create(folder),
        Resource("policy"),
        ExecutionContext(GraphSchema({})),
    )


@pytest.fixture(scope="module")
def policy(
    tmp_path_factory: pytest.TempPathFactory,
    configured: dict[str, dict[str, Any]],
    rules: list[TrackerWithCachedStates],
    domain: Domain,
) -> ClarifyPolicy:
    found = made(ClarifyPolicy, tmp_path_factory.mktemp("clarify"), **configured["ClarifyPolicy"])
    found.train(rules, domain)
    return found


def tracker(domain: Domain) -> DialogueStateTracker:
    found = DialogueStateTracker("t", domain.slots)
    for event in (
        ActionExecuted("action_session_start"),
        SessionStarted(),
        ActionExecuted(ACTION_LISTEN_NAME),
    ):
        found.update(event, domain)
    return found


def heard(found: DialogueStateTracker, domain: Domain, parsed: dict[str, Any]) -> None:
    found.update(UserUttered(parsed["text"], parsed["intent"], parse_data=parsed), domain)


def turn(
    policies: list[Policy], found: DialogueStateTracker, domain: Domain, parsed: dict[str, Any]
) -> list[str]:
    """One message: what these policies run together until they listen or none of them acts."""
    heard(found, domain, parsed)
    ensemble = DefaultPolicyPredictionEnsemble()
    actions: list[str] = []
    while len(actions) < 10:
        each = [policy.predict_action_probabilities(found, domain) for policy in policies]
        prediction = ensemble.combine_predictions(each, found, domain)
        for event in prediction.events:
            found.update(event, domain)
        acts = prediction.max_confidence > 0
        name = domain.action_names_or_texts[prediction.max_confidence_index] if acts else None
        found.update(ActionExecuted(name or ACTION_LISTEN_NAME), domain)
        if name is None or name == ACTION_LISTEN_NAME:
            # Who has spoken says that it listens; after a form the rules do.
            assert name or not actions or actions[-1] == "referral_form"
            return actions
        actions.append(name)
        found.update(BotUttered(name), domain)
    raise AssertionError("it never listened")


def unclear(said: Said, ranking: dict[str, float] | None = None, **more: Any) -> dict[str, Any]:
    text = more.pop("text", "numbers maybe")
    return said(text, "nlu_fallback", 0.35, HELPLINE if ranking is None else ranking, **more)


def test_it_asks_once_about_the_guess(
    policy: ClarifyPolicy, domain: Domain, heard_as: Said
) -> None:
    found = tracker(domain)
    with_fallback = {"nlu_fallback": 0.6, **HELPLINE}
    asked = turn([policy], found, domain, unclear(heard_as, with_fallback))
    assert asked == ["utter_clarify_ask_helpline"]


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"text": "word " * 13}, id="long"),
        pytest.param({"ranking": {"ask_helpline": 0.19}}, id="below the floor"),
        pytest.param({"ranking": {"ask_helpline": 0.4, "share_work": 0.31}}, id="may be telling"),
        pytest.param(
            {"ranking": {"ask_helpline": 0.4, "share_work": 0.16, "ask_advice": 0.16}},
            id="may be telling, together",
        ),
        pytest.param({"ranking": {"ask_helpline": 0.4, "crisis": 0.31}}, id="may be danger"),
        pytest.param({"ranking": {"share_work": 0.3, "ask_helpline": 0.29}}, id="sharing first"),
        pytest.param({"ranking": {"goodbye": 0.55, "ask_helpline": 0.2}}, id="no request"),
        pytest.param({"ranking": {"nlu_fallback": 0.9}}, id="no guess"),
        pytest.param({"ranking": {}}, id="no ranking"),
        pytest.param({"level": "low"}, id="low risk"),
        pytest.param({"misuse": {"category": "ask", "score": 0.9}}, id="misuse"),
        pytest.param({"language": {"code": "es", "sure": True}}, id="another language"),
    ],
)
def test_it_listens_instead(
    policy: ClarifyPolicy, domain: Domain, heard_as: Said, more: dict[str, Any]
) -> None:
    assert turn([policy], tracker(domain), domain, unclear(heard_as, **more)) == []


@pytest.mark.parametrize(
    "more", [{"text": "word " * 12}, {"language": {"code": "es", "sure": False}}, {"risk": None}]
)
def test_it_asks_up_to_the_limits(
    policy: ClarifyPolicy, domain: Domain, heard_as: Said, more: dict[str, Any]
) -> None:
    limits = {"ask_helpline": 0.2, "share_work": 0.15, "deny": 0.15}
    asked = turn([policy], tracker(domain), domain, unclear(heard_as, limits, **more))
    assert asked == ["utter_clarify_ask_helpline"]


def test_a_clear_message_is_not_asked_about(
    policy: ClarifyPolicy, domain: Domain, heard_as: Said
) -> None:
    clear = heard_as("a helpline", "ask_helpline", 0.9, {"ask_helpline": 0.9})
    assert turn([policy], tracker(domain), domain, clear) == []


def test_a_form_and_an_exercise_are_not_broken_into(
    policy: ClarifyPolicy,
    configured: dict[str, dict[str, Any]],
    domain: Domain,
    heard_as: Said,
    tmp_path: Path,
) -> None:
    found = tracker(domain)
    found.update(ActiveLoop("referral_form"), domain)
    assert turn([policy], found, domain, unclear(heard_as)) == []
    exercises = made(ExercisePolicy, tmp_path, **configured["ExercisePolicy"])
    found = tracker(domain)
    both = [exercises, policy]
    assert turn(both, found, domain, heard_as("g", "exercise_grounding")) == ["utter_grounding_1"]
    assert turn(both, found, domain, unclear(heard_as)) == ["utter_grounding_2"]


def test_a_yes_leads_to_the_end_and_then_it_is_over(
    policy: ClarifyPolicy, domain: Domain, heard_as: Said
) -> None:
    found = tracker(domain)
    yes = heard_as("yes please", "affirm", 0.9)
    turn([policy], found, domain, unclear(heard_as))
    assert turn([policy], found, domain, yes) == ["utter_helpline"]
    assert turn([policy], found, domain, yes) == []


@pytest.mark.parametrize("intent", ["deny", "unsure", "nlu_fallback", "just_listen", "share_work"])
def test_any_other_answer_is_left_to_what_it_is(
    policy: ClarifyPolicy, domain: Domain, heard_as: Said, intent: str
) -> None:
    found = tracker(domain)
    turn([policy], found, domain, unclear(heard_as))
    assert turn([policy], found, domain, heard_as("hm", intent, 0.5, HELPLINE)) == []
    assert turn([policy], found, domain, heard_as("yes", "affirm")) == []


def test_the_next_question_waits(
    policy: ClarifyPolicy,
    configured: dict[str, dict[str, Any]],
    domain: Domain,
    heard_as: Said,
) -> None:
    found = tracker(domain)
    rest = configured["ClarifyPolicy"]["rest_turns"]
    said = [turn([policy], found, domain, unclear(heard_as)) for _ in range(rest + 2)]
    assert said == [["utter_clarify_ask_helpline"], *[[]] * rest, ["utter_clarify_ask_helpline"]]


def test_what_was_asked_survives_a_restart(
    policy: ClarifyPolicy,
    configured: dict[str, dict[str, Any]],
    rules: list[TrackerWithCachedStates],
    domain: Domain,
    heard_as: Said,
    tmp_path: Path,
) -> None:
    found = tracker(domain)
    turn([policy], found, domain, unclear(heard_as))
    stored = [event.as_dict() for event in found.events]
    again = DialogueStateTracker.from_dict("t", stored, domain.slots)
    storage, resource = LocalModelStorage.create(tmp_path), Resource("clarify")
    config = {**ClarifyPolicy.get_default_config(), **configured["ClarifyPolicy"]}
    context = ExecutionContext(GraphSchema({}))
    ClarifyPolicy(config, storage, resource, context).train(rules, domain)
    loaded = ClarifyPolicy.load(config, storage, resource, context)
    assert turn([loaded], again, domain, heard_as("yes", "affirm")) == ["utter_helpline"]


def test_a_new_session_has_no_question_waiting(
    policy: ClarifyPolicy, domain: Domain, heard_as: Said
) -> None:
    found = tracker(domain)
    turn([policy], found, domain, unclear(heard_as))
    found.update(ActionExecuted("action_session_start"), domain)
    found.update(SessionStarted(), domain)
    found.update(ActionExecuted(ACTION_LISTEN_NAME), domain)
    assert turn([policy], found, domain, heard_as("yes", "affirm")) == []
    assert turn([policy], found, domain, unclear(heard_as)) == ["utter_clarify_ask_helpline"]


def test_a_crisis_comes_first_and_keeps_it_quiet(
    policy: ClarifyPolicy, domain: Domain, heard_as: Said, tmp_path: Path
) -> None:
    both = [made(SafetyPolicy, tmp_path), policy]
    found = tracker(domain)
    turn(both, found, domain, unclear(heard_as))
    danger = heard_as("i want to die", "crisis", level="high")
    answer = turn(both, found, domain, danger)
    assert answer
    assert all(name.startswith("utter_crisis_") for name in answer)
    for _ in range(12):
        said = turn(both, found, domain, unclear(heard_as))
        stage = found.get_slot("crisis_stage")
        assert stage in ("none", "watch") or not any(n.startswith(QUESTION) for n in said)


def test_an_unclear_yes_in_danger_is_for_the_safety_policy(
    policy: ClarifyPolicy, domain: Domain, heard_as: Said, tmp_path: Path
) -> None:
    both = [made(SafetyPolicy, tmp_path), policy]
    found = tracker(domain)
    assert turn(both, found, domain, unclear(heard_as)) == ["utter_clarify_ask_helpline"]
    answer = turn(both, found, domain, heard_as("yes or i'll end it", "crisis", level="imminent"))
    assert answer
    assert "utter_helpline" not in answer


@pytest.mark.parametrize("seed", range(30))
def test_never_two_in_a_row_never_in_a_crisis_never_at_risk(
    policy: ClarifyPolicy,
    configured: dict[str, dict[str, Any]],
    domain: Domain,
    heard_as: Said,
    tmp_path: Path,
    seed: int,
) -> None:
    draw = random.Random(seed)
    rest = configured["ClarifyPolicy"]["rest_turns"]
    policies = [
        made(SafetyPolicy, tmp_path / "s"),
        made(ExercisePolicy, tmp_path / "e", **configured["ExercisePolicy"]),
        policy,
    ]
    names = sorted(set(domain.intents) - {"crisis"})
    found = tracker(domain)
    since = rest + 1
    for _ in range(40):
        level = draw.choices(
            ["none", "low", "moderate", "high", "imminent"], [40, 3, 0.3, 0.3, 0.3]
        )[0]
        at_risk = level not in ("none", "low")
        guess = draw.choice([*sorted(questions(domain)), *names])
        ranking = {guess: draw.random(), draw.choice(names): draw.random() / 2}
        intent = "crisis" if at_risk else draw.choice(["nlu_fallback"] * 6 + ["affirm", guess])
        text = "word " * draw.choice([1, 3, 12, 13])
        said = turn(
            policies, found, domain, heard_as(text, intent, draw.random(), ranking, level=level)
        )
        is_asked = [name for name in said if name.startswith(QUESTION)]
        if is_asked:
            assert said == is_asked[:1]
            assert since > rest
            assert level == "none"
            assert (found.get_slot("crisis_stage") or "none") in ("none", "watch")
            since = 0
        since += 1


@pytest.mark.parametrize(
    ("config", "key"),
    [
        ({"floor": 0}, "floor"),
        ({"floor": 1.0}, "floor"),
        ({"floor": "0.2"}, "floor"),
        ({"floor": True}, "floor"),
        ({"most_listening": -0.1}, "most_listening"),
        ({"most_listening": None}, "most_listening"),
        ({"most_words": 0}, "most_words"),
        ({"most_words": 2.5}, "most_words"),
        ({"rest_turns": 0}, "rest_turns"),
        ({"rest_turns": True}, "rest_turns"),
        ({"ends": ["utter_helpline"]}, "ends"),
        ({"ends": {"ask_helpline": "utter_helpline"}}, "ends.ask_helpline"),
        ({"ends": {"ask_helpline": []}}, "ends.ask_helpline"),
    ],
)
def test_a_bad_setting_is_named(tmp_path: Path, config: dict[str, Any], key: str) -> None:
    with pytest.raises(InvalidConfigException, match=rf"ClarifyPolicy: {re.escape(key)} "):
        made(ClarifyPolicy, tmp_path, **config)


@pytest.mark.parametrize(
    ("ends", "message"),
    [
        ({}, "ends.exercise_breathing is missing"),
        (
            {"exercise_breathing": ["utter_nothing"]},
            "ends.exercise_breathing names 'utter_nothing'",
        ),
        ({"goodbye": ["utter_goodbye"]}, "ends.goodbye has no question"),
    ],
)
def test_an_end_that_does_not_fit_is_named(
    rules: list[TrackerWithCachedStates],
    domain: Domain,
    tmp_path: Path,
    configured: dict[str, dict[str, Any]],
    ends: dict[str, list[str]],
    message: str,
) -> None:
    full = {**configured["ClarifyPolicy"]["ends"], **ends} if ends else {}
    with pytest.raises(InvalidConfigException, match=re.escape(message)):
        made(ClarifyPolicy, tmp_path, ends=full).train(rules, domain)


def test_a_question_without_an_intent_is_named(
    rules: list[TrackerWithCachedStates],
    tmp_path: Path,
    domain: Domain,
    configured: dict[str, dict[str, Any]],
) -> None:
    odd = domain.merge(Domain.from_dict({"responses": {"utter_clarify_tea": [{"text": "Tea?"}]}}))
    with pytest.raises(InvalidConfigException, match="utter_clarify_tea names no intent"):
        made(ClarifyPolicy, tmp_path, **configured["ClarifyPolicy"]).train(rules, odd)


def test_a_domain_without_questions_never_asks(
    rules: list[TrackerWithCachedStates], tmp_path: Path, heard_as: Said
) -> None:
    bare = Domain.from_dict({"intents": ["ask_helpline", "nlu_fallback"]})
    quiet = made(ClarifyPolicy, tmp_path)
    quiet.train([], bare)
    assert turn([quiet], DialogueStateTracker("t", []), bare, unclear(heard_as)) == []


def test_the_ends_are_those_of_the_rules_and_of_the_exercises(
    policy: ClarifyPolicy, configured: dict[str, dict[str, Any]]
) -> None:
    assert policy._ends["ask_referral"] == ["utter_referral_start", "referral_form"]
    assert policy._ends["share_grief"] == ["action_llm_fallback"]
    assert policy._ends["pause"] == ["utter_pause"]
    exercises = configured["ExercisePolicy"]
    started = {i: exercises["exercises"][n][:1] for i, n in exercises["start_intents"].items()}
    assert configured["ClarifyPolicy"]["ends"] == started


def test_every_request_has_a_question_or_a_reason(repository: Path, domain: Domain) -> None:
    page = (repository / "docs" / "intents.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \|[^|]+\| `?([^|`]+?)`? \|", page, re.MULTILINE)
    scripted = {intent for intent, end in rows if end != "action_llm_fallback"}
    assert questions(domain) == scripted - NEVER_ASKED
    section = page.split("## When it is not sure")[1].split("\n## ")[0]
    assert {name for name in re.findall(r"`(\w+)`", section) if name in dict(rows)} >= (
        NEVER_ASKED - {"crisis"}
    )


def test_the_questions_are_short_and_blame_nobody(domain: Domain) -> None:
    for intent in questions(domain):
        (response,) = domain.responses[QUESTION + intent]
        text = response["text"]
        assert len(text.split()) <= 12
        assert text.count("?") == 1
        assert text.endswith("?")
        assert not re.search(r"understand|sorry|unclear|rephrase|!", text)
        assert [button["payload"] for button in response["buttons"]] == [
            f"/{intent}",
            "/just_listen",
        ]
        assert response["metadata"] == {"flow": "chat"}


def test_what_was_asked_is_the_last_thing_before_the_message(domain: Domain) -> None:
    found = tracker(domain)
    assert asked_before(found) is None
    found.update(UserUttered("x", {"name": "nlu_fallback"}), domain)
    found.update(ActionExecuted("utter_clarify_ask_human"), domain)
    assert asked_before(found) is None
    found.update(UserUttered("yes", {"name": "affirm"}), domain)
    assert asked_before(found) == "ask_human"
    found.update(UserUttered("yes", {"name": "affirm"}), domain)
    assert asked_before(found) is None


NEXT = {"ask_referral": "prefer_free"}


@pytest.mark.integration
async def test_a_yes_ends_where_the_intent_would_have_ended(
    live: Any, domain: Domain, heard_as: Said
) -> None:
    for intent in sorted(questions(domain)):
        direct, asked = f"direct-{intent}", f"asked-{intent}"
        expected = await live.say(direct, heard_as("x", intent))
        question = await live.say(asked, unclear(heard_as, {intent: 0.5}))
        assert question == [QUESTION + intent]
        assert await live.say(asked, heard_as("yes", "affirm", 0.9)) == expected
        following = heard_as("and then", NEXT.get(intent, "affirm"))
        after = await live.say(direct, following)
        assert await live.say(asked, following) == after
        assert after
        if intent == "ask_referral":
            assert expected == ["utter_referral_start", "referral_form"]
            assert after == ["referral_form", "action_find_support"]
        if intent == "exercise_grounding":
            assert after == ["utter_grounding_2"]


@pytest.mark.integration
async def test_a_button_ends_where_its_intent_ends(live: Any, heard_as: Said) -> None:
    await live.say("button", unclear(heard_as))
    payload = await live.agent.parse_message("/ask_helpline")
    assert await live.say("button", payload) == ["utter_helpline"]
    await live.say("listen", unclear(heard_as))
    payload = await live.agent.parse_message("/just_listen")
    assert await live.say("listen", payload) == ["action_llm_fallback"]


@pytest.mark.integration
@pytest.mark.parametrize("intent", ["deny", "unsure", "nlu_fallback", "share_work", "correction"])
async def test_anything_but_a_yes_is_listened_to_at_once(
    live: Any, heard_as: Said, intent: str
) -> None:
    assert await live.say(intent, unclear(heard_as)) == ["utter_clarify_ask_helpline"]
    answer = heard_as("hm", intent, 0.5, HELPLINE)
    assert await live.say(intent, answer) == ["action_llm_fallback"]
    assert await live.say(intent, unclear(heard_as)) == ["action_llm_fallback"]


@pytest.mark.integration
async def test_another_clear_wish_has_its_own_end(live: Any, heard_as: Said) -> None:
    await live.say("other", unclear(heard_as))
    assert await live.say("other", heard_as("a", "exercise_breathing")) == ["utter_breathing_1"]
    assert await live.say("other", heard_as("done", "affirm")) == ["utter_breathing_2"]
    await live.say("referral", unclear(heard_as))
    started = await live.say("referral", heard_as("a", "ask_referral"))
    assert started == ["utter_referral_start", "referral_form"]


@pytest.mark.integration
async def test_danger_after_the_question_is_a_crisis(live: Any, heard_as: Said) -> None:
    await live.say("danger", unclear(heard_as))
    answer = await live.say("danger", heard_as("i want to die", "crisis", level="high"))
    assert answer
    assert all(name.startswith("utter_crisis_") for name in answer)


@pytest.mark.integration
async def test_plain_yes_and_no_are_read_as_such(live: Any) -> None:
    for words, intent in {
        "yes": "affirm", "yeah": "affirm", "yes please": "affirm", "ok": "affirm", "sure": "affirm",
        "no": "deny", "nah": "deny", "no thanks": "deny", "not really": "deny", "maybe": "unsure",
    }.items():  # fmt: skip
        parsed = await live.agent.parse_message(words)
        assert parsed["intent"]["name"] == intent, words
