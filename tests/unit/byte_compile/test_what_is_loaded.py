"""Bytecode that is put into a wheel, and the Pythons that load it from there."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

import wheels
from detpyc.byte_compile.wheel import WheelOptions, WheelReport, byte_compile_wheel
from detpyc.cli import main
from detpyc.errors import WheelError
from detpyc.hooks.request import BuildRequest
from detpyc.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from detpyc.compilation.interpreters import Interpreter

MINOR = "{}.{}".format(*sys.version_info[:2])
RELEASE = "{}.{}.{}".format(*sys.version_info[:3])
NAME = "demo-1.0-py3-none-any.whl"
METADATA, RECORD = (f"demo-1.0.dist-info/{name}" for name in ("METADATA", "RECORD"))


def requiring(directory: Path, requires: str, name: str = NAME) -> Path:
    """Write a wheel with a ``Requires-Python``."""
    contents = wheels.complete()
    contents[METADATA] += f"Requires-Python: {requires}\n".encode()
    del contents[RECORD]
    return wheels.write(directory / name, {**contents, RECORD: wheels.record(contents, RECORD)})


def compiled(path: Path, settings: Settings = Settings(), *, rename: bool = False) -> WheelReport:
    return byte_compile_wheel(path, settings, WheelOptions(rename=rename))


@pytest.mark.parametrize(
    ("levels", "layout", "expected"),
    [
        ((0,), "pycache", (MINOR,)),
        ((1,), "pycache", (f"{MINOR} -O",)),
        ((0, 2), "pycache", (MINOR, f"{MINOR} -OO")),
        ((2,), "sourceless", (MINOR,)),
    ],
)
def test_loaded_by(levels: tuple[int, ...], layout: str, expected: tuple[str, ...], tmp_path: Path) -> None:
    report = compiled(requiring(tmp_path, f"=={RELEASE}"), Settings(optimize=levels, layout=layout), rename=True)
    assert (report.loaded_by, report.never_loaded, report.warnings) == (expected, {}, ())
    assert report.summary().endswith(f"; loaded by CPython {', '.join(expected)}")


def test_requires_python_that_excludes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = compiled(requiring(tmp_path, "<3.5"))
    reason = f"Requires-Python (<3.5) excludes CPython {MINOR}"
    assert (report.loaded_by, report.never_loaded) == ((), {RELEASE: reason})
    warning = f"{NAME}: the pycs of CPython {RELEASE} will never be loaded: {reason}"
    assert report.warnings == (warning,)
    assert "loaded" not in report.summary()
    assert main(["wheel", "--json", "--check", str(tmp_path / NAME)]) == 0
    output, errors = capsys.readouterr()
    assert errors == f"detpyc: warning: {warning}\n"
    document = json.loads(output)["wheels"][0]
    assert (document["loaded-by"], document["never-loaded"]) == ([], {RELEASE: reason})


def test_build_warns(tmp_path: Path) -> None:
    result = BuildRequest(Settings(), None, disabled=False).byte_compile(requiring(tmp_path, "<3.5"))
    assert [warning.partition(":")[0] for warning in result.warnings] == ["detpyc"]
    assert "will never be loaded" in result.warnings[0]


def test_bytecode_of_earlier_runs(tmp_path: Path, pythons: dict[str, Interpreter]) -> None:
    other = next((python for python in pythons.values() if python.version != sys.version_info[:2]), None)
    if other is None:
        pytest.skip(f"only CPython {MINOR} is here")
    path = wheels.build(tmp_path)
    compiled(path, Settings((other.path,), (1,)))
    both = {"{}.{} -O".format(*other.version), MINOR}
    assert {*compiled(path).loaded_by} == both
    assert {*compiled(path).loaded_by} == both


def test_nothing_to_load(tmp_path: Path) -> None:
    report = compiled(wheels.build(tmp_path, {"demo/data.txt": b""}))
    assert (report.pycs, report.loaded_by, report.never_loaded) == (0, (), {})


def test_wheel_without_metadata(tmp_path: Path) -> None:
    contents = {name: content for name, content in wheels.complete().items() if name not in {METADATA, RECORD}}
    path = wheels.write(tmp_path / NAME, {**contents, RECORD: wheels.record(contents, RECORD)})
    assert compiled(path).loaded_by == (MINOR,)


def test_requires_python_that_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = requiring(tmp_path, "three")
    before = path.read_bytes()
    message = f"{path}: METADATA has the Requires-Python 'three', which is not a list of versions"
    with pytest.raises(WheelError) as caught:
        compiled(path)
    assert str(caught.value) == message
    assert main(["wheel", str(path)]) == 2
    assert capsys.readouterr().err == f"detpyc: {message}\n"
    assert path.read_bytes() == before
