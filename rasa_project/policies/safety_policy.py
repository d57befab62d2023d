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
from typing import Any, Dict, List, Optional, Tuple

from rasa.core.policies.policy import PolicyPrediction
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.shared.core.constants import (
    ACTION_DEACTIVATE_LOOP_NAME,
    ACTION_LISTEN_NAME,
    REQUESTED_SLOT,
)
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

from components import hosted_model
from components.handoff import is_configured, is_offered
from policies import misuse
from policies.crisis_machine import step
from policies.crisis_state import CrisisState, Step
from policies.reading import misuse_category, turn_from_message
from policies.responses import crisis_responses
from policies.scripted_policy import (
    ScriptedPolicy,
    events_since_user_message,
    session_events,
)

logger = logging.getLogger(__name__)

STATE_SLOT = "crisis_state"
LEVEL_SLOT = "risk_level"
STAGE_SLOT = "crisis_stage"
COUNTRY_SLOT = "country"
OUTCOME_SLOT = "turn_outcome"
HANDOFF_SET_UP_SLOT = "handoff_set_up"
HANDOFF_SLOT = "handoff_offered"
SHARE_SLOT = "handoff_share"
CONTACT_SLOT = "handoff_contact"
CONSENT_SLOT = "handoff_consent"
HOSTED_SLOT = "hosted_model"
HOSTED_BY_SLOT = "hosted_by"
CONSENTS = {"yes": "yes", "no": "no", "withdrawn": "no"}
"""`CrisisState.handoff` -> the slot `handoff_consent`; nothing else is a consent."""
MOST_CONTACT_CHARS = 200
MOST_ACTIONS = 7
"""Actions after one message, then it listens. A turn that reaches Rasa's own limit (10) without
listening would leave every later message of the conversation unanswered."""
SILENT_ACTIONS = (ACTION_LISTEN_NAME, ACTION_DEACTIVATE_LOOP_NAME)
"""Actions that say nothing by themselves; what follows them answers."""
MISUSE_MEMORY = 12
"""User messages that are looked at for misuse in a row."""


@DefaultV1Recipe.register(
    DefaultV1Recipe.ComponentType.POLICY_WITHOUT_END_TO_END_SUPPORT, is_trainable=True
)
class SafetyPolicy(ScriptedPolicy):
    """Runs the crisis state machine and the answers that may never be missing."""

    @staticmethod
    def get_default_config() -> Dict[str, Any]:
        """`priority` only breaks ties; `no_answer` is said when an action gave no reply."""
        return {"priority": 100, "max_history": 1, "no_answer": "utter_no_answer"}

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
        handoff = str(tracker.get_slot(HANDOFF_SLOT) or "") if executed else handoff_now()
        result = step_of_last_message(tracker, handoff)
        actions = list(result.actions) or misuse_actions(tracker, result.state)
        if actions and len(executed) < len(actions):
            events = [*bookkeeping(tracker, message, result.state, handoff), *leave_loop(tracker)]
            return self._act(actions[len(executed)], domain, [] if executed else events)
        if actions:
            return self._act(ACTION_LISTEN_NAME, domain)
        if not executed:
            return self._abstain(domain, bookkeeping(tracker, message, result.state, handoff))
        if executed[-1] == self.config["no_answer"] or len(executed) >= MOST_ACTIONS:
            return self._act(ACTION_LISTEN_NAME, domain)
        if is_live(tracker) and self._left_without_answer(executed, turn_events):
            logger.warning("An action gave no answer: action=%s", executed[-1])
            return self._act(self.config["no_answer"], domain)
        return self._abstain(domain)

    def _left_without_answer(self, executed: List[str], events: List[Event]) -> bool:
        last = executed[-1]
        if last in SILENT_ACTIONS or not last.startswith("action_"):
            return False
        cancelled = any(
            isinstance(e, SlotSet) and e.key == OUTCOME_SLOT and e.value == "cancelled"
            for e in events
        )
        return not cancelled and not any(isinstance(e, BotUttered) for e in events)


