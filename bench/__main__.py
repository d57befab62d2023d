"""`make bench`: runs every measurement and writes reports/bench.json and reports/bench.md."""

from __future__ import annotations

import asyncio
import json
import os
import platform
import sys
from datetime import date
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Measures and writes; prints the Markdown."""
    from bench import chat, llm_front
    from tests.e2e.stack import free_port

    found: dict[str, Any] = {
        "date": date.today().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "chat": chat.measure(),
        "llm_front": asyncio.run(llm_front.measure(free_port())),
    }
    reports = ROOT / "reports"
    reports.mkdir(exist_ok=True)
    (reports / "bench.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    text = markdown(found)
    (reports / "bench.md").write_text(text, encoding="utf-8")
    print(text)
    return 0


def markdown(found: dict[str, Any]) -> str:
    """The figures as tables."""
    lines = [f"# Bench, {found['date']}, {found['machine']}", "", "| figure | value |", "|---|---|"]
    for part in ("chat", "llm_front"):
        for name, value in found[part].items():
            shown = value
            if isinstance(value, dict):
                shown = ", ".join(f"{key} {number}" for key, number in value.items())
            lines.append(f"| {part}: {name.replace('_', ' ')} | {shown} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
