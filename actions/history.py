"""Turn a tracker's events into the chat messages that the LLM is given.

The oldest message kept moves forward in blocks, not turn by turn, so that the beginning of the
prompt stays the same for several turns and llama.cpp can reuse its KV cache. Token counts are
estimates from characters: the tokenizer lives in the LLM server.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

CRISIS_NOTE = "(Stillpoint gave its safety message with crisis lines.)"
SCRIPTED_LIMIT = 240
_TOKENS_PER_MESSAGE = 6


class ChatMessage(TypedDict):
    """One OpenAI chat message."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True)
class Said:
    """One thing said in the conversation, oldest first when in a list."""

    role: Literal["user", "assistant"]
    text: str
    source: str = ""
    flow: str = ""
    reply_id: str = ""


@dataclass(frozen=True)
class PromptLayout:
    """How much history fits a model.

    Attributes:
        system: the system prompt.
        context_tokens: the model's context window.
        max_tokens: room kept for the completion.
        chars_per_token: a low estimate, so that the prompt rather comes out short.
        block: how many messages are dropped at a time when the oldest no longer fit.
        keeps_crisis: whether a crisis reply stays as a one-line note; otherwise it is left out
            together with the message it answered.
    """

    system: str
    context_tokens: int
    max_tokens: int
    chars_per_token: float
    block: int
    keeps_crisis: bool


def conversation(events: Sequence[Mapping[str, Any]]) -> list[Said]:
    """What was said, from applied events (undone and restarted parts already removed).

    Slash payloads (buttons) and empty messages are left out.
    """
    said: list[Said] = []
    for event in events:
        text = event.get("text")
        if not isinstance(text, str) or not text.strip():
            continue
        if event.get("event") == "user" and not text.startswith("/"):
            said.append(Said("user", text.strip()))
        elif event.get("event") == "bot":
            facts = event.get("metadata")
            facts = facts if isinstance(facts, Mapping) else {}
            said.append(
                Said(
                    "assistant",
                    text.strip(),
                    source=str(facts.get("source") or ""),
                    flow=str(facts.get("flow") or ""),
                    reply_id=str(facts.get("reply_id") or ""),
                )
            )
    return said


def chat_messages(said: Sequence[Said], latest: str, layout: PromptLayout) -> list[ChatMessage]:
    """Build the prompt: system, as much history as fits, and the latest message last.

    Args:
        said: the conversation; whether it already ends with ``latest`` does not matter.
        latest: the message to answer; shortened in its middle if it alone is too long.
        layout: the model's budget.
    """
    earlier = list(said)
    if earlier and earlier[-1].role == "user" and earlier[-1].text == latest.strip():
        earlier.pop()
    budget = layout.context_tokens - layout.max_tokens - _tokens(layout.system, layout)
    limit = int((budget - _TOKENS_PER_MESSAGE) * layout.chars_per_token)
    newest = _shortened(latest.strip(), limit)
    messages = _merged(_usable(earlier, layout))
    budget -= _tokens(newest, layout)
    start = _first_kept(messages, budget, layout)
    kept = messages[start:]
    while kept and kept[0]["role"] == "assistant":
        kept = kept[1:]
    return _merged(
        [
            ChatMessage(role="system", content=layout.system),
            *kept,
            ChatMessage(role="user", content=newest),
        ]
    )


def _usable(said: Sequence[Said], layout: PromptLayout) -> list[ChatMessage]:
    messages: list[ChatMessage] = []
    for item in said:
        if item.source == "scripted" and item.flow == "crisis":
            if layout.keeps_crisis:
                messages.append(ChatMessage(role="assistant", content=CRISIS_NOTE))
            elif messages and messages[-1]["role"] == "user":
                messages.pop()
            continue
        text = item.text
        if item.source == "scripted" and len(text) > SCRIPTED_LIMIT:
            text = _shortened(text, SCRIPTED_LIMIT)
        messages.append(ChatMessage(role=item.role, content=text))
    return messages


def _merged(messages: Sequence[ChatMessage]) -> list[ChatMessage]:
    """Join neighbours of one role, since chat templates expect the roles to alternate."""
    merged: list[ChatMessage] = []
    for message in messages:
        if merged and merged[-1]["role"] == message["role"]:
            if merged[-1]["content"] == message["content"]:
                continue
            joined = f"{merged[-1]['content']}\n{message['content']}"
            merged[-1] = ChatMessage(role=message["role"], content=joined)
        else:
            merged.append(message)
    return merged


def _first_kept(messages: Sequence[ChatMessage], budget: float, layout: PromptLayout) -> int:
    """The smallest multiple of the block from which the rest fits the budget."""
    start = 0
    while start < len(messages):
        if sum(_tokens(message["content"], layout) for message in messages[start:]) <= budget:
            return start
        start += layout.block
    return len(messages)


def _tokens(text: str, layout: PromptLayout) -> int:
    return math.ceil(len(text.encode()) / layout.chars_per_token) + _TOKENS_PER_MESSAGE


def _shortened(text: str, limit: int) -> str:
    """Cut the middle out of a text that is longer than ``limit`` bytes, at white space."""
    limit = max(limit, 40)
    if len(text.encode()) <= limit:
        return text
    share = limit - len(" … ".encode())
    head = text.encode()[: share // 3].decode(errors="ignore").rsplit(None, 1)[0]
    tail_bytes = text.encode()[-(share - share // 3) :].decode(errors="ignore")
    tail = tail_bytes.split(None, 1)[-1]
    return f"{head} … {tail}"