def handoff_now() -> str:
    """`yes` while an on-call person can be told, `no` while that fails, empty if not set up."""
    if not is_configured():
        return ""
    return "yes" if is_offered() else "no"


def step_of_last_message(tracker: DialogueStateTracker, handoff: str = "") -> Step:
    """What the machine says to the last user message; `handoff`: see `Turn`.

    The slot is what counts where it was set; after its last setting the machine is run over the
    messages again, so that test stories, in which no slot is set, see the same.
    """
    events = session_events(tracker)
    last = max((i for i, e in enumerate(events) if isinstance(e, UserUttered)), default=-1)
    state, start = _last_state(events[:last])
    result = Step((), state)
    # The events begin at the session's start; a state that is there already was carried over.
    new_session = not any(isinstance(e, UserUttered) for e in events[:last])
    for event in events[start : last + 1]:
        if isinstance(event, UserUttered):
            is_first = new_session and event is events[last]
            returns = is_first and (state.rounds > 0 or bool(state.handoff))
            turn = turn_from_message(event, state, returns, handoff)
            result = step(state, turn)
            state = result.state
    return result


def _last_state(events: List[Event]) -> Tuple[CrisisState, int]:
    """The last state set by a slot event, and where the events after it begin."""
    for place in range(len(events) - 1, -1, -1):
        event = events[place]
        if isinstance(event, SlotSet) and event.key == STATE_SLOT:
            return CrisisState.from_slot(event.value), place + 1
    return CrisisState(), 0


def bookkeeping(
    tracker: DialogueStateTracker, message: UserUttered, state: CrisisState, handoff: str = ""
) -> List[Event]:
    """Slot events for what this message changed, and for what the operator has set up.

    The hand-off service reads the kind from the state when the level rises, and what is shared
    when the consent is given, so these come first.
    """
    consent = CONSENTS.get(state.handoff)
    hosted_by = hosted_model.provider()
    values = {
        HOSTED_SLOT: "yes" if hosted_by else None,
        HOSTED_BY_SLOT: hosted_by or None,
        HANDOFF_SET_UP_SLOT: "yes" if handoff else None,
        HANDOFF_SLOT: handoff or None,
        STATE_SLOT: state.as_slot(),
        LEVEL_SLOT: state.level,
        STAGE_SLOT: state.stage,
        COUNTRY_SLOT: state.country or country_of(message) or tracker.get_slot(COUNTRY_SLOT),
        SHARE_SLOT: state.share or None,
        CONTACT_SLOT: _contact(tracker, message, state),
        CONSENT_SLOT: consent,
    }
    return [
        SlotSet(slot, value) for slot, value in values.items() if tracker.get_slot(slot) != value
    ]


def _contact(
    tracker: DialogueStateTracker, message: UserUttered, state: CrisisState
) -> Optional[str]:
    """The way to reach the person: kept while they want it known, forgotten when they do not."""
    if not state.contact:
        return None
    kept = tracker.get_slot(CONTACT_SLOT)
    return kept or (message.text or "").strip()[:MOST_CONTACT_CHARS]


def is_live(tracker: DialogueStateTracker) -> bool:
    """Whether actions really run here: `rasa test` predicts them only, and starts no session."""
    return any(isinstance(event, SessionStarted) for event in tracker.events)


def misuse_actions(tracker: DialogueStateTracker, state: CrisisState) -> List[str]:
    """The scripted answer to a misuse, unless a crisis leads the conversation."""
    if state.engaged:
        return []
    said = [e for e in session_events(tracker) if isinstance(e, UserUttered)]
    categories = [misuse_category(e.parse_data or {}) for e in said[-MISUSE_MEMORY:]]
    return misuse.answer(categories[-1], categories[:-1]) if categories else []


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
    return [*crisis_responses(), *misuse.responses(), "utter_no_answer"]
