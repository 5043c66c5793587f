"""Finding the sources in a tree."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import trees
from detpyc.byte_compile.sources import Candidate, scan
from detpyc.files import walk

if TYPE_CHECKING:
    from collections.abc import Iterator

FILES = ("b.py", "a.py", "pkg/z.py", "pkg/__pycache__/z.cpython-312.pyc", "pkg/sub/y.py", "pkg.d/x.py", "text.txt")


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    trees.write(tmp_path / "tree", dict.fromkeys(FILES, b""))
    monkeypatch.chdir(tmp_path / "tree")
    return tmp_path / "tree"


def found(top: str | Path) -> Iterator[Candidate]:
    return scan(Path(top), lambda path, error: pytest.fail(f"{path}: {error}"), pytest.fail)


@pytest.mark.parametrize("top", [".", "pkg", "../tree", "{tree}", "{tree}/pkg"])
def test_order_and_paths_are_those_of_walk(tree: Path, top: str) -> None:
    top = top.format(tree=tree)
    assert [candidate.path for candidate in found(top)] == [str(path) for path in walk(Path(top), ".py")]


def test_names(tree: Path) -> None:
    assert [candidate.name for candidate in found(tree)] == ["a.py", "b.py", "pkg/z.py", "pkg/sub/y.py", "pkg.d/x.py"]


def test_files_in_pycache_are_not_sources_but_those_below_may_be(tree: Path) -> None:
    cache = tree / "pkg" / "__pycache__"
    (cache / "below").mkdir()
    (cache / "below" / "w.py").write_bytes(b"")
    (cache / "z.py").write_bytes(b"")
    names = [candidate.name for candidate in found(tree)]
    assert "pkg/__pycache__/below/w.py" in names
    assert "pkg/__pycache__/z.py" not in names


def test_pycs(tree: Path) -> None:
    cache = tree / "pkg" / "__pycache__"
    (cache / "link.pyc").symlink_to("z.cpython-312.pyc")
    (cache / "directory.pyc").mkdir()
    (tree / "pkg" / "sub" / "__pycache__").symlink_to("..")
    (tree / "pkg.d" / "__pycache__").write_bytes(b"")
    pycs = {candidate.name: candidate.pycs for candidate in found(tree)}
    assert pycs == {
        "a.py": {},
        "b.py": {},
        "pkg/z.py": {"z.cpython-312.pyc": True, "link.pyc": False, "directory.pyc": False},
        "pkg/sub/y.py": None,
        "pkg.d/x.py": None,
    }


def test_directory_that_cannot_be_read(tmp_path: Path) -> None:
    errors: list[tuple[str, type]] = []
    assert list(scan(tmp_path / "missing", lambda path, error: errors.append((path, type(error))), pytest.fail)) == []
    assert errors == [(str(tmp_path / "missing"), FileNotFoundError)]
