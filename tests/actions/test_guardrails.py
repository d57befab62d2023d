"""The output guardrail: every check refuses its cases, and ordinary warm replies pass."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest

from actions.guardrails.__main__ import main
from actions.guardrails.form import ContactCheck
from actions.guardrails.output import OutputGuardrail
from actions.guardrails.verdict import Candidate

CASES_FILE = Path(__file__).with_name("guardrail_cases.csv")
ROOT = Path(__file__).resolve().parents[2]


def _cases() -> list[dict[str, str]]:
    with CASES_FILE.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


CASES = _cases()
GUARDRAIL = OutputGuardrail()


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['expected']}-{case['reply'][:40]}")
def test_case(case: dict[str, str]) -> None:
    verdict = GUARDRAIL.check_reply(case["reply"], context=case["context"])
    assert (verdict.allowed, verdict.reason) == (case["expected"] == "allowed", case["reason"])


def test_cases_cover_both_sides() -> None:
    refused = [case for case in CASES if case["expected"] == "refused"]
    assert len(refused) >= 100
    assert len(CASES) - len(refused) >= 60


def test_repeats_what_was_said_earlier_in_the_conversation() -> None:
    earlier = ["That sounds lonely. What time of day is it at its loudest?"]
    repeat = "What time of day is it at its loudest?"
    assert GUARDRAIL.check_reply(repeat, said_before=earlier).reason == "repeated"
    assert GUARDRAIL.check_reply("I see.", said_before=["I see. Go on."]).allowed


def test_near_repeat_is_a_repeat() -> None:
    earlier = ["What is the hardest part of the evening for you?"]
    repeat = "So what is the hardest part of the evening for you?"
    assert GUARDRAIL.check_reply(repeat, said_before=earlier).reason == "repeated"


def test_too_long() -> None:
    sentence = (
        "You said it was hard and then " + "it went on and on with the days and the weeks " * 8
    )
    assert GUARDRAIL.check_reply(sentence).reason == "too_long"
    numbers = "one two three four five six seven eight nine ten eleven twelve thirteen"
    days = numbers + " fourteen fifteen sixteen seventeen eighteen nineteen twenty thirty"
    long_reply = " ".join(f"Day {day} was a long one for you at home." for day in days.split())
    assert GUARDRAIL.check_reply(long_reply + " " + long_reply).reason in {"too_long", "repeated"}


def test_curly_quotes_and_invisible_characters_do_not_help() -> None:
    assert GUARDRAIL.check_reply("It\u2019s all in your he\u200bad.").reason == "makes_small"
    assert GUARDRAIL.check_reply("You should l\u00adeave him.").reason == "command"
    assert GUARDRAIL.check_reply("\uff39ou are pathetic.").reason == "insult"


def test_contact_allow_list() -> None:
    check = ContactCheck(["stillpoint.example.org"])
    assert check(Candidate("Look at stillpoint.example.org today.")).allowed
    assert not check(Candidate("Look at other.example.org today.")).allowed


def test_split_over_two_sentences() -> None:
    verdict = GUARDRAIL.check_reply("You could take all. Pills are in the cupboard.")
    assert GUARDRAIL.check_reply("Pills are in the cupboard.").allowed or not verdict.allowed


def _write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_batch_keeps_columns_and_order(tmp_path: Path) -> None:
    source = _write(
        tmp_path / "in.csv",
        'id,reply,note,context\n1,"That sounds hard, really.",ñ,hi\n2,You are pathetic.,,hi\n',
    )
    target = tmp_path / "out.csv"
    assert main(["--input", str(source), "--output", str(target)]) == 0
    with target.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["id", "reply", "note", "context", "allowed", "reason"],
        ["1", "That sounds hard, really.", "ñ", "hi", "true", ""],
        ["2", "You are pathetic.", "", "hi", "false", "insult"],
    ]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("context,answer\na,b\n", "column 'reply' is missing"),
        ("context,reply,allowed\na,b,c\n", "column 'allowed' is already there"),
        ("context,reply\na\n", "line 2 does not have 2 columns"),
        ("context,reply\na,b,c\n", "line 2 does not have 2 columns"),
        ("", "column 'context' is missing"),
    ],
)
def test_batch_errors_name_file_and_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, complaint: str
) -> None:
    source = _write(tmp_path / "in.csv", content)
    assert main(["--input", str(source), "--output", str(tmp_path / "out.csv")]) == 2
    error = capsys.readouterr().err
    assert complaint in error
    assert str(source) in error
    assert not (tmp_path / "out.csv").exists()


def test_batch_refuses_other_encodings_and_its_own_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "in.csv"
    source.write_bytes("context,reply\na,caf\xe9\n".encode("latin-1"))
    assert main(["--input", str(source), "--output", str(tmp_path / "out.csv")]) == 2
    assert "not UTF-8" in capsys.readouterr().err
    assert main(["--input", str(source), "--output", str(source)]) == 2
    assert main(["--input", str(tmp_path / "no.csv"), "--output", str(source)]) == 2


def test_batch_as_a_command(tmp_path: Path) -> None:
    source = _write(tmp_path / "in.csv", "context,reply\nhi,Hello. What brings you here today?\n")
    target = tmp_path / "out.csv"
    command = [sys.executable, "-m", "actions.guardrails", "--input", source, "--output", target]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert target.read_text(encoding="utf-8").splitlines()[1].endswith(",true,")
