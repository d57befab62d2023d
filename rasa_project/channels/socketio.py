"""The socket.io channel for the rasa-webchat widget, with sessions that the server makes.

The widget keeps the ``session_id`` it is given and presents it again; here that id is a signed
token, and the sender id and the room are what the token says. A client can therefore neither
choose a session nor join another's room. Texts are sent whole; the widget shows a message only
if it has exactly the keys ``text``, or ``text`` and ``quick_replies``.
"""

from __future__ import annotations

import asyncio
import inspect
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from rasa.core.channels.channel import OutputChannel, UserMessage
from rasa.core.channels.socketio import SocketBlueprint, SocketIOInput, SocketIOOutput
from sanic import Blueprint, Sanic, response
from sanic.request import Request
from sanic.response import HTTPResponse

from channels import action_endpoint, history, logging_filter, request_body
from channels.actions_client import ActionsClient
from channels.errors import (
    ChannelError,
    TooLarge,
    TooManyRequests,
    Unauthorized,
    answers_errors,
)
from channels.event_log import EventLog
from channels.limits import RateLimit
from channels.origins import OriginCheckingServer, checked_origins
from channels.outbox import Outbox
from channels.output import TurnOutput, event_details
from channels.page import widget_demo
from channels.sessions import Session, Sessions
from channels.settings import PAYLOAD_PATTERN, Environment, SocketIOSettings
from channels.text import free_text
from channels.tokens import SessionClaims, SessionTokens, load_secret
from channels.turns import Turn, Turns

log = structlog.get_logger(__name__)

CHANNEL = "socketio"
PROTOCOL_OVERHEAD_BYTES = 4_096
SHUTDOWN_S = 1.0
TOO_LONG = "That was too long for me to read in one piece. Could you send it in smaller parts?"
TOO_FAST = (
    "That was a lot at once; please wait a moment. "
    "If you are in danger, call your local emergency number now."
)


