"""The file by which a supervisor sees that ingest is alive.

Its modification time is the last poll that went through, its content one JSON line:
``{"state": "ok" | "waiting", "watermark": <event id>}``. ``waiting`` means that there is no
tracker store yet. While polls fail the file is left alone and grows old.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from analytics.people_files import replace_file

State = Literal["ok", "waiting"]


class Heartbeat:
    """Beats into a file.

    Args:
        path: The file; its folder is made on the first beat.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def beat(self, state: State, watermark: int) -> None:
        """Say that a poll went through."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps({"state": state, "watermark": watermark}) + "\n"
        replace_file(self._path, line)
