"""The partner channel: a REST interface for organisations that have their own front end.

Routes below ``/webhooks/partner``: ``POST /webhook`` (Rasa's REST message list, or server-sent
events with ``Accept: text/event-stream``) and ``DELETE /users/<user_id>``. Senders are kept
apart by partner; the partner's own user id is stored nowhere.
"""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from rasa.core.channels.channel import InputChannel, UserMessage
from sanic import Blueprint, Sanic, response
from sanic.request import Request
from sanic.response import HTTPResponse

from channels import action_endpoint, history, logging_filter, request_body
from channels.actions_client import ActionsClient
from channels.erasure import erase_tracker
from channels.errors import Conflict, TooManyRequests, Unprocessable, answers_errors
from channels.event_log import EventLog
from channels.feedback import FeedbackStore
from channels.limits import RateLimit
from channels.output import TurnOutput
from channels.partner_keys import PartnerKeys, sender_id_of
from channels.settings import Environment, PartnerSettings
from channels.sse import send_stream
from channels.text import free_text, well_formed_payload
from channels.tokens import bearer_token
from channels.turns import Turn, Turns

CHANNEL = "partner"
MAX_KEY_CHARS = 255
MAX_USER_ID_CHARS = 256
MAX_EVENTS_OF_TURN = 2_000
MAX_REMEMBERED = 20_000
NO_STORE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


@dataclass(eq=False)
class Exchange:
    """One request of a partner with the turn that answers it."""

    fingerprint: str
    sender_id: str
    turn: Turn
    log: EventLog
    started_at: float = field(default_factory=time.monotonic)


