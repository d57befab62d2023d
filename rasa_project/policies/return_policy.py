"""Policy `ReturnPolicy`: somebody who comes back to a form is asked its question again.

A form that was left for something else (not stopped, not finished, not for a crisis) is begun anew
by `resume`, for a few messages. Where it was left is read from the events of the session. Exercises
return by themselves (`policies.exercise_policy`).
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional

from rasa.core.featurizers.tracker_featurizers import TrackerFeaturizer
from rasa.core.policies.policy import PolicyPrediction
from rasa.engine.graph import ExecutionContext
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.shared.core.constants import ACTION_DEACTIVATE_LOOP_NAME
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


@DefaultV1Recipe.register(
    DefaultV1Recipe.ComponentType.POLICY_WITHOUT_END_TO_END_SUPPORT, is_trainable=True
)
class ReturnPolicy(ScriptedPolicy):
    """Begins a form anew that was left."""

    CONFIDENCE = 0.97
    """Below `ExercisePolicy`: an exercise that was begun later is nearer."""

    @staticmethod
    def get_default_config() -> Dict[str, Any]:
        """Settings.

        `returns`: form -> actions that lead back to it. `stopped`: responses after which nothing
        does. `return_intents` lead back, up to `return_turns` user messages after it was left.
        """
        return {
            "priority": 40,
            "max_history": 1,
            "returns": {},
            "stopped": [],
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
        """Checks the settings.

        Raises:
            InvalidConfigException: `returns` or `return_turns` is not what it has to be.
        """
        super().__init__(config, model_storage, resource, execution_context, featurizer)
        returns, turns = config["returns"], config["return_turns"]
        lists = returns.values() if isinstance(returns, Mapping) else [None]
        if not all(isinstance(actions, list) and actions for actions in lists):
            raise InvalidConfigException(
                f"ReturnPolicy: returns must map forms to lists of actions, not {returns!r}."
            )
        if isinstance(turns, bool) or not isinstance(turns, int) or turns < 0:
            raise InvalidConfigException(
                f"ReturnPolicy: return_turns must be a whole number from 0 on, not {turns!r}."
            )

    def train(
        self, training_trackers: List[TrackerWithCachedStates], domain: Domain, **kwargs: Any
    ) -> Resource:
        """Checks the configuration against the domain.

        Raises:
            InvalidConfigException: an unknown form or response; the message names it.
        """
        for form, actions in self.config["returns"].items():
            if form not in domain.form_names:
                raise InvalidConfigException(f"ReturnPolicy: returns.{form} is not a form.")
            for action in actions:
                if action not in domain.action_names_or_texts:
                    raise InvalidConfigException(
                        f"ReturnPolicy: returns.{form} names '{action}', not an action."
                    )
        for response in self.config["stopped"]:
            if response not in domain.responses:
                raise InvalidConfigException(
                    f"ReturnPolicy: stopped names '{response}', not a response."
                )
        return self._resource

    def predict_action_probabilities(
        self,
        tracker: DialogueStateTracker,
        domain: Domain,
        rule_only_data: Optional[Dict[str, Any]] = None,
        **kwargs: Any,
    ) -> PolicyPrediction:
        """A step back to the form that was left, or an abstention."""
        abstention = self._abstain(domain)
        turn_events = events_since_user_message(tracker)
        message = tracker.latest_message
        if turn_events is None or message is None or tracker.active_loop_name:
            return abstention
        intent = str((message.intent or {}).get("name") or "")
        form = self._left(tracker) if intent in self.config["return_intents"] else None
        plan = self.config["returns"][form] if form else []
        executed = [e.action_name for e in turn_events if isinstance(e, ActionExecuted)]
        # What comes after the form is for `RulePolicy` to say.
        if len(executed) >= len(plan) or executed != plan[: len(executed)]:
            return abstention
        return self._act(plan[len(executed)], domain)

    def _left(self, tracker: DialogueStateTracker) -> Optional[str]:
        """The form that was left for something else, if that is not too long ago.

        A form that ends by itself, or by the safety policy, does so without
        `action_deactivate_loop`. Only what happened up to the last message counts, so that the
        answer is the same in the middle of a turn.
        """
        running: Optional[str] = None
        left: Optional[str] = None
        deactivated = False
        turns = 0
        events = session_events(tracker)
        last = max((i for i, e in enumerate(events) if isinstance(e, UserUttered)), default=-1)
        for event in events[: last + 1]:
            if isinstance(event, UserUttered):
                turns += 1
            elif isinstance(event, ActiveLoop):
                if event.name is None and deactivated and running in self.config["returns"]:
                    left, turns = running, 0
                elif event.name is not None:
                    left = None
                running = event.name
            elif isinstance(event, ActionExecuted):
                deactivated = event.action_name == ACTION_DEACTIVATE_LOOP_NAME
                if event.action_name in self.config["stopped"]:
                    left = None
        return left if turns <= self.config["return_turns"] else None