class GuardedSocketIOInput(SocketIOInput):
    """Rasa input channel for rasa-webchat. Key: ``channels.socketio.GuardedSocketIOInput``.

    Args:
        settings: The channel's block in credentials.yml.
        environment: Environment variables that the channels read.
    """

    def __init__(self, settings: SocketIOSettings, environment: Environment) -> None:
        super().__init__(session_persistence=True, socketio_path=settings.socketio_path)
        self.settings = settings
        self.environment = environment
        self.app: Sanic | None = None
        self.origins = checked_origins(settings.allowed_origins)
        self.tokens = SessionTokens(load_secret(environment), CHANNEL, settings.token_lifetime_s)
        self.connection_limit = RateLimit(
            settings.connections_per_minute, settings.connection_burst
        )
        self.message_limit = RateLimit(settings.messages_per_minute, settings.message_burst)
        self.sessions = Sessions(settings.max_sessions, lambda: EventLog(1, 1), self._is_busy)
        self.outbox = Outbox(self._deliver, settings.max_waiting_messages)
        self.turns: Turns | None = None
        self._sockets: dict[str, tuple[str, str]] = {}

    @classmethod
    def name(cls) -> str:
        """Return the channel's name."""
        return CHANNEL

    @classmethod
    def from_credentials(cls, credentials: dict[str, Any] | None) -> GuardedSocketIOInput:
        """Build the channel.

        Raises:
            ChannelConfigError: A bad key or value in credentials.yml or the environment.
        """
        return cls(SocketIOSettings.from_credentials(CHANNEL, credentials), Environment.read())

    def get_output_channel(self) -> OutputChannel:
        """Return an output for messages without a turn, such as reminders."""
        return _Announcements(self)

    def blueprint(self, on_new_message: Callable[[UserMessage], Awaitable[Any]]) -> Blueprint:
        """Return the routes of the channel and register the socket.io events."""
        self.turns = Turns(
            CHANNEL,
            on_new_message,
            self.agent,
            ActionsClient.from_environment(self.environment),
            max_pending=self.settings.max_pending_turns,
            timeout_s=self.settings.turn_timeout_s,
            slow_s=self.settings.slow_s,
        )
        sio = OriginCheckingServer(
            async_mode="sanic",
            cors_allowed_origins=None,
            cors_credentials=False,
            max_http_buffer_size=self.settings.max_body_bytes + PROTOCOL_OVERHEAD_BYTES,
        )
        sio.eio.configured_origins = self.origins
        sio.eio.trusts_proxy = self.settings.proxy_hops > 0
        self.sio = sio
        sio.on("connect", self._on_connect)
        sio.on("disconnect", self._on_disconnect)
        sio.on("session_request", self._on_session_request)
        sio.on(self.user_message_evt, self._on_user_message)

        blueprint = SocketBlueprint(sio, self.socketio_path, "socketio_webhook", __name__)
        blueprint.add_route(answers_errors(self._health), "/", methods=["GET"])
        blueprint.add_route(answers_errors(self._demo), "/demo", methods=["GET"])
        blueprint.listener("before_server_start")(self._start)
        blueprint.listener("after_server_start")(self._bound_actions)
        blueprint.listener("before_server_stop")(self._stop)
        return blueprint

    def agent(self) -> Any:
        """Return the agent that is loaded now, its action endpoint bounded; or ``None``."""
        agent = getattr(self.app.ctx, "agent", None) if self.app else None
        action_endpoint.bound(agent)
        return agent

    def announce(self, sender_id: str, name: str, data: dict[str, Any]) -> None:
        """Send a bot message event to a sender; other events have no counterpart here."""
        if name not in ("message", "stream_end"):
            return
        self.sessions.open(sender_id).note(name, data)
        self.outbox.put(sender_id, widget_message(data))

    async def _health(self, _: Request) -> HTTPResponse:
        return response.json({"status": "ok"})

    async def _demo(self, request: Request) -> HTTPResponse:
        return widget_demo(request)

    async def _start(self, app: Sanic, _: Any) -> None:
        self.app = app
        logging_filter.install()

    async def _bound_actions(self, app: Sanic, _: Any) -> None:
        action_endpoint.install(app)

    async def _stop(self, _: Sanic, __: Any) -> None:
        assert self.turns is not None
        assert self.sio is not None
        await self.turns.close()
        await self.outbox.close()
        engine = self.sio.eio
        open_sockets = [engine.disconnect(sid) for sid in list(engine.sockets)]
        try:
            await asyncio.wait_for(
                asyncio.gather(*open_sockets, engine.shutdown(), return_exceptions=True),
                SHUTDOWN_S,
            )
        except asyncio.TimeoutError:
            log.warning("socketio.shutdown.slow", sockets=len(open_sockets))
        _end_pings()

    async def _on_connect(self, sid: str, environ: dict[str, Any], auth: Any | None = None) -> bool:
        ip = request_body.client_ip(environ["sanic.request"], self.settings.proxy_hops)
        return self.connection_limit.wait_s(ip) == 0

    async def _on_disconnect(self, sid: str) -> None:
        sender_id, _ = self._sockets.pop(sid, (None, None))
        if sender_id is not None:
            self.outbox.leave(sender_id, sid)

    async def _on_session_request(self, sid: str, data: Any | None = None) -> None:
        await self._confirm(sid, data)

    async def _on_user_message(self, sid: str, data: Any) -> None:
        if not isinstance(data, dict) or not isinstance(data.get("message"), str):
            return
        if sid not in self._sockets:
            await self._confirm(sid, data)
        sender_id, _ = self._sockets[sid]
        session = self.sessions.open(sender_id)
        _note_custom_data(session, data.get("customData"))
        try:
            self.message_limit.take(sender_id, TOO_FAST)
            await self._start_turn(session, await self._text_of(session, data["message"]))
        except TooManyRequests:
            self.outbox.put(sender_id, {"text": TOO_FAST})
        except TooLarge:
            self.outbox.put(sender_id, {"text": TOO_LONG})
        except ChannelError:
            return

    async def _confirm(self, sid: str, data: Any) -> None:
        """Give a socket its session, once: the one whose token it presents, or a new one."""
        if sid not in self._sockets:
            token = data.get("session_id") if isinstance(data, dict) else None
            try:
                claims = self.tokens.verify(token if isinstance(token, str) else "")
            except Unauthorized:
                claims = SessionClaims(self.tokens.new_sender_id())
                token = self.tokens.issue(claims)
            self._sockets[sid] = (claims.sender_id, str(token))
            joined = self._server().enter_room(sid, claims.sender_id)
            if inspect.isawaitable(joined):
                await joined
        sender_id, token = self._sockets[sid]
        await self._server().emit("session_confirm", token, room=sid)
        self.outbox.join(sender_id, sid)

    async def _text_of(self, session: Session, message: str) -> str:
        """Return a button's payload if it was offered, else free text that is no command."""
        is_short = len(message) <= self.settings.max_message_chars
        if (
            is_short
            and PAYLOAD_PATTERN.fullmatch(message)
            and (
                message in session.offered
                or message in self.settings.payloads
                or await history.was_offered(self.agent(), session.sender_id, message)
            )
        ):
            return message
        return free_text(message, self.settings.max_message_chars)

    async def _start_turn(self, session: Session, text: str) -> None:
        assert self.turns is not None
        message_id = uuid.uuid4().hex

        def emit(name: str, data: dict[str, Any]) -> None:
            self.announce(session.sender_id, name, data)

        await self.turns.submit(
            Turn(
                sender_id=session.sender_id,
                text=text,
                message_id=message_id,
                output=TurnOutput(CHANNEL, message_id, emit),
                emit=emit,
                metadata=session.metadata,
            )
        )

    async def _deliver(self, sender_id: str, message: dict[str, Any]) -> None:
        await self._server().emit(self.bot_message_evt, message, room=sender_id)

    def _server(self) -> Any:
        assert self.sio is not None
        return self.sio

    def _is_busy(self, sender_id: str) -> bool:
        return self.turns is not None and self.turns.is_busy(sender_id)


