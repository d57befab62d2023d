"""The web channel: server-made sessions, answers as server-sent events that can be resumed.

Routes below ``/webhooks/web``: ``GET /`` and ``GET /static/…`` (the page), ``GET /health``,
``POST /session``, ``POST /webhook``, ``GET /events`` and ``POST /feedback``.

``country`` and ``language`` of a session travel as message metadata; the tracker therefore has
them in ``latest_message.metadata`` of every message and in ``session_started_metadata``.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from rasa.core.channels.channel import InputChannel, OutputChannel, UserMessage
from sanic import Blueprint, Sanic, response
from sanic.request import Request
from sanic.response import HTTPResponse

from channels import action_endpoint, history, logging_filter, request_body
from channels.actions_client import ActionsClient
from channels.errors import (
    BadRequest,
    Conflict,
    NotFound,
    TooManyRequests,
    Unprocessable,
    answers_errors,
)
from channels.event_log import DONE, Event, EventLog
from channels.feedback import FeedbackStore
from channels.limits import RateLimit
from channels.output import TurnOutput, event_details
from channels.page import DEFAULT_PAGE_DIR, Page
from channels.sessions import Session, Sessions
from channels.settings import Environment, WebSettings
from channels.sse import format_detached, send_stream
from channels.text import clean_text, free_text, well_formed_payload
from channels.tokens import SessionClaims, SessionTokens, bearer_token, load_secret
from channels.turns import Turn, Turns

CHANNEL = "web"
NO_STORE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
MAX_CLIENT_MESSAGE_ID_CHARS = 128
MAX_MESSAGE_ID_CHARS = 64
WAIT_A_MOMENT = (
    "That was a lot at once; please wait a moment. "
    "If you are in danger, call your local emergency number now."
)
GAP = {"code": "gap", "message": "Part of the conversation could not be kept for you."}


class WebInput(InputChannel):
    """Rasa input channel for the chat page. Key in credentials.yml: ``channels.web.WebInput``.

    Args:
        settings: The channel's block in credentials.yml.
        environment: Environment variables that the channels read.
    """

    def __init__(self, settings: WebSettings, environment: Environment) -> None:
        self.settings = settings
        self.environment = environment
        self.app: Sanic | None = None
        self.tokens = SessionTokens(load_secret(environment), CHANNEL, settings.token_lifetime_s)
        self.feedback = FeedbackStore(environment.var_dir / "feedback.db")
        folder = Path(settings.page_dir) if settings.page_dir else DEFAULT_PAGE_DIR
        self.page = Page(folder, settings.frame_ancestors)
        self.sessions = Sessions(settings.max_sessions, self._new_log, self._is_busy)
        self.session_limit = RateLimit(settings.sessions_per_minute, settings.session_burst)
        self.message_limit = RateLimit(settings.messages_per_minute, settings.message_burst)
        self.turns: Turns | None = None

    @classmethod
    def name(cls) -> str:
        """Return the channel's name, which is also its path below ``/webhooks``."""
        return CHANNEL

    @classmethod
    def from_credentials(cls, credentials: dict[str, Any] | None) -> WebInput:
        """Build the channel.

        Raises:
            ChannelConfigError: A bad key or value in credentials.yml or the environment.
        """
        return cls(WebSettings.from_credentials(CHANNEL, credentials), Environment.read())

    def get_output_channel(self) -> OutputChannel:
        """Return an output for messages without a turn, such as reminders.

        They reach the open ``/events`` streams of a session that lives in this process.
        """
        return _Announcements(self.sessions)

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
        blueprint = Blueprint("stillpoint_web")

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
            self.sessions.close()

        for handler, uri, method in (
            (self._index, "/", "GET"),
            (self._static, "/static/<name:path>", "GET"),
            (self._health, "/health", "GET"),
            (self._events, "/events", "GET"),
        ):
            blueprint.add_route(answers_errors(handler), uri, methods=[method])
        for handler, uri in (
            (self._session, "/session"),
            (self._webhook, "/webhook"),
            (self._feedback, "/feedback"),
        ):
            blueprint.add_route(answers_errors(handler), uri, methods=["POST"], stream=True)
        return blueprint

    def agent(self) -> Any:
        """Return the agent that is loaded now, its action endpoint bounded; or ``None``."""
        agent = getattr(self.app.ctx, "agent", None) if self.app else None
        action_endpoint.bound(agent)
        return agent

    async def _index(self, request: Request) -> HTTPResponse:
        return self.page.index(request)

    async def _static(self, request: Request, name: str) -> HTTPResponse:
        return self.page.static(request, name)

    async def _health(self, _: Request) -> HTTPResponse:
        agent = self.agent()
        ready = agent is not None and agent.is_ready()
        return response.json(
            {"status": "ok" if ready else "no model loaded"},
            status=200 if ready else 503,
            headers=NO_STORE,
        )

    async def _session(self, request: Request) -> HTTPResponse:
        ip = request_body.client_ip(request, self.settings.proxy_hops)
        self.session_limit.take(ip, "Too many new conversations; please wait a moment.")
        body = await request_body.json_object(request, self.settings.max_body_bytes, optional=True)
        claims = SessionClaims(
            self.tokens.new_sender_id(),
            request_body.country_of(body),
            request_body.language_of(body),
        )
        return response.json(
            {"token": self.tokens.issue(claims), "expires_in": self.tokens.lifetime_s},
            headers=NO_STORE,
        )

    async def _webhook(self, request: Request) -> None:
        session = self._open_session(request)
        body = await request_body.json_object(request, self.settings.max_body_bytes)
        self._update_session(session, body)
        client_id = request_body.optional_string(
            body, "client_message_id", MAX_CLIENT_MESSAGE_ID_CHARS
        )
        turn = self._repeated(session, client_id, body)
        if turn is None:
            self.message_limit.take(session.sender_id, WAIT_A_MOMENT)
            text = await self._text_of(session, body)
            turn = self._repeated(session, client_id, body)
        if turn is None:
            turn = await self._start_turn(session, text, client_id, body)
        await self._send(request, session, self._turn_events(session, turn))

    async def _events(self, request: Request) -> None:
        session = self._open_session(request)
        after = _last_event_id(request)
        first = ""
        if session.log.has_gap_after(after):
            first = format_detached("error", after + 1, GAP)
        events = session.log.follow(
            after, self.settings.heartbeat_s, idle_s=self.settings.events_idle_s
        )
        await self._send(request, session, events, first)

    async def _feedback(self, request: Request) -> HTTPResponse:
        session = self._open_session(request)
        body = await request_body.json_object(request, self.settings.max_body_bytes)
        self.message_limit.take(session.sender_id, WAIT_A_MOMENT)
        message_id = request_body.optional_string(body, "id", MAX_MESSAGE_ID_CHARS)
        if message_id is None:
            raise Unprocessable("'id' is missing.", "id")
        if not isinstance(body.get("helpful"), bool):
            raise Unprocessable("'helpful' must be true or false.", "helpful")
        comment = body.get("comment")
        if comment is not None:
            if not isinstance(comment, str) or len(comment) > self.settings.max_comment_chars:
                raise Unprocessable(
                    f"'comment' must be a string of at most {self.settings.max_comment_chars} "
                    f"characters.",
                    "comment",
                )
            comment = clean_text(comment) or None
        known = message_id in session.sent
        if not known and not await history.was_sent(self.agent(), session.sender_id, message_id):
            raise NotFound("No such message was sent in this session.", "id")
        await self.feedback.put(session.sender_id, message_id, body["helpful"], comment)
        return response.json({"id": message_id, "helpful": body["helpful"]}, headers=NO_STORE)

    def _open_session(self, request: Request) -> Session:
        claims = self.tokens.verify(bearer_token(request.headers.get("authorization")))
        session = self.sessions.open(claims.sender_id)
        session.country = session.country or claims.country
        session.language = session.language or claims.language
        return session

    def _update_session(self, session: Session, body: dict[str, Any]) -> None:
        session.country = request_body.country_of(body) or session.country
        session.language = request_body.language_of(body) or session.language

    async def _text_of(self, session: Session, body: dict[str, Any]) -> str:
        if (body.get("message") is None) == (body.get("payload") is None):
            raise Unprocessable("Send either 'message' or 'payload'.", "message")
        if body.get("payload") is None:
            return free_text(body["message"], self.settings.max_message_chars)
        payload = well_formed_payload(body["payload"], self.settings.max_message_chars)
        if (
            payload in session.offered
            or payload in self.settings.payloads
            or await history.was_offered(self.agent(), session.sender_id, payload)
        ):
            return payload
        raise Unprocessable("'payload' was not offered in this session.", "payload")

    def _repeated(
        self, session: Session, client_id: str | None, body: dict[str, Any]
    ) -> Turn | None:
        if client_id is None or client_id not in session.turns:
            return None
        fingerprint, turn = session.turns[client_id]
        if fingerprint != _fingerprint(body):
            raise Conflict(
                "'client_message_id' was already used for another message.", "client_message_id"
            )
        if turn.finished.is_set() and not any(
            event.name == DONE for event in session.log.after(0, turn.message_id)
        ):
            raise Conflict(
                "This message was answered; its events are no longer kept.", "client_message_id"
            )
        return turn

    async def _start_turn(
        self, session: Session, text: str, client_id: str | None, body: dict[str, Any]
    ) -> Turn:
        assert self.turns is not None
        message_id = uuid.uuid4().hex
        emit = session.emit(message_id)
        turn = Turn(
            sender_id=session.sender_id,
            text=text,
            message_id=message_id,
            output=TurnOutput(CHANNEL, message_id, emit),
            emit=emit,
            metadata=session.metadata,
            streams=True,
        )
        if client_id is not None:
            session.remember_turn(client_id, _fingerprint(body), turn)
        try:
            await self.turns.submit(turn)
        except TooManyRequests:
            if client_id is not None:
                session.turns.pop(client_id, None)
            raise
        return turn

    def _turn_events(self, session: Session, turn: Turn) -> AsyncIterator[Event | None]:
        return session.log.follow(0, self.settings.heartbeat_s, turn_id=turn.message_id)

    async def _send(
        self,
        request: Request,
        session: Session,
        events: AsyncIterator[Event | None],
        first: str = "",
    ) -> None:
        if session.streams >= self.settings.max_streams:
            raise TooManyRequests("Too many open streams in this session.", retry_after_s=5)
        session.streams += 1
        try:
            await send_stream(request, events, first)
        finally:
            session.streams -= 1

    def _new_log(self) -> EventLog:
        return EventLog(self.settings.buffer_events, self.settings.buffer_age_s)

    def _is_busy(self, sender_id: str) -> bool:
        return self.turns is not None and self.turns.is_busy(sender_id)


class _Announcements(OutputChannel):
    """Bot messages that answer nobody's message."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    @classmethod
    def name(cls) -> str:
        return CHANNEL

    async def send_response(self, recipient_id: str, message: dict[str, Any]) -> None:
        session = self._sessions.get(recipient_id)
        if session is not None and message.get("text"):
            message_id = uuid.uuid4().hex
            data = {"id": message_id, "text": message["text"], **event_details(message)}
            session.emit(message_id)("message", data)

    async def send_text_message(self, recipient_id: str, text: str, **kwargs: Any) -> None:
        await self.send_response(recipient_id, {"text": text, **kwargs})


def _fingerprint(body: dict[str, Any]) -> Any:
    return (str(body.get("message")), str(body.get("payload")))


def _last_event_id(request: Request) -> int:
    value = request.headers.get("last-event-id") or request.args.get("last_event_id") or "0"
    if not value.isascii() or not value.isdigit() or len(value) > 16:
        raise BadRequest("Last-Event-ID must be an id that we sent.", "Last-Event-ID")
    return int(value)
