"""The trunk once a message, and MiniLM's own embedding where it is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from components.encoder import EncoderFilesMissing, SentenceEncoder, shared_encoder
from components.sentence_features import SentenceFeatures, trunk_states

TEXTS = ["hello", "since the merger nobody at work talks to me anymore", "/greet"]


def made(**changes: Any) -> SentenceFeatures:
    config = {**SentenceFeatures.get_default_config(), **changes}
    return SentenceFeatures.create(config, None, None, None)  # type: ignore[arg-type]


def test_a_parse_and_the_training_see_the_same_embedding() -> None:
    features = made()
    parsed = features.process([Message({"text": text}) for text in TEXTS])
    learnt = [Message({"text": text, "intent": "x"}) for text in TEXTS]
    features.process_training_data(TrainingData(learnt))
    for one, other in zip(parsed, learnt):
        first, second = (message.features[0].features for message in (one, other))
        assert first.shape == second.shape == (1, 384)
        np.testing.assert_allclose(first, second, atol=1e-5)


def test_without_embedding_only_the_trunk_is_computed() -> None:
    message = Message({"text": TEXTS[1]})
    made(embedding=False).process([message])
    states = trunk_states(message)
    assert states is not None
    assert states.shape[1] == 384
    assert message.features == []
    learnt = Message({"text": "hi", "intent": "greet"})
    made(embedding=False).process_training_data(TrainingData([learnt]))
    assert learnt.features == []


def test_a_message_without_text_is_left_alone() -> None:
    message = Message({})
    assert trunk_states(made().process([message])[0]) is None


def test_embeddings_have_unit_length_in_any_order() -> None:
    found = shared_encoder().encode(TEXTS, batch_size=2)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), np.ones(3), atol=1e-5)
    np.testing.assert_allclose(found[1], shared_encoder().encode([TEXTS[1]])[0], atol=1e-5)


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(EncoderFilesMissing, match=r"trunk.onnx is missing; run `make encoder`"):
        SentenceEncoder(tmp_path)
