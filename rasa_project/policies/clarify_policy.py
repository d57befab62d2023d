"""Policy `ClarifyPolicy`: asks once whether a guess is right, then listens.

A message that came out as `nlu_fallback` is listened to. Where it is short, its best real intent is
a request with a question of its own (`utter_clarify_<intent>`), and hardly anything speaks for
somebody telling something, that one question is asked. A yes leads where the intent would have led;
anything else is handled as what it is, and what is unclear is listened to. Nothing is kept: what
was asked is read from the events of the session.

What an intent leads to is learnt from the rules. Those that another policy starts stand in the
setting `ends`. The domain says what is asked about: an intent without a question never is.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Dict, FrozenSet, List, Mapping, Optional, Sequence, Tuple

from rasa.core.featurizers.tracker_featurizers import TrackerFeaturizer
from rasa.core.policies.policy import PolicyPrediction
from rasa.engine.graph import ExecutionContext
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.shared.constants import DEFAULT_NLU_FALLBACK_INTENT_NAME
from rasa.shared.core.constants import ACTION_LISTEN_NAME, RULE_SNIPPET_ACTION_NAME
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import ActionExecuted, ActiveLoop, Event, SlotSet, UserUttered
from rasa.shared.core.generator import TrackerWithCachedStates
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.shared.exceptions import InvalidConfigException

from policies.reading import CRISIS_INTENT, misuse_category
from policies.safety_policy import misuse_actions, step_of_last_message
from policies.scripted_policy import (
    ScriptedPolicy,
    events_since_user_message,
    session_events,
)

QUESTION = "utter_clarify_"
LISTENING = "action_llm_fallback"
ASKED_IN_STAGES = ("none", "watch")
"""Stages of the crisis conversation that are the ordinary one, with no question waiting."""


@dataclass(frozen=True)
class Settings:
    """When a guess is asked about; see `ClarifyPolicy.get_default_config`."""

    floor: float
    most_listening: float
    most_words: int
    rest_turns: int

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Settings:
        """Reads and checks the settings.

        Raises:
            InvalidConfigException: a value is not what it has to be; the message names the key.
        """
        for key in ("floor", "most_listening"):
            value = config[key]
            is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if not is_number or not 0 < value < 1:
                raise InvalidConfigException(
                    f"ClarifyPolicy: {key} must be a number between 0 and 1, not {value!r}."
                )
        for key in ("most_words", "rest_turns"):
            value = config[key]
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise InvalidConfigException(
                    f"ClarifyPolicy: {key} must be a whole number from 1 on, not {value!r}."
                )
        return cls(
            config["floor"], config["most_listening"], config["most_words"], config["rest_turns"]
        )


@DefaultV1Recipe.register(
    DefaultV1Recipe.ComponentType.POLICY_WITHOUT_END_TO_END_SUPPORT, is_trainable=True
)
class ClarifyPolicy(ScriptedPolicy):
    """Asks about a guess at most once in a while, and acts on a yes."""

    CONFIDENCE = 0.98
    """Below `ExercisePolicy`, which takes every message of an exercise, and below forms."""

    @staticmethod
    def get_default_config() -> Dict[str, Any]:
        """Settings.

        `floor`: the least probability of the guess. `most_listening`: how much probability the
        intents that are listened to may have together. `most_words`: the longest message asked
        about, in words. `rest_turns`: user messages after a question before the next one.
        `ends`: intent -> actions, for requests that no rule answers.
        """
        return {
            "priority": 40,
            "max_history": 1,
            "floor": 0.2,
            "most_listening": 0.3,
            "most_words": 12,
            "rest_turns": 6,
            "ends": {},
        }

    def __init__(
        self,
        config: Dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
        featurizer: Optional[TrackerFeaturizer] = None,
    ) -> None:
        """Checks the settings.

        Raises:
            InvalidConfigException: see `Settings.from_config` and `checked_ends`.
        """
        super().__init__(config, model_storage, resource, execution_context, featurizer)
        self._settings = Settings.from_config(config)
        self._ends: Dict[str, List[str]] = checked_ends(config["ends"])
        self._model_storage = model_storage

    def train(
        self, training_trackers: List[TrackerWithCachedStates], domain: Domain, **kwargs: Any
    ) -> Resource:
        """Learns from the rules what intents lead to, and checks questions and ends.

        Raises:
            InvalidConfigException: a question or an end names what does not exist.
        """
        self._ends = {**ends_of_rules(training_trackers), **checked_ends(self.config["ends"])}
        self._check(domain)
        with self._model_storage.write_to(self._resource) as folder:
            (folder / "ends.json").write_text(json.dumps(self._ends), encoding="utf-8")
        return self._resource

    @classmethod
    def load(
        cls,
        config: Dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
        **kwargs: Any,
    ) -> ClarifyPolicy:
        """Reads what was learnt."""
        policy = cls(config, model_storage, resource, execution_context)
        with model_storage.read_from(resource) as folder:
            policy._ends = json.loads((folder / "ends.json").read_text(encoding="utf-8"))
        return policy

    def _check(self, domain: Domain) -> None:
        asked = questions(domain)
        for intent in sorted(asked):
            if intent not in domain.intents:
                raise InvalidConfigException(
                    f"ClarifyPolicy: the response {QUESTION}{intent} names no intent."
                )
            if self._ends.get(intent, [LISTENING]) == [LISTENING]:
                raise InvalidConfigException(
                    f"ClarifyPolicy: ends.{intent} is missing: there is a question "
                    f"{QUESTION}{intent}, and no rule says what a yes leads to."
                )
        for intent, actions in checked_ends(self.config["ends"]).items():
            if asked and intent not in asked:
                raise InvalidConfigException(
                    f"ClarifyPolicy: ends.{intent} has no question {QUESTION}{intent}."
                )
            for action in actions:
                if action not in domain.action_names_or_texts:
                    raise InvalidConfigException(
                        f"ClarifyPolicy: ends.{intent} names '{action}', not an action."
                    )

    def predict_action_probabilities(
        self,
        tracker: DialogueStateTracker,
        domain: Domain,
        rule_only_data: Optional[Dict[str, Any]] = None,
        **kwargs: Any,
    ) -> PolicyPrediction:
        """The question, a step of what a yes leads to, or an abstention."""
        abstention = self._abstain(domain)
        turn_events = events_since_user_message(tracker)
        message = tracker.latest_message
        if turn_events is None or message is None or tracker.active_loop_name:
            return abstention
        executed = [e.action_name for e in turn_events if isinstance(e, ActionExecuted)]
        plan = self._plan(tracker, message, domain)
        if not plan or executed != plan[: len(executed)]:
            return abstention
        if len(executed) < len(plan):
            return self._act(plan[len(executed)], domain)
        # What comes after a form is for `RulePolicy` to say.
        return abstention if plan[-1] in domain.forms else self._act(ACTION_LISTEN_NAME, domain)

    def _plan(
        self, tracker: DialogueStateTracker, message: UserUttered, domain: Domain
    ) -> List[str]:
        """What this policy does in answer to the last message; empty if nothing."""
        asked = asked_before(tracker)
        if asked:
            is_yes = str((message.intent or {}).get("name")) == "affirm"
            return list(self._ends.get(asked, ())) if is_yes else []
        guess = guessed(message, self._settings, questions(domain), self._listening())
        if not guess or not self._is_free(tracker):
            return []
        return [QUESTION + guess]

    def _listening(self) -> FrozenSet[str]:
        """The intents that are listened to; danger speaks against asking as well."""
        heard = {intent for intent, actions in self._ends.items() if actions == [LISTENING]}
        return frozenset(heard | {CRISIS_INTENT})

    def _is_free(self, tracker: DialogueStateTracker) -> bool:
        """Whether no crisis or misuse leads, and enough messages came after the last question."""
        since = messages_since_question(tracker)
        if since is not None and since <= self._settings.rest_turns:
            return False
        result = step_of_last_message(tracker)
        is_calm = not result.actions and result.state.stage in ASKED_IN_STAGES
        return is_calm and not misuse_actions(tracker, result.state)


def checked_ends(ends: Any) -> Dict[str, List[str]]:
    """The setting `ends`.

    Raises:
        InvalidConfigException: it is no mapping from intents to lists of actions.
    """
    if not isinstance(ends, Mapping):
        raise InvalidConfigException(f"ClarifyPolicy: ends must be a mapping, not {ends!r}.")
    for intent, actions in ends.items():
        is_list = isinstance(actions, Sequence) and not isinstance(actions, str)
        if not is_list or not actions or not all(isinstance(name, str) for name in actions):
            raise InvalidConfigException(
                f"ClarifyPolicy: ends.{intent} must be a list of actions, not {actions!r}."
            )
    return {str(intent): [str(name) for name in actions] for intent, actions in ends.items()}


def ends_of_rules(trackers: Sequence[DialogueStateTracker]) -> Dict[str, List[str]]:
    """Intent -> actions, from the rules that hold everywhere."""
    ends: Dict[str, List[str]] = {}
    for tracker in trackers:
        if not tracker.is_rule_tracker:
            continue
        before, said, after = _around_first_message(list(tracker.events))
        conditional = any(isinstance(event, (ActiveLoop, SlotSet)) for event in before)
        actions = [
            str(event.action_name)
            for event in after
            if isinstance(event, ActionExecuted)
            and event.action_name not in (ACTION_LISTEN_NAME, RULE_SNIPPET_ACTION_NAME)
        ]
        if said is not None and said.intent_name and actions and not conditional:
            ends[str(said.intent_name)] = actions
    return ends


def _around_first_message(
    events: List[Event],
) -> Tuple[List[Event], Optional[UserUttered], List[Event]]:
    for place, event in enumerate(events):
        if isinstance(event, UserUttered):
            return events[:place], event, events[place + 1 :]
    return events, None, []


def questions(domain: Domain) -> FrozenSet[str]:
    """The intents that there is a question about."""
    return frozenset(
        name[len(QUESTION) :] for name in domain.responses if name.startswith(QUESTION)
    )


def guessed(
    message: UserUttered, settings: Settings, asked: FrozenSet[str], listening: FrozenSet[str]
) -> Optional[str]:
    """The intent that this message alone allows to ask about, or None.

    Args:
        message: with the NLU's `parse_data`; without a ranking there is no guess.
        settings: the limits.
        asked: intents that there is a question about.
        listening: intents that speak for somebody telling something.
    """
    parsed = message.parse_data or {}
    if str((message.intent or {}).get("name")) != DEFAULT_NLU_FALLBACK_INTENT_NAME:
        return None
    language = parsed.get("language") or {}
    is_foreign = bool(language.get("sure")) and language.get("code") != "en"
    is_risky = str((parsed.get("risk") or {}).get("level", "none")) != "none"
    words = (message.text or "").split()
    if is_foreign or is_risky or misuse_category(parsed) or len(words) > settings.most_words:
        return None
    ranking = {
        str(entry.get("name")): float(entry.get("confidence") or 0.0)
        for entry in parsed.get("intent_ranking") or []
        if entry.get("name") != DEFAULT_NLU_FALLBACK_INTENT_NAME
    }
    best = max(ranking, key=lambda name: ranking[name], default="")
    if best not in asked or ranking[best] < settings.floor:
        return None
    telling = sum(probability for name, probability in ranking.items() if name in listening)
    return best if telling <= settings.most_listening else None


def asked_before(tracker: DialogueStateTracker) -> Optional[str]:
    """The intent asked about right before the last message, or None."""
    last = None
    asked = None
    for event in session_events(tracker):
        if isinstance(event, ActionExecuted) and event.action_name != ACTION_LISTEN_NAME:
            last = str(event.action_name)
        elif isinstance(event, UserUttered):
            asked, last = last, None
    return asked[len(QUESTION) :] if asked and asked.startswith(QUESTION) else None


def messages_since_question(tracker: DialogueStateTracker) -> Optional[int]:
    """User messages since the last question of this session; None if there was none.

    The question that answers the last message does not count: the answer to "may it be asked?" is
    the same before and after it.
    """
    number = 0
    for event in reversed(session_events(tracker)):
        is_question = isinstance(event, ActionExecuted) and str(event.action_name).startswith(
            QUESTION
        )
        if isinstance(event, UserUttered):
            number += 1
        elif is_question and number:
            return number
    return None
