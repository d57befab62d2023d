"""Fixtures for the Rasa environment's tests."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rasa.core.actions.action import RemoteAction
from rasa.core.agent import Agent
from rasa.core.channels.channel import UserMessage
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import ActionExecuted, BotUttered, Event

from components.nlg import ScriptedNaturalLanguageGenerator

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def repository() -> Path:
    """The repository's root."""
    return REPOSITORY


@pytest.fixture(scope="session")
def model_path() -> Path:
    """The trained Rasa model; `make test` trains it before these tests run."""
    folder = Path(os.environ.get("STILLPOINT_VAR") or REPOSITORY / "var")
    path = folder / "models" / "stillpoint.tar.gz"
    assert path.is_file(), f"{path} is missing: run `make train` first"
    return path


class Live:
    """The trained model with a tracker store in memory; custom actions answer "heard".

    Messages come with the NLU's verdict (`said`), so that tests do not hang on the classifier.
    """

    def __init__(self, agent: Agent) -> None:
        self.agent = agent

    async def say(self, sender: str, parsed: dict[str, Any]) -> list[str]:
        """One message: the actions it leads to, without listening."""
        before = len(await self.events(sender))
        message = UserMessage(parsed["text"], sender_id=sender, parse_data=parsed)
        await self.agent.handle_message(message)
        ran = [e for e in (await self.events(sender))[before:] if isinstance(e, ActionExecuted)]
        names = [str(event.action_name) for event in ran]
        return [n for n in names if n not in ("action_listen", "action_session_start")]

    async def events(self, sender: str) -> list[Event]:
        """All events of a conversation so far."""
        tracker = await self.agent.tracker_store.retrieve(sender)
        return list(tracker.events) if tracker else []


@pytest.fixture(scope="session")
def loaded_agent(model_path: Path, repository: Path) -> Agent:
    """The trained model."""
    domain = Domain.load(str(repository / "rasa_project" / "domain"))
    return Agent.load(str(model_path), generator=ScriptedNaturalLanguageGenerator(domain=domain))


@pytest.fixture
def live(loaded_agent: Agent, monkeypatch: pytest.MonkeyPatch) -> Live:
    """Conversations with the trained model, without an action server."""

    async def heard(*_: Any, **__: Any) -> list[Event]:
        return [BotUttered("heard")]

    monkeypatch.setattr(RemoteAction, "run", heard)
    return Live(loaded_agent)


def said(
    text: str,
    intent: str,
    confidence: float = 1.0,
    ranking: dict[str, float] | None = None,
    level: str = "none",
    **parsed: Any,
) -> dict[str, Any]:
    """What the NLU says to a message, as `/model/parse` does."""
    return {
        "text": text,
        "intent": {"name": intent, "confidence": confidence},
        "entities": [],
        "intent_ranking": [
            {"name": name, "confidence": value} for name, value in (ranking or {}).items()
        ],
        "risk": {"level": level, "kind": "none", "about": "self", "score": 0.0},
        **parsed,
    }


@pytest.fixture(scope="session")
def heard_as() -> Callable[..., dict[str, Any]]:
    """`said`, for tests."""
    return said
