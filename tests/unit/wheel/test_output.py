"""Where the new form of a wheel goes, and what becomes of the old one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import wheels
from detpyc.errors import DetpycError
from detpyc.wheel.output import Output, locked_wheel

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

NAME = "demo-1.0-py3-none-any.whl"
RENAMED = "demo-1.0-cp312-none-any.whl"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "dist").mkdir()
    return wheels.build(tmp_path / "dist")


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    (tmp_path / "elsewhere").mkdir()
    return tmp_path / "elsewhere"


def written(path: Path, name: str = NAME, directory: Path | None = None, *, check: bool = False) -> tuple[bool, int]:
    """Write a wheel with one byte more; return whether anything changed, and how many bytes were added."""

    def write(stream: BinaryIO) -> None:
        stream.write(path.read_bytes() + b"\0")

    with locked_wheel(path) as wheel:
        found = Output(wheel, name, directory, check).write(write)
        return found.changed, found.bytes_added


def files(path: Path) -> dict[str, bytes]:
    """Return the contents of a directory; nothing temporary may be left in it."""
    return {file.name: file.read_bytes() for file in path.iterdir()}


def test_locked(path: Path) -> None:
    with locked_wheel(path), pytest.raises(DetpycError, match="in use by another detpyc process"), locked_wheel(path):
        pass


def test_in_place(path: Path) -> None:
    content = path.read_bytes()
    path.chmod(0o640)
    assert written(path) == (True, 1)
    assert files(path.parent) == {NAME: content + b"\0"}
    assert path.stat().st_mode & 0o777 == 0o640


def test_the_same_is_not_written_again(path: Path) -> None:
    content, inode = path.read_bytes(), path.stat().st_ino
    with locked_wheel(path) as wheel:
        written = Output(wheel, NAME).write(lambda stream: stream.write(content))
    assert (written.changed, written.same, written.bytes_added) == (False, True, 0)
    assert path.stat().st_ino == inode


def test_another_name_takes_its_place(path: Path) -> None:
    content = path.read_bytes()
    assert written(path, RENAMED) == (True, 1)
    assert files(path.parent) == {RENAMED: content + b"\0"}


def test_another_directory(path: Path, elsewhere: Path) -> None:
    content = path.read_bytes()
    assert written(path, RENAMED, elsewhere) == (True, 1)
    assert written(path, RENAMED, elsewhere) == (False, 1)
    assert files(path.parent) == {NAME: content}
    assert files(elsewhere) == {RENAMED: content + b"\0"}


@pytest.mark.parametrize("name", [NAME, RENAMED])
def test_check_changes_nothing(name: str, path: Path, elsewhere: Path) -> None:
    content = path.read_bytes()
    assert written(path, name, check=True) == (True, 1)
    assert written(path, name, elsewhere, check=True) == (True, 1)
    assert (files(path.parent), files(elsewhere)) == ({NAME: content}, {})


def test_another_wheel_is_not_overwritten(path: Path) -> None:
    content = path.read_bytes()
    path.with_name(RENAMED).write_bytes(b"another")
    with pytest.raises(DetpycError, match="exists already, and is another wheel"):
        written(path, RENAMED)
    assert files(path.parent) == {NAME: content, RENAMED: b"another"}


def test_links_elsewhere_are_not_followed(path: Path, elsewhere: Path) -> None:
    content = path.read_bytes()
    (elsewhere / NAME).symlink_to(path)
    with pytest.raises(DetpycError, match="is a symbolic link, which is not followed"):
        written(path, NAME, elsewhere)
    assert path.read_bytes() == content


def test_copy(path: Path, elsewhere: Path) -> None:
    content, inode = path.read_bytes(), path.stat().st_ino
    with locked_wheel(path) as wheel:
        assert not Output(wheel, NAME).copy()
        assert Output(wheel, NAME, elsewhere).copy()
    assert files(elsewhere) == {NAME: content}
    assert path.stat().st_ino == inode
