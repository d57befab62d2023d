"""An engine in a child process, restarted when it dies or hangs.

The child is ``python -m llm_server.engine``: it reads its configuration from one line of stdin,
serves an OpenAI-compatible API on a loopback port of its own choice behind a key made for this
one start, and announces its address on stdout. Its stdin stays open as a lifeline: when this
process goes, however it goes, the child ends too.
"""

import asyncio
import json
import logging
import math
import os
import re
import secrets
import signal
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx

from llm_server.chat_request import LLAMA_CPP_SAMPLING, ChatRequest
from llm_server.engine.base import EngineState
from llm_server.engine.openai_stream import stream_chat
from llm_server.errors import EngineStartError, EngineUnavailable
from llm_server.json_log import log
from llm_server.settings import NO_ADAPTER

_PACKAGE_ROOT = Path(__file__).resolve().parents[2]
_BACKOFF_FIRST_S, _BACKOFF_LAST_S = 0.25, 30.0
_HEALTHY_AFTER_S = 60.0
_LOAD_GUESS_S = 5.0
_SECRET_ENDINGS = ("_KEY", "_KEYS", "_TOKEN", "_SECRET", "_DB_URL")
_PROBE_EVERY_S, _PROBE_TIMEOUT_S, _PROBES_TO_LOSE = 2.0, 5.0, 3


@dataclass(frozen=True)
class LocalEngineConfig:
    """What the child needs to know.

    Attributes:
        kind: ``xllamacpp`` or ``llama-cpp-python``.
        model_path: absolute path of the GGUF file.
        model_id: the model's name.
        context_length: tokens per request.
        slots: requests that run at once.
        threads: CPU threads.
        cache_ram_mib: memory for prompt caches of idle conversations.
        check_tensors: whether to look for invalid weights while loading.
        adapter_names: LoRA adapters by name, in the order in which the engine loads them.
        adapter_paths: their files.
    """

    kind: str
    model_path: str
    model_id: str
    context_length: int
    slots: int
    threads: int
    cache_ram_mib: int
    check_tensors: bool
    adapter_names: tuple[str, ...] = ()
    adapter_paths: tuple[str, ...] = ()


class LocalEngine:
    """See the module's docstring; implements :class:`~llm_server.engine.base.Engine`.

    Args:
        config: the child's configuration.
        control_tokens: texts that must not reach the tokenizer as they are.
        start_timeout_s: longest time to load the model.
        adapter: name of the adapter for requests that ask for none; may be ``none``.
    """

    def __init__(
        self,
        config: LocalEngineConfig,
        control_tokens: tuple[str, ...],
        start_timeout_s: float,
        adapter: str = NO_ADAPTER,
    ) -> None:
        self.name = config.kind
        self.state = EngineState.STARTING
        self.restarts = 0
        self.model_id = config.model_id
        self.context_length: int | None = config.context_length
        self.adapters = config.adapter_names
        self.pid: int | None = None
        self._config = config
        self._adapter = adapter
        self._load_s = _LOAD_GUESS_S
        self._ready_at = time.monotonic() + self._load_s
        self._control = re.compile("|".join(map(re.escape, control_tokens)) or r"(?!)")
        self._start_timeout_s = start_timeout_s
        self._client: httpx.AsyncClient | None = None
        self._was_ready = False

    def ready_in_s(self) -> int:
        """See :meth:`Engine.ready_in_s`; goes by the pause and the last time to load."""
        return max(1, math.ceil(self._ready_at - time.monotonic()))

    async def run(self) -> None:
        """Keep a child running; see :meth:`Engine.run`."""
        backoff = _BACKOFF_FIRST_S
        try:
            while True:
                started = time.monotonic()
                reason = await self._one_life()
                if not self._was_ready:
                    raise EngineStartError(f"engine {self.name} did not start: {reason}")
                if time.monotonic() - started > _HEALTHY_AFTER_S:
                    backoff = _BACKOFF_FIRST_S
                self._ready_at = time.monotonic() + backoff + self._load_s
                log(logging.ERROR, "engine_down", engine=self.name, restart_in_s=backoff)
                await asyncio.sleep(backoff)
                backoff = min(backoff * 2, _BACKOFF_LAST_S)
                self.restarts += 1
        finally:
            self.state = EngineState.STOPPED

    async def stream(self, request: ChatRequest, max_tokens: int) -> AsyncGenerator[dict[str, Any]]:
        """Write one completion; see :meth:`Engine.stream`."""
        client = self._client
        if client is None or self.state is not EngineState.READY:
            raise EngineUnavailable(
                f"the engine is {self.state.value}", retry_after=self.ready_in_s()
            )
        chunks = stream_chat(
            client, "/v1/chat/completions", self._body(request, max_tokens), self.context_length
        )
        async with aclosing(chunks):
            async for chunk in chunks:
                yield chunk

    def _body(self, request: ChatRequest, max_tokens: int) -> dict[str, Any]:
        return {
            "model": self.model_id,
            "messages": [
                {"role": message.role, "content": self._defuse(message.content)}
                for message in request.messages
            ],
            "max_tokens": max_tokens,
            "stream": True,
            "stream_options": {"include_usage": True},
            **request.sampling(LLAMA_CPP_SAMPLING),
            **self._lora(request.adapter or self._adapter),
        }

    def _lora(self, chosen: str) -> dict[str, Any]:
        """llama.cpp's ``lora`` field: adapters by their number, those not chosen switched off."""
        if not self.adapters:
            return {}
        scales = [(number, float(name == chosen)) for number, name in enumerate(self.adapters)]
        return {"lora": [{"id": number, "scale": scale} for number, scale in scales]}

    def _defuse(self, text: str) -> str:
        """Break control tokens, so that nobody can end their message and write the system's."""
        return self._control.sub(lambda match: match[0][0] + " " + match[0][1:], text)

    async def _one_life(self) -> str:
        """Start a child, watch it until it ends, and say in a few words why it ended."""
        key = secrets.token_urlsafe(24)
        begun = time.monotonic()
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "llm_server.engine",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=_child_environment(),
            start_new_session=True,
        )  # fmt: skip
        self.pid = child.pid
        errors = _StartLog()
        drain = asyncio.create_task(errors.read(child.stderr))
        try:
            assert child.stdin is not None
            line = json.dumps({**asdict(self._config), "api_key": key, "parent": os.getpid()})
            child.stdin.write(line.encode() + b"\n")
            try:
                async with asyncio.timeout(self._start_timeout_s):
                    address = await _announced(child)
            except TimeoutError:
                return (
                    f"it did not load the model within {self._start_timeout_s:g} s; "
                    "use a smaller model or raise LLM_START_TIMEOUT_S"
                )
            if address is None:
                await asyncio.wait({drain}, timeout=1)
                return errors.reason() or _ending(child.returncode)
            errors.close()
            self._load_s = time.monotonic() - begun
            await self._serve(child, address, key)
            return _ending(child.returncode)
        finally:
            self.pid = None
            await _end(child)
            drain.cancel()
            with suppress(asyncio.CancelledError):
                await drain

    async def _serve(self, child: asyncio.subprocess.Process, address: str, key: str) -> None:
        """Be ready until the child ends or no longer answers."""
        async with httpx.AsyncClient(
            base_url=address,
            headers={"Authorization": f"Bearer {key}"},
            timeout=httpx.Timeout(None, connect=2.0, pool=5.0),
            # A new connection for each request: llama.cpp closes idle and old ones on its side,
            # and a request that meets such a close would fail.
            limits=httpx.Limits(
                max_connections=self._config.slots + 4, max_keepalive_connections=0
            ),
            trust_env=False,
        ) as client:
            await _answers(client)  # loads what the first request would otherwise wait for
            self._client = client
            self._was_ready = True
            self.state = EngineState.READY
            log(logging.INFO, "engine_ready", engine=self.name, pid=child.pid)
            ended = asyncio.create_task(child.wait())
            try:
                lost = 0
                while lost < _PROBES_TO_LOSE:
                    await asyncio.wait({ended}, timeout=_PROBE_EVERY_S)
                    if ended.done():
                        return
                    lost = 0 if await _answers(client) else lost + 1
                log(logging.ERROR, "engine_hangs", engine=self.name, pid=child.pid)
            finally:
                ended.cancel()
                self._client = None
                self.state = EngineState.RESTARTING


