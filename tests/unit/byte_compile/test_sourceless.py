"""Wheels whose bytecode takes the place of their sources."""

from __future__ import annotations

import json
import sys
from importlib.util import source_hash
from typing import TYPE_CHECKING, Any

import pytest
from installer.sources import WheelFile

import wheels
from detpyc.byte_compile.wheel import WheelOptions, WheelReport, byte_compile_wheel
from detpyc.cli import main
from detpyc.errors import DetpycError
from detpyc.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from detpyc.compilation.interpreters import Interpreter

NAME = "demo-1.0-py3-none-any.whl"
OWN = "cp{}{}".format(*sys.version_info)
INFO = "demo-1.0.dist-info"
FILES = {
    **wheels.MODULES,
    "demo/core.pyi": b"def f(x): ...\n",
    "demo/data.txt": b"data\n",
    "demo/py.typed": b"",
    "demo-1.0.data/purelib/more.py": b"more = 1\n",
    "demo-1.0.data/scripts/run.py": b"#!python\n",
    "demo-1.0.data/data/share/example.py": b"example = 1\n",
}
BROKEN = b"def f(:\n"
RENAMING = WheelOptions(rename=True)


def sourceless(path: Path, *, options: WheelOptions = RENAMING, **settings: Any) -> WheelReport:
    return byte_compile_wheel(path, Settings(layout="sourceless", **settings), options)


def recorded(members: Mapping[str, bytes]) -> dict[str, Any]:
    (entry,) = json.loads(members[f"{INFO}/detpyc.json"])["bytecode"]
    return dict(entry)


def test_bytecode_takes_the_place_of_sources(tmp_path: Path) -> None:
    before = wheels.read(wheels.build(tmp_path, FILES))
    report = sourceless(tmp_path / NAME)
    assert [path.name for path in tmp_path.iterdir()] == [report.path.name] == [f"demo-1.0-{OWN}-none-any.whl"]
    assert report.renamed_from == NAME
    members = wheels.read(report.path)
    compiled = {"demo/__init__.py", "demo/core.py", "demo-1.0.data/purelib/more.py"}
    changed = {f"{INFO}/WHEEL", f"{INFO}/RECORD"}
    assert before.keys() - members.keys() == compiled
    assert members.keys() - before.keys() == {*(f"{name}c" for name in compiled), f"{INFO}/detpyc.json"}
    assert {name for name in before.keys() & members.keys() if before[name] != members[name]} == changed
    for name in compiled:
        assert members[f"{name}c"][8:16] == source_hash(before[name])
    assert recorded(members)["layout"] == "sourceless"
    with WheelFile.open(report.path) as wheel:
        wheel.validate_record()


def test_wheel_file_and_name_agree(tmp_path: Path) -> None:
    report = sourceless(wheels.build(tmp_path))
    lines = wheels.read(report.path)[f"{INFO}/WHEEL"].decode().splitlines()
    assert lines == [*wheels.WHEEL.decode().splitlines()[:-1], f"Tag: {OWN}-none-any"]


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("py3-none-win_amd64", f"{OWN}-none-win_amd64"),
        (f"{OWN}-{OWN}-linux_b.linux_a", f"{OWN}-{OWN}-linux_b.linux_a"),
        ("cp38-abi3-linux_a", f"{OWN}-none-linux_a"),
    ],
)
def test_platform_stays(tag: str, expected: str, tmp_path: Path) -> None:
    report = sourceless(wheels.build(tmp_path, tag=tag))
    assert report.path.name == f"demo-1.0-{expected}.whl"
    python, abi, platforms = expected.split("-")
    tags = [line for line in wheels.read(report.path)[f"{INFO}/WHEEL"].decode().splitlines() if line.startswith("Tag")]
    assert tags == [f"Tag: {python}-{abi}-{platform}" for platform in sorted(platforms.split("."))]


def test_twice_is_once(tmp_path: Path) -> None:
    once = sourceless(wheels.build(tmp_path, {**FILES, "demo/new.py": BROKEN}), on_syntax_error="skip").path
    content = once.read_bytes()
    again = sourceless(once, on_syntax_error="skip")
    assert (again.changed, again.renamed_from) == (False, None)
    assert once.read_bytes() == content


def test_what_was_there_is_left_or_goes(tmp_path: Path) -> None:
    """With an output directory, it stays; if only checked, nothing comes either."""
    path = wheels.build(tmp_path)
    content = path.read_bytes()
    report = sourceless(path, options=WheelOptions(rename=True, check=True))
    assert (report.changed, list(tmp_path.iterdir())) == (True, [path])
    output = tmp_path / "output"
    output.mkdir()
    report = sourceless(path, options=WheelOptions(rename=True, output_dir=output))
    assert list(output.iterdir()) == [report.path]
    assert path.read_bytes() == content
    assert report.path.name != NAME


def test_pycs_beside_sources_go(tmp_path: Path) -> None:
    """Of an earlier run with the other layout, of whatever interpreter."""
    path = wheels.build(tmp_path, {**FILES, "demo/__pycache__/core.cpython-36.pyc": b"", "demo/core.pyc": b""})
    byte_compile_wheel(path, Settings())
    members = wheels.read(sourceless(path).path)
    assert not [name for name in members if "__pycache__" in name]
    assert members["demo/core.pyc"]


