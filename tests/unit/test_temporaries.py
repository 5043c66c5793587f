"""Temporary files and directories: those of killed processes are removed, and all others stay."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING

import pytest

from detpyc import files, temporaries
from detpyc.errors import DetpycError
from detpyc.replacement import Replacement
from detpyc.temporaries import is_temporary, remove_stale, working_directory

if sys.platform == "win32":
    pytest.skip("it has no locks on them", allow_module_level=True)

import fcntl

if TYPE_CHECKING:
    from collections.abc import Callable

NAME = f".detpyc-{0xABCDEF0123456789:x}.tmp"
KILLED = """if True:
    import os, signal, sys
    from detpyc.replacement import Replacement
    from detpyc.temporaries import working_directory
    with Replacement(sys.argv[1], 0o644) as replacement, working_directory(os.path.dirname(sys.argv[1])) as directory:
        replacement.stream.write(b"new")
        open(os.path.join(directory, "file"), "w").close()
        os.kill(os.getpid(), signal.SIGKILL)
"""


def age(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


def test_what_a_killed_process_left(tmp_path: Path) -> None:
    completed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "file")], check=False)
    assert completed.returncode == -signal.SIGKILL
    left = [*tmp_path.iterdir()]
    assert len(left) == 2
    assert all(is_temporary(path.name) for path in left)
    remove_stale(tmp_path)
    assert not [*tmp_path.iterdir()]


def test_what_a_process_uses_stays(tmp_path: Path) -> None:
    with Replacement(tmp_path / "file", 0o644) as replacement, working_directory(tmp_path) as directory:
        Path(directory, "file").touch()
        for path in tmp_path.iterdir():
            age(path, 7200)
        remove_stale(tmp_path)
        assert Path(directory, "file").exists()
        replacement.stream.write(b"new")
        replacement.commit()
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def link(path: Path) -> None:
    path.symlink_to("elsewhere")


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("file.tmp", Path.touch),
        (".detpyc-0123.tmp", Path.touch),
        (NAME.upper(), Path.touch),
        (f"{NAME}.old", Path.touch),
        (f"{NAME}\n", Path.touch),
        (NAME, os.mkfifo),
        (NAME, link),
    ],
)
def test_what_is_not_ours_stays(tmp_path: Path, name: str, make: Callable[[Path], object]) -> None:
    make(tmp_path / name)
    remove_stale(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(("seconds", "left"), [(0, 1), (3500, 1), (3700, 0)])
def test_without_locks_the_age_decides(
    tmp_path: Path, seconds: float, left: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(temporaries, "try_lock", lambda _: None)
    (tmp_path / NAME).touch()
    age(tmp_path / NAME, seconds)
    remove_stale(tmp_path)
    assert len([*tmp_path.iterdir()]) == left


def test_directory_that_is_missing(tmp_path: Path) -> None:
    remove_stale(tmp_path / "missing")


def test_new_file_that_another_process_takes_for_stale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It can, as long as the file is not locked; then another one is made."""
    seen: list[Path] = []

    def lock_after_removal(descriptor: int) -> bool | None:
        if not seen:
            seen.extend(tmp_path.iterdir())
            seen[0].unlink()
        return files.try_lock(descriptor)

    monkeypatch.setattr(temporaries, "try_lock", lock_after_removal)
    with Replacement(tmp_path / "file", 0o644) as replacement:
        replacement.commit()
    assert seen
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_new_file_that_another_process_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    streams: list[IO[bytes]] = []

    def lock_second(descriptor: int) -> bool | None:
        if not streams:
            (path,) = tmp_path.iterdir()
            streams.append(path.open("rb"))
            fcntl.flock(streams[0], fcntl.LOCK_EX)
        return files.try_lock(descriptor)

    monkeypatch.setattr(temporaries, "try_lock", lock_second)
    with Replacement(tmp_path / "file", 0o644) as replacement:
        replacement.commit()
    streams[0].close()
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


# ---- directories to work in


def test_working_directory(tmp_path: Path) -> None:
    with working_directory(tmp_path / "new" / "parent") as directory:
        path = Path(directory)
        (path / "below").mkdir()
        assert path.parent == tmp_path / "new" / "parent"
        assert path.stat().st_mode & 0o777 == 0o700
    assert [*path.parent.iterdir()] == []


def test_working_directory_in_which_something_fails(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    (tmp_path / NAME / "file").touch()

    def fail() -> None:
        assert [*tmp_path.iterdir()] == [Path(directory)]
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), working_directory(tmp_path) as directory:
        fail()
    assert not [*tmp_path.iterdir()]


def test_working_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DetpycError, match="file: cannot be written: "), working_directory(tmp_path / "file"):
        pass
