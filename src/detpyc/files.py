"""Files on disk: replaced whole or not at all, and never by two at once."""

from __future__ import annotations

import os
import stat
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from detpyc.errors import DetpycError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from typing_extensions import Self

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


def temporary_directory() -> Path:
    """Return the directory for temporary files.

    Raises:
        DetpycError: if there is none that can be written to.

    """
    import tempfile  # noqa: PLC0415 - most runs need none

    try:
        return Path(tempfile.gettempdir())
    except FileNotFoundError as error:
        raise DetpycError(f"{error.strerror}; name one in TMPDIR") from error


class Replacement:
    """A file in the making, which takes another's place only as a whole.

    A context manager. What was not committed when it is left leaves nothing behind, whatever the reason.

    """

    def __init__(self, path: Path, mode: int, directory: Path | None = None) -> None:
        """Begin a file.

        Args:
            path: what it is to replace, or to be.
            mode: the permission bits it is to have, whatever the umask.
            directory: where to make it, if it is not to be committed; by default beside its path.

        """
        self.path = path.resolve()  # a symbolic link stays, and what it leads to is replaced
        self.mode = mode
        # Named before it is made, so that no signal in between can leave it behind.
        from secrets import token_hex  # noqa: PLC0415 - it takes long to import, and most runs of most commands only read

        self.temporary = (self.path.parent if directory is None else directory) / f".detpyc-{token_hex(8)}.tmp"

    def __enter__(self) -> Self:
        with self._naming_the_file():
            self.stream: BinaryIO = self.temporary.open("x+b")
        return self

    def __exit__(self, *_: object) -> None:
        # To close it flushes it, which fails again on a full disk.
        with suppress(OSError):
            self.stream.close()
        with suppress(FileNotFoundError):
            try:
                self.temporary.unlink()
            except PermissionError:  # on Windows, if it has a mode already by which nobody may write it
                self.temporary.chmod(stat.S_IWRITE)
                self.temporary.unlink()

    def equals(self, path: Path) -> bool:
        """Tell whether what was written is what a file holds already."""
        import filecmp  # noqa: PLC0415 - likewise

        with self._naming_the_file():
            self.stream.flush()
        return path.exists() and filecmp.cmp(self.temporary, path, shallow=False)

    def commit(
        self, times: tuple[int, int] | None = None, *, durable: bool = True, replaced: BinaryIO | None = None
    ) -> None:
        """Put it in its place.

        Args:
            times: the access and modification times it is to have, in nanoseconds; by default now.
            durable: wait until it is safely on disk, which takes long for many small files.
            replaced: the file whose place it takes, if that is open here; it is not to be used any more.

        Raises:
            DetpycError: if that fails; it names the file.

        """
        with self._naming_the_file():
            self.stream.flush()
            if durable:
                os.fsync(self.stream.fileno())
            self.stream.close()
            self.temporary.chmod(self.mode)
            if times is not None:
                os.utime(self.temporary, ns=times)
            if replaced is not None and sys.platform == "win32":
                replaced.close()  # an open file cannot be replaced there
            self.temporary.replace(self.path)

    @contextmanager
    def writing(self) -> Iterator[BinaryIO]:
        """Give the stream to a writer.

        Raises:
            DetpycError: if writing fails, e.g. since the disk is full; it names the file.

        """
        with self._naming_the_file():
            yield self.stream

    @contextmanager
    def _naming_the_file(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise DetpycError(f"{self.path}: cannot be written: {error.strerror}") from error
