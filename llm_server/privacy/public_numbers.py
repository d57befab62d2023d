"""Numbers that belong to nobody: the helplines of ``data/helplines.yml``."""

from pathlib import Path

import yaml

from llm_server.errors import StartError
from llm_server.privacy.numbers import public_digits

HELPLINES = Path(__file__).resolve().parents[2] / "data" / "helplines.yml"


def helpline_digits(path: Path = HELPLINES) -> frozenset[str]:
    """Those numbers in the form that :func:`~llm_server.privacy.numbers.find` leaves alone.

    Raises:
        StartError: the file is missing or damaged.
    """
    try:
        countries = yaml.safe_load(path.read_text(encoding="utf-8"))["countries"]
        lines = [line for country in countries.values() for line in country["lines"]]
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError):
        raise StartError(f"the helplines in {path} cannot be read; restore the file") from None
    return public_digits(
        str(line[way]) for line in lines for way in ("call", "text", "whatsapp") if way in line
    )
