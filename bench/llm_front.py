"""What our LLM server adds to the first token: straight to llama.cpp and through it, in turn."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx
import uvicorn

from bench.figures import milliseconds, quantile
from llm_server.bootstrap import bootstrap
from llm_server.engine.base import EngineState
from llm_server.settings import Settings

ROUNDS = 40
WARM_UP = 5
BODY: dict[str, Any] = {
    "messages": [
        {
            "role": "system",
            "content": "You are Stillpoint, a support assistant."
            " Listen, reflect, ask one open question.",
        },
        {"role": "user", "content": "nobody at work talks to me anymore"},
    ],
    "max_tokens": 24,
    "stream": True,
}


async def measure(port: int) -> dict[str, Any]:
    """First-token durations on both ways and the ratio of their medians.

    Args:
        port: a free port for the front.
    """
    settings = Settings(port=port)
    app, engine, _ = bootstrap(settings)
    running = asyncio.create_task(engine.run())
    server = uvicorn.Server(
        uvicorn.Config(app, port=port, lifespan="off", ws="none", log_level="error")
    )
    serving = asyncio.create_task(server.serve())
    try:
        while engine.state is not EngineState.READY:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        direct = engine._client  # type: ignore[attr-defined]
        key = {"Authorization": direct.headers["authorization"]}
        ways = {
            "direct": (f"{str(direct.base_url).rstrip('/')}/v1/chat/completions", key),
            "front": (f"http://127.0.0.1:{port}/v1/chat/completions", {}),
        }
        found: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(ROUNDS + WARM_UP):
            order = list(ways) if number % 2 else list(ways)[::-1]
            for name in order:
                seconds = await _first_token(*ways[name])
                if number >= WARM_UP:
                    found[name].append(seconds)
    finally:
        server.should_exit = True
        running.cancel()
        await asyncio.gather(running, serving, return_exceptions=True)
    ratio = quantile(found["front"], 0.5) / quantile(found["direct"], 0.5)
    added = [b - a for a, b in zip(found["direct"], found["front"], strict=True)]
    return {
        "first_token_direct": milliseconds(found["direct"]),
        "first_token_front": milliseconds(found["front"]),
        "front_to_direct": round(ratio, 2),
        "front_adds_p50_ms": round(quantile(added, 0.5) * 1000, 1),
    }


async def _first_token(url: str, headers: dict[str, str]) -> float:
    async with httpx.AsyncClient(timeout=60, trust_env=False) as client:
        started = time.perf_counter()
        async with client.stream("POST", url, json=BODY, headers=headers) as answer:
            answer.raise_for_status()
            first = 0.0
            async for line in answer.aiter_lines():
                if not first and '"content":"' in line and '"content":""' not in line:
                    first = time.perf_counter() - started
            return first or time.perf_counter() - started
