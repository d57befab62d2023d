"""Fetches a model file from the Hub: resumed where it was cut, checked against the stated hash.

A file counts as whole once its SHA-256 was compared; a small record beside it says so, and later
starts ask nobody. What it does not know: whether the model is any good, or its licence suits you.
"""

import hashlib
import json
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from llm_server.catalogue import HubModel
from llm_server.errors import ModelDownloadError
from llm_server.json_log import log
from llm_server.model_file import model_file, wanted
from llm_server.settings import Settings

_GB = 10**9
_SPARE_BYTES = 200 * 2**20
# Read by the library when it is imported. A plain download goes on where it stopped; the Xet
# protocol and hf_transfer start again.
_HUB_SWITCHES = {
    "HF_HUB_DISABLE_XET": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_ENABLE_HF_TRANSFER": "0",
}
_TRIES, _PAUSE_S = 3, 1.0
_OFFLINE = (
    "fetch the file yourself and set LLM_MODEL_PATH to it, or unset LLM_MODEL for the house model"
)


def fetch(settings: Settings) -> None:
    """Make sure that the file which ``LLM_MODEL`` names lies here whole; a bar shows the way.

    Does nothing for a model by path, the house model, and engines without a file.

    Raises:
        SettingsError: an unknown name.
        ModelDownloadError: no network, no such file, no leave, no room, or a wrong hash.
    """
    model = wanted(settings)
    if model is None:
        return
    path = model_file(settings)
    if _is_verified(path, settings.model_sha256):
        return
    log(
        logging.INFO,
        "model_fetch",
        model=model.name,
        repository=model.repo,
        file=model.file,
        licence=model.licence or "see the repository",
    )
    _fetch(settings, model, path)
    log(logging.INFO, "model_fetched", model=model.name, bytes=path.stat().st_size)


def is_here(settings: Settings) -> bool:
    """Whether a start needs no network."""
    return wanted(settings) is None or _is_verified(model_file(settings), settings.model_sha256)


def _fetch(settings: Settings, model: HubModel, path: Path) -> None:
    os.environ.update(_HUB_SWITCHES)
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url

    # Its warnings carry addresses with signatures in them; ours say what failed.
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    endpoint = settings.hf_endpoint
    # False: no token that happens to lie in this machine's caches.
    token = settings.hf_token.get_secret_value() if settings.hf_token else False
    folder = model_file(settings).parents[model.file.count("/")]
    with _clear_errors(model):
        stated = get_hf_file_metadata(
            hf_hub_url(model.repo, model.file, revision=model.revision, endpoint=endpoint),
            token=token,
            endpoint=endpoint,
        )
        expected = _expected_hash(model, stated.etag, settings.model_sha256)
        folder.mkdir(parents=True, exist_ok=True)
        _check_room(model, stated.size or 0, folder)
        download = partial(
            hf_hub_download,
            model.repo,
            model.file,
            revision=stated.commit_hash or model.revision,
            local_dir=folder,
            token=token,
            endpoint=endpoint,
        )
        _persist(download, folder)
        _verify(path, expected)


def _persist(download: Callable[[], object], folder: Path) -> None:
    """Go on after a break, for as long as something arrives in between."""
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    failures = 0
    while True:
        before = _arrived(folder)
        try:
            download()
            return
        except OSError as error:
            is_break = error.errno is None and (
                isinstance(error, LocalEntryNotFoundError) or not isinstance(error, HfHubHTTPError)
            )
            failures = 1 if _arrived(folder) > before else failures + 1
            if not is_break or failures > _TRIES:
                raise
        log(logging.WARNING, "model_fetch_resumed", bytes=_arrived(folder))
        time.sleep(_PAUSE_S)


def _arrived(folder: Path) -> int:
    """Bytes of downloads that are not finished."""
    return sum(part.stat().st_size for part in folder.rglob("*.incomplete"))


def _expected_hash(model: HubModel, etag: str | None, wished: str | None) -> str:
    """The hash that the file must have: what the Hub states, which must be what was set."""
    is_hash = etag is not None and len(etag) == 64 and set(etag) <= set("0123456789abcdef")
    if is_hash and wished and etag != wished:
        raise ModelDownloadError(
            f"LLM_MODEL_SHA256: the Hub offers {model.repo}/{model.file} with another hash;"
            " nothing was fetched. Set the hash of the file you mean, or leave it out"
        )
    expected = wished or (etag if is_hash else None)
    if expected is None:
        raise ModelDownloadError(
            f"the Hub states no SHA-256 for {model.repo}/{model.file}; set LLM_MODEL_SHA256"
        )
    return expected


def _check_room(model: HubModel, size: int, folder: Path) -> None:
    needed = size - _arrived(folder) + _SPARE_BYTES
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise ModelDownloadError(
            f"{model.name} needs {needed / _GB:.1f} GB more, {folder} has {free / _GB:.1f} GB free;"
            " make room, or set STILLPOINT_VAR to a folder on another disk"
        )


def _verify(path: Path, expected: str) -> None:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected:
        path.unlink()
        raise ModelDownloadError(
            f"{path.name} arrived with a wrong hash ({found[:12]}… instead of {expected[:12]}…)"
            " and was removed; start again to fetch it anew"
        )
    stat = path.stat()
    record = {"sha256": found, "size": stat.st_size, "mtime_ns": stat.st_mtime_ns}
    _record(path).write_text(json.dumps(record) + "\n")


def _is_verified(path: Path, wished: str | None) -> bool:
    """Whether the file was compared before and has not changed since."""
    try:
        record = json.loads(_record(path).read_text())
        stat = path.stat()
    except (OSError, ValueError):
        return False
    return (
        isinstance(record, dict)
        and record.get("size") == stat.st_size
        and record.get("mtime_ns") == stat.st_mtime_ns
        and wished in (None, record.get("sha256"))
    )


def _record(path: Path) -> Path:
    return path.with_name(path.name + ".verified")


@contextmanager
def _clear_errors(model: HubModel) -> Iterator[None]:
    """Every failure of the Hub, the network or the disk as one line that says what to do."""
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    place = f"{model.repo}/{model.file}"
    refused = (
        f"the Hub does not let you have {place}; accept its licence on the repository's page with"
        f" your account and set HF_TOKEN to a token of it, or {_OFFLINE}"
    )
    try:
        yield
    except GatedRepoError:
        raise ModelDownloadError(refused) from None
    except LocalEntryNotFoundError:
        raise ModelDownloadError(f"the Hub cannot be reached; {_OFFLINE}") from None
    except (
        RepositoryNotFoundError, EntryNotFoundError, RevisionNotFoundError, HFValidationError,
    ):  # fmt: skip
        raise ModelDownloadError(f"the Hub has no {place}, or hides it; {_OFFLINE}") from None
    except OSError as error:
        status = getattr(getattr(error, "response", None), "status_code", None)
        if status in (401, 403):
            raise ModelDownloadError(refused) from None
        if status is not None:
            raise ModelDownloadError(
                f"the Hub answered {status} for {place}; try again later, or {_OFFLINE}"
            ) from None
        if error.errno is not None:
            raise ModelDownloadError(
                f"{model.name} cannot be stored below STILLPOINT_VAR: {error.strerror}"
            ) from None
        raise ModelDownloadError(
            f"the Hub cannot be reached, or broke off; start again to go on where it stopped, or"
            f" {_OFFLINE}"
        ) from None
