"""The header of a pyc, and the hash that ties it to its source."""

from __future__ import annotations

import importlib.util
import struct
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from detpyc.bytecode import header
from detpyc.bytecode.header import HEADER_SIZE, MAGIC_NUMBERS, InvalidationMode, PycHeader, source_hash
from detpyc.compilation.pool import Source, byte_compile
from detpyc.errors import BytecodeError

if TYPE_CHECKING:
    from detpyc.compilation.interpreters import Interpreter

HERE = int.from_bytes(importlib.util.MAGIC_NUMBER[:2], "little")
SOURCES = [b"#" * size for size in range(34)] + [b"x = 'na\xc3\xafve'\r\n" * 1000]


def header_bytes(magic_number: int = 3531, flags: int = 0, rest: bytes = bytes(8), end: bytes = b"\r\n") -> bytes:
    return struct.pack("<H2sI8s", magic_number, end, flags, rest)


def reason(data: bytes) -> str:
    with pytest.raises(BytecodeError) as caught:
        PycHeader.parse(data)
    assert 0 <= caught.value.offset <= len(data)
    return caught.value.reason


@pytest.mark.parametrize(("magic_number", "version"), sorted(MAGIC_NUMBERS.items()))
def test_timestamp_header(magic_number: int, version: tuple[int, int]) -> None:
    data = header_bytes(magic_number, 0, struct.pack("<II", 0xFFFFFFFE, 12345))

    parsed = PycHeader.parse(data + b"payload")

    assert (parsed.mode, parsed.mtime, parsed.source_size) == (InvalidationMode.TIMESTAMP, 0xFFFFFFFE, 12345)
    assert parsed.source_hash is None
    assert (parsed.magic_number, parsed.version) == (magic_number, version)
    assert parsed.to_bytes() == data


@pytest.mark.parametrize(("flags", "mode"), [(1, InvalidationMode.UNCHECKED_HASH), (3, InvalidationMode.CHECKED_HASH)])
def test_hash_based_header(flags: int, mode: str) -> None:
    data = header_bytes(flags=flags, rest=b"\x00hash\xff\r\n")

    parsed = PycHeader.parse(data)

    assert (parsed.mode, parsed.source_hash) == (mode, b"\x00hash\xff\r\n")
    assert (parsed.mtime, parsed.source_size) == (None, None)
    assert parsed.to_bytes() == data


@pytest.mark.parametrize("flags", [2, 4, 5, 7, 0x80, 0x100, 0x80000001, 0xFFFFFFFF])
def test_undefined_flags(flags: int) -> None:
    assert "flags" in reason(header_bytes(flags=flags))


@pytest.mark.parametrize("size", range(HEADER_SIZE))
def test_truncated_header(size: int) -> None:
    assert "header" in reason(header_bytes()[:size])


@pytest.mark.parametrize(
    ("magic_number", "origin"),
    [
        (3394, "3.7"),
        (3379, "3.7"),  # CPython 3.6
        (256, "PyPy"),
        (416, "PyPy"),
        (21150, "GraalPy"),
        (29050, "GraalPy"),
        (3667, "newer CPython"),
        (3700, "newer CPython"),
        (3530, "pre-release"),
        (65000, "unknown"),
    ],
)
def test_magic_number_of_others(magic_number: int, origin: str) -> None:
    message = reason(header_bytes(magic_number))

    assert origin in message
    assert str(magic_number) in message


@pytest.mark.parametrize("end", [b"\0\0", b"\n\r", b"\r\r"])
def test_not_a_pyc(end: bytes) -> None:
    assert "not a pyc" in reason(header_bytes(end=end))


def test_source_hash_of_each_interpreter(interpreter: Interpreter) -> None:
    """What ``importlib.util.source_hash`` says there, as the worker asks it."""
    outcomes = byte_compile(
        interpreter, [Source("a.py", source) for source in SOURCES], [0], lambda _, outcome: outcome
    )

    hashes = [getattr(outcome, "source_hash", outcome) for outcome in outcomes]
    assert hashes == [source_hash(source, interpreter.magic_number) for source in SOURCES]


@pytest.mark.parametrize(
    ("magic_number", "expected"),
    [
        (3439, ["8cc0cd2525e7fd27", "50bf3acb17da7180", "34c98ee1f65c0fe3", "2b702b324804aacb"]),
        (3495, ["738d9cd5d5e87f73", "b1b4cd3a811d6c55", "0eb0b8f42541bf08", "08c8a6ef778143c8"]),
    ],
)
def test_source_hash_with_either_number_of_rounds(magic_number: int, expected: list[str]) -> None:
    """As CPython 3.10 (SipHash-2-4) and 3.11 (SipHash-1-3) gave them."""
    assert [source_hash(source, magic_number).hex() for source in (b"", b"#######", b"########", b"#" * 33)] == expected


def test_source_hash_in_pure_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the running interpreter believe that its own hash has the other number of rounds."""
    by_itself = [importlib.util.source_hash(source) for source in SOURCES]
    other = (3, 10, 0) if MAGIC_NUMBERS[HERE] >= (3, 11) else (3, 11, 0)
    monkeypatch.setattr(header, "sys", SimpleNamespace(version_info=other))
    monkeypatch.delattr("_imp.source_hash")

    assert [source_hash(source, HERE) for source in SOURCES] == by_itself
