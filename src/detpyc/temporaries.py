"""Temporary files and directories beside what they become, and removal of those that a killed process left behind.

A process keeps them locked while it uses them, so that a later run can tell which ones are not in use any more.
"""

from __future__ import annotations

import atexit
import os
import re
import stat
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from detpyc.errors import DetpycError
from detpyc.files import try_lock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from detpyc.errors import StrPath

__all__ = ["SUFFIX", "is_temporary", "remove_if_stale", "remove_stale", "working_directory"]

SUFFIX = ".tmp"

_NAME = re.compile(rf"\.detpyc-[0-9a-f]{{16}}{re.escape(SUFFIX)}")
_STALE_AGE = 3600.0  # seconds since the last change, where there are no locks

# What this process has made and neither renamed nor removed. Only what a signal interrupts in the very moment in which
# a ``with`` statement begins or ends is left to `remove_unfinished`.
_unfinished: set[str] = set()
_process = os.getpid()


def is_temporary(name: str) -> bool:
    """Return whether a file name is that of a temporary file or directory."""
    return _NAME.fullmatch(name) is not None


def new_path(directory: str) -> str:
    """Return a path for a temporary file or directory; `remove` or `forget` it in the end."""
    path = os.path.join(os.path.abspath(directory), f".detpyc-{os.urandom(8).hex()}{SUFFIX}")  # noqa: PTH100, PTH118
    _unfinished.add(path)
    return path


def forget(path: str) -> None:
    """Note that a temporary file has another name now."""
    _unfinished.discard(path)


def remove(path: str, dir_fd: int | None = None) -> None:
    """Remove a temporary file or directory that this process has made, unless it was renamed.

    Args:
        path: of it.
        dir_fd: a descriptor of the directory that a file is in.

    """
    if path in _unfinished and _remove(path, dir_fd):
        _unfinished.discard(path)


@atexit.register
def remove_unfinished() -> None:
    """Remove all temporary files and directories of this process."""
    if os.getpid() == _process:  # not in a copy of it
        for path in [*_unfinished]:
            remove(path)


def _remove(path: str, dir_fd: int | None) -> bool:
    """Remove a file, or a directory with all that is in it; return whether that succeeds, or there is none."""
    name = path if dir_fd is None else os.path.basename(path)  # noqa: PTH119
    try:
        if dir_fd is None and stat.S_ISDIR(os.lstat(path).st_mode):
            from shutil import rmtree  # noqa: PLC0415 - only a killed process or a build leaves directories

            rmtree(path)
        else:
            if sys.platform == "win32":
                os.chmod(path, stat.S_IWRITE)  # noqa: PTH101 - a read-only file cannot be removed there
            os.unlink(name, dir_fd=dir_fd)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def is_intact(descriptor: int) -> bool:
    """Lock a new temporary file; return whether no other process took it for stale before it was locked."""
    if sys.platform == "win32":  # an open file cannot be removed there
        intact = True
    else:
        intact = try_lock(descriptor) is not False and os.fstat(descriptor).st_nlink > 0
    return intact


@contextmanager
def working_directory(parent: StrPath) -> Iterator[str]:
    """Make a temporary directory, and remove it with all that is in it at the end.

    Args:
        parent: where to make it; made if it is missing.

    Yields:
        Its path.

    Raises:
        DetpycError: if it cannot be made.

    """
    descriptor, path = None, ""
    try:
        try:
            Path(parent).mkdir(parents=True, exist_ok=True)
            remove_stale(parent)
            path = new_path(os.fspath(parent))
            Path(path).mkdir(mode=0o700)
            descriptor = _open_locked_directory(path)
        except OSError as error:
            raise DetpycError(f"cannot be written: {error.strerror}", path=parent) from error
        yield path
    finally:
        remove(path)
        if descriptor is not None:
            os.close(descriptor)


def _open_locked_directory(path: str) -> int | None:
    descriptor = None
    if sys.platform != "win32":  # it does not open directories
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try_lock(descriptor)
    return descriptor


def remove_stale(directory: StrPath) -> None:
    """Remove the temporary files and directories in a directory that no process uses any more, as far as possible."""
    with suppress(OSError):
        for name in os.listdir(directory):  # noqa: PTH208 - a thousand names are not worth as many paths
            if is_temporary(name):
                remove_if_stale(os.path.join(directory, name))  # noqa: PTH118


def remove_if_stale(path: str, dir_fd: int | None = None) -> None:
    """Remove a temporary file or directory if no process uses it any more and that is possible.

    Args:
        path: of it.
        dir_fd: a descriptor of the directory that a file is in.

    """
    with suppress(OSError):
        if sys.platform == "win32":  # an open file cannot be removed there
            if _is_old(os.lstat(path)):
                _remove(path, None)
        else:
            name = path if dir_fd is None else os.path.basename(path)  # noqa: PTH119
            descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=dir_fd)
            try:
                status = os.fstat(descriptor)
                if stat.S_ISREG(status.st_mode) or (stat.S_ISDIR(status.st_mode) and dir_fd is None):
                    locked = try_lock(descriptor)
                    if locked or (locked is None and _is_old(status)):
                        _remove(path, dir_fd)
            finally:
                os.close(descriptor)


def _is_old(status: os.stat_result) -> bool:
    return time.time() - status.st_mtime > _STALE_AGE
