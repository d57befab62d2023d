"""The NLU pipeline's own code for encoder and intent head, without the Rasa environment."""

from __future__ import annotations

import importlib.util
import sys
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
COMPONENTS = ROOT / "rasa_project" / "components"


@lru_cache
def component(name: str) -> ModuleType:
    """The module `components/<name>.py`, one that imports nothing of Rasa.

    Raises:
        FileNotFoundError: there is none.
    """
    path = COMPONENTS / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"stillpoint_{name}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise FileNotFoundError(path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@lru_cache(maxsize=1)
def shared_encoder() -> Any:
    """`components.encoder.SentenceEncoder` on one thread; `encode(texts)` gives (n, 384) float32.

    Raises:
        FileNotFoundError: the encoder's files are not in the repository.
    """
    return component("encoder").SentenceEncoder(COMPONENTS / "minilm", threads=1)


def session(path: Path) -> Any:
    """An onnxruntime session on one thread."""
    return component("encoder").session(path)
