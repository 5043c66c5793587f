"""Damaged pycs and wheels through everything that reads them: a status or a DetpycError each time, and in time."""

from __future__ import annotations

import marshal
import shutil
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wheels
from bounds import bounded
from detpyc.byte_compile.wheel import byte_compile_wheel
from detpyc.bytecode.header import HEADER_SIZE
from detpyc.compare import compare_artifacts, compare_pycs
from detpyc.compilation import interpreters
from detpyc.errors import BytecodeError, DetpycError
from detpyc.inspect import Inspection, inspect_pyc
from detpyc.normalize import normalize_artifact
from detpyc.settings import Settings
from detpyc.verify.artifacts import verify_artifact
from detpyc.verify.reports import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

HERE = interpreters.current()
SOURCE = b'''
import os
X = 2**40, -1.5, 3j, b"bytes", "na\xc3\xafve", ...
def f(x, *, y=None):
    """Answer."""
    try:
        return [x in {"one", "two words"} for a in y]
    finally:
        print(x)
'''
EVERY = 3  # of so many bytes one is damaged, where each costs a run of an interpreter


def damaged(data: bytes, every: int = 1) -> dict[str, bytes]:
    """Cut data off, and flip bits, at every so-many-th byte."""
    found = {}
    for at in range(0, len(data), every):
        found[f"cut{at}"] = data[:at]
        for mask in (0xFF, 0x80, 0x01):
            found[f"flip{at}_{mask}"] = data[:at] + bytes([data[at] ^ mask]) + data[at + 1 :]
    return found


@pytest.fixture(scope="module")
def pyc(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    wheel = wheels.build(tmp_path_factory.mktemp("wheel"), {"module.py": SOURCE})
    byte_compile_wheel(wheel, Settings(interpreters=(HERE.path,)))
    return wheels.read(wheel)[f"__pycache__/module.{HERE.cache_tag}.pyc"]


@bounded()
def test_damaged_pycs_inspected(pyc: bytes) -> None:
    refused = 0
    for data in damaged(pyc).values():
        try:
            assert inspect_pyc(data).codes
        except BytecodeError as error:
            assert 0 <= error.offset <= len(data)  # noqa: PT017 - either outcome is right
            refused += 1
    assert len(pyc) < refused < 4 * len(pyc)


@bounded()
def test_damaged_pycs_compared(pyc: bytes) -> None:
    told = 0
    for data in damaged(pyc).values():
        try:
            differences = compare_pycs(pyc, data)
        except BytecodeError as error:
            assert 0 <= error.offset <= len(data)  # noqa: PT017 - either outcome is right
        else:
            assert differences
            assert all(map(str, differences))
            told += 1
    assert told > len(pyc)


@bounded()
def test_damaged_pycs_normalized(pyc: bytes, tmp_path: Path) -> None:
    for name, data in damaged(pyc, EVERY).items():
        (tmp_path / f"{name}.pyc").write_bytes(data)
    first, second = normalize_artifact(tmp_path), normalize_artifact(tmp_path)
    assert first.malformed
    assert first.unsupported
    assert second.changed == ()
    assert {**second.malformed, **second.unsupported} == {**first.malformed, **first.unsupported}


@bounded()
def test_damaged_pycs_verified(pyc: bytes, tmp_path: Path) -> None:
    """What still counts as the source's code must load as that."""
    pycs = damaged(pyc, EVERY)
    for name, data in pycs.items():
        (tmp_path / f"{name}.py").write_bytes(SOURCE)
        (tmp_path / f"{name}.pyc").write_bytes(data)

    findings = {finding.pyc: finding for finding in verify_artifact(tmp_path, [HERE]).findings}

    code = compile(SOURCE, "module.py", "exec", dont_inherit=True)
    found = {finding.status for finding in findings.values()}
    assert found == {Status.EQUIVALENT, Status.DIFFERS, Status.STALE, Status.MALFORMED, Status.UNVERIFIABLE}
    for name, data in pycs.items():
        if findings[str(tmp_path / f"{name}.pyc")].status is Status.EQUIVALENT:
            loaded = marshal.loads(data[HEADER_SIZE:])  # noqa: S302 - all of it was read
            path = loaded.co_filename
            assert marshal.dumps(loaded, 2) == marshal.dumps(compile(SOURCE, path, "exec", dont_inherit=True), 2), name
            assert path == "module.py" or loaded.co_code == code.co_code


@settings(max_examples=60)
@given(st.data())
def test_pycs_with_several_faults(pyc: bytes, data: st.DataObject) -> None:
    mutated = bytearray(pyc)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(mutated) - 1))
        piece = data.draw(st.one_of(st.binary(max_size=6), st.sampled_from(HUGE), st.just(pyc[at : at + 40])))
        mutated[at : at + data.draw(st.sampled_from([0, len(piece), 5]))] = piece
    for read in (inspect_pyc, lambda content: compare_pycs(pyc, content)):
        with bounded():
            outcome(read, bytes(mutated))


