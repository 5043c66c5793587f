"""Pycs whose sources are in another tree: those of ``PYTHONPYCACHEPREFIX``."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

import trees
from detpyc.artifacts.directories import Directory
from detpyc.cli import main
from detpyc.errors import DetpycError
from detpyc.verify.artifacts import verify_artifact
from detpyc.verify.places import Beside
from detpyc.verify.reports import Status
from pycs import HERE, SOURCE, TAG, pyc

MODULES = {"core.py": SOURCE, "pkg/__init__.py": b"X = 1\n"}


def prefix_of(sources: Path, prefix: Path) -> Path:
    """Have the interpreter write its pycs to a prefix."""
    setting = f"sys.pycache_prefix = {str(prefix)!r}"  # after the import, which would write there, too
    script = f"import compileall, sys; {setting}; compileall.compile_dir({str(sources)!r}, quiet=1)"
    environment = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
    subprocess.run([sys.executable, "-c", script], env=environment, check=True)
    return prefix


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return trees.write(tmp_path / "root", MODULES)


def test_prefix_as_python_writes_it(root: Path, tmp_path: Path) -> None:
    prefix = prefix_of(root, tmp_path / "prefix")
    report = verify_artifact(prefix, [HERE], source_root=root.anchor)
    assert [finding.status for finding in report.findings] == [Status.EQUIVALENT] * 2
    assert {finding.source for finding in report.findings} == {(root / name).as_posix() for name in MODULES}
    assert report.never_loaded == {}
    assert verify_artifact(prefix, [HERE]).counts()["orphan"] == 2
    (root / "core.py").write_bytes(b"changed")
    (found,) = verify_artifact(prefix, [HERE], source_root=root.anchor).refused()
    assert (found.status, found.loads) == (Status.STALE, False)


def test_prefix_of_another_root(root: Path, tmp_path: Path) -> None:
    """As that of a container, whose file system is below a directory."""
    prefix = trees.write(tmp_path / "prefix", {f"core.{TAG}.pyc": pyc(), f"pkg/other.{TAG}.pyc": pyc()})
    (root / "core.abi3.so").touch()
    report = verify_artifact(prefix, [HERE], source_root=root)
    assert [(finding.status, finding.loads) for finding in report.findings] == [
        (Status.EQUIVALENT, sys.platform == "win32"),
        (Status.ORPHAN, False),
    ]


@pytest.mark.parametrize(
    ("root", "prefix", "path", "expected"),
    [
        ("/", "/cache", "/cache/a/b.cpython-313.pyc", "/a/__pycache__/b.cpython-313.pyc"),
        ("/root", "cache", "cache/b.cpython-313.opt-1.pyc", "/root/__pycache__/b.cpython-313.opt-1.pyc"),
        (".", "", "a/b.cpython-313.pyc", "a/__pycache__/b.cpython-313.pyc"),
    ],
)
def test_places(root: str, prefix: str, path: str, expected: str) -> None:
    assert Beside(Directory(Path(root)), prefix).place(path) == expected


def test_places_are_those_of_importlib(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sys.pycache_prefix", str(tmp_path / "cache"))
    source = str(tmp_path / "core.py")
    cached = importlib.util.cache_from_source(source)
    monkeypatch.setattr("sys.pycache_prefix", None)
    root = Beside(Directory(Path(tmp_path.anchor)), (tmp_path / "cache").as_posix())
    assert Path(root.place(Path(cached).as_posix())) == Path(importlib.util.cache_from_source(source))


def test_bad_roots(root: Path, tmp_path: Path) -> None:
    with pytest.raises(DetpycError, match="not a directory"):
        verify_artifact(root, source_root=tmp_path / "missing")
    single = trees.write(tmp_path, {"core.pyc": pyc()}) / "core.pyc"
    with pytest.raises(DetpycError, match="not a tree of pycs"):
        verify_artifact(single, source_root=root)


def test_command(root: Path, tmp_path: Path) -> None:
    prefix = prefix_of(root, tmp_path / "prefix")
    assert main(["verify", "-q", "-i", HERE.path, "--source-root", root.anchor, str(prefix)]) == 0
