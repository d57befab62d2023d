"""Judge a CSV of replies: ``python -m actions.guardrails --input a.csv --output b.csv``.

The input has a header row with ``context`` and ``reply`` (UTF-8). The output keeps its columns
and order and adds ``allowed`` (``true`` or ``false``) and ``reason`` (a code, empty if allowed).
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path

from actions.errors import DataFileError
from actions.guardrails.output import OutputGuardrail

REQUIRED = ("context", "reply")
ADDED = ("allowed", "reason")


def judge_file(source: Path, target: Path) -> tuple[int, int]:
    """Judge every row of ``source`` and write ``target``.

    Returns:
        How many rows there were and how many were refused.

    Raises:
        DataFileError: naming the file, and the column or line that is wrong.
    """
    guardrail = OutputGuardrail()
    header, rows = _read(source)
    refusals = 0
    try:
        with target.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fieldnames=[*header, *ADDED])
            writer.writeheader()
            for row in rows:
                verdict = guardrail.check_reply(row["reply"], context=row["context"])
                refusals += not verdict.allowed
                row["allowed"] = "true" if verdict.allowed else "false"
                row["reason"] = verdict.reason
                writer.writerow(row)
    except OSError as error:
        raise DataFileError(f"{target}: cannot be written ({error.strerror})") from None
    return len(rows), refusals


def _read(source: Path) -> tuple[list[str], list[dict[str, str]]]:
    try:
        csv.field_size_limit(10_000_000)
        with source.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            header = list(reader.fieldnames or [])
            for column in REQUIRED:
                if column not in header:
                    raise DataFileError(f"{source}: column '{column}' is missing")
            for column in ADDED:
                if column in header:
                    raise DataFileError(f"{source}: column '{column}' is already there")
            if len(set(header)) != len(header):
                raise DataFileError(f"{source}: a column name occurs twice")
            rows = []
            for row in reader:
                if None in row or None in row.values():
                    raise DataFileError(
                        f"{source}: line {reader.line_num} does not have {len(header)} columns"
                    )
                rows.append(row)
    except OSError as error:
        raise DataFileError(f"{source}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise DataFileError(f"{source}: is not UTF-8") from None
    except csv.Error as error:
        raise DataFileError(f"{source}: is not a CSV file ({error})") from None
    return header, rows


def main(arguments: list[str] | None = None) -> int:
    """Command line entry; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m actions.guardrails", description=__doc__)
    parser.add_argument("--input", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args(arguments)
    try:
        if options.input.resolve() == options.output.resolve():
            raise DataFileError(f"{options.output}: --output is the same file as --input")
        total, refusals = judge_file(options.input, options.output)
    except DataFileError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{total} replies, {refusals} refused", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
