"""The services: how each is started, where it answers, and what it needs in its environment."""

from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from ops import handoff, places

HEARTBEAT_FRESH_S = 15.0
START_DEADLINE_S = 180.0
_LLM_START_S, _LLM_SLACK_S = 300.0, 15.0  # the first as in llm_server/settings.py


@dataclass(frozen=True)
class Service:
    """One process under the supervisor.

    Attributes:
        name: its name in logs and messages.
        command: argument list.
        directory: working directory.
        health_url: answers 200 when the service is ready; None if `heartbeat` tells.
        heartbeat: a file that a healthy service keeps touching.
        environment: variables beyond the inherited ones.
        essential: whether everything ends when it cannot be kept running.
        start_seconds: how long it must stay up to count as started.
        start_deadline_s: how long it may take to become healthy.
    """

    name: str
    command: list[str]
    directory: Path
    health_url: str | None = None
    heartbeat: Path | None = None
    environment: dict[str, str] = field(default_factory=dict)
    essential: bool = False
    start_seconds: int = 2
    start_deadline_s: float = START_DEADLINE_S

    def healthy(self, since: float) -> bool:
        """Whether it answers now; a heartbeat counts if it is newer than `since`."""
        if self.heartbeat is not None:
            try:
                beat = self.heartbeat.stat().st_mtime
            except OSError:
                return False
            return beat >= since and time.time() - beat < HEARTBEAT_FRESH_S
        try:
            with urllib.request.urlopen(str(self.health_url), timeout=3) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


def services() -> list[Service]:
    """All services with the ports and the state folder of this start."""
    rasa, actions, llm = (places.port(name) for name in places.DEFAULT_PORTS)
    host = os.environ.get("STILLPOINT_HOST") or "127.0.0.1"
    here = "127.0.0.1"
    shared = {
        "STILLPOINT_VAR": str(places.var()),
        "RASA_PORT": str(rasa),
        "ACTIONS_PORT": str(actions),
        "LLM_PORT": str(llm),
        "ACTIONS_URL": os.environ.get("ACTIONS_URL") or f"http://{here}:{actions}",
    }
    python = str(places.MAIN_ENV / "bin" / "python")
    found = [
        Service(
            "rasa",
            [
                str(places.RASA_ENV / "bin" / "python"), "-m", "rasa", "run", "--enable-api",
                "--interface", host, "--port", str(rasa),
                "--model", str(places.rasa_model()),
                "--endpoints", str(endpoints_file()),
                "--credentials", "credentials.yml",
            ],
            places.RASA_HOME,
            # /status answers 200 only once a model is loaded.
            health_url=f"http://{here}:{rasa}/status",
            environment={
                **shared,
                "SQLALCHEMY_SILENCE_UBER_WARNING": "1",
                "SQLALCHEMY_WARN_20": "0",
                "TF_CPP_MIN_LOG_LEVEL": "3",
                "SANIC_WORKERS": "1",
                "RASA_TELEMETRY_ENABLED": "false",
                "PYTHONPATH": str(places.RASA_HOME),
            },
            essential=True,
            start_seconds=4,
        ),
        Service(
            "actions",
            [python, "-m", "actions"],
            places.ROOT,
            health_url=f"http://{here}:{actions}/health",
            # The operator's LLM_BASE_URL is where the LLM server sends to, not this one.
            environment={**shared, "LLM_BASE_URL": f"http://{here}:{llm}/v1"},
        ),
        Service(
            "llm",
            [python, "-m", "llm_server"],
            places.ROOT,
            health_url=f"http://{here}:{llm}/health",
            environment=shared,
            # It gives up itself before, with a better reason.
            start_deadline_s=_llm_start_s() + _LLM_SLACK_S,
        ),
        Service(
            "analytics",
            [python, "-m", "analytics", "ingest"],
            places.ROOT,
            heartbeat=places.var() / "run" / "ingest.heartbeat",
            environment=shared,
        ),
    ]  # fmt: skip
    if handoff.is_configured():
        found.append(
            Service(
                "handoff",
                [python, "-m", "handoff", "run"],
                places.ROOT,
                heartbeat=places.var() / "run" / "handoff.heartbeat",
                environment=shared,
            )
        )
    return found


def _llm_start_s() -> float:
    """How long the LLM server itself waits for its engine; it refuses what is no number."""
    try:
        return float(os.environ.get("LLM_START_TIMEOUT_S") or _LLM_START_S)
    except ValueError:
        return _LLM_START_S


def endpoints_file() -> Path:
    """Rasa's endpoints for this start: the repository's, with the action server's real address."""
    url = os.environ.get("ACTIONS_URL") or f"http://127.0.0.1:{places.port('ACTIONS_PORT')}"
    lines = (places.RASA_HOME / "endpoints.yml").read_text(encoding="utf-8").splitlines()
    token = os.environ.get("ACTIONS_TOKEN")
    written = []
    for line in lines:
        if line.startswith("  url: http://127.0.0.1:5055/webhook"):
            line = f"  url: {url}/webhook"
            if token:
                line += f"\n  token: {json.dumps(token)}"
        written.append(line)
    target = places.var() / "run" / "endpoints.yml"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("\n".join(written) + "\n", encoding="utf-8")
    target.chmod(0o600)
    return target
