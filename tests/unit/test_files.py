"""Files: reading, locking, replacing and finding them."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from detpyc import files
from detpyc.errors import DetpycError, TooLargeError
from detpyc.files import open_locked, walk

if TYPE_CHECKING:
    from collections.abc import Callable

on_posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such thing")


def test_locked_file_is_refused_to_others_until_it_is_closed(file: Path) -> None:
    with open_locked(file) as stream:
        assert stream.read() == b"old"
        with pytest.raises(DetpycError, match="in use by another detpyc process") as caught, open_locked(file):
            pass
        assert str(file) in str(caught.value)
    with open_locked(file) as stream:
        assert stream.read() == b"old"


def test_lock_ends_with_an_error(file: Path) -> None:
    with pytest.raises(ZeroDivisionError), open_locked(file):
        raise ZeroDivisionError
    with open_locked(file):
        pass


@on_posix
def test_file_that_was_replaced_between_opening_and_locking(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def replace_and_lock(_: object) -> bool:
        other = file.with_name("other")
        other.write_bytes(b"new")
        other.replace(file)
        return True

    monkeypatch.setattr("detpyc.files.try_lock", replace_and_lock)
    with pytest.raises(DetpycError, match="in use by another detpyc process"), open_locked(file):
        pass


@pytest.mark.parametrize(
    ("name", "words"),
    [("missing", "cannot be read: No such file"), (".", "cannot be read|is a directory; expected a file")],
)
def test_what_cannot_be_opened(tmp_path: Path, name: str, words: str) -> None:
    with pytest.raises(DetpycError, match=words), open_locked(tmp_path / name):
        pass


@on_posix
def test_device_is_not_a_file() -> None:
    with pytest.raises(DetpycError, match="not a regular file"), open_locked(Path(os.devnull)):
        pass


def test_walk_is_in_the_order_of_paths(tmp_path: Path) -> None:
    for name in ["b/c.py", "b/a.py", "a.py", "c/d/e.py", "b/x.txt"]:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert [path.relative_to(tmp_path).as_posix() for path in walk(tmp_path, ".py")] == [
        *("a.py", "b/a.py", "b/c.py", "c/d/e.py")
    ]


def test_walk_of_a_missing_directory(tmp_path: Path) -> None:
    with pytest.raises(DetpycError, match=r"missing: cannot be read: No such file"):
        list(walk(tmp_path / "missing", ".py"))


# ---- reading


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 100])
def test_reading_from_a_system_that_returns_less(tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    read = os.read
    monkeypatch.setattr(os, "read", lambda descriptor, count: read(descriptor, min(count, 3)))
    path = tmp_path / "file"
    path.write_bytes(content := os.urandom(size))
    assert files.read_file(path) == content


def test_limit(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(100))
    assert files.read_file(path, 100) == bytes(100)
    with pytest.raises(TooLargeError) as caught:
        files.read_file(path, 99)
    assert str(caught.value) == f"{path}: has 100 bytes; the limit is 99"


def test_file_that_grows_past_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read, path = os.read, tmp_path / "file"

    def read_and_append(descriptor: int, count: int) -> bytes:
        with path.open("ab") as stream:
            stream.write(bytes(10))
        return read(descriptor, min(count, 10))

    path.write_bytes(bytes(50))
    monkeypatch.setattr(os, "read", read_and_append)
    with pytest.raises(TooLargeError, match="has more than 99 bytes, and no more are read"):
        files.read_file(path, 99)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="there is no such file system")
def test_reading_a_file_whose_size_is_unknown() -> None:
    assert Path("/proc/self/stat").stat().st_size == 0
    assert files.read_file("/proc/self/stat")


@pytest.mark.parametrize(
    ("make", "words"),
    [(os.mkdir, "is a directory; expected a file"), (getattr(os, "mkfifo", None), "not a regular file")],
)
def test_reading_what_is_not_a_regular_file(tmp_path: Path, make: Callable[[Path], None] | None, words: str) -> None:
    if make is None or (sys.platform == "win32" and make is os.mkdir):
        pytest.skip("Windows has no pipes, and opens no directories")
    make(tmp_path / "file")
    with pytest.raises(DetpycError, match=words):
        files.read_file(tmp_path / "file")
