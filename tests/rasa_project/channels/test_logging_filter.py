"""Nothing that a person writes reaches the logs."""

from __future__ import annotations

import io
import json
import logging
import warnings

import pytest
import sqlalchemy as sa
import structlog
from rasa.shared.core.training_data.story_reader.yaml_story_reader import YAMLStoryReader
from rasa.shared.nlu.training_data.message import Message
from rasa.utils.log_utils import configure_structlog

from channels import logging_filter

WORDS = "nobody knows how much I hurt"


@pytest.fixture
def logged():
    """Log as `rasa run` does, with the filter installed; return what was written so far."""
    before = structlog.get_config()
    written = io.StringIO()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers = [logging.StreamHandler(written)]
    root.setLevel(logging.DEBUG)
    configure_structlog(logging.DEBUG)
    logging_filter.install()
    yield written.getvalue
    root.handlers = handlers
    root.setLevel(level)
    structlog.configure(**before)


@pytest.mark.parametrize(
    "key", ["text", "user_text", "parse_data_text", "slot_values", "rasa_events", "message"]
)
def test_values_of_structlog_events(logged, key):
    structlog.get_logger("rasa.core.channels.rest").error("rest.message.received", **{key: WORDS})
    assert "rest.message.received" in logged()
    assert WORDS not in logged()


def test_logger_made_before_the_filter():
    written = io.StringIO()
    root = logging.getLogger()
    before, handlers = structlog.get_config(), root.handlers[:]
    root.handlers = [logging.StreamHandler(written)]
    try:
        configure_structlog(logging.INFO)
        early = structlog.get_logger("early")
        early.info("first")
        logging_filter.install()
        early.warning("second", text=WORDS)
        assert "second" in written.getvalue()
        assert WORDS not in written.getvalue()
    finally:
        root.handlers = handlers
        structlog.configure(**before)


def test_local_variables_of_a_traceback(logged):
    def fails(text):
        raise ValueError("no luck")

    try:
        fails(WORDS)
    except ValueError:
        structlog.get_logger("x").exception("rest.message.received.failure", text=WORDS)
    line = json.loads(logged().strip().splitlines()[-1])
    assert "no luck" in line["exception"]
    assert "fails" in line["exception"]
    assert WORDS not in logged()


def test_unreadable_slash_message(logged):
    YAMLStoryReader.unpack_regex_message(Message({"text": f"/{{{WORDS}"}))
    assert "message.parsing.failed" in logged()
    assert WORDS not in logged()


def test_warning_about_a_slash_message(logged, capsys, helpers):
    domain = helpers.Domain.from_dict({"intents": ["greet"]})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        logging_filter.install()
        YAMLStoryReader.unpack_regex_message(Message({"text": f"/greet {WORDS}"}), domain)
    assert not any(WORDS in str(warning.message) for warning in caught)


def test_parameters_of_a_failed_statement(logged):
    engine = sa.create_engine("sqlite://")
    try:
        with engine.connect() as connection:
            connection.execute(sa.text("INSERT INTO missing VALUES (:data)"), {"data": WORDS})
    except sa.exc.OperationalError as error:
        logging.getLogger("rasa.core.tracker_store").error(f"Error happened: {error}.")
        logging.getLogger("rasa.core").exception("save failed")
    assert "Error happened" in logged()
    assert "OperationalError" in logged()
    assert WORDS not in logged()


def test_record_with_arguments(logged):
    logging.getLogger("x").warning("%s of %d", "one", 2)
    assert "one of 2" in logged()


def test_record_that_cannot_be_formatted(logged):
    logging.getLogger("x").warning("%d", WORDS)
    assert "could not be formatted" in logged()
    assert WORDS not in logged()


def test_install_twice_changes_nothing(logged):
    processors = list(structlog.get_config()["processors"])
    logging_filter.install()
    assert structlog.get_config()["processors"] == processors
    assert len(logging.getLogger().handlers[0].filters) == 1


async def test_a_turn_leaves_no_words(logged, serve, http, helpers):
    from channels.web import WebInput

    async def raises(agent, message):
        raise RuntimeError("broken")

    running = await serve([WebInput.from_credentials(None)], helpers.FakeAgent(raises))
    base = f"{running.url}/webhooks/web"
    async with http.post(f"{base}/session") as answer:
        token = (await answer.json())["token"]
    headers = {"Authorization": f"Bearer {token}"}
    async with http.post(f"{base}/webhook", json={"message": WORDS}, headers=headers) as answer:
        await answer.text()
    assert "channel.turn.finished" in logged()
    assert WORDS not in logged()
    assert token not in logged()
