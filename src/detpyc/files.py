"""Files on disk: read within bounds, locked, found in directories."""

from __future__ import annotations

import os
import stat
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO

from detpyc.errors import DetpycError, TooLargeError
from detpyc.limits import MAX_FILE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from detpyc.errors import StrPath

__all__ = ["directory_descriptor", "open_locked", "open_regular", "read_chunks", "read_file", "try_lock", "walk"]

_POLL_INTERVAL = 0.02  # seconds between two attempts to lock a file

if sys.platform == "win32":
    import msvcrt

    # On Windows, others cannot read the bytes that a lock covers: lock one beyond the end of any file.
    _LOCKED_BYTE = 1 << 62

    def try_lock(descriptor: int) -> bool | None:
        """Lock an open file until it is closed; False if another process keeps it locked."""
        os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        finally:
            os.lseek(descriptor, 0, os.SEEK_SET)
        return True

else:
    import fcntl

    def try_lock(descriptor: int) -> bool | None:
        """Lock an open file until it is closed; False if another process keeps it locked, None if there are no locks.

        Some network file systems have none.
        """
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            return None
        return True


# Non-blocking: opening a pipe would wait for a writer.
_READING = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
_CHUNK = 1 << 20  # bytes


def read_file(path: StrPath, limit: int | None = None) -> bytes:
    """Read a regular file.

    Args:
        path: of the file.
        limit: the largest size, in bytes; by default `MAX_FILE`.

    Raises:
        TooLargeError: if it is larger than the limit.
        DetpycError: if it cannot be read, or is not a regular file.

    """
    # Half the cost of an open file object.
    try:
        descriptor = os.open(path, _READING)
        try:
            return _read(descriptor, MAX_FILE if limit is None else limit)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise DetpycError(f"cannot be read: {error.strerror}", path=path) from error
    except DetpycError as error:
        error.path = os.fspath(path)
        raise


def _read(descriptor: int, limit: int) -> bytes:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise DetpycError(_instead_of_a_file(status.st_mode))
    if status.st_size > limit:
        raise TooLargeError(f"has {status.st_size} bytes; the limit is {limit}")
    data = os.read(descriptor, status.st_size + 1)
    if len(data) == status.st_size:
        return data
    chunks = [data]  # the system returns less, or the file is being written
    size = len(data)
    while chunk := os.read(descriptor, _CHUNK):
        chunks.append(chunk)
        size += len(chunk)
        if size > limit:
            raise TooLargeError(f"has more than {limit} bytes, and no more are read")
    return b"".join(chunks)


def _instead_of_a_file(mode: int) -> str:
    return "is a directory; expected a file" if stat.S_ISDIR(mode) else "not a regular file"


@contextmanager
def open_regular(path: StrPath) -> Iterator[BinaryIO]:
    """Open a regular file for reading. Others may read it too: it is only ever replaced as a whole.

    Raises:
        DetpycError: if it cannot be read, or is not a regular file.

    """
    try:
        descriptor = os.open(path, _READING)
    except OSError as error:
        raise DetpycError(f"cannot be read: {error.strerror}", path=path) from error
    except ValueError as error:
        raise DetpycError(f"cannot be read: {error}", path=path) from error
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        raise DetpycError(_instead_of_a_file(mode), path=path)
    with open(descriptor, "rb") as stream:  # noqa: PTH123 - not a path
        try:
            yield stream
        except OSError as error:
            raise DetpycError(f"cannot be read: {error.strerror}", path=path) from error


def read_chunks(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield what is left in a stream, in chunks."""
    while chunk := stream.read(_CHUNK):
        yield chunk


@contextmanager
def open_locked(path: Path, timeout: float = 0.0) -> Iterator[BinaryIO]:
    """Open a file for reading, and lock it against every other detpyc process until it is closed.

    Args:
        path: of the file.
        timeout: how many seconds to wait for another process.

    Raises:
        DetpycError: if it cannot be read, or another process keeps it locked.

    """
    deadline = time.monotonic() + timeout
    while True:
        with open_regular(path) as stream:
            # Without locks, go on: files are replaced as a whole.
            if try_lock(stream.fileno()) is not False and _is_at(stream, path):
                yield stream
                return
        if time.monotonic() >= deadline:
            raise DetpycError("in use by another detpyc process; try again when it has finished", path=path)
        time.sleep(_POLL_INTERVAL)


def _is_at(stream: BinaryIO, path: Path) -> bool:
    """Return whether an open file is still at its path: another process may have replaced it before it was locked."""
    try:
        return os.path.samestat(os.fstat(stream.fileno()), path.stat())
    except OSError:
        return False


@contextmanager
def directory_descriptor(path: StrPath, top: str) -> Iterator[int | None]:
    """Open a directory in a tree. What becomes of its path afterwards does not matter.

    A symbolic link is followed if it stays in the tree; one that appears in this very moment is not.

    Args:
        path: of the directory.
        top: the real path of the tree.

    Yields:
        A descriptor for functions with ``dir_fd``; None on Windows, which has none.

    Raises:
        OSError: if it cannot be opened.
        DetpycError: if it is not in the tree.

    """
    real = os.path.realpath(path)
    if real != top and not real.startswith(os.path.join(top, "")):  # noqa: PTH118 - `top` may be the root
        raise DetpycError("is a symbolic link that leads out of the tree, and is not followed", path=path)
    if sys.platform == "win32":
        yield None
    else:
        # With O_PATH, which Linux has, it need not be readable.
        flags = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW
        descriptor = os.open(top, flags)
        try:
            for name in Path(os.path.relpath(real, top)).parts:
                inner = os.open(name, flags, dir_fd=descriptor)
                os.close(descriptor)
                descriptor = inner
            yield descriptor
        finally:
            os.close(descriptor)


def walk(
    directory: Path, suffix: str | tuple[str, ...], on_error: Callable[[OSError], object] | None = None
) -> Iterator[Path]:
    """Yield the files in a directory and below whose names have a suffix, or one of some, in the order of their paths.

    Symbolic links to directories are not followed.

    Args:
        directory: where to begin.
        suffix: of the names, or several.
        on_error: called for each directory that cannot be read, which is then skipped; by default, that is an error.

    Raises:
        DetpycError: if a directory cannot be read, and there is no ``on_error``.

    """

    def refuse(error: OSError) -> None:
        raise DetpycError(f"cannot be read: {error.strerror}", path=error.filename) from error

    for parent, directories, files in os.walk(directory, onerror=on_error or refuse):
        directories.sort()
        yield from (Path(parent, name) for name in sorted(files) if name.endswith(suffix))
