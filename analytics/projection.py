"""One Rasa event as rows of the analytics store."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from analytics.models import (
    Action,
    Base,
    BotMessage,
    Event,
    Latency,
    RiskEvent,
    Session,
    Slot,
    Turn,
    UserMessage,
)
from analytics.position import Move, Position, Step
from analytics.rasa_event import (
    LEVELS,
    SERIOUS_LEVELS,
    UNNAMED,
    RasaEvent,
    name,
    number,
    storable,
)

RISK_SLOT = "risk_level"
NEVER_KEPT = frozenset({"handoff_contact"})
"""Slots whose words are not copied whatever the settings say: a way to reach the person."""

Values = dict[str, Any]


@dataclass(slots=True)
class Projected:
    """The rows of one event, and what in it could not be understood (reasons, no quotes)."""

    rows: list[tuple[type[Base], Values]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class Projection:
    """Turns events into rows; which texts may be kept is its only setting.

    Args:
        store_text: Keep message texts and all slot values but those of NEVER_KEPT.
        kept_slots: Slots whose text values are kept in any case.
    """

    def __init__(self, store_text: bool, kept_slots: frozenset[str]) -> None:
        self._store_text = store_text
        self._kept_slots = kept_slots

    def project(self, person_id: str, event: RasaEvent, position: Position) -> Projected:
        """The rows of ``event``; ``position`` is advanced past it."""
        done = Projected()
        step = self._step(event, done)
        move = position.advance(step)
        key: Values = {
            "person_id": person_id,
            "event_id": event.event_id,
            "session_id": position.session_id,
            "turn_id": position.turn_id,
            "at": event.at,
        }
        if move.opened_session:
            opened = {"session_id": event.event_id, "started_at": event.at}
            done.rows.append((Session, {"person_id": person_id, **opened}))
        if move.opened_turn:
            turn = {"turn_id": event.event_id, "session_id": position.session_id}
            done.rows.append((Turn, {"person_id": person_id, **turn, "started_at": event.at}))
        ledger = {"type": event.type, "name": step.name, "row_at": event.row_at}
        done.rows.append((Event, {**key, **ledger}))
        if event.type == "user":
            self._user(key, event, done)
        elif event.type == "bot":
            self._bot(key, event, position, done)
        elif event.type == "action":
            self._action(key, event, done)
        elif event.type == "slot":
            self._slot(key, event, step, move, done)
        return done

    def _step(self, event: RasaEvent, done: Projected) -> Step:
        level: str | None = None
        if event.type == "user":
            label = name(_part(event.part("parse_data"), "intent").get("name"))
        else:
            label = name(event.data.get("name"))
        if event.type == "slot" and label is None:
            label = UNNAMED
            done.problems.append("slot: name is missing")
        if event.type == "slot" and label == RISK_SLOT:
            value = event.data.get("value")
            level = "none" if value is None else value
            if not isinstance(level, str) or level not in LEVELS:
                done.problems.append("slot risk_level: not a risk level")
                level = None
        return Step(event.event_id, event.type, label, event.at, level)

    def _user(self, key: Values, event: RasaEvent, done: Projected) -> None:
        parsed = event.part("parse_data")
        intent, misuse = _part(parsed, "intent"), _part(parsed, "misuse")
        if "parse_data" in event.data and not isinstance(event.data["parse_data"], Mapping):
            done.problems.append("parse_data: not an object")
        risk = self._risk(parsed, done)
        text = event.data.get("text")
        message = {
            "intent": name(intent.get("name")),
            "intent_confidence": number(intent.get("confidence")),
            "channel": name(event.data.get("input_channel")),
            "message_id": name(event.data.get("message_id")),
            "characters": len(text) if isinstance(text, str) else 0,
            "risk_level": risk["level"],
            "risk_kind": risk["kind"],
            "risk_about": risk["about"],
            "risk_score": risk["score"],
            "misuse": name(misuse.get("category")),
            "misuse_score": number(misuse.get("score")),
            "text": storable(text) if self._store_text else None,
        }
        done.rows.append((UserMessage, {**key, **message}))
        if risk["level"] in SERIOUS_LEVELS:
            row = {**key, "origin": "message", "previous_level": None, **risk}
            done.rows.append((RiskEvent, row))

    @staticmethod
    def _risk(parsed: Mapping[str, Any], done: Projected) -> Values:
        found = _part(parsed, "risk")
        if parsed.get("risk") is not None and not isinstance(parsed["risk"], Mapping):
            done.problems.append("parse_data.risk: not an object")
        level = found.get("level")
        if found and level not in LEVELS:
            done.problems.append("parse_data.risk.level: not a risk level")
        return {
            "level": level if level in LEVELS else None,
            "kind": name(found.get("kind")),
            "about": name(found.get("about")),
            "score": number(found.get("score")),
        }

    def _bot(self, key: Values, event: RasaEvent, position: Position, done: Projected) -> None:
        metadata = event.part("metadata")
        text = event.data.get("text")
        source = name(metadata.get("source"))
        message = {
            "source": source,
            "flow": name(metadata.get("flow")),
            "utter_action": name(metadata.get("utter_action")),
            "stream_id": name(metadata.get("stream_id")),
            "reply_id": name(metadata.get("reply_id")),
            "model": name(metadata.get("model")),
            "fallback_reason": name(metadata.get("fallback_reason")),
            "cancelled": metadata.get("cancelled") is True,
            "characters": len(text) if isinstance(text, str) else 0,
            "text": storable(text) if self._store_text else None,
        }
        done.rows.append((BotMessage, {**key, **message}))
        answer = None if position.turn_at is None else (event.at - position.turn_at) * 1000
        latency = {
            "source": source,
            "is_first": position.turn_id is not None and position.replies == 1,
            "answer_ms": answer if answer is not None and answer >= 0 else None,
            "first_sentence_ms": _duration(metadata.get("first_sentence_ms")),
            "total_ms": _duration(metadata.get("total_ms")),
        }
        done.rows.append((Latency, {**key, **latency}))

    @staticmethod
    def _action(key: Values, event: RasaEvent, done: Projected) -> None:
        action = {
            "name": name(event.data.get("name")),
            "policy": name(event.data.get("policy")),
            "confidence": number(event.data.get("confidence")),
        }
        done.rows.append((Action, {**key, **action}))

    def _slot(self, key: Values, event: RasaEvent, step: Step, move: Move, done: Projected) -> None:
        value = event.data.get("value")
        is_plain = value is None or isinstance(value, bool | int | float)
        is_word = step.name in self._kept_slots and name(value) not in (None, UNNAMED)
        may_keep = is_word or self._store_text
        is_kept = is_plain or (may_keep and step.name not in NEVER_KEPT)
        kept = storable(json.dumps(value)) if is_kept else None
        slot = {"name": step.name, "value": kept, "value_kept": is_kept}
        done.rows.append((Slot, {**key, **slot}))
        if move.previous_level is not None:
            change = {
                "origin": "slot",
                "level": step.risk_level,
                "previous_level": move.previous_level,
                "kind": None,
                "about": None,
                "score": None,
            }
            done.rows.append((RiskEvent, {**key, **change}))


def _part(of: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = of.get(key)
    return found if isinstance(found, Mapping) else {}


def _duration(value: object) -> float | None:
    found = number(value)
    return found if found is not None and found >= 0 else None
