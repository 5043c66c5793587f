"""The files of the compile cache: values by their keys, in the user's cache directory.

Each value is a file of its own, named after its key. It begins with a digest of the key and of the value, and is
written beside its place and renamed. So it is complete or not there, without locks, for any number of processes. What
is damaged, or cannot be read or written, is as if it were not there: the cache only saves time.

Whoever can write to the cache decides what is compiled. So the directory belongs to the user alone, or is not used. The
files are opened relative to its descriptor, as others may be able to rename the directories above.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import sys
import time
from contextlib import contextmanager, suppress
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

from detpyc.errors import DetpycError
from detpyc.limits import MAX_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["CACHE_SIZE", "Files", "Store"]

CACHE_SIZE = 1 << 30  # bytes of all files

_SHARD = 1  # characters of a name, for the directory that the file is in
_DIGEST = hashlib.sha256().digest_size
_MAX_ENTRY = 2 * MAX_FILE  # bytes
_REFRESH = 3600.0  # seconds after which a file that is used gets a new time
_STALE_AGE = 3600.0  # seconds, after which no process still writes a temporary file

# What every run has added, a number each, so that not every run has to count.
_ADDED = "added"
_U64 = Struct("<Q")
_MAX_RUNS = 1024  # after as many, what is there is counted again
_KEPT = 0.9  # of the largest size, that a run keeps which exceeds it

_READING = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
_OPENING = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)
_WRITING = os.O_WRONLY | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


class Files(NamedTuple):
    """Some files of the cache.

    Attributes:
        number: how many there are.
        size: of all together, in bytes.

    """

    number: int = 0
    size: int = 0


class _File(NamedTuple):
    """A file of the cache; what was used least recently sorts first."""

    used: int
    name: str
    size: int

    @property
    def is_temporary(self) -> bool:
        """Whether it was not complete when it was found."""
        return self.name[_SHARD + 1] == "."


class Store:
    """The cache, or what there is of it.

    Attributes:
        directory: where it is.
        limit: its largest size, in bytes.
        added: how many bytes were added.
        writable: whether anything can be added: not any more after that failed, e.g. because the disk is full.

    """

    def __init__(self, directory: Path, limit: int = CACHE_SIZE, *, writable: bool = True) -> None:
        """Open the directory.

        Args:
            directory: that has the files.
            limit: the largest size, in bytes.
            writable: whether it is made if it is missing, and anything may be added.

        Raises:
            DetpycError: if that fails, or it does not belong to the user alone.

        """
        self.directory = directory
        self.limit = limit
        self.added = 0
        self.writable = writable
        self.descriptor: int | None = None
        try:
            if writable and not os.path.lexists(directory):
                directory.parent.mkdir(parents=True, exist_ok=True)
                directory.mkdir(mode=0o700, exist_ok=True)
            if sys.platform != "win32":  # there, the user's directories are the user's
                self.descriptor = os.open(directory, _OPENING)
                _require_private(os.fstat(self.descriptor))
        except OSError as error:
            reason = "a symbolic link" if error.errno == errno.ELOOP else error.strerror
            raise DetpycError(f"cannot be used: {reason}", path=directory) from error
        except DetpycError as error:
            self.close()
            error.path = str(directory)
            raise

    def close(self) -> None:
        """Close the directory."""
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None

    def __del__(self) -> None:
        self.close()

    def get(self, key: bytes) -> bytes | None:
        """Return the value of a key; None if there is none, or it is damaged."""
        name = _name(key)
        try:
            data = self._read(name)
        except OSError:
            return None
        value = data[_DIGEST:]
        return value if data[:_DIGEST] == _digest(key, value) else None

    def put(self, key: bytes, value: bytes) -> None:
        """Set the value of a key, if that is possible."""
        if not self.writable:
            return
        name = _name(key)
        data = _digest(key, value) + value
        try:
            try:
                self._write(name, data)
            except FileNotFoundError:  # its directory is missing, or was removed just now
                self._make(name)
                self._write(name, data)
        except OSError:
            self.writable = False
        else:
            self.added += len(data)

    def finish(self) -> None:
        """Note what was added, and if the cache is too large now, remove what was used least recently."""
        if not self.added:
            return
        limit = self.limit
        with suppress(OSError):
            descriptor = os.open(self._at(_ADDED), _WRITING | os.O_APPEND, 0o600, dir_fd=self.descriptor)
            try:
                os.write(descriptor, _U64.pack(self.added))
            finally:
                os.close(descriptor)
            self.added = 0
            runs = self._read(_ADDED)
            whole = runs[: len(runs) // _U64.size * _U64.size]
            if len(runs) > _MAX_RUNS * _U64.size or sum(size for (size,) in _U64.iter_unpack(whole)) > limit:
                self.prune(limit, int(limit * _KEPT))

    def files(self) -> Files:
        """Return what is there."""
        return _sum(self._files())

    def prune(self, limit: int, kept: int | None = None) -> Files:
        """Remove what was used least recently, and what killed processes left behind.

        Args:
            limit: the largest size of the cache, in bytes.
            kept: how much is kept if it is larger; by default as much as the limit allows.

        Returns:
            What was removed.

        """
        files = sorted(self._files())
        size = sum(file.size for file in files)
        target = limit if kept is None or size <= limit else kept
        old = (time.time() - _STALE_AGE) * 1e9
        removed = []
        for file in files:
            wanted = file.used < old if file.is_temporary else size > target
            if wanted and self._remove(file.name):
                size -= file.size
                removed.append(file)
        with suppress(OSError):
            self._write(_ADDED, _U64.pack(size))
        return _sum(removed)

    def clear(self) -> Files:
        """Remove everything, and return it."""
        removed = [file for file in self._files() if self._remove(file.name)]
        self._remove(_ADDED)
        for shard in self._shards():
            with suppress(OSError):  # not empty: another process uses the cache
                os.rmdir(self._at(shard), dir_fd=self.descriptor)
        return _sum(removed)

    def _at(self, name: str) -> str:
        """Return the path of a file for functions with ``dir_fd``."""
        return name if self.descriptor is not None else str(self.directory / name)

    def _read(self, name: str) -> bytes:
        descriptor = os.open(self._at(name), _READING, dir_fd=self.descriptor)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or status.st_size > _MAX_ENTRY:
                return b""
            if self.writable and time.time() - status.st_mtime > _REFRESH:
                with suppress(OSError):  # a read-only file system
                    os.utime(descriptor if os.utime in os.supports_fd else self._at(name))
            return os.read(descriptor, status.st_size)
        finally:
            os.close(descriptor)

    def _write(self, name: str, data: bytes) -> None:
        """Write a file beside its place, and rename it."""
        directory, separator, _ = name.rpartition("/")
        temporary = f"{directory}{separator}.{os.urandom(8).hex()}"
        descriptor = os.open(self._at(temporary), _WRITING | os.O_EXCL, 0o600, dir_fd=self.descriptor)
        try:
            try:
                with memoryview(data) as rest:
                    done = 0
                    while done < len(data):
                        done += os.write(descriptor, rest[done:])
            finally:
                os.close(descriptor)
            os.replace(self._at(temporary), self._at(name), src_dir_fd=self.descriptor, dst_dir_fd=self.descriptor)
        except BaseException:
            self._remove(temporary)
            raise

    def _make(self, name: str) -> None:
        with suppress(FileExistsError):
            os.mkdir(self._at(name[:_SHARD]), 0o700, dir_fd=self.descriptor)

    def _remove(self, name: str) -> bool:
        """Remove a file; return whether this process has removed it."""
        try:
            os.unlink(self._at(name), dir_fd=self.descriptor)
        except OSError:
            return False
        return True

    def _shards(self) -> list[str]:
        """Return the names of the directories that the files are in."""
        with suppress(OSError), _listing(self.descriptor, self.directory) as entries:
            directories = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
            return sorted(name for name in directories if len(name) == _SHARD)
        return []

    def _files(self) -> Iterator[_File]:
        """Yield the files with keys, and temporary ones."""
        for shard in self._shards():
            try:
                descriptor = None
                if self.descriptor is not None:
                    descriptor = os.open(shard, _OPENING, dir_fd=self.descriptor)
                try:
                    with _listing(descriptor, self.directory / shard) as entries:
                        for entry in entries:
                            with suppress(OSError):
                                status = entry.stat(follow_symlinks=False)
                                if stat.S_ISREG(status.st_mode):
                                    yield _File(status.st_mtime_ns, f"{shard}/{entry.name}", status.st_size)
                finally:
                    if descriptor is not None:
                        os.close(descriptor)
            except OSError:
                continue


@contextmanager
def _listing(descriptor: int | None, path: Path) -> Iterator[Iterator[os.DirEntry[str]]]:
    """List a directory, by its descriptor if there is one."""
    with os.scandir(path if descriptor is None else descriptor) as entries:
        yield entries


def _require_private(status: os.stat_result) -> None:
    """Refuse a directory that others can read or write, or that belongs to somebody else."""
    if sys.platform != "win32":
        if status.st_uid != os.geteuid():
            raise DetpycError("cannot be used: it belongs to another user")
        if status.st_mode & 0o077:
            raise DetpycError(f"cannot be used: its mode is {stat.S_IMODE(status.st_mode):03o}; set it to 700")


def _name(key: bytes) -> str:
    name = key.hex()
    return f"{name[:_SHARD]}/{name[_SHARD:]}"


def _digest(key: bytes, value: bytes) -> bytes:
    digest = hashlib.sha256(key)
    digest.update(value)
    return digest.digest()


def _sum(files: list[_File] | Iterator[_File]) -> Files:
    sizes = [file.size for file in files]
    return Files(len(sizes), sum(sizes))
