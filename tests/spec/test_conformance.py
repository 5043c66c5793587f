"""The program that runs the vectors on any implementation."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

import conformance
from conformance import Vector, decoded, problem

if TYPE_CHECKING:
    from pathlib import Path

GOOD = Vector("good", "flags", "3.12", b"\xceN", b"N")
REFUSED = Vector("refused", "refusals", "3.12", b"N" * 3, ("trailing", 1))
ECHO = "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read()[-1:])"


@pytest.fixture
def vectors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Use two vectors only."""
    lines = [
        {"license": "CC0-1.0"},
        {"name": "short", "rule": "flags", "version": "3.12", "payload": "ce4e", "canonical": "4e"},
        {"name": "long", "rule": "flags", "version": "3.12", "payload": [["ce", 2], ["4e", 1]], "canonical": "4e"},
    ]
    (tmp_path / "3.12.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    monkeypatch.setattr(conformance, "VECTORS", tmp_path)
    return tmp_path


def run(*arguments: str, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "argv", ["conformance.py", *arguments])
    return conformance.main()


def python(code: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", code]


def test_repeated_parts() -> None:
    assert decoded("0aff") == b"\x0a\xff"
    assert decoded([("0a", 2), ("ff", 1)]) == b"\x0a\x0a\xff"


@pytest.mark.usefixtures("vectors")
def test_all_pass(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("-j", "1", *python(ECHO), monkeypatch=monkeypatch) == 0
    assert capsys.readouterr().out == "2 of 2 vectors passed\n"


@pytest.mark.usefixtures("vectors")
def test_failures_are_shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(conformance, "MAX_SHOWN", 1)
    assert run(*python("print(end='x')"), monkeypatch=monkeypatch) == 1
    expected = "3.12, flags, short: expected 4e, got 78\nand 1 more\n0 of 2 vectors passed\n"
    assert capsys.readouterr().out == expected


@pytest.mark.usefixtures("vectors")
def test_command_that_does_not_exist(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(str(tmp_path / "missing"), monkeypatch=monkeypatch) == 2
    assert "missing: " in capsys.readouterr().err


@pytest.mark.usefixtures("vectors")
@pytest.mark.parametrize(("arguments", "message"), [((), "no COMMAND"), (("--only", "2.7", "true"), "no such vectors")])
def test_wrong_usage(
    arguments: tuple[str, ...], message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        run(*arguments, monkeypatch=monkeypatch)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("vector", "code", "expected"),
    [
        (GOOD, ECHO, None),
        (GOOD, "import sys; sys.exit('trailing at offset 1')", "expected 4e, got trailing at offset 1"),
        (GOOD, "import sys; sys.exit('help')", "exit status 1, without KIND at offset N: 'help'"),
        (REFUSED, ECHO, "expected trailing at offset 1, got 4e"),
        (REFUSED, "import sys; sys.exit('program: trailing at offset 1: bytes')", None),
        (
            REFUSED,
            "import sys; sys.exit('trailing at offset 2')",
            "expected trailing at offset 1, got trailing at offset 2",
        ),
        (REFUSED, "import sys; sys.exit('size at offset 1')", "expected trailing at offset 1, got size at offset 1"),
        (GOOD, "import time; time.sleep(60)", "still running after 1 seconds"),
    ],
)
def test_problem(vector: Vector, code: str, expected: str | None) -> None:
    assert problem(vector, python(code), 1 if "sleep" in code else 60) == expected


def test_version_is_the_last_argument() -> None:
    assert problem(GOOD, python("import sys; print(end='N' if sys.argv[-1] == '3.12' else '')"), 60) is None
