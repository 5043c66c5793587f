"""Files: reading, locking, replacing and finding them."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from detpyc import files
from detpyc.errors import DetpycError, TooLargeError
from detpyc.files import open_locked, walk

if TYPE_CHECKING:
    from collections.abc import Callable

on_posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such thing")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "some file.whl"
    path.write_bytes(b"old")
    return path


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
    ("name", "words"), [("missing", "cannot be read: No such file"), (".", "cannot be read|not a regular file")]
)
def test_what_cannot_be_opened(tmp_path: Path, name: str, words: str) -> None:
    with pytest.raises(DetpycError, match=words), open_locked(tmp_path / name):
        pass


@on_posix
def test_device_is_not_a_file() -> None:
    with pytest.raises(DetpycError, match="not a regular file"), open_locked(Path(os.devnull)):
        pass


<<<<<<< HEAD
=======
@pytest.mark.parametrize("durable", [True, False])
def test_committed_file_takes_the_place(file: Path, durable: bool) -> None:  # noqa: FBT001 - a parameter of the test
    with Replacement(file, 0o644) as replacement:
        replacement.stream.write(b"new")
        assert file.read_bytes() == b"old"
        replacement.commit(durable=durable)
        assert file.read_bytes() == b"new"
    assert [*file.parent.iterdir()] == [file]


def test_new_file(tmp_path: Path) -> None:
    with Replacement(tmp_path / "new", 0o644) as replacement:
        replacement.stream.write(b"new")
        replacement.commit()
    assert (tmp_path / "new").read_bytes() == b"new"


def test_what_is_not_committed_leaves_nothing_behind(file: Path) -> None:
    before = file.stat()
    with Replacement(file, 0o644) as replacement:
        replacement.stream.write(b"new" * 100_000)
    assert (file.read_bytes(), file.stat().st_mtime_ns) == (b"old", before.st_mtime_ns)
    assert [*file.parent.iterdir()] == [file]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt, SystemExit])
def test_what_is_interrupted_leaves_nothing_behind(file: Path, error: type[BaseException]) -> None:
    with pytest.raises(error), Replacement(file, 0o644):
        raise error
    assert file.read_bytes() == b"old"
    assert [*file.parent.iterdir()] == [file]


@on_posix
@pytest.mark.usefixtures("umask")
@pytest.mark.parametrize("mode", [0o644, 0o600, 0o664, 0o444, 0o755])
def test_mode_does_not_depend_on_the_umask(file: Path, mode: int) -> None:
    with Replacement(file, mode) as replacement:
        replacement.commit()
    assert stat.S_IMODE(file.stat().st_mode) == mode


def test_times_on_request(file: Path) -> None:
    with Replacement(file, 0o644) as replacement:
        replacement.commit((1_000_000_000, 2_000_000_000))
    assert (file.stat().st_atime_ns, file.stat().st_mtime_ns) == (1_000_000_000, 2_000_000_000)


@pytest.mark.parametrize(("content", "same"), [(b"old", True), (b"olt", False), (b"ol", False), (b"old ", False)])
def test_comparison_with_what_is_there(file: Path, content: bytes, same: bool) -> None:  # noqa: FBT001
    with Replacement(file, 0o644) as replacement:
        replacement.stream.write(content)
        assert replacement.equals(file) is same
        assert not replacement.equals(file.with_name("missing"))


def test_work_in_another_directory(file: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    with Replacement(file, 0o644, elsewhere):
        assert [*file.parent.iterdir()] == [file]
        assert len([*elsewhere.iterdir()]) == 1
    assert not [*elsewhere.iterdir()]


def test_directory_that_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "file"
    with pytest.raises(DetpycError) as caught, Replacement(path, 0o644):
        pass
    assert str(caught.value) == f"{path}: cannot be written: No such file or directory"


def no_space(*_: object, **__: object) -> NoReturn:
    raise OSError(errno.ENOSPC, "No space left on device")


class Unwritable(io.FileIO):
    """A file that has no room."""

    def write(self, _: Any, /) -> NoReturn:
        no_space()

    def flush(self) -> NoReturn:
        no_space()

    def close(self) -> None:
        super().close()
        no_space()


def open_unwritable(path: Path, mode: str) -> Unwritable:
    return Unwritable(path, mode)


def write_new(path: Path) -> None:
    with Replacement(path, 0o644) as replacement:
        with replacement.writing() as stream:
            stream.write(b"new")
        replacement.commit()


@pytest.mark.parametrize(
    ("owner", "name", "failing"),
    [
        (Path, "open", no_space),
        (Path, "open", open_unwritable),
        (os, "fsync", no_space),
        (Path, "chmod", no_space),
        (Path, "replace", no_space),
    ],
)
def test_failure_at_any_step_names_the_file(
    file: Path, owner: object, name: str, failing: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, failing)
        with pytest.raises(DetpycError) as caught:
            write_new(file)
    assert str(caught.value) == f"{file}: cannot be written: No space left on device"
    assert file.read_bytes() == b"old"
    assert [*file.parent.iterdir()] == [file]


>>>>>>> tooling
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


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_reading_what_is_not_a_regular_file(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "file")
    with pytest.raises(DetpycError, match="not a regular file"):
        files.read_file(tmp_path / "file")
