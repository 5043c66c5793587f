"""What loads the pycs that are verified, and the gate: what must load them."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

import pytest

import trees
import wheels
from detpyc.byte_compile.tree import TreeOptions, byte_compile_tree
from detpyc.byte_compile.wheel import WheelOptions, byte_compile_wheel
from detpyc.cli import main
from detpyc.errors import SettingsError
from detpyc.settings import Settings
from detpyc.verify.artifacts import verify_artifact
from detpyc.verify.reports import Status
from pycs import HERE, PYC, SOURCE, TAG, pyc

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MINOR = "{}.{}".format(*sys.version_info[:2])
INFO = "demo-1.0.dist-info"
PYCS = [f"demo/__pycache__/{name}.{TAG}.pyc" for name in ("__init__", "core")]
OTHER = "cpython-38" if TAG != "cpython-38" else "cpython-39"
PASSING = {Status.IDENTICAL, Status.EQUIVALENT}


def wheel(
    directory: Path, changes: Mapping[str, bytes | None] = {}, *, tag: str = "py3-none-any", metadata: bytes = b""
) -> Path:
    """Write a byte-compiled wheel without provenance, with some files added, changed, or removed (None)."""
    path = wheels.build(directory, tag=tag)
    byte_compile_wheel(path, Settings(provenance=False))
    contents = {name: content for name, content in wheels.read(path).items() if name != f"{INFO}/RECORD"}
    contents[f"{INFO}/METADATA"] += metadata
    contents = {name: content for name, content in {**contents, **changes}.items() if content is not None}
    contents[f"{INFO}/RECORD"] = wheels.record(contents, f"{INFO}/RECORD")
    return wheels.write(path, contents)


# ---- what loads them


def test_loaded_by(tmp_path: Path) -> None:
    report = verify_artifact(wheel(tmp_path), [HERE])
    assert (report.loaded_by, report.never_loaded) == ((MINOR,), {})


def test_levels(tmp_path: Path) -> None:
    path = wheels.build(tmp_path)
    byte_compile_wheel(path, Settings(optimize=(0, 1, 2)))
    assert verify_artifact(path).loaded_by == (MINOR, f"{MINOR} -O", f"{MINOR} -OO")


def test_sourceless(tmp_path: Path) -> None:
    settings = Settings(layout="sourceless", optimize=(2,))
    path = byte_compile_wheel(wheels.build(tmp_path), settings, WheelOptions(rename=True)).path
    report = verify_artifact(path, require=[f"{TAG}:{level}" for level in (0, 1, 2)])
    assert (report.loaded_by, report.never_loaded, report.unmet) == ((MINOR,), {}, {})


@pytest.mark.parametrize(
    ("tag", "metadata", "reason"),
    [
        ("py2-none-any", b"", f"no CPython {MINOR} can install a wheel with the tag py2-none-any"),
        ("py3-none-any", b"Requires-Python: <3.5\n", f"Requires-Python (<3.5) excludes CPython {MINOR}"),
    ],
)
def test_nobody_who_loads_it_installs_it(tag: str, metadata: bytes, reason: str, tmp_path: Path) -> None:
    report = verify_artifact(wheel(tmp_path, tag=tag, metadata=metadata), [HERE], require=[TAG])
    assert (report.loaded_by, report.never_loaded) == ((), dict.fromkeys(PYCS, reason))
    assert report.unmet == {TAG: tuple(wheels.MODULES)}
    assert report.problems == ()


TIMESTAMP = pyc(wheels.MODULES["demo/core.py"], "demo/core.py", mtime=5)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({PYCS[1]: b""}, "it is not a pyc of a supported CPython"),
        ({PYCS[1]: pyc()}, "its header does not match its source, which is compiled instead"),
        ({PYCS[1]: TIMESTAMP}, "its header has the mtime of its source, and installers do not keep that"),
        ({"demo/core.py": None}, "its source is missing, and without it no pyc in __pycache__ is loaded"),
    ],
)
def test_pycs_that_are_never_loaded(changes: Mapping[str, bytes | None], reason: str, tmp_path: Path) -> None:
    report = verify_artifact(wheel(tmp_path, changes), [HERE])
    assert report.never_loaded == {PYCS[1]: reason}
    assert report.loaded_by == (MINOR,)


def test_requires_python_that_cannot_be_read(tmp_path: Path) -> None:
    report = verify_artifact(wheel(tmp_path, metadata=b"Requires-Python: three\n"), [HERE])
    assert report.problems == ("METADATA has the Requires-Python 'three', which is not a list of versions",)
    assert not report.passes(PASSING)


# ---- the gate


def test_wheel_that_passes(tmp_path: Path) -> None:
    report = verify_artifact(wheel(tmp_path), [HERE], require=[TAG, f"{TAG}:0"])
    assert (report.unmet, report.passes(PASSING)) == ({}, True)


@pytest.mark.parametrize("requirement", [OTHER, f"{TAG}:1"])
def test_other_requirement(requirement: str, tmp_path: Path) -> None:
    report = verify_artifact(wheel(tmp_path), [HERE], require=[requirement, TAG])
    assert (report.unmet, report.passes(PASSING)) == ({requirement: tuple(wheels.MODULES)}, False)


def test_source_without_a_pyc(tmp_path: Path) -> None:
    changes = {"demo-1.0.data/purelib/extra.py": b"", "demo-1.0.data/scripts/tool.py": b"", "demo/data.txt": b""}
    report = verify_artifact(wheel(tmp_path, changes), [HERE], require=[TAG])
    assert report.unmet == {TAG: ("extra.py",)}


@pytest.mark.parametrize("files", [wheels.MODULES, {"demo/data.txt": b""}])
def test_wheel_without_pycs(files: Mapping[str, bytes], tmp_path: Path) -> None:
    report = verify_artifact(wheels.build(tmp_path, files), require=[TAG])
    sources = tuple(name for name in files if name.endswith(".py"))
    assert (report.unmet, report.passes(PASSING)) == ({TAG: sources}, False)
    assert verify_artifact(report.path).passes(PASSING)


def test_malformed_requirement(tmp_path: Path) -> None:
    with pytest.raises(SettingsError):
        verify_artifact(tmp_path / "missing.whl", require=["3.12"])


# ---- directories


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    path = trees.write(tmp_path / "tree", {"core.py": SOURCE, "pkg/mod.py": b"x = 1\n"})
    byte_compile_tree(path, Settings(invalidation_mode="timestamp"), TreeOptions(cache=False))
    return path


def test_directory(tree: Path) -> None:
    """There, mtimes are kept."""
    report = verify_artifact(tree, [HERE], require=[TAG])
    assert (report.loaded_by, report.never_loaded, report.unmet) == ((MINOR,), {}, {})
    (tree / "pkg" / "new.py").touch()
    (tree / PYC).unlink()
    os.utime(tree / "pkg" / "mod.py", (0, 0))
    report = verify_artifact(tree, [HERE], require=[TAG])
    assert report.unmet == {TAG: tuple((tree / name).as_posix() for name in ("core.py", "pkg/mod.py", "pkg/new.py"))}


# ---- the command


def test_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = wheel(tmp_path, {f"demo/{letter}.py": b"" for letter in "abcd"} | {PYCS[1]: TIMESTAMP})
    options = ["--allow", "equivalent", "-i", HERE.path, "--require", TAG, "--require", f"{OTHER}:2"]
    assert main(["verify", *options, str(path)]) == 1
    output, errors = capsys.readouterr()
    assert output == (
        f"{path}: 1 identical, 1 equivalent\n"
        f"    1 of 2 pycs will be loaded by CPython {MINOR}; 1 never:\n"
        f"        its header has the mtime of its source, and installers do not keep that: {PYCS[1]}\n"
        f"    {TAG} loads no pyc of 5 sources: demo/core.py, demo/a.py, demo/b.py and 2 more\n"
        f"    {OTHER}:2 loads no pyc of 6 sources: demo/__init__.py, demo/core.py, demo/a.py and 3 more\n"
    )
    assert errors == ""


def test_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = wheel(tmp_path, {PYCS[1]: TIMESTAMP})
    assert main(["verify", "--json", "-i", HERE.path, "--require", f"{TAG}:1", str(path)]) == 1
    (report,) = json.loads(capsys.readouterr().out)["reports"]
    assert report["holds"] is False
    assert report["loaded-by"] == [MINOR]
    assert report["never-loaded"] == {
        PYCS[1]: "its header has the mtime of its source, and installers do not keep that"
    }
    assert report["unmet"] == {f"{TAG}:1": [*wheels.MODULES]}


def test_no_pycs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = wheels.build(tmp_path, {"demo/data.txt": b""})
    assert main(["verify", str(path)]) == 0
    assert capsys.readouterr() == (
        f"{path}: no pycs\n",
        f"detpyc: warning: {path}: no pycs, so nothing was verified; add --require if there must be some\n",
    )
    assert main(["verify", "--require", TAG, str(path)]) == 1
    assert capsys.readouterr() == (f"{path}: no pycs\n    {TAG} loads no pyc\n", "")
    assert main(["verify", "--quiet", str(path)]) == 0
    assert capsys.readouterr() == ("", "")


def test_malformed_tag(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["verify", "--require", "cpython-312:3", str(tmp_path)])
    assert caught.value.code == 2
    assert capsys.readouterr().err.endswith(
        "error: argument --require: 'cpython-312:3' does not end in an optimization level: 0, 1, 2\n"
    )
