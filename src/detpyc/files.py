"""Files on disk: read within bounds, locked, found in directories."""

from __future__ import annotations

import os
import stat
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from detpyc.errors import DetpycError, TooLargeError
from detpyc.limits import MAX_FILE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PAUSE = 0.02  # seconds until a lock is tried again

if sys.platform == "win32":
    import msvcrt

    # A lock on Windows keeps others from reading the bytes it covers, so it covers one that no file has.
    _LOCKED_BYTE = 1 << 62

    def _try_lock(stream: BinaryIO) -> bool:
        stream.seek(_LOCKED_BYTE)
        try:
            msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        finally:
            stream.seek(0)
        return True

else:
    import fcntl

    def _try_lock(stream: BinaryIO) -> bool:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # some network file systems have no locks; the replacement is atomic all the same
            return True
        return True


# Not to wait for a writer, if it is a pipe.
_READING = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
_LIMIT = 1 << 30  # bytes for one call; not every system reads more at once
_CHUNK = 1 << 20


def read_regular(path: str | Path) -> bytes:
    """Read a regular file, at half the cost of an open file object.

    Raises:
        OSError: if it cannot be opened or read.
        DetpycError: if it is something else than a regular file.

    """
    descriptor = os.open(path, _READING)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise DetpycError(f"{path}: is no regular file")
        data = os.read(descriptor, min(status.st_size + 1, _LIMIT))
        if len(data) != status.st_size:  # more than that at once, or being written
            chunks = [data]
            while chunk := os.read(descriptor, _CHUNK):
                chunks.append(chunk)
            data = b"".join(chunks)
        return data
    finally:
        os.close(descriptor)


@contextmanager
def open_regular(path: Path) -> Iterator[BinaryIO]:
    """Open a regular file for reading, whoever else may be reading it: what replaces it does so as a whole.

    Raises:
        DetpycError: if it cannot be opened or read, or is something else than a regular file.

    """
    try:
        descriptor = os.open(path, _READING)
    except OSError as error:
        raise DetpycError(f"{path}: cannot be opened: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise DetpycError(f"{path}: is no regular file")
    with open(descriptor, "rb") as stream:  # noqa: PTH123 - it is no path
        try:
            yield stream
        except OSError as error:
            raise DetpycError(f"{path}: cannot be read: {error.strerror}") from error


def read_file(path: Path) -> bytes:
    """Read a regular file.

    Raises:
        TooLargeError: if it is larger than `MAX_FILE`.
        DetpycError: if it cannot be read, or is something else than a regular file.

    """
    with open_regular(path) as stream:
        size = os.fstat(stream.fileno()).st_size
        if size > MAX_FILE:
            raise too_large(str(path), size)
        return stream.read(MAX_FILE)


def too_large(name: str, size: int) -> TooLargeError:
    """Return the error for what is too large to be read as a whole."""
    return TooLargeError(f"{name}: has {size} bytes, and no more than {MAX_FILE} are read")


@contextmanager
def open_locked(path: Path, patience: float = 0.0) -> Iterator[BinaryIO]:
    """Open a file for reading, and keep every other detpyc off it until it is closed.

    Args:
        path: of the file.
        patience: how many seconds to wait for another detpyc.

    Raises:
        DetpycError: if it cannot be opened, or another detpyc is at work on it.

    """
    deadline = time.monotonic() + patience
    while True:
        with open_regular(path) as stream:
            if _try_lock(stream) and _is_at(stream, path):
                yield stream
                return
        if time.monotonic() >= deadline:
            raise DetpycError(f"{path}: another detpyc is at work on it; try again when it is done")
        time.sleep(_PAUSE)


def _is_at(stream: BinaryIO, path: Path) -> bool:
    """Tell whether an open file still stands at its path: before it was locked, another may have replaced it."""
    try:
        return os.path.samestat(os.fstat(stream.fileno()), path.stat())
    except OSError:
        return False


def walk(directory: Path, suffix: str, on_error: Callable[[OSError], object] | None = None) -> Iterator[Path]:
    """Give the files in a directory and below whose names end in a suffix, in the order of their paths.

    Symbolic links to directories are not followed.

    Args:
        directory: where to begin.
        suffix: of the names.
        on_error: called for each directory that cannot be read, which is then passed over.

    Raises:
        DetpycError: if a directory cannot be read, and there is nothing to be called then.

    """

    def refuse(error: OSError) -> None:
        raise DetpycError(f"{error.filename}: cannot be read: {error.strerror}") from error

    for parent, directories, files in os.walk(directory, onerror=on_error or refuse):
        directories.sort()
        yield from (Path(parent, name) for name in sorted(files) if name.endswith(suffix))
