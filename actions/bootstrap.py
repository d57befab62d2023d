"""All wiring of the action server, in one place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sanic import Sanic

from actions.action_find_support import ActionFindSupport
from actions.action_llm_fallback import ActionLLMFallback
from actions.contact_points import ContactPoints
from actions.errors import ConfigurationError, DataFileError
from actions.guarded_action import GuardedAction
from actions.guardrails.output import OutputGuardrail
from actions.history import PromptLayout
from actions.llm_client import HttpxLLMClient, LLMClient
from actions.reply_bank import load_reply_bank
from actions.responders.base import Responder
from actions.responders.single import Limits, SingleResponder
from actions.server import SelectiveDomainExecutor, create_app
from actions.settings import Settings
from actions.turns import TurnRegistry

HOUSE_MODEL = "stillpoint-house"
_PROMPTS = Path(__file__).with_name("prompts")
_GUARD_SLACK_S = 5.0

# What each prompt profile sends along; hosted APIs refuse the keys that only llama.cpp knows.
_SAMPLING: dict[str, dict[str, Any]] = {
    "house": {
        "temperature": 0.7,
        "top_p": 0.9,
        "min_p": 0.05,
        "repeat_penalty": 1.1,
        "max_tokens": 120,
        "stop": ["<|im_end|>"],
    },
    "general": {"temperature": 0.7, "top_p": 0.9, "max_tokens": 220},
}
_CONTEXT_TOKENS = {"house": 512, "general": 4096}
_CHARS_PER_TOKEN = {"house": 2.8, "general": 3.2}


def build_layout(settings: Settings) -> PromptLayout:
    """The prompt and its budget for the configured model."""
    profile = settings.speaks_as
    is_house = profile == "house"
    return PromptLayout(
        system=(_PROMPTS / f"{profile}.txt").read_text(encoding="utf-8").strip(),
        context_tokens=settings.llm_context_tokens or _CONTEXT_TOKENS[profile],
        max_tokens=int(_SAMPLING[profile]["max_tokens"]),
        chars_per_token=_CHARS_PER_TOKEN[profile],
        block=2 if is_house else 8,
        keeps_crisis=not is_house,
    )


def build_llm(settings: Settings) -> LLMClient:
    """The client for the LLM server."""
    return HttpxLLMClient(
        base_url=settings.llm_url,
        model=settings.llm_model,
        sampling=_SAMPLING[settings.speaks_as],
        api_key=settings.llm_api_key.get_secret_value() if settings.llm_api_key else None,
        shown_as=settings.llm_model or HOUSE_MODEL,
    )


def build_app(
    settings: Settings, *, llm: LLMClient | None = None, responder: Responder | None = None
) -> Sanic[Any, Any]:
    """Build the whole action server.

    Args:
        settings: read by :func:`actions.settings.load_settings`.
        llm: replaces the HTTP client (tests, demonstrations).
        responder: replaces the default responder.

    Raises:
        ConfigurationError: the reply bank cannot be loaded.
    """
    try:
        bank = load_reply_bank(settings.actions_data_dir / "replies")
    except DataFileError as error:
        raise ConfigurationError(f"ACTIONS_DATA_DIR: {error}") from None
    client = llm or build_llm(settings)
    turns = TurnRegistry(max_turns=settings.actions_max_turns)
    responder = responder or SingleResponder(
        llm=client,
        guardrail=OutputGuardrail(grounded=settings.speaks_as == "house"),
        bank=bank,
        layout=build_layout(settings),
        limits=Limits(
            first_sentence_s=settings.actions_first_sentence_s,
            sentence_gap_s=settings.actions_sentence_gap_s,
            total_s=settings.actions_total_s,
            max_sentences=settings.actions_max_sentences,
            max_chars=settings.actions_max_reply_chars,
        ),
    )
    executor = SelectiveDomainExecutor()
    for action in (
        ActionLLMFallback(responder=responder, turns=turns),
        ActionFindSupport(ContactPoints(settings.actions_data_dir)),
    ):
        limit_s = settings.actions_total_s + _GUARD_SLACK_S
        executor.register_action(GuardedAction(action, bank=bank, limit_s=limit_s))
    token = settings.actions_token.get_secret_value() if settings.actions_token else None
    app = create_app(executor, turns, token=token)

    async def close_llm(_app: Sanic[Any, Any]) -> None:
        await client.aclose()

    app.register_listener(close_llm, "after_server_stop")
    return app
