"""Policy `ExercisePolicy`: walks a person through a short exercise, one step a message.

Exercises are lists of responses in `config.yml`; a new one needs no code. Where a person stands
is read from the last response said. Any message moves on, `stop` ends it, and an intent that asks
for something else, or surely tells something else, leaves it. Somebody who comes back soon is given
the step that was left once more.
"""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from rasa.core.featurizers.tracker_featurizers import TrackerFeaturizer
from rasa.core.policies.policy import PolicyPrediction
from rasa.engine.graph import ExecutionContext
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.shared.core.constants import ACTION_LISTEN_NAME
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import ActionExecuted, ActiveLoop, UserUttered
from rasa.shared.core.generator import TrackerWithCachedStates
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.shared.exceptions import InvalidConfigException

from policies.scripted_policy import (
    ScriptedPolicy,
    events_since_user_message,
    session_events,
)

STOPPED = "utter_exercise_stopped"
CRISIS = "utter_crisis_"


@DefaultV1Recipe.register(
    DefaultV1Recipe.ComponentType.POLICY_WITHOUT_END_TO_END_SUPPORT, is_trainable=True
)
class ExercisePolicy(ScriptedPolicy):
    """Runs the exercises of its configuration."""

    CONFIDENCE = 0.99

    @staticmethod
    def get_default_config() -> Dict[str, Any]:
        """Settings.

        `exercises`: name -> responses. `start_intents`: intent -> name. `stop_intents` end an
        exercise, `leave_intents` leave it, `leave_when_sure` as well where the classifier's
        confidence is at least `sure`. `return_intents` lead back to the step that was left, up to
        `return_turns` user messages after it.
        """
        return {
            "priority": 50,
            "max_history": 1,
            "exercises": {},
            "start_intents": {},
            "stop_intents": ["stop"],
            "leave_intents": [],
            "leave_when_sure": [],
            "sure": 0.8,
            "return_intents": ["resume"],
            "return_turns": 4,
        }

    def __init__(
        self,
        config: Dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
        featurizer: Optional[TrackerFeaturizer] = None,
    ) -> None:
        """Checks the numbers.

        Raises:
            InvalidConfigException: `sure` or `return_turns` is out of range.
        """
        super().__init__(config, model_storage, resource, execution_context, featurizer)
        sure, turns = config["sure"], config["return_turns"]
        if isinstance(sure, bool) or not isinstance(sure, (int, float)) or not 0 < sure <= 1:
            raise InvalidConfigException(
                f"ExercisePolicy: sure must be a number above 0, at most 1, not {sure!r}."
            )
        if isinstance(turns, bool) or not isinstance(turns, int) or turns < 0:
            raise InvalidConfigException(
                f"ExercisePolicy: return_turns must be a whole number from 0 on, not {turns!r}."
            )

    def train(
        self, training_trackers: List[TrackerWithCachedStates], domain: Domain, **kwargs: Any
    ) -> Resource:
        """Checks the configuration against the domain.

        Raises:
            InvalidConfigException: an unknown exercise or response; the message names it.
        """
        exercises = self.config["exercises"]
        for intent, name in self.config["start_intents"].items():
            if name not in exercises:
                raise InvalidConfigException(
                    f"ExercisePolicy: start_intents.{intent} names '{name}', not an exercise."
                )
        for name, responses in exercises.items():
            for response in [*responses, STOPPED]:
                if domain.responses and response not in domain.responses:
                    raise InvalidConfigException(
                        f"ExercisePolicy: exercises.{name} needs the response {response}."
                    )
        return self._resource

    def predict_action_probabilities(
        self,
        tracker: DialogueStateTracker,
        domain: Domain,
        rule_only_data: Optional[Dict[str, Any]] = None,
        **kwargs: Any,
    ) -> PolicyPrediction:
        """The next step of a running or just chosen exercise, or an abstention."""
        abstention = self._abstain(domain)
        turn_events = events_since_user_message(tracker)
        message = tracker.latest_message
        if turn_events is None or message is None or tracker.active_loop_name:
            return abstention
        executed = [e.action_name for e in turn_events if isinstance(e, ActionExecuted)]
        if executed:
            ours = {STOPPED}.union(*self.config["exercises"].values())
            return self._act(ACTION_LISTEN_NAME, domain) if executed[-1] in ours else abstention
        intent = str((message.intent or {}).get("name") or "")
        chosen = self.config["start_intents"].get(intent)
        if chosen:
            return self._act(self.config["exercises"][chosen][0], domain)
        following = self._following(tracker)
        if following is None:
            left = self._left(tracker) if intent in self.config["return_intents"] else None
            return self._act(left, domain) if left else abstention
        if self._leaves(message, intent):
            return abstention
        return self._act(STOPPED if intent in self.config["stop_intents"] else following, domain)

    def _following(self, tracker: DialogueStateTracker) -> Optional[str]:
        """The response after the one said before the last message, if an exercise is running."""
        said = None
        last = None
        for event in tracker.applied_events():
            if isinstance(event, ActionExecuted) and event.action_name != ACTION_LISTEN_NAME:
                last = event.action_name
            elif isinstance(event, UserUttered):
                said = last
        for responses in self.config["exercises"].values():
            if said in responses[:-1]:
                return str(responses[responses.index(said) + 1])
        return None

    def _leaves(self, message: UserUttered, intent: str) -> bool:
        confidence = float((message.intent or {}).get("confidence") or 0.0)
        is_sure = confidence >= self.config["sure"]
        return intent in self.config["leave_intents"] or (
            is_sure and intent in self.config["leave_when_sure"]
        )

    def _left(self, tracker: DialogueStateTracker) -> Optional[str]:
        """The step that was left, unless it was stopped or finished, or something else came."""
        exercises = self.config["exercises"].values()
        unfinished = {step for steps in exercises for step in steps[:-1]}
        ends = {STOPPED, *(steps[-1] for steps in exercises)}
        step = None
        turns = 0
        for event in session_events(tracker):
            if isinstance(event, UserUttered):
                turns += 1
            elif isinstance(event, ActionExecuted) and event.action_name in unfinished:
                step, turns = str(event.action_name), 0
            elif (
                isinstance(event, ActionExecuted)
                and (event.action_name in ends or str(event.action_name).startswith(CRISIS))
            ) or (isinstance(event, ActiveLoop) and event.name):
                step = None
        return step if turns <= self.config["return_turns"] else None
