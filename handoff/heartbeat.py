"""The file by which a supervisor sees that the service is alive, and Rasa that it works.

Its modification time is the last round that went through, its content one JSON line:
``{"state": "ok" | "waiting" | "failing", "pending": <number>}``. ``waiting`` means that there is
no tracker store yet, ``failing`` that the last attempt to deliver something did not succeed.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Literal

State = Literal["ok", "waiting", "failing"]


class Heartbeat:
    """Beats into a file.

    Args:
        path: The file; its folder is made on the first beat.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def beat(self, state: State, pending: int) -> None:
        """Say that a round went through.

        Raises:
            OSError: the file cannot be written.
        """
        folder = self._path.parent
        folder.mkdir(parents=True, exist_ok=True)
        descriptor, draft = tempfile.mkstemp(prefix=f".{self._path.name}.", dir=folder)
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(json.dumps({"state": state, "pending": pending}) + "\n")
            os.replace(draft, self._path)
        except BaseException:
            os.unlink(draft)
            raise
