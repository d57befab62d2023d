"""Where open-ended messages go to a hosted model, people are told so."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from rasa.core.actions.action import RemoteAction
from rasa.core.channels.channel import CollectingOutputChannel
from rasa.core.nlg.generator import ResponseVariationFilter
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import UserUttered
from rasa.shared.core.trackers import DialogueStateTracker

from components import hosted_model
from components.nlg import ScriptedNaturalLanguageGenerator
from policies.crisis_state import CrisisState
from policies.safety_policy import bookkeeping

VARIABLES = ("LLM_ENGINE", "LLM_BASE_URL", "LLM_HOSTED_CONSENT", "LLM_HOSTED_NAME")
PRIVACY = ("utter_privacy", "utter_crisis_re_secret_1", "utter_crisis_re_secret_2",
           "utter_delete_data")  # fmt: skip
UNTRUE = re.compile(r"don't pass it on|tell nobody|can't tell anyone|stays? between")


@pytest.fixture(scope="module")
def domain(repository: Path) -> Domain:
    return Domain.load(str(repository / "rasa_project" / "domain"))


@pytest.fixture(autouse=True)
def own_model(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*VARIABLES, "HANDOFF_WEBHOOK_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def hosted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_BASE_URL", "https://api.example.org/v1")
    monkeypatch.setenv("LLM_HOSTED_CONSENT", "yes")


def set_up(tracker: DialogueStateTracker, domain: Domain, handoff: str = "") -> None:
    """A message arrives, and the slots follow what the operator has set up."""
    message = UserUttered("hello")
    tracker.update(message, domain)
    for event in bookkeeping(tracker, message, CrisisState(), handoff):
        tracker.update(event, domain)


@pytest.mark.parametrize(
    ("engine", "url", "consent"),
    [
        ("", "", ""),
        ("", "", "yes"),
        ("", "https://api.example.org/v1", ""),
        ("", "https://api.example.org/v1", "own-server"),
        ("hosted", "http://llm-engine:8080/v1", "own-server"),
        ("xllamacpp", "https://api.example.org/v1", "yes"),
    ],
)
def test_nobody_is_told_while_the_model_is_the_operators_own(
    monkeypatch: pytest.MonkeyPatch, engine: str, url: str, consent: str
) -> None:
    for name, value in zip(VARIABLES, (engine, url, consent, "Example AI")):
        monkeypatch.setenv(name, value)
    assert hosted_model.provider() == ""


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("", hosted_model.UNNAMED),
        (" ", hosted_model.UNNAMED),
        ("Example AI", "Example AI"),
        ("Example\nAI", "Example AI"),
        ("x" * 500, "x" * hosted_model.MOST_NAME_CHARS),
    ],
)
def test_the_provider_is_named_as_the_operator_says(
    hosted: None, monkeypatch: pytest.MonkeyPatch, name: str, shown: str
) -> None:
    monkeypatch.setenv("LLM_HOSTED_NAME", name)
    assert hosted_model.provider() == shown


def test_whatever_case_the_names_are_in_people_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("llm_base_url", "https://api.example.org/v1")
    monkeypatch.setenv("llm_hosted_consent", "yes")
    assert hosted_model.provider()


def test_the_slots_follow_the_environment(
    domain: Domain, hosted: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = DialogueStateTracker("t", domain.slots)
    monkeypatch.setenv("LLM_HOSTED_NAME", "Example AI")
    set_up(made, domain)
    assert (made.get_slot("hosted_model"), made.get_slot("hosted_by")) == ("yes", "Example AI")
    monkeypatch.setenv("LLM_HOSTED_CONSENT", "own-server")
    set_up(made, domain)
    assert (made.get_slot("hosted_model"), made.get_slot("hosted_by")) == (None, None)


@pytest.mark.parametrize("handoff", ["", "yes"])
@pytest.mark.parametrize("name", PRIVACY)
async def test_sentences_that_a_hosted_model_makes_untrue_are_said_otherwise(
    domain: Domain, monkeypatch: pytest.MonkeyPatch, name: str, handoff: str
) -> None:
    generator = ScriptedNaturalLanguageGenerator(domain=domain)

    async def text() -> str:
        made = DialogueStateTracker("t", domain.slots)
        set_up(made, domain, handoff)
        slots = made.current_slot_values()
        fitting = ResponseVariationFilter(domain.responses).responses_for_utter_action(
            name, "web", slots
        )
        assert len(fitting) == 1, "the conditions exclude each other"
        said = await generator.generate(name, made, "web")
        assert said is not None
        return str(said["text"])

    assert "a computer of" not in await text()
    monkeypatch.setenv("LLM_BASE_URL", "https://api.example.org/v1")
    monkeypatch.setenv("LLM_HOSTED_CONSENT", "yes")
    monkeypatch.setenv("LLM_HOSTED_NAME", "Example AI")
    told = await text()
    assert "a computer of Example AI" in told
    assert not UNTRUE.search(told)
    if name != "utter_delete_data":
        assert ("short note" in told) is bool(handoff)


def test_no_other_text_promises_what_a_hosted_model_breaks(domain: Domain) -> None:
    for name, variations in domain.responses.items():
        if name not in PRIVACY:
            assert not [v["text"] for v in variations if UNTRUE.search(str(v.get("text")))]


async def test_the_note_of_the_action_server_gets_the_providers_name(
    domain: Domain, hosted: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLM_HOSTED_NAME", "Example AI {hosted_told}")
    made = DialogueStateTracker("t", domain.slots)
    set_up(made, domain)
    # As rasa-sdk writes `dispatcher.utter_message(response=…)`.
    sent: dict[str, Any] = {"text": None, "buttons": [], "elements": [], "custom": {},
                            "template": "utter_hosted_note", "response": "utter_hosted_note",
                            "image": None, "attachment": None}  # fmt: skip
    [said] = await RemoteAction._utter_responses(
        [sent], CollectingOutputChannel(), ScriptedNaturalLanguageGenerator(domain=domain), made
    )
    assert "a computer of Example AI {hosted_told}, together" in str(said.text)
    assert (said.metadata["source"], said.metadata["flow"]) == ("scripted", "chat")
