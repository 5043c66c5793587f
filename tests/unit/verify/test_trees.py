"""What is found in trees; tests/hostile has what verification makes of it."""

from __future__ import annotations

import os
import sys
import zipfile
from typing import TYPE_CHECKING, NoReturn

import pytest

import trees
from detpyc.artifacts import directories
from detpyc.artifacts.directories import Directory
from detpyc.errors import DetpycError, TooLargeError
from detpyc.verify import trees as scanning
from detpyc.verify.artifacts import verify_artifact
from detpyc.verify.trees import scan
from detpyc.wheel.problems import Rule
from pycs import HERE, SOURCE, pyc

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege")


def names(top: Path) -> list[str]:
    return [os.path.relpath(pyc, top) for pyc in scan(Directory(top)).pycs]


def test_order(tmp_path: Path) -> None:
    """Those of a directory come before those of the directories in it, as names sort part by part."""
    paths = ["a.pyc", "z.pyc", "a/a.pyc", "a/b/a.pyc", "a-b/a.pyc", "b/a.pyc"]
    trees.write(tmp_path, dict.fromkeys(paths, b""))
    assert names(tmp_path) == ["a.pyc", "z.pyc", "a/a.pyc", "a/b/a.pyc", "a-b/a.pyc", "b/a.pyc"]


def test_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trees.write(tmp_path, {"a.pyc": b"", "b.pyc.": b""})
    monkeypatch.chdir(tmp_path)
    report = verify_artifact(".")
    assert [finding.pyc for finding in report.findings] == ["a.pyc"]
    assert report.problems == ("b.pyc.: some systems or unpackers read it as b.pyc",)


def test_directory_that_links_lead_to_is_scanned_once(tmp_path: Path) -> None:
    trees.write(tmp_path, {"lib/a.pyc": b""})
    (tmp_path / "a64").symlink_to("lib")
    (tmp_path / "lib/again").symlink_to(tmp_path)
    assert names(tmp_path) == ["lib/a.pyc"]


def test_cache_is_scanned_for_each_directory_that_it_is_in(tmp_path: Path) -> None:
    trees.write(tmp_path, {"a/__pycache__/m.pyc": b"", "b/m.py": b"", "c/m.py": b""})
    for name in "bc":
        (tmp_path / name / "__pycache__").symlink_to("../a/__pycache__")
    assert names(tmp_path) == [f"{name}/__pycache__/m.pyc" for name in "abc"]


def test_junctions_are_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows does not call them symbolic links; here every directory is taken for a junction to ``lib``."""
    trees.write(tmp_path, {"b64/a.pyc": b"", "lib/a.pyc": b""})
    assert names(tmp_path) == ["b64/a.pyc", "lib/a.pyc"]
    real = os.path.realpath
    monkeypatch.setattr(os.path, "realpath", lambda path: real(str(path).replace("b64", "lib")))
    monkeypatch.setattr(directories, "_reparse_tag", lambda _: directories._JUNCTION)  # noqa: SLF001
    assert names(tmp_path) == ["b64/a.pyc"]


@pytest.mark.parametrize(("name", "number", "noun"), [("MAX_DIRECTORIES", 3, "directories"), ("MAX_PYCS", 1, "pycs")])
def test_limits(name: str, number: int, noun: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trees.write(tmp_path, {"a/a.pyc": b"", "b/b.pyc": b""})
    monkeypatch.setattr(scanning, name, number + 1)
    assert len(names(tmp_path)) == 2
    monkeypatch.setattr(scanning, name, number - (name == "MAX_DIRECTORIES"))
    with pytest.raises(TooLargeError, match=f"has more than [0-9]+ {noun}"):
        scan(Directory(tmp_path))


def test_directory_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "closed").mkdir()
    listed = os.scandir

    def refuse(path: str) -> object:
        if os.path.basename(path) == "closed":  # noqa: PTH119 - a string
            raise PermissionError(13, "Permission denied", path)
        return listed(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(DetpycError, match="closed: cannot be read: Permission denied"):
        scan(Directory(tmp_path))


@pytest.mark.parametrize("name", ["program", "script.py"])
def test_files_that_cannot_be_read_do_not_pass(tree: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else may be able to read them."""
    if sys.platform == "win32":
        pytest.skip("Windows has no such thing")

    def refuse(path: Path) -> NoReturn:
        raise DetpycError("cannot be read: Permission denied", path=path)

    (tree / name).write_bytes(b"")
    (tree / "program-elsewhere").symlink_to("nowhere")
    os.mkfifo(tree / "pipe")
    with monkeypatch.context() as patched:
        patched.setattr(directories, "open_regular", refuse)
        (tree / "core.py").unlink()
        report = verify_artifact(tree, [HERE])
    assert report.problems == (f"{tree / name}: cannot be read: Permission denied; it could be bytecode",)
    assert [problem.rule for problem in report.problems] == [Rule.CONTENT]
    assert not report.passes()
    assert verify_artifact(tree, [HERE]).passes()


def test_damaged_files_in_an_archive_do_not_pass(tmp_path: Path) -> None:
    """A program that does not compare checksums unpacks them."""
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("core.py", SOURCE)
        archive.writestr("program", pyc())
    assert [problem.rule for problem in verify_artifact(path, [HERE]).problems] == [Rule.DISGUISE]
    data = bytearray(path.read_bytes())
    data[data.index(pyc()) + 20] ^= 1
    path.write_bytes(data)
    report = verify_artifact(path, [HERE])
    assert [problem.rule for problem in report.problems] == [Rule.CONTENT]
    assert not report.passes()
