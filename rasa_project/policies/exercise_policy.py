"""Policy `ExercisePolicy`: walks a person through a short exercise, one step a message.

Exercises are lists of responses in `config.yml`; a new one needs no code. Any message moves on,
`stop` ends it, and an intent that asks for something else leaves it.
"""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from rasa.core.featurizers.tracker_featurizers import TrackerFeaturizer
from rasa.core.policies.policy import Policy, PolicyPrediction, SupportedData
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.shared.core.constants import ACTION_LISTEN_NAME
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import ActionExecuted, Event, SlotSet
from rasa.shared.core.generator import TrackerWithCachedStates
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.shared.exceptions import InvalidConfigException

from policies.safety_policy import events_since_user_message

STEP_SLOT = "exercise_step"
STOPPED = "utter_exercise_stopped"


@DefaultV1Recipe.register(
    DefaultV1Recipe.ComponentType.POLICY_WITHOUT_END_TO_END_SUPPORT, is_trainable=True
)
class ExercisePolicy(Policy):
    """Runs the exercise named in the slot `exercise_step` ("breathing:2": two steps done)."""

    @staticmethod
    def get_default_config() -> Dict[str, Any]:
        """`exercises`: name -> responses; `start_intents`: intent -> name; `leave_intents`."""
        return {
            "priority": 50,
            "max_history": 1,
            "exercises": {},
            "start_intents": {},
            "stop_intents": ["stop"],
            "leave_intents": [],
        }

    @staticmethod
    def supported_data() -> SupportedData:
        """It learns from nothing."""
        return SupportedData.ML_AND_RULE_DATA

    def _create_featurizer(self) -> Optional[TrackerFeaturizer]:  # type: ignore[override]
        return None

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

    @classmethod
    def load(
        cls, config, model_storage, resource, execution_context, **kwargs: Any
    ) -> ExercisePolicy:
        """Nothing is stored: same as `create`."""
        return cls(config, model_storage, resource, execution_context)

    def predict_action_probabilities(
        self,
        tracker: DialogueStateTracker,
        domain: Domain,
        rule_only_data: Optional[Dict[str, Any]] = None,
        **kwargs: Any,
    ) -> PolicyPrediction:
        """The next step of a running or just chosen exercise, or an abstention."""
        turn_events = events_since_user_message(tracker)
        message = tracker.latest_message
        if turn_events is None or message is None or tracker.active_loop_name:
            return self._prediction(self._default_predictions(domain))
        executed = [e.action_name for e in turn_events if isinstance(e, ActionExecuted)]
        if executed:
            ours = {STOPPED}.union(*self.config["exercises"].values())
            if executed[-1] in ours:
                return self._act(ACTION_LISTEN_NAME, domain, [])
            return self._prediction(self._default_predictions(domain))
        intent = str((message.intent or {}).get("name") or "")
        chosen = self.config["start_intents"].get(intent)
        if chosen:
            return self._step(chosen, 0, domain)
        name, _, done = str(tracker.get_slot(STEP_SLOT) or "").partition(":")
        if name not in self.config["exercises"] or not done.isdigit():
            return self._prediction(self._default_predictions(domain))
        if intent in self.config["stop_intents"]:
            return self._act(STOPPED, domain, [SlotSet(STEP_SLOT, None)])
        if intent in self.config["leave_intents"]:
            left: List[Event] = [SlotSet(STEP_SLOT, None)]
            return self._prediction(self._default_predictions(domain), events=left)
        return self._step(name, int(done), domain)

    def _step(self, name: str, done: int, domain: Domain) -> PolicyPrediction:
        responses = self.config["exercises"][name]
        last = done + 1 >= len(responses)
        return self._act(
            responses[min(done, len(responses) - 1)],
            domain,
            [SlotSet(STEP_SLOT, None if last else f"{name}:{done + 1}")],
        )

    def _act(self, action: str, domain: Domain, events: List[Event]) -> PolicyPrediction:
        probabilities = self._default_predictions(domain)
        probabilities[domain.index_for_action(action)] = 0.99
        return self._prediction(probabilities, optional_events=events, is_no_user_prediction=True)
