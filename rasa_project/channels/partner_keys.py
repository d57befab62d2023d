"""Who the partners are: names and hashed keys."""

from __future__ import annotations

import hashlib
import hmac
import re
from pathlib import Path

import yaml

from channels.errors import ChannelConfigError, Unauthorized

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_SHA256 = re.compile(r"(sha256:)?([0-9a-f]{64})")


class PartnerKeys:
    """Finds the partner that a key belongs to. Only SHA-256 sums of keys are held.

    Args:
        hashes: SHA-256 sums in hex, by partner name.
    """

    def __init__(self, hashes: dict[str, str]) -> None:
        self._hashes = hashes

    @classmethod
    def load(cls, variable: str, keys_file: str | None) -> PartnerKeys:
        """Read keys from a variable and a file.

        Args:
            variable: ``PARTNER_KEYS``: comma list of ``name:key``; a key may be given as
                ``sha256:<hex>``.
            keys_file: YAML file mapping a name to ``sha256:<hex>`` or ``<hex>``.

        Raises:
            ChannelConfigError: An entry is malformed or a name appears twice.
        """
        hashes: dict[str, str] = {}
        for entry in filter(None, (part.strip() for part in variable.split(","))):
            name, _, key = entry.partition(":")
            _add(hashes, "PARTNER_KEYS", name, _key_hash(key))
        for name, value in _read(keys_file).items():
            match = _SHA256.fullmatch(str(value))
            _add(hashes, "keys_file", str(name), match.group(2) if match else None)
        return cls(hashes)

    def partner_of(self, key: str) -> str:
        """Return the name of the partner with this key.

        Raises:
            Unauthorized: No partner has it.
        """
        offered = hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
        found = None
        for name, expected in self._hashes.items():
            if hmac.compare_digest(offered, expected):
                found = name
        if found is None:
            raise Unauthorized("This partner key is not known.", "Authorization")
        return found


def sender_id_of(partner: str, user_id: str) -> str:
    """Return the sender id of a partner's user: ``partner-<name>-<32 hex digits>``."""
    digest = hashlib.sha256(f"{partner}\0{user_id}".encode("utf-8", "surrogatepass")).hexdigest()
    return f"partner-{partner}-{digest[:32]}"


def _key_hash(key: str) -> str | None:
    if key.startswith("sha256:"):
        match = _SHA256.fullmatch(key)
        return match.group(2) if match else None
    return hashlib.sha256(key.encode("utf-8")).hexdigest() if key else None


def _add(hashes: dict[str, str], source: str, name: str, key_hash: str | None) -> None:
    if not _NAME.fullmatch(name):
        raise ChannelConfigError(
            f"{source}: a partner name must consist of a-z, 0-9, '-' and '_' (at most 32)."
        )
    if key_hash is None:
        raise ChannelConfigError(f"{source}: the key of partner '{name}' is malformed.")
    if name in hashes:
        raise ChannelConfigError(f"{source}: partner '{name}' appears twice.")
    hashes[name] = key_hash


def _read(keys_file: str | None) -> dict[str, object]:
    if not keys_file:
        return {}
    try:
        content = yaml.safe_load(Path(keys_file).read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError) as error:
        raise ChannelConfigError(
            f"keys_file: '{keys_file}' cannot be read ({type(error).__name__})."
        ) from None
    if not isinstance(content, dict):
        raise ChannelConfigError(f"keys_file: '{keys_file}' must map names to key hashes.")
    return content
