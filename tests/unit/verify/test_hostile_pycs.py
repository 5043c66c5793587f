"""Small pycs that refer to much: whoever reads them must not take long, nor eat memory, nor print without end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bounds import bounded
from detpyc.bytecode.header import MAGIC_NUMBERS, InvalidationMode, PycHeader
from detpyc.cli import main
from detpyc.compare import compare_pycs
from detpyc.compilation import interpreters
from detpyc.verify.artifacts import verify_artifact
from detpyc.verify.reports import Status
from payloads import (
    byte_string,
    code,
    flagged,
    frozenset_of,
    integer,
    long,
    many,
    ref,
    short,
    sized,
    small_tuple,
    text,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MUCH = 3000
HERE = interpreters.current()
VERSION = HERE.version
BEFORE_QUALNAMES = (3, 10)
# Payloads of some kilobytes to a megabyte, in two variants.
HOSTILE: dict[str, Callable[[int], bytes]] = {}


def hostile(function: Callable[[int], bytes]) -> Callable[[int], bytes]:
    HOSTILE[function.__name__] = function
    return function


def version_of(name: str) -> tuple[int, int]:
    return BEFORE_QUALNAMES if name == "names_that_add_up" else VERSION


def tuple_of(*items: bytes) -> bytes:
    return many(b"(", *items)


@hostile
def names_shared_by_many(variant: int) -> bytes:
    """Refer from each of thousands of code objects to one tuple of thousands of names."""
    shared = flagged(tuple_of(*(text(f"name{number}") for number in range(20_000)), text(f"last{variant}")))
    codes = (code(VERSION, {"names": ref(0)}, stacksize=number + 2) for number in range(MUCH))
    return code(VERSION, {"consts": tuple_of(shared, *codes)})


@hostile
def constants_shared_by_many(variant: int) -> bytes:
    shared = flagged(tuple_of(*map(integer, range(20_000)), integer(-variant - 1)))
    codes = (code(VERSION, {"consts": ref(0)}, stacksize=number + 2) for number in range(MUCH))
    return code(VERSION, {"consts": tuple_of(shared, *codes)})


@hostile
def instructions_shared_by_many(variant: int) -> bytes:
    shared = flagged(byte_string(bytes(200_000) + bytes([variant])))
    codes = (code(VERSION, {"code": ref(0)}, stacksize=number + 2) for number in range(MUCH))
    return code(VERSION, {"consts": tuple_of(shared, *codes)})


@hostile
def line_tables_shared_by_many(variant: int) -> bytes:
    shared = flagged(byte_string(100_000 * b"\xd8\x00" + bytes([0xD8, 2 * variant])))
    codes = (code(VERSION, {"linetable": ref(0)}, firstlineno=number) for number in range(MUCH))
    return code(VERSION, {"consts": tuple_of(shared, *codes)})


@hostile
def one_long_name_for_many(variant: int) -> bytes:
    shared = flagged(sized(b"a", 300_000 * b"n" + b"%d" % variant))
    fields = {name: ref(0) for name in ("name", "qualname")}
    codes = (code(VERSION, {**fields, "names": small_tuple(ref(0))}, stacksize=number) for number in range(MUCH))
    return code(VERSION, {"consts": tuple_of(shared, *codes)})


@hostile
def names_that_add_up(variant: int) -> bytes:
    """Nest code objects, so that a qualified name made of their names is as long as all of them together."""
    nested = integer(variant)
    for _ in range(900):
        nested = code(BEFORE_QUALNAMES, {"consts": small_tuple(nested), "name": short(b"z", "n" * 250)})
    return nested


@hostile
def code_objects_that_unfold(variant: int) -> bytes:
    """Let each code object hold the next one twice."""
    nested = flagged(code(VERSION, stacksize=variant))
    for level in range(500):
        nested = flagged(code(VERSION, {"consts": small_tuple(nested, ref(500 - level))}, stacksize=level))
    return nested


@hostile
def values_that_unfold(variant: int) -> bytes:
    wide = flagged(tuple_of(*(integer(number) for number in range(200, 300)), integer(variant)))
    for level in range(20):
        wide = flagged(tuple_of(wide, *(100 * [ref(20 - level)])))
    shown = (small_tuple(integer(number), ref(0)) for number in range(MUCH))
    return code(VERSION, {"consts": tuple_of(wide, *shown)})


@hostile
def constants_in_another_order(variant: int) -> bytes:
    numbers = [integer(number % 7) for number in range(30_000)]
    return code(VERSION, {"consts": tuple_of(*numbers[:: -1 if variant else 1], text("a b"))})


@hostile
def code_objects_of_one_name(variant: int) -> bytes:
    codes = (code(VERSION, stacksize=number + MUCH * variant) for number in range(MUCH))
    return code(VERSION, {"consts": tuple_of(*codes)})


@hostile
def large_integers(variant: int) -> bytes:
    shared = flagged(long(*(200_000 * [0x7FFF]), 1 + variant))
    return code(VERSION, {"consts": tuple_of(shared, *(small_tuple(ref(0), integer(n)) for n in range(MUCH)))})


@hostile
def large_sets(variant: int) -> bytes:
    """Show a set of very many elements from very many places."""
    elements = [integer(number) for number in range(20_000)]
    shared = flagged(frozenset_of(*(elements[::-1] if variant else elements)))
    return code(VERSION, {"consts": tuple_of(shared, *(small_tuple(ref(0), integer(n)) for n in range(MUCH)))})


def pyc(name: str, variant: int = 0) -> bytes:
    (magic_number,) = (number for number, version in MAGIC_NUMBERS.items() if version == version_of(name))
    header = PycHeader(magic_number, InvalidationMode.UNCHECKED_HASH, source_hash=bytes(8))
    return header.to_bytes() + HOSTILE[name](variant)


@bounded()
@pytest.mark.parametrize("name", HOSTILE)
def test_compare(name: str) -> None:
    differences = compare_pycs(pyc(name, 0), pyc(name, 1))

    assert differences
    assert all(len(str(difference)) < 2000 for difference in differences)


@bounded()
@pytest.mark.parametrize(
    ("name", "options"), [*((name, ["--json"]) for name in HOSTILE), ("code_objects_that_unfold", [])]
)
def test_inspect(name: str, options: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "hostile.pyc"
    path.write_bytes(pyc(name))

    assert main(["inspect", *options, str(path)]) == 0

    shown, errors = capfd.readouterr()
    assert not errors
    assert len(shown) < 500 * path.stat().st_size


def test_verify(tmp_path: Path) -> None:
    names = [name for name in HOSTILE if version_of(name) == VERSION]
    for name in names:
        (tmp_path / f"{name}.py").touch()
        (tmp_path / f"{name}.pyc").write_bytes(pyc(name))

    with bounded():
        report = verify_artifact(tmp_path, [HERE])

    assert {finding.status for finding in report.findings} == {Status.STALE}
    assert len(report.findings) == len(names) > 10
    assert all(len(reason) < 2000 for finding in report.findings for reason in finding.reasons)
