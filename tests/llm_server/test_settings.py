"""Settings refuse bad values and name the key."""

import pytest

from llm_server.errors import SettingsError
from llm_server.settings import Settings, load_settings


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("LLM_PORT", "70000"),
        ("LLM_PORT", "http"),
        ("LLM_HOST", "not a host"),
        ("LLM_PARALLEL", "0"),
        ("LLM_QUEUE", "-1"),
        ("LLM_CTX", "10"),
        ("LLM_THREADS", "-2"),
        ("LLM_ENGINE", "vllm"),
        ("LLM_ENGINE", "fake"),
        ("LLM_BASE_URL", "api.example.org/v1"),
        ("LLM_BASE_URL", "https://name:word@example.org/v1"),
        ("LLM_API_KEY", "two words"),
        ("LLM_TIMEOUT_S", "nan"),
        ("LLM_LOG_LEVEL", "loud"),
        ("LLM_MODEL_SHA256", "abc"),
        ("HF_ENDPOINT", "hub.example"),
        ("HF_TOKEN", "two words"),
        ("LLM_HOSTED_CONSENT", "perhaps"),
        ("LLM_ADAPTERS", "gentle"),
        ("LLM_ADAPTERS", "gentle=a.gguf,gentle=b.gguf"),
        ("LLM_ADAPTERS", "none=a.gguf"),
        ("LLM_ADAPTER", "gentle"),
    ],
)
def test_a_bad_value_is_refused_in_one_line_that_names_the_key(
    monkeypatch: pytest.MonkeyPatch, key: str, value: str
) -> None:
    monkeypatch.setenv(key, value)
    with pytest.raises(SettingsError) as refusal:
        load_settings()
    assert key in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_refused_secret_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_API_KEY", "sesame öffne dich")
    with pytest.raises(SettingsError) as refusal:
        load_settings()
    assert "sesame" not in str(refusal.value)


def test_a_secret_does_not_show_in_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_API_KEY", "sesame")
    assert "sesame" not in repr(load_settings())


def test_an_empty_value_means_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_PORT", "")
    monkeypatch.setenv("LLM_API_KEY", "")
    settings = load_settings()
    assert settings.port == 8080
    assert settings.api_key is None


def test_the_fake_is_served_only_while_testing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_ENGINE", "fake")
    monkeypatch.setenv("STILLPOINT_TESTING", "1")
    assert load_settings().engine_kind == "fake"


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({}, "xllamacpp"),
        ({"base_url": "https://api.example.org/v1", "hosted_consent": "yes"}, "hosted"),
        ({"base_url": "http://10.0.0.7/v1", "hosted_consent": "own-server"}, "hosted"),
        ({"base_url": "http://127.0.0.1:8080/v1"}, "xllamacpp"),
        ({"base_url": "http://localhost:8080/v1"}, "xllamacpp"),
        ({"base_url": "http://localhost:8080/v1", "port": 8081}, "hosted"),
        ({"base_url": "https://api.example.org/v1", "engine": "xllamacpp"}, "xllamacpp"),
    ],
)
def test_a_base_url_selects_the_hosted_engine_unless_it_is_this_server(
    settings: dict[str, object], kind: str
) -> None:
    assert Settings.model_validate(settings).engine_kind == kind


def test_llama_cpp_python_runs_one_request_at_a_time() -> None:
    assert Settings(engine="llama-cpp-python", parallel=4).slots == 1


@pytest.mark.parametrize("url", ["https://api.example.org/v1", "http://engine:8080/v1"])
def test_messages_leave_only_after_a_yes_that_knows_what_leaves(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("LLM_BASE_URL", url)
    with pytest.raises(SettingsError) as refusal:
        load_settings()
    for word in ("LLM_HOSTED_CONSENT=yes", "own-server", "what people write", "read and keep"):
        assert word in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert (url.split("/")[2]).partition(":")[0] in str(refusal.value)


def test_messages_leave_this_machine_only_encrypted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_BASE_URL", "http://api.example.org/v1")
    monkeypatch.setenv("LLM_HOSTED_CONSENT", "yes")
    with pytest.raises(SettingsError, match=r"LLM_BASE_URL.*https://"):
        load_settings()


@pytest.mark.parametrize(
    ("settings", "scrubs"),
    [
        ({}, False),
        ({"base_url": "https://api.example.org/v1", "hosted_consent": "yes"}, True),
        ({"base_url": "http://localhost:4000/v1"}, True),
        ({"base_url": "http://localhost:4000/v1", "hosted_consent": "own-server"}, False),
    ],
)
def test_only_ones_own_server_gets_messages_as_they_are(
    settings: dict[str, object], scrubs: bool
) -> None:
    assert Settings.model_validate(settings).scrubs is scrubs


@pytest.mark.parametrize("engine", ["llama-cpp-python", "hosted"])
def test_an_engine_that_cannot_switch_adapters_says_so(
    monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    monkeypatch.setenv("LLM_ENGINE", engine)
    monkeypatch.setenv("LLM_BASE_URL", "http://localhost:4000/v1")
    monkeypatch.setenv("LLM_ADAPTERS", "gentle=gentle.gguf")
    with pytest.raises(SettingsError, match=r"LLM_ADAPTERS.*xllamacpp"):
        load_settings()