@pytest.mark.parametrize("settings", [{"exclude": ("core.py",)}, {"include": ("__init__.py",)}])
def test_what_is_excluded_stays_a_source(settings: dict[str, Any], tmp_path: Path) -> None:
    members = wheels.read(sourceless(wheels.build(tmp_path), **settings).path)
    assert {name for name in members if name.startswith("demo/")} == {"demo/__init__.pyc", "demo/core.py"}


def test_source_that_does_not_compile_stays(tmp_path: Path) -> None:
    report = sourceless(wheels.build(tmp_path, {**wheels.MODULES, "demo/new.py": BROKEN}), on_syntax_error="skip")
    members = wheels.read(report.path)
    assert members["demo/new.py"] == BROKEN
    assert "demo/new.pyc" not in members
    assert recorded(members)["skipped"].keys() == report.skipped.keys() == {"demo/new.py"}


@pytest.mark.parametrize("on_syntax_error", ["fail", "skip"])
def test_package_that_does_not_compile(on_syntax_error: str, tmp_path: Path) -> None:
    """Its other modules would be lost, and it cannot be skipped."""
    path = wheels.build(tmp_path, {**wheels.MODULES, "demo/sub/__init__.py": BROKEN})
    content = path.read_bytes()
    with pytest.raises(DetpycError) as caught:
        sourceless(path, on_syntax_error=on_syntax_error)
    message = str(caught.value)
    assert "\n    demo/sub/__init__.py: SyntaxError: line 1" in message
    assert message.endswith(
        "\nThe __init__.py of a sourceless package is never skipped, since nothing could replace it. Fix it, or"
        ' exclude the package with "exclude".'
    )
    assert [(file, file.read_bytes()) for file in tmp_path.iterdir()] == [(path, content)]
    members = wheels.read(sourceless(path, exclude=("demo/sub/",)).path)
    assert members["demo/sub/__init__.py"] == BROKEN


def test_name_that_cannot_be_changed(tmp_path: Path) -> None:
    """As in a hook, where the backend has named the file already."""
    path = wheels.build(tmp_path)
    content = path.read_bytes()
    with pytest.raises(
        DetpycError, match=rf"and must be named demo-1\.0-{OWN}-none-any\.whl, but something else has set"
    ):
        sourceless(path, options=WheelOptions())
    assert [(file, file.read_bytes()) for file in tmp_path.iterdir()] == [(path, content)]


def test_wheel_for_another_python(tmp_path: Path) -> None:
    path = wheels.build(tmp_path, tag="cp37-cp37m-linux_a")
    with pytest.raises(DetpycError, match=r"cannot be made sourceless: its tag cp37-cp37m-linux_a is not for CPython"):
        sourceless(path)
    assert list(tmp_path.iterdir()) == [path]


def test_two_interpreters(pythons: dict[str, Interpreter], tmp_path: Path) -> None:
    both = tuple(python.path for python in pythons.values() if python.cache_tag in {"cpython-311", "cpython-312"})
    if len(both) < 2:
        pytest.skip("CPython 3.11 and 3.12 are not both here")
    path = wheels.build(tmp_path)
    with pytest.raises(
        DetpycError, match=r'layout "sourceless" takes one interpreter, and there are 3\.11\.\d+ and 3\.12'
    ):
        sourceless(path, interpreters=both)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("settings", [{}, {"layout": "sourceless", "optimize": (1,)}])
def test_sources_that_are_gone_do_not_come_back(settings: dict[str, Any], tmp_path: Path) -> None:
    path = sourceless(wheels.build(tmp_path)).path
    content = path.read_bytes()
    with pytest.raises(DetpycError, match=r"has no sources any more: .*; start from the wheel that has them"):
        byte_compile_wheel(path, Settings(**settings), WheelOptions(rename=True))
    assert path.read_bytes() == content


def test_command_says_that_it_renames(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, renamed = wheels.build(tmp_path), tmp_path / f"demo-1.0-{OWN}-none-any.whl"
    command = ["wheel", "--layout", "sourceless", str(path)]
    assert main([*command, "--check"]) == 1
    assert capsys.readouterr().out == f"{renamed.name}: would change\n    would be renamed from {NAME}\n"
    assert main([*command, "--check", "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["format"] == 1
    (found,) = document["wheels"]
    assert (found["renamed-from"], found["output"]) == (NAME, str(renamed))
    assert main(command) == 0
    assert f"\n    renamed from {NAME}\n" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == [renamed]
    assert main(["wheel", "--layout", "sourceless", str(renamed)]) == 0
    assert capsys.readouterr().out == f"{renamed.name}: nothing to change\n"


def test_result_that_is_there_already(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The wheel with sources goes all the same, or both would be published."""
    command = ["wheel", "--layout", "sourceless", str(wheels.build(tmp_path))]
    assert main(command) == 0
    (made,) = tmp_path.iterdir()
    content = made.read_bytes()
    wheels.build(tmp_path)
    capsys.readouterr()

    assert main([*command, "--check"]) == 1
    assert capsys.readouterr().out == f"{made.name}: would change\n    would be renamed from {NAME}\n"
    assert main(command) == 0
    assert f"\n    renamed from {NAME}\n" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == [made]
    assert made.read_bytes() == content


def test_command_with_two_interpreters(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = wheels.build(tmp_path)
    assert main(["wheel", "--layout", "sourceless", "-i", "3.11", "-i", "3.12", str(path)]) == 2
    assert capsys.readouterr().err == ('detpyc: --interpreter has 2 entries; layout = "sourceless" takes one\n')
    assert list(tmp_path.iterdir()) == [path]
