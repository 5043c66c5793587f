"""Files that replace others: whole or not at all, with their modes and owners, and where they were meant to be."""

from __future__ import annotations

import builtins
import errno
import io
import os
import stat
import sys
from typing import TYPE_CHECKING, NoReturn

import pytest

from detpyc import temporaries
from detpyc.errors import DetpycError
from detpyc.replacement import Replacement, replace_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import FrameType, ModuleType

    TraceFunction = Callable[[FrameType, str, object], "TraceFunction | None"]

on_posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such thing")


@pytest.fixture(params=[0o000, 0o022, 0o077, 0o777])
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


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
    with Replacement(file, 0o644, elsewhere) as replacement:
        replacement.stream.write(b"old")
        assert replacement.equals(file)
        assert [*file.parent.iterdir()] == [file]
    assert not [*elsewhere.iterdir()]


def test_directory_that_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "file"
    with pytest.raises(DetpycError) as caught, Replacement(path, 0o644):
        pass
    assert str(caught.value) == f"{path}: cannot be written: No such file or directory"


def no_space(*_: object, **__: object) -> NoReturn:
    raise OSError(errno.ENOSPC, "No space left on device")


class Unwritable(io.FileIO):
    """A file on a full disk. Closing it fails too, as it flushes it."""

    def write(self, _: object) -> NoReturn:
        no_space()

    def flush(self) -> NoReturn:
        no_space()

    def close(self) -> None:
        super().close()
        no_space()


def write_new(path: Path) -> None:
    with Replacement(path, 0o644) as replacement:
        with replacement.writing() as stream:
            stream.write(b"new")
        replacement.commit()


@pytest.mark.parametrize(
    ("owner", "name", "failing"),
    [
        (os, "open", no_space),
        (builtins, "open", Unwritable),
        (os, "fsync", no_space),
        (os, "fchmod", no_space),
        (os, "replace", no_space),
    ],
)
def test_failure_at_any_step_names_the_file(
    file: Path, owner: ModuleType, name: str, failing: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, failing)
        with pytest.raises(DetpycError) as caught:
            write_new(file)
    assert str(caught.value) == f"{file}: cannot be written: No space left on device"
    assert file.read_bytes() == b"old"
    assert [*file.parent.iterdir()] == [file]


def test_symbolic_link_stays(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"old")
    link.symlink_to(target.name)
    write_new(link)
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


def test_name_may_be_as_long_as_the_system_allows(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 255)
    write_new(path)
    assert path.read_bytes() == b"new"


def test_symbolic_link_is_replaced_on_request(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"old")
    link.symlink_to(target.name)
    with Replacement(link, 0o644, follow_symlinks=False) as replacement:
        replacement.stream.write(b"old")
        assert not replacement.equals(link)  # it is a link
        replacement.commit()
    assert not link.is_symlink()
    assert (link.read_bytes(), target.read_bytes()) == (b"old", b"old")


# ---- the owner


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may give files away")
@pytest.mark.parametrize("mode", [0o644, 0o4755])
def test_owner_and_group_stay(file: Path, mode: int) -> None:
    if sys.platform == "win32":
        pytest.skip("Windows has no such thing")
    os.chown(file, 1234, 5678)
    replace_file(file, b"new", mode)
    status = file.stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (1234, 5678, mode)


@on_posix
def test_owner_that_may_not_be_kept(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The group may be, if the user belongs to it; and if not, the file is replaced all the same."""
    changes: list[tuple[int, int]] = []

    def refuse(_: int, user: int, group: int) -> None:
        changes.append((user, group))
        raise PermissionError(errno.EPERM, "Operation not permitted")

    genuine = os.stat

    def of_another(path: str, **options: object) -> os.stat_result:
        status = genuine(path, **options)  # type: ignore[arg-type]
        return os.stat_result((*status[:4], 1234, 5678, *status[6:]))

    monkeypatch.setattr(os, "fchown", refuse)
    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", of_another)
        replace_file(file, b"new", 0o644)
    assert changes == [(1234, 5678), (-1, 5678)]
    assert file.read_bytes() == b"new"


# ---- directories


@on_posix
def test_directory_that_is_swapped(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    descriptor = os.open(inside, os.O_RDONLY)
    try:
        with Replacement(inside / "file", 0o644, dir_fd=descriptor) as replacement:
            inside.rename(tmp_path / "moved")
            inside.symlink_to(outside)
            replacement.stream.write(b"new")
            replacement.commit()
        with Replacement(inside / "other", 0o644, dir_fd=descriptor):
            assert len([*(tmp_path / "moved").iterdir()]) == 2
    finally:
        os.close(descriptor)
    assert [path.name for path in (tmp_path / "moved").iterdir()] == ["file"]
    assert not [*outside.iterdir()]


# ---- interruptions


def interrupting(number: int) -> TraceFunction:
    """Return a trace function that raises KeyboardInterrupt at some event of the modules that write."""
    left = number
    modules = {temporaries.__file__, sys.modules[Replacement.__module__].__file__}

    def trace(frame: FrameType, _: str, __: object) -> TraceFunction | None:
        nonlocal left
        if frame.f_code.co_filename not in modules or frame.f_code is temporaries.remove_unfinished.__code__:
            return None
        frame.f_trace_opcodes = True
        left -= 1
        if left == 0:
            raise KeyboardInterrupt
        return trace

    return trace


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_interrupt_at_any_moment(tmp_path: Path) -> None:
    """Whatever is interrupted, the file is the old or the new one, and there is no other when the process has ended."""
    file = tmp_path / "file"
    before = sys.gettrace()
    interrupted = True
    number = left_to_exit = 0
    while interrupted:
        number += 1
        file.write_bytes(b"old")
        sys.settrace(interrupting(number))
        try:
            write_new(file)
            interrupted = False
        except KeyboardInterrupt:
            pass
        finally:
            sys.settrace(before)
        left_to_exit += len([*tmp_path.iterdir()]) > 1
        temporaries.remove_unfinished()
        assert [*tmp_path.iterdir()] == [file]
        assert file.read_bytes() in {b"old", b"new"}
    assert number > 100
    assert left_to_exit < number / 4  # only those in the very moment in which the ``with`` statement ends