class PartnerInput(InputChannel):
    """Rasa input channel for partners. Key: ``channels.partner.PartnerInput``.

    Args:
        settings: The channel's block in credentials.yml.
        environment: Environment variables that the channels read.
    """

    def __init__(self, settings: PartnerSettings, environment: Environment) -> None:
        self.settings = settings
        self.environment = environment
        self.app: Sanic | None = None
        self.keys = PartnerKeys.load(environment.partner_keys, settings.keys_file)
        self.feedback = FeedbackStore(environment.var_dir / "feedback.db")
        self.limit = RateLimit(settings.messages_per_minute, settings.message_burst)
        self.turns: Turns | None = None
        self._exchanges: OrderedDict[tuple[str, str], Exchange] = OrderedDict()

    @classmethod
    def name(cls) -> str:
        """Return the channel's name, which is also its path below ``/webhooks``."""
        return CHANNEL

    @classmethod
    def from_credentials(cls, credentials: dict[str, Any] | None) -> PartnerInput:
        """Build the channel.

        Raises:
            ChannelConfigError: A bad key or value in credentials.yml or the environment.
        """
        return cls(PartnerSettings.from_credentials(CHANNEL, credentials), Environment.read())

    def blueprint(self, on_new_message: Callable[[UserMessage], Awaitable[Any]]) -> Blueprint:
        """Return the routes of the channel."""
        turns = self.turns = Turns(
            CHANNEL,
            on_new_message,
            self.agent,
            ActionsClient.from_environment(self.environment),
            max_pending=self.settings.max_pending_turns,
            timeout_s=self.settings.turn_timeout_s,
            slow_s=self.settings.slow_s,
        )
        blueprint = Blueprint("stillpoint_partner")

        @blueprint.listener("before_server_start")
        async def start(app: Sanic, _: Any) -> None:
            self.app = app
            logging_filter.install()

        @blueprint.listener("after_server_start")
        async def bound_actions(app: Sanic, _: Any) -> None:
            action_endpoint.install(app)

        @blueprint.listener("before_server_stop")
        async def stop(_: Sanic, __: Any) -> None:
            await turns.close()

        blueprint.add_route(
            answers_errors(self._webhook), "/webhook", methods=["POST"], stream=True
        )
        blueprint.add_route(
            answers_errors(self._erase_user), "/users/<user_id>", methods=["DELETE"]
        )
        return blueprint

    def agent(self) -> Any:
        """Return the agent that is loaded now, its action endpoint bounded; or ``None``."""
        agent = getattr(self.app.ctx, "agent", None) if self.app else None
        action_endpoint.bound(agent)
        return agent

    async def _webhook(self, request: Request) -> HTTPResponse | None:
        partner = self.keys.partner_of(bearer_token(request.headers.get("authorization")))
        self.limit.take(partner, "Too many messages; please slow down.")
        body = await request_body.json_object(request, self.settings.max_body_bytes)
        user_id = request_body.optional_string(body, "user_id", MAX_USER_ID_CHARS)
        if user_id is None:
            raise Unprocessable("'user_id' is missing.", "user_id")
        streams = "text/event-stream" in request.headers.get("accept", "").lower()
        key = _idempotency_key(request)
        exchange = self._repeated(partner, key, body)
        if exchange is None:
            sender_id = sender_id_of(partner, user_id)
            text = await self._text_of(sender_id, body)
            exchange = self._repeated(partner, key, body)
        if exchange is None:
            exchange = await self._start(partner, key, body, sender_id, text)
        if streams:
            await send_stream(request, exchange.log.follow(0, self.settings.heartbeat_s))
            return None
        await exchange.turn.finished.wait()
        return response.json(rest_messages(exchange.log, user_id), headers=NO_STORE)

    async def _erase_user(self, request: Request, user_id: str) -> HTTPResponse:
        partner = self.keys.partner_of(bearer_token(request.headers.get("authorization")))
        self.limit.take(partner, "Too many requests; please slow down.")
        sender_id = sender_id_of(partner, unquote(user_id))
        assert self.turns is not None
        await self.turns.wait_idle(sender_id)
        await erase_tracker(self.agent(), sender_id)
        await self.feedback.erase(sender_id)
        for key in [k for k, kept in self._exchanges.items() if kept.sender_id == sender_id]:
            del self._exchanges[key]
        return response.empty(status=204)

    async def _text_of(self, sender_id: str, body: dict[str, Any]) -> str:
        if body.get("message") is None and body.get("payload") is None:
            raise Unprocessable("'message' is missing.", "message")
        if body.get("payload") is None:
            return free_text(body["message"], self.settings.max_message_chars)
        if body.get("message") is not None:
            raise Unprocessable("Send either 'message' or 'payload'.", "payload")
        payload = well_formed_payload(body["payload"], self.settings.max_message_chars)
        if payload in self.settings.payloads:
            return payload
        if await history.was_offered(self.agent(), sender_id, payload):
            return payload
        raise Unprocessable("'payload' was not offered to this user.", "payload")

    def _repeated(self, partner: str, key: str | None, body: dict[str, Any]) -> Exchange | None:
        self._forget_old()
        exchange = self._exchanges.get((partner, key)) if key else None
        if exchange is not None and exchange.fingerprint != _fingerprint(body):
            raise Conflict(
                "This Idempotency-Key was already used for another request.", "Idempotency-Key"
            )
        return exchange

    async def _start(
        self, partner: str, key: str | None, body: dict[str, Any], sender_id: str, text: str
    ) -> Exchange:
        assert self.turns is not None
        metadata = {
            "country": request_body.country_of(body),
            "language": request_body.language_of(body),
        }
        message_id = uuid.uuid4().hex
        log = EventLog(MAX_EVENTS_OF_TURN, self.settings.idempotency_ttl_s)

        def emit(name: str, data: dict[str, Any]) -> None:
            log.append(name, data, message_id)
            if name == "done":
                log.close()

        turn = Turn(
            sender_id=sender_id,
            text=text,
            message_id=message_id,
            output=TurnOutput(CHANNEL, message_id, emit),
            emit=emit,
            metadata={name: value for name, value in metadata.items() if value} or None,
            streams=True,
        )
        exchange = Exchange(_fingerprint(body), sender_id, turn, log)
        if key:
            self._exchanges[partner, key] = exchange
        try:
            await self.turns.submit(turn)
        except TooManyRequests:
            if key:
                self._exchanges.pop((partner, key), None)
            raise
        return exchange

    def _forget_old(self) -> None:
        oldest_kept = time.monotonic() - self.settings.idempotency_ttl_s
        while self._exchanges:
            key, exchange = next(iter(self._exchanges.items()))
            if exchange.started_at >= oldest_kept and len(self._exchanges) <= MAX_REMEMBERED:
                return
            del self._exchanges[key]


def rest_messages(log: EventLog, user_id: str) -> list[dict[str, Any]]:
    """Return the bot messages of a finished turn as Rasa's REST channel does.

    Each is ``{"recipient_id", "text", "buttons"?, "metadata"}``; ``recipient_id`` is the
    partner's own user id, and ``metadata`` holds ``source``, ``flow`` and the message's ``id``.
    """
    messages = []
    for event in log.after(0):
        if event.name not in ("message", "stream_end"):
            continue
        data = dict(event.data)
        message = {"recipient_id": user_id, "text": data.pop("text")}
        buttons = data.pop("buttons", None)
        if buttons:
            message["buttons"] = buttons
        message["metadata"] = data
        messages.append(message)
    return messages


def _idempotency_key(request: Request) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is not None and not 0 < len(key) <= MAX_KEY_CHARS:
        raise Unprocessable(
            f"Idempotency-Key must have 1 to {MAX_KEY_CHARS} characters.", "Idempotency-Key"
        )
    return key


def _fingerprint(body: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
