"""What docker-compose.yml and its proxy expose, read from the files (no engine is needed)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
PROXY = (ROOT / "deploy" / "proxy.conf.template").read_text(encoding="utf-8")
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def dockerfile(service: str) -> str:
    return (ROOT / SERVICES[service]["build"]["dockerfile"]).read_text(encoding="utf-8")


def built() -> list[str]:
    return [name for name, service in SERVICES.items() if "build" in service]


def test_only_the_proxy_has_a_port_and_only_it_and_the_hand_off_reach_outside() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["proxy"]
    outside = {name for name, net in COMPOSE["networks"].items() if not (net or {}).get("internal")}
    assert outside == {"edge", "outbound"}
    for name, service in SERVICES.items():
        networks = set(service.get("networks", []))
        assert networks & outside == {"proxy": {"edge"}, "handoff": {"outbound"}}.get(name, set())
        assert networks or service.get("network_mode") == "none"
    assert SERVICES["handoff"]["networks"] == ["outbound"]
    assert SERVICES["handoff"]["profiles"] == ["handoff"]


@pytest.mark.parametrize("name", list(SERVICES))
def test_every_container_is_hardened(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["restart"] == "unless-stopped"
    if "build" in service:
        users = re.findall(r"^USER (\S+)", dockerfile(name), re.MULTILINE)
        assert users
        assert not users[-1].startswith(("0", "root"))
    else:
        assert not service["user"].startswith(("0", "root"))


@pytest.mark.parametrize("name", ["proxy", *built()])
def test_health_checks_run_what_the_image_has(name: str) -> None:
    test = SERVICES[name]["healthcheck"]["test"]
    assert test[0] == "CMD"
    assert "curl" not in " ".join(test)


def test_rasa_serves_neither_its_api_nor_the_stock_channels() -> None:
    command = dockerfile("rasa").rsplit("CMD", 1)[1]
    assert "--enable-api" not in command
    assert "credentials.production.yml" in command
    path = ROOT / "rasa_project" / "credentials.production.yml"
    channels = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert set(channels) == {
        "channels.web.WebInput",
        "channels.partner.PartnerInput",
        "channels.socketio.GuardedSocketIOInput",
    }
    # One proxy of ours stands in front; without this every visitor would share its address.
    assert all(settings.pop("proxy_hops") == 1 for settings in channels.values())
    local_path = ROOT / "rasa_project" / "credentials.yml"
    local = yaml.safe_load(local_path.read_text(encoding="utf-8"))
    assert channels == {name: local[name] or {} for name in channels}


def test_the_proxy_passes_on_three_prefixes_only() -> None:
    locations = re.findall(r"location (?:= |\^~ )?(\S+) \{([^}]*)\}", PROXY)
    passed = {path for path, body in locations if "proxy_pass" in body}
    assert passed == {
        "/webhooks/web", "/webhooks/web/", "/webhooks/partner/", "/socket.io/",
    }  # fmt: skip
    assert dict(locations)["/"].strip() == "return 404;"


def test_endpoints_are_those_of_local_development_but_for_the_address() -> None:
    local = yaml.safe_load((ROOT / "rasa_project" / "endpoints.yml").read_text(encoding="utf-8"))
    compose = yaml.safe_load((ROOT / "deploy" / "endpoints.yml").read_text(encoding="utf-8"))
    assert compose.pop("action_endpoint")["url"] == "http://actions:5055/webhook"
    local.pop("action_endpoint")
    assert compose == local


def test_secrets_are_required_and_described() -> None:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    described = set(re.findall(r"^#?([A-Z][A-Z0-9_]+)=", example, re.MULTILINE))
    hosted = (ROOT / "deploy" / "hosted.yml").read_text(encoding="utf-8")
    used = set(re.findall(r"\$\{([A-Z][A-Z0-9_]+)", text + hosted))
    assert used == described
    required = set(re.findall(r"\$\{([A-Z][A-Z0-9_]+):\?", text))
    assert required == {"STILLPOINT_SECRET", "ACTIONS_TOKEN", "STILLPOINT_PSEUDONYM_KEY"}


@pytest.mark.parametrize("name", built())
def test_images_install_only_their_own_locked_group(name: str) -> None:
    text = dockerfile(name)
    assert "--no-deps --require-hashes" in text
    if name != "rasa":
        group = SERVICES[name]["build"]["args"]["GROUP"]
        # The hand-off needs nothing that analytics does not have.
        assert group == {"handoff": "analytics"}.get(name, name)
        assert SERVICES[name]["build"]["target"] == name
        assert (ROOT / "requirements" / f"{group}.txt").is_file()
        assert re.search(rf"^FROM base AS {name}$", text, re.MULTILINE)


@pytest.mark.parametrize("file", ["deploy/rasa.Dockerfile", "deploy/services.Dockerfile"])
def test_copied_files_exist(file: str) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")
    for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE):
        for source in line.split()[:-1]:
            if "${" not in source:
                assert (ROOT / source).exists(), source


def test_the_page_shown_without_rasa_names_listed_lines() -> None:
    page = (ROOT / "deploy" / "unavailable.html").read_text(encoding="utf-8")
    helplines = yaml.safe_load((ROOT / "data" / "helplines.yml").read_text(encoding="utf-8"))
    countries = helplines["countries"]
    for code, number in (
        ("US", "988"),
        ("CA", "988"),
        ("GB", "116 123"),
        ("IE", "116 123"),
        ("IN", "14416"),
    ):
        listed = {str(line.get("call", "")).replace(" ", "") for line in countries[code]["lines"]}
        assert number.replace(" ", "") in listed
        assert f"tel:{number.replace(' ', '')}" in page
    for code, number in (("US", "911"), ("GB", "999")):
        assert countries[code]["emergency"] == number
        assert f"tel:{number}" in page


def test_the_engine_is_the_official_image_of_one_release_behind_our_admission_control() -> None:
    image = SERVICES["llm-engine"]["image"]
    assert re.search(r"ghcr\.io/ggml-org/llama\.cpp:server-b\d+\}", image)
    assert SERVICES["llm-engine"]["networks"] == ["engine"]
    assert SERVICES["llm"]["environment"]["LLM_HOSTED_CONSENT"] == "own-server"
