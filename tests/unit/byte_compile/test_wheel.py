"""One wheel, byte-compiled: what goes wrong, and in which order that is reported."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

import wheels
from detpyc.byte_compile.wheel import WheelOptions, byte_compile_wheel
from detpyc.errors import CompilationError, DetpycError, WheelError
from detpyc.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NAME = "demo-1.0-py3-none-any.whl"
INFO = "demo-1.0.dist-info"
BROKEN = {**wheels.MODULES, "demo/broken.py": b"def f(:\n"}


@pytest.mark.parametrize("kind", [str, os.fspath, lambda path: path])
def test_path_of_any_kind(kind: Callable[[Path], str | os.PathLike[str]], tmp_path: Path) -> None:
    path = wheels.build(tmp_path)
    report = byte_compile_wheel(kind(path))
    assert (report.path, report.changed, report.modules, report.pycs) == (path, True, 2, 2)
    assert not byte_compile_wheel(kind(path), Settings(), WheelOptions(check=True)).changed


def test_source_that_does_not_compile(tmp_path: Path) -> None:
    path = wheels.build(tmp_path, BROKEN)
    with pytest.raises(CompilationError) as caught:
        byte_compile_wheel(path)
    assert caught.value.path == str(path)
    assert "does not byte-compile 1 source:\n    demo/broken.py: SyntaxError: line 1" in caught.value.reason


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"demo/data.txt": b"other"}, "RECORD's line for demo/data.txt has a wrong sha256 hash"),
        ({"demo/core.py": b"x = 2\n" * 10}, "RECORD's line for demo/core.py says 55 bytes, and it has 60"),
        ({"demo/more.py": b""}, "RECORD does not list demo/more.py"),
        ({f"{INFO}/detpyc.json": b"{"}, f"RECORD does not list {INFO}/detpyc.json"),
    ],
)
def test_wrong_record_is_reported_before_a_source_that_does_not_compile(
    change: dict[str, bytes], problem: str, tmp_path: Path
) -> None:
    contents = wheels.complete({**BROKEN, "demo/data.txt": b"words"})
    path = wheels.write(tmp_path / NAME, {**contents, **change})
    before = path.read_bytes()
    with pytest.raises(WheelError) as caught:
        byte_compile_wheel(path)
    assert (caught.value.problems, caught.value.path) == ((problem,), str(path))
    assert path.read_bytes() == before


def test_damaged_member_is_reported_before_a_source_that_does_not_compile(tmp_path: Path) -> None:
    path = wheels.forge(wheels.build(tmp_path, {**BROKEN, "demo/data.txt": b"words"}), "demo/data.txt", crc=1)
    with pytest.raises(WheelError, match=r"\.whl: demo/data\.txt: its CRC-32 is wrong"):
        byte_compile_wheel(path)


def test_malformed_provenance_names_the_wheel(tmp_path: Path) -> None:
    path = wheels.build(tmp_path, {**wheels.MODULES, f"{INFO}/detpyc.json": b"{"})
    with pytest.raises(DetpycError) as caught:
        byte_compile_wheel(path)
    assert str(caught.value).startswith(f"{path}: detpyc.json is malformed: ")


def test_sourceless_wheel_without_wheel_file(tmp_path: Path) -> None:
    contents = {name: content for name, content in wheels.complete().items() if not name.endswith(("WHEEL", "RECORD"))}
    contents[f"{INFO}/RECORD"] = wheels.record(contents, f"{INFO}/RECORD")
    path = wheels.write(tmp_path / NAME, contents)
    with pytest.raises(WheelError) as caught:
        byte_compile_wheel(path, Settings(layout="sourceless"), WheelOptions(rename=True))
    assert str(caught.value) == f"{path}: has no {INFO}/WHEEL"
