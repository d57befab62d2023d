"""Models that ``LLM_MODEL`` knows by name, and how a name becomes one file on the Hub.

It does not know what the Hub holds today: revision ``main`` is taken, and the size below is only
for the eye. The download asks the Hub for the true size and hash.
"""

import re
from dataclasses import dataclass

from llm_server.errors import SettingsError

HOUSE_NAMES = ("stillpoint-house", "stillpoint-house-q8_0")

_PART = r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}"
_HUB_FILE = re.compile(rf"(?P<repo>{_PART}/{_PART})/(?P<file>(?:{_PART}/)*{_PART}\.gguf)")
_SPLIT = re.compile(r"-\d{5}-of-\d{5}\.gguf$")


@dataclass(frozen=True)
class HubModel:
    """One GGUF file on the Hub.

    Attributes:
        name: what people write in ``LLM_MODEL``.
        repo: the repository, ``owner/name``.
        file: the file's path inside it.
        quantisation: ``Q4_K_M`` and the like, empty if unknown.
        licence: under which its maker offers it, empty if unknown.
        template: family of the chat template inside the file, empty if unknown.
        about_gb: size in 10⁹ bytes, rounded; 0 if unknown.
        revision: branch, tag or commit.
    """

    name: str
    repo: str
    file: str
    quantisation: str = ""
    licence: str = ""
    template: str = ""
    about_gb: float = 0.0
    revision: str = "main"

    @property
    def folder(self) -> str:
        """A folder name of its own below ``models/``."""
        return self.repo.replace("/", "--")


_MODELS = (
    HubModel(
        "hermes-3-8b", "NousResearch/Hermes-3-Llama-3.1-8B-GGUF",
        "Hermes-3-Llama-3.1-8B.Q4_K_M.gguf", "Q4_K_M", "Llama 3", "ChatML", 4.9,
    ),
    HubModel(
        "llama-3.1-8b", "bartowski/Meta-Llama-3.1-8B-Instruct-GGUF",
        "Meta-Llama-3.1-8B-Instruct-Q4_K_M.gguf", "Q4_K_M", "Llama 3.1", "Llama 3", 4.9,
    ),
    HubModel(
        "llama-3.2-3b", "bartowski/Llama-3.2-3B-Instruct-GGUF",
        "Llama-3.2-3B-Instruct-Q4_K_M.gguf", "Q4_K_M", "Llama 3.2", "Llama 3", 2.0,
    ),
)  # fmt: skip
CATALOGUE = {model.name: model for model in _MODELS}


def hub_model(name: str) -> HubModel:
    """The file that ``name`` stands for, one of the catalogue or ``owner/repository/file.gguf``.

    Raises:
        SettingsError: neither, or one part of a model that is split over several files.
    """
    if name in CATALOGUE:
        return CATALOGUE[name]
    given = _HUB_FILE.fullmatch(name)
    if given is None or ".." in name:
        raise SettingsError(
            f"LLM_MODEL: {name[:60]!r} is not known; use one of"
            f" {', '.join((HOUSE_NAMES[0], *CATALOGUE))}, a file on the Hub as"
            " owner/repository/file.gguf, or name the file on this machine in LLM_MODEL_PATH"
        )
    if _SPLIT.search(given["file"]):
        raise SettingsError(
            "LLM_MODEL: models split over several files are not fetched; "
            "choose a single file, or fetch the parts and set LLM_MODEL_PATH to the first"
        )
    return HubModel(name, given["repo"], given["file"])
