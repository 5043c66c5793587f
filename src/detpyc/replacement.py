"""Replace files as a whole or not at all."""

from __future__ import annotations

import os
import stat
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from detpyc import temporaries
from detpyc.errors import DetpycError
from detpyc.files import open_regular

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Self

    from detpyc.errors import StrPath

__all__ = ["Replacement", "replace_file", "temporary_directory"]

_CHUNK = 1 << 20  # bytes


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


def replace_file(
    path: StrPath,
    content: bytes,
    mode: int,
    *,
    durable: bool = True,
    times: tuple[int, int] | None = None,
    replaced: BinaryIO | None = None,
    dir_fd: int | None = None,
) -> None:
    """Replace a file, or make a new one.

    Args:
        path: of the file. If it is a symbolic link, the file that it leads to is replaced, except with ``dir_fd``.
        content: all of it.
        mode: its permission bits, whatever the umask. The owner and group of a replaced file are kept if possible.
        durable: whether to wait until it is safely on disk, which takes long for many small files.
        times: the access and modification times, in nanoseconds; by default now.
        replaced: the replaced file, if it is open; it must not be used afterwards.
        dir_fd: a descriptor of the directory; the file is then written there, whatever becomes of its path.

    Raises:
        DetpycError: if it cannot be written; the file is then as it was.

    """
    with Replacement(path, mode, dir_fd=dir_fd) as replacement:
        with replacement.writing() as stream:
            stream.write(content)
        replacement.commit(times, durable=durable, replaced=replaced)


class Replacement:
    """A new file that replaces another one when it is complete.

    A context manager. Unless it is committed, nothing remains of it.

    """

    def __init__(
        self,
        path: StrPath,
        mode: int,
        directory: Path | None = None,
        *,
        follow_symlinks: bool = True,
        dir_fd: int | None = None,
    ) -> None:
        """Prepare a new file.

        Args:
            path: of the file that it replaces, or of a file that does not exist yet.
            mode: its permission bits, whatever the umask. The owner and group of a replaced file are kept if possible.
            directory: where to write it if it will not be committed; by default beside its path.
            follow_symlinks: whether, if the path is a symbolic link, the file that it leads to is replaced, and not the
                link.
            dir_fd: a descriptor of the directory; the file is then written there, whatever becomes of its path, and
                links are not followed.

        """
        self.path = Path(path)
        self.mode = mode
        self.directory = directory
        self.follow_symlinks = follow_symlinks and dir_fd is None
        self.dir_fd = dir_fd
        self.target = os.path.realpath(path) if self.follow_symlinks else os.fspath(path)
        self.temporary = Path()  # once it is made, where it is until it is committed

    def __enter__(self) -> Self:
        with self._naming_the_file():
            try:
                self.stream = self._create()
            except BaseException:
                self._remove()
                raise
        return self

    def _create(self) -> BinaryIO:
        if self.directory is not None:
            from tempfile import TemporaryFile  # noqa: PLC0415 - only for --check

            return cast("BinaryIO", TemporaryFile(dir=self.directory))
        while True:
            # Named before it is made, so that it can be removed whenever a signal comes.
            self.temporary = Path(temporaries.new_path(os.path.dirname(self.target)))  # noqa: PTH120
            stream = open(self._at(str(self.temporary)), "x+b", opener=self._open)  # noqa: SIM115 - see `__exit__`
            if temporaries.is_intact(stream.fileno()):
                return stream
            self._remove()
            stream.close()

    def _open(self, name: str, flags: int) -> int:
        return os.open(name, flags | getattr(os, "O_NOFOLLOW", 0), 0o600, dir_fd=self.dir_fd)

    def _at(self, path: str) -> str:
        """Return a path for functions with ``dir_fd``."""
        return path if self.dir_fd is None else os.path.basename(path)  # noqa: PTH119

    def __exit__(self, *_: object) -> None:
        # Closing it flushes it, which fails again if the disk is full.
        with suppress(OSError):
            self.stream.close()
        self._remove()

    def _remove(self) -> None:
        temporaries.remove(str(self.temporary), self.dir_fd)

    def equals(self, path: Path) -> bool:
        """Return whether its content is that of an existing file, or of the file that an existing link leads to.

        Raises:
            DetpycError: if that file cannot be read.

        """
        if not path.exists() or (path.is_symlink() and not self.follow_symlinks):
            return False
        with self._naming_the_file():
            self.stream.seek(0)
        with open_regular(path) as other:
            while chunk := self.stream.read(_CHUNK):
                if chunk != other.read(_CHUNK):
                    return False
            return not other.read(1)

    def commit(
        self, times: tuple[int, int] | None = None, *, durable: bool = True, replaced: BinaryIO | None = None
    ) -> None:
        """Put it in the place of the file that it replaces.

        Args:
            times: the access and modification times, in nanoseconds; by default now.
            durable: whether to wait until it is safely on disk, which takes long for many small files.
            replaced: the replaced file, if it is open; it must not be used afterwards.

        Raises:
            DetpycError: if that fails.

        """
        with self._naming_the_file():
            self.stream.flush()
            if sys.platform == "win32":
                self._commit_on_windows(times, durable=durable, replaced=replaced)
            else:
                descriptor = self.stream.fileno()
                self._keep_owner(descriptor)
                os.fchmod(descriptor, self.mode)
                if times is not None:
                    os.utime(descriptor, ns=times)
                if durable:
                    os.fsync(descriptor)
                # Not closed before: without its lock, another process would take it for stale.
                old, new = self._at(str(self.temporary)), self._at(self.target)
                os.replace(old, new, src_dir_fd=self.dir_fd, dst_dir_fd=self.dir_fd)
            temporaries.forget(str(self.temporary))

    def _commit_on_windows(self, times: tuple[int, int] | None, *, durable: bool, replaced: BinaryIO | None) -> None:
        """Close the files before they are replaced and renamed, which Windows demands."""
        if durable:
            os.fsync(self.stream.fileno())
        self.stream.close()
        self.temporary.chmod(self.mode)
        if times is not None:
            os.utime(self.temporary, ns=times)
        if replaced is not None:
            replaced.close()
        os.replace(self.temporary, self.target)  # noqa: PTH105

    def _keep_owner(self, descriptor: int) -> None:
        """Give the new file the owner and group of the file that it replaces, as far as that is allowed."""
        if sys.platform != "win32":
            with suppress(OSError):
                old = os.stat(self._at(self.target), dir_fd=self.dir_fd, follow_symlinks=False)
                new = os.fstat(descriptor)
                if stat.S_ISREG(old.st_mode) and (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid):
                    try:
                        os.fchown(descriptor, old.st_uid, old.st_gid)
                    except PermissionError:
                        os.fchown(descriptor, -1, old.st_gid)  # a group that the user belongs to

    @contextmanager
    def writing(self) -> Iterator[BinaryIO]:
        """Lend the stream to a writer.

        Raises:
            DetpycError: if writing fails, e.g. because the disk is full.

        """
        with self._naming_the_file():
            yield self.stream

    @contextmanager
    def _naming_the_file(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise DetpycError(f"cannot be written: {error.strerror}", path=self.path) from error