class _Announcements(SocketIOOutput):
    """Bot messages that answer nobody's message."""

    def __init__(self, channel: GuardedSocketIOInput) -> None:
        super().__init__(channel.sio, channel.bot_message_evt)
        self._announce = channel.announce

    async def send_response(self, recipient_id: str, message: dict[str, Any]) -> None:
        if message.get("text"):
            data = {"id": uuid.uuid4().hex, "text": message["text"], **event_details(message)}
            self._announce(recipient_id, "message", data)

    async def send_text_message(self, recipient_id: str, text: str, **kwargs: Any) -> None:
        await self.send_response(recipient_id, {"text": text, **kwargs})


def widget_message(data: dict[str, Any]) -> dict[str, Any]:
    """Return a bot message in the form that rasa-webchat shows."""
    message: dict[str, Any] = {"text": data["text"]}
    replies: list[dict[str, str]] = [
        {"content_type": "text", "title": button["title"], "payload": button["payload"]}
        for button in data.get("buttons", ())
        if "payload" in button
    ]
    if replies:
        message["quick_replies"] = replies
    return message


def _end_pings() -> None:
    """Cancel the ping tasks of closed sockets, which engine.io leaves asleep for 25 s."""
    for task in asyncio.all_tasks():
        if getattr(task.get_coro(), "__qualname__", "") == "AsyncSocket._send_ping":
            task.cancel()


def _note_custom_data(session: Session, custom_data: Any) -> None:
    if not isinstance(custom_data, dict):
        return
    try:
        session.country = request_body.country_of(custom_data) or session.country
        session.language = request_body.language_of(custom_data) or session.language
    except ChannelError:
        return