HUGE = [
    code + size
    for code in (b"(", b"[", b"s", b"u", b"l", b">", b"r", b"")
    for size in (b"\xff\xff\xff\x7f", b"\0\0\0\x80")
]


def outcome(read: Callable[[bytes], object], data: bytes) -> object:
    try:
        return read(data)
    except DetpycError as error:
        return error


@settings(max_examples=200)
@given(st.binary(max_size=200))
def test_any_bytes(pyc: bytes, data: bytes) -> None:
    for content in (data, pyc[:HEADER_SIZE] + data, pyc[:HEADER_SIZE] + b"\xe3" + data):
        assert isinstance(outcome(inspect_pyc, content), (Inspection, BytecodeError))


# ---- wheels


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = wheels.build(tmp_path_factory.mktemp("wheel"), {"m.py": b"x = 1\n"})
    byte_compile_wheel(path, Settings(interpreters=(HERE.path,)))
    return path


def each_damaged(wheel: Path, tmp_path: Path, variants: Iterable[bytes]) -> Iterable[Path]:
    path = tmp_path / wheel.name
    for data in variants:
        path.write_bytes(data)
        yield path


def test_damaged_wheels(wheel: Path, tmp_path: Path) -> None:
    variants = damaged(wheel.read_bytes(), 11).values()
    outcomes = []
    with bounded():
        for path in each_damaged(wheel, tmp_path, variants):
            for use in (lambda path: verify_artifact(path, [HERE]), lambda path: normalize_artifact(path, check=True)):
                try:
                    outcomes.append(type(use(path)).__name__)
                except DetpycError:
                    outcomes.append("error")
    assert {"error", "VerificationReport"} <= set(outcomes)


@bounded()
def test_damaged_wheels_compared(wheel: Path, tmp_path: Path) -> None:
    """Whatever differs in the bytes is told, if only as such."""
    outcomes = []
    for path in each_damaged(wheel, tmp_path, damaged(wheel.read_bytes(), 2).values()):
        try:
            assert not compare_artifacts(wheel, path).same
            outcomes.append("told")
        except DetpycError:
            outcomes.append("error")
    assert set(outcomes) == {"told", "error"}


def test_damage_behind_a_right_checksum(wheel: Path, tmp_path: Path) -> None:
    """In a wheel's provenance and RECORD, in archives that are sound."""
    files = wheels.read(wheel)
    outcomes = set()
    with bounded():
        for name in ("demo-1.0.dist-info/detpyc.json", "demo-1.0.dist-info/RECORD"):
            for data in damaged(files[name], 23).values():
                path = wheels.write(tmp_path / wheel.name, {**files, name: data})
                report = verify_artifact(path, [HERE])
                outcomes |= {finding.status for finding in report.findings}
                assert report.problems
    assert outcomes == {Status.IDENTICAL}


def test_wheel_is_as_it_was(wheel: Path, tmp_path: Path) -> None:
    """The damage is what the tests above find."""
    path = shutil.copy(wheel, tmp_path)
    assert {finding.status for finding in verify_artifact(path, [HERE]).findings} == {Status.IDENTICAL}
