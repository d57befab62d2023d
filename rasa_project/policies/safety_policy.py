"""Policy `SafetyPolicy`: crisis before everything else, and never silence.

It answers with `is_no_user_prediction=True` and confidence 1.0, which wins over forms and rules
(priority alone does not). Its actions are `utter_*` responses served inside Rasa, so they arrive
when the action server and the language model are dead. Three duties:

1. run `crisis_machine` on every user message and keep its state in slots;
2. answer misuse kindly when the risk gate sees no risk;
3. say a scripted line when a custom action left the person without an answer.
"""

from __future__ import annotations

import logging
from typing import Any, Dict, List, Optional

from rasa.core.featurizers.tracker_featurizers import TrackerFeaturizer
from rasa.core.policies.policy import Policy, PolicyPrediction, SupportedData
from rasa.engine.graph import ExecutionContext
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.shared.core.constants import ACTION_LISTEN_NAME, REQUESTED_SLOT
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import (
    ActionExecuted,
    ActiveLoop,
    BotUttered,
    Event,
    SessionStarted,
    SlotSet,
    UserUttered,
)
from rasa.shared.core.generator import TrackerWithCachedStates
from rasa.shared.core.trackers import DialogueStateTracker

from policies.crisis_machine import CrisisState, Turn, at_least, step

logger = logging.getLogger(__name__)

CRISIS_INTENT = "crisis"
STATE_SLOT = "crisis_state"
LEVEL_SLOT = "risk_level"
STAGE_SLOT = "crisis_stage"
COUNTRY_SLOT = "country"
OUTCOME_SLOT = "turn_outcome"
MISUSE_THRESHOLD = 0.5


@DefaultV1Recipe.register(
    DefaultV1Recipe.ComponentType.POLICY_WITHOUT_END_TO_END_SUPPORT, is_trainable=True
)
class SafetyPolicy(Policy):
    """Runs the crisis state machine and the answers that may never be missing."""

    @staticmethod
    def get_default_config() -> Dict[str, Any]:
        """`priority` only breaks ties; `no_answer` is said when an action gave no reply."""
        return {"priority": 100, "max_history": 1, "no_answer": "utter_no_answer"}

    @staticmethod
    def supported_data() -> SupportedData:
        """It learns from nothing, so rules and stories are both fine."""
        return SupportedData.ML_AND_RULE_DATA

    def _create_featurizer(self) -> Optional[TrackerFeaturizer]:  # type: ignore[override]
        return None

    def train(
        self,
        training_trackers: List[TrackerWithCachedStates],
        domain: Domain,
        **kwargs: Any,
    ) -> Resource:
        """Checks that every response it may need exists, then persists nothing.

        Raises:
            InvalidDomain: if a response is missing; the message names it.
        """
        from rasa.shared.core.domain import InvalidDomain

        missing = [name for name in required_responses() if name not in domain.responses]
        if missing and domain.responses:
            raise InvalidDomain(f"SafetyPolicy needs these responses in the domain: {missing}")
        return self._resource

    @classmethod
    def load(
        cls,
        config: Dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
        **kwargs: Any,
    ) -> SafetyPolicy:
        """Nothing is stored: same as `create`."""
        return cls(config, model_storage, resource, execution_context)

    def predict_action_probabilities(
        self,
        tracker: DialogueStateTracker,
        domain: Domain,
        rule_only_data: Optional[Dict[str, Any]] = None,
        **kwargs: Any,
    ) -> PolicyPrediction:
        """Next crisis action, or the no-answer line, or an abstention."""
        turn_events = events_since_user_message(tracker)
        message = tracker.latest_message
        if turn_events is None or message is None:
            return self._abstain(domain)
        executed = [e.action_name for e in turn_events if isinstance(e, ActionExecuted)]
        before = state_before_last_message(tracker)
        result = step(before, turn_from_message(message))
        actions = list(result.actions) or misuse_actions(message, result.state)
        if actions and len(executed) < len(actions):
            events = [*bookkeeping(tracker, message, result.state), *leave_loop(tracker)]
            return self._act(actions[len(executed)], domain, [] if executed else events)
        if actions:
            return self._act(ACTION_LISTEN_NAME, domain)
        if not executed:
            return self._abstain(domain, bookkeeping(tracker, message, result.state))
        if is_live(tracker) and self._left_without_answer(executed, turn_events):
            logger.warning("An action gave no answer: action=%s", executed[-1])
            return self._act(self.config["no_answer"], domain)
        return self._abstain(domain)

    def _left_without_answer(self, executed: List[str], events: List[Event]) -> bool:
        last = executed[-1]
        if last == ACTION_LISTEN_NAME or not last.startswith("action_"):
            return False
        cancelled = any(
            isinstance(e, SlotSet) and e.key == OUTCOME_SLOT and e.value == "cancelled"
            for e in events
        )
        return not cancelled and not any(isinstance(e, BotUttered) for e in events)

    def _act(
        self, action: str, domain: Domain, events: Optional[List[Event]] = None
    ) -> PolicyPrediction:
        probabilities = self._default_predictions(domain)
        probabilities[domain.index_for_action(action)] = 1.0
        return self._prediction(
            probabilities, optional_events=events or [], is_no_user_prediction=True
        )

    def _abstain(self, domain: Domain, events: Optional[List[Event]] = None) -> PolicyPrediction:
        return self._prediction(self._default_predictions(domain), events=events or [])


