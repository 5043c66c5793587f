"""``detpyc canonicalize``: bytes to bytes."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import pytest

from detpyc import limits
from detpyc.cli import main
from payloads import flagged, integer, ref, small_tuple

if TYPE_CHECKING:
    from pathlib import Path

PAYLOAD = flagged(small_tuple(flagged(integer(1)), integer(1)))
CANONICAL = small_tuple(flagged(integer(1)), ref(0))
COMMAND = ["canonicalize", "--version", "3.12"]


@pytest.fixture
def payload(tmp_path: Path) -> Path:
    path = tmp_path / "payload"
    path.write_bytes(PAYLOAD)
    return path


def feed(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))


def test_standard_streams(monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    feed(PAYLOAD, monkeypatch)
    assert main(COMMAND) == 0
    assert capfdbinary.readouterr() == (CANONICAL, b"")


def test_files(payload: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main([*COMMAND, str(payload), "-o", str(tmp_path / "output")]) == 0
    assert (tmp_path / "output").read_bytes() == CANONICAL
    assert capfdbinary.readouterr() == (b"", b"")


def test_file_and_standard_output(payload: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main([*COMMAND, str(payload)]) == 0
    assert capfdbinary.readouterr() == (CANONICAL, b"")


def test_quiet(payload: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main([*COMMAND, "-q", str(payload)]) == 0
    assert capfdbinary.readouterr() == (b"", b"")


def test_json(payload: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*COMMAND, "--json", str(payload)]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "format": 1,
        "size": len(PAYLOAD),
        "canonical-size": len(CANONICAL),
        "canonical": False,
        "payload": CANONICAL.hex(),
    }


@pytest.mark.parametrize(
    ("data", "version", "message"),
    [
        (PAYLOAD[:-1], "3.12", f"truncated at offset {len(PAYLOAD) - 1}: the data ends in the middle of an object"),
        (PAYLOAD + b"N", "3.12", f"trailing at offset {len(PAYLOAD)}: 1 bytes after the end of the payload"),
        (b":NNN", "3.13", "type at offset 0: type code b':' is not one that CPython 3.13 writes"),
        (b"N", "3.16", "version at offset 0: cannot read the bytecode of CPython 3.16, only of 3.8 to 3.15"),
    ],
)
def test_refusal(
    data: bytes, version: str, message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    feed(data, monkeypatch)
    assert main(["canonicalize", "--version", version]) == 2
    assert capsys.readouterr() == ("", f"detpyc: {message}\n")


def test_refused_file_is_named_and_the_output_unchanged(
    payload: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    payload.write_bytes(b"?")
    output = tmp_path / "output"
    output.write_bytes(b"old")
    assert main([*COMMAND, str(payload), "--output", str(output)]) == 2
    assert f"detpyc: {payload}: type at offset 0: " in capsys.readouterr().err
    assert output.read_bytes() == b"old"


@pytest.mark.parametrize("version", ["", "3", "3.", ".12", "3.12.1", "3.x", "-3.12"])
def test_wrong_version(version: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["canonicalize", f"--version={version}"])
    assert caught.value.code == 2
    assert f'must be a version such as 3.12, not "{version}"' in capsys.readouterr().err


def test_version_is_required(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["canonicalize"])
    assert "--version" in capsys.readouterr().err


def test_too_large(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(limits, "MAX_FILE", 4)
    feed(bytes(5), monkeypatch)
    assert main(COMMAND) == 2
    assert capsys.readouterr().err == "detpyc: standard input has more than 4 bytes, which is the limit\n"


def test_closed_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdin", None)
    assert main(COMMAND) == 2
    assert capsys.readouterr().err == "detpyc: standard input is closed\n"
