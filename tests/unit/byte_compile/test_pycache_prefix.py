"""Trees whose pycs are below a prefix: they are where Python looks."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

import trees
from detpyc.byte_compile.tree import TreeOptions, byte_compile_tree
from detpyc.cli import main
from detpyc.errors import DetpycError
from detpyc.replacement import Replacement
from detpyc.settings import Settings

SOURCES = {"pkg/__init__.py": b"", "pkg/deep/core.py": b"x = 1\n", "top.py": b"y = 2\n"}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return trees.write(tmp_path / "tree", SOURCES)


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    return tmp_path / "some" / "prefix"


def compiled(path: Path, prefix: Path, **options: bool) -> tuple[str, ...]:
    report = byte_compile_tree(path, Settings(), TreeOptions(pycache_prefix=str(prefix), jobs=1, **options))  # type: ignore[arg-type]
    assert report.failed == {}
    return tuple(sorted((*report.written, *report.removed)))


def places(tree: Path, prefix: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    monkeypatch.setattr(sys, "pycache_prefix", str(prefix))
    return tuple(sorted(importlib.util.cache_from_source(tree / name) for name in SOURCES))


def test_pycs_are_where_python_looks(tree: Path, prefix: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = places(tree, prefix, monkeypatch)
    assert compiled(tree, prefix) == expected
    assert all(map(os.path.exists, expected))
    assert list(tree.rglob("*.pyc")) == []
    assert compiled(tree, prefix) == ()
    assert [path.name for path in prefix.rglob(".*")] == []


def test_python_loads_them(tree: Path, prefix: Path) -> None:
    compiled(tree, prefix)
    options = ["-B", "-v", "-X", f"pycache_prefix={prefix}", "-c", "import pkg.deep.core, top"]
    loaded = subprocess.run(
        [sys.executable, *options], cwd=tree, capture_output=True, text=True, check=True, env={"PYTHONPATH": str(tree)}
    ).stderr
    assert len([line for line in loaded.splitlines() if "matches" in line and str(tree) in line]) == len(SOURCES)


def test_bytes_are_those_beside_the_source(tree: Path, prefix: Path) -> None:
    compiled(tree, prefix)
    byte_compile_tree(tree)
    below = {path.name: path.read_bytes() for path in prefix.rglob("*.pyc")}
    assert below == {path.name: path.read_bytes() for path in tree.rglob("*.pyc")}


def test_single_source(tree: Path, prefix: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "pycache_prefix", str(prefix))
    assert compiled(tree / "top.py", prefix) == (importlib.util.cache_from_source(tree / "top.py"),)


def test_relative_paths(tree: Path, prefix: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree)
    assert compiled(Path(), Path(os.path.relpath(prefix))) == places(tree, prefix, monkeypatch)


def test_prune(tree: Path, prefix: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = places(tree, prefix, monkeypatch)
    compiled(tree, prefix)
    other = trees.write(tree.with_name("other"), SOURCES)
    compiled(other, prefix)
    (tree / "pkg" / "deep" / "core.py").unlink()
    gone = tuple(path for path in expected if "core" in path)
    assert compiled(tree, prefix, check=True, prune=True) == gone
    assert compiled(tree, prefix, prune=True) == gone
    assert not Path(gone[0]).parent.exists()
    assert compiled(other, prefix, prune=True) == ()


def test_check_changes_nothing(tree: Path, prefix: Path) -> None:
    assert len(compiled(tree, prefix, check=True)) == len(SOURCES)
    assert not prefix.exists()


@pytest.mark.parametrize("check", [False, True])
def test_temporary_files_of_killed_runs(tree: Path, prefix: Path, check: bool) -> None:  # noqa: FBT001
    """They are removed as beside the sources, also where no source is any more; those in use and of others stay."""
    compiled(tree, prefix)
    place = prefix / str(tree).lstrip(os.sep)
    (place / "gone").mkdir()
    stale = [directory / f".detpyc-{0:016x}.tmp" for directory in (place, place / "pkg" / "deep", place / "gone")]
    others = [place / "notes.tmp", prefix / stale[0].name]
    for path in (*stale, *others):
        path.write_bytes(b"unfinished")
    with Replacement(place / "pkg" / "other.pyc", 0o644) as replacement:
        assert compiled(tree, prefix, check=check) == ()
        assert replacement.temporary.exists()
    assert [path for path in (*stale, *others) if path.exists()] == [*(stale if check else []), *others]


def test_link_out_of_the_prefix_is_not_followed(tree: Path, prefix: Path, tmp_path: Path) -> None:
    place = prefix / str(tree).lstrip(os.sep)
    place.mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (place / "pkg").symlink_to(tmp_path / "outside")
    report = byte_compile_tree(tree, Settings(), TreeOptions(pycache_prefix=str(prefix)))
    assert list((tmp_path / "outside").rglob("*.pyc")) == []
    assert len(report.failed) == 2


def test_records_are_not_updated(tree: Path, prefix: Path) -> None:
    with pytest.raises(DetpycError, match="no RECORD lists them"):
        compiled(tree, prefix, update_records=True)


def test_prefix_of_the_environment(tree: Path, prefix: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    expected = places(tree, prefix, monkeypatch)
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(prefix))
    assert main(["compile", "-q", str(tree)]) == 0
    assert all(map(os.path.exists, expected))
    another = tmp_path / "another"
    assert main(["compile", "-q", "--pycache-prefix", str(another), str(tree)]) == 0
    assert len(list(another.rglob("*.pyc"))) == len(SOURCES)
    assert main(["compile", "-q", "--pycache-prefix", "", str(tree)]) == 0
    assert len(list(tree.rglob("*.pyc"))) == len(SOURCES)