class _StartLog:
    """The end of what a child writes to stderr until it is ready; nothing after that is kept."""

    def __init__(self) -> None:
        self._text = b""
        self._open = True

    async def read(self, stream: asyncio.StreamReader | None) -> None:
        assert stream is not None
        while block := await stream.read(8192):
            if self._open:
                self._text = (self._text + block)[-8192:]

    def close(self) -> None:
        self._open, self._text = False, b""

    def reason(self) -> str:
        """The first line that speaks of an error, else the last line."""
        lines = [line.strip() for line in self._text.decode("utf-8", "replace").splitlines()]
        lines = [line for line in lines if line]
        wrong = [line for line in lines if " E " in line or "error" in line.lower()]
        picked = (wrong or lines[-1:] or [""])[0]
        return re.sub(r"^[\d.]+ E ", "", picked)[:300]


async def _announced(child: asyncio.subprocess.Process) -> str | None:
    """The address that the child announces, or ``None`` if it ends first."""
    assert child.stdout is not None
    line = await child.stdout.readline()
    if not line:
        await child.wait()
        return None
    return str(json.loads(line)["url"])


async def _answers(client: httpx.AsyncClient) -> bool:
    try:
        response = await client.get("/health", timeout=_PROBE_TIMEOUT_S)
    except httpx.HTTPError:
        return False
    return response.status_code == 200


def _ending(status: int | None) -> str:
    """How a child that said nothing about it came to its end."""
    if status == -signal.SIGKILL:
        return "it was killed, perhaps for want of memory; use a smaller model"
    if status == -signal.SIGILL:
        return "this CPU lacks AVX2; install llama-cpp-python and set LLM_ENGINE=llama-cpp-python"
    return f"it ended with status {status}"


async def _end(child: asyncio.subprocess.Process) -> None:
    """Kill the child; an engine holds nothing that needs saving."""
    if child.returncode is None:
        with suppress(ProcessLookupError):
            child.kill()
        await child.wait()


def _child_environment() -> dict[str, str]:
    """This process's environment, without secrets and with this package importable."""
    environment = {
        name: value for name, value in os.environ.items() if not name.endswith(_SECRET_ENDINGS)
    }
    paths = (str(_PACKAGE_ROOT), environment.get("PYTHONPATH", ""))
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    return environment