def events_since_user_message(tracker: DialogueStateTracker) -> Optional[List[Event]]:
    """Events after the last user message, or None if there is none."""
    after: List[Event] = []
    for event in reversed(tracker.applied_events()):
        if isinstance(event, UserUttered):
            return after[::-1]
        after.append(event)
    return None


def state_before_last_message(tracker: DialogueStateTracker) -> CrisisState:
    """The crisis state when the last user message came.

    The slot is what counts where it was set; between two settings the machine is run over the
    messages again, so that test stories, in which no slot is set, see the same.
    """
    state = before = CrisisState()
    for event in tracker.applied_events():
        if isinstance(event, SlotSet) and event.key == STATE_SLOT:
            state = CrisisState.from_slot(event.value)
        elif isinstance(event, UserUttered):
            before = state
            state = step(before, turn_from_message(event)).state
    return before


def bookkeeping(
    tracker: DialogueStateTracker, message: UserUttered, state: CrisisState
) -> List[Event]:
    """Slot events for what this message changed."""
    values = {
        STATE_SLOT: state.as_slot(),
        LEVEL_SLOT: state.level,
        STAGE_SLOT: state.stage,
        COUNTRY_SLOT: country_of(message) or tracker.get_slot(COUNTRY_SLOT),
    }
    return [
        SlotSet(slot, value) for slot, value in values.items() if tracker.get_slot(slot) != value
    ]


def is_live(tracker: DialogueStateTracker) -> bool:
    """Whether actions really run here: `rasa test` predicts them only, and starts no session."""
    return any(isinstance(event, SessionStarted) for event in tracker.events)


def turn_from_message(message: UserUttered) -> Turn:
    """The gate's verdict; without one (test stories) the intent `crisis` counts as high."""
    risk = (message.parse_data or {}).get("risk") or {}
    intent = str((message.intent or {}).get("name") or "")
    if not risk and intent == CRISIS_INTENT:
        return Turn(level="high", kind="self_harm", about="self", intent=intent)
    level = str(risk.get("level", "none"))
    if intent == CRISIS_INTENT and not at_least(level, "moderate"):
        level = "moderate"
    return Turn(
        level=level,
        kind=str(risk.get("kind", "none")),
        about=str(risk.get("about", "self")),
        intent=intent,
    )


def misuse_actions(message: UserUttered, state: CrisisState) -> List[str]:
    """The scripted answer to a misuse, unless a crisis leads the conversation."""
    misuse = (message.parse_data or {}).get("misuse") or {}
    category = misuse.get("category")
    if state.engaged or not category or float(misuse.get("score") or 0) < MISUSE_THRESHOLD:
        return []
    return [f"utter_misuse_{category}"]


def country_of(message: UserUttered) -> Optional[str]:
    """ISO 3166 alpha-2 code from the channel's metadata, or None."""
    value = (message.metadata or {}).get("country")
    if isinstance(value, str) and len(value) == 2 and value.isalpha():
        return value.upper()
    return None


def leave_loop(tracker: DialogueStateTracker) -> List[Event]:
    """Events that end an active form and take back the slot this message has just filled."""
    if not tracker.active_loop_name:
        return []
    events: List[Event] = [ActiveLoop(None)]
    requested = tracker.get_slot(REQUESTED_SLOT)
    if requested:
        events += [SlotSet(requested, None), SlotSet(REQUESTED_SLOT, None)]
    return events


def required_responses() -> List[str]:
    """Every response that the machine and this policy can ask for."""
    from policies.crisis_machine import KINDS_WITH_OWN_FLOW

    fixed = [
        "acknowledge", "acknowledge_again", "ask_directly", "ask_today", "imminent",
        "ask_someone_near", "someone_yes", "someone_no", "ask_barrier", "barrier_reply",
        "thanks_for_telling", "not_sure", "resources", "resources_short", "denied", "eased",
        "still_there", "check_in", "check_in_other", "recheck", "other", "other_imminent",
        "stay_1", "stay_2", "stay_3", "stay_4", "stay_other_1", "stay_other_2", "stay_imminent_1",
        "stay_imminent_2", "stay_danger_1", "stay_danger_2", "imminent_alone", "other_still",
    ]  # fmt: skip
    own = [f"{kind}{suffix}" for kind in KINDS_WITH_OWN_FLOW for suffix in ("", "_imminent")]
    misuse = [
        "jailbreak", "harmful_request", "sexual", "illegal", "diagnosis_or_dosage",
        "general_assistant", "abuse",
    ]  # fmt: skip
    return (
        [f"utter_crisis_{name}" for name in fixed + own]
        + [f"utter_misuse_{name}" for name in misuse]
        + ["utter_no_answer"]
    )
