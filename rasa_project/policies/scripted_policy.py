"""What the scripted policies share: they predict one action for certain, or abstain.

Rasa takes a prediction with `is_no_user_prediction=True` before those of forms and rules; among
several of them the highest confidence wins, then the priority.
"""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from rasa.core.featurizers.tracker_featurizers import TrackerFeaturizer
from rasa.core.policies.policy import Policy, PolicyPrediction, SupportedData
from rasa.engine.graph import ExecutionContext
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import Event, Restarted, SessionStarted, UserUttered
from rasa.shared.core.trackers import DialogueStateTracker


class ScriptedPolicy(Policy):
    """A policy without a model. Nothing is stored; a subclass that stores overrides `load`."""

    CONFIDENCE = 1.0
    """Confidence of what it predicts."""

    @staticmethod
    def supported_data() -> SupportedData:
        """Rules and stories are both fine."""
        return SupportedData.ML_AND_RULE_DATA

    def _create_featurizer(self) -> Optional[TrackerFeaturizer]:  # type: ignore[override]
        return None

    @classmethod
    def load(
        cls,
        config: Dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
        **kwargs: Any,
    ) -> ScriptedPolicy:
        """Same as `create`."""
        return cls(config, model_storage, resource, execution_context)

    def _act(
        self, action: str, domain: Domain, events: Optional[List[Event]] = None
    ) -> PolicyPrediction:
        """`action` next; `events` happen with it if this prediction is taken."""
        probabilities = self._default_predictions(domain)
        probabilities[domain.index_for_action(action)] = self.CONFIDENCE
        return self._prediction(
            probabilities, optional_events=events or [], is_no_user_prediction=True
        )

    def _abstain(self, domain: Domain, events: Optional[List[Event]] = None) -> PolicyPrediction:
        """Leaves the turn to the other policies; `events` happen all the same."""
        return self._prediction(self._default_predictions(domain), events=events or [])


def session_events(tracker: DialogueStateTracker) -> List[Event]:
    """What happened in this session.

    Unlike `applied_events`, which takes back the messages that a form has used.
    """
    events: List[Event] = []
    for event in tracker.events:
        if isinstance(event, (SessionStarted, Restarted)):
            events = []
        else:
            events.append(event)
    return events


def events_since_user_message(tracker: DialogueStateTracker) -> Optional[List[Event]]:
    """Events after the last user message, or None if there is none."""
    after: List[Event] = []
    for event in reversed(session_events(tracker)):
        if isinstance(event, UserUttered):
            return after[::-1]
        after.append(event)
    return None
