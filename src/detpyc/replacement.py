"""Replace files as a whole or not at all."""

from __future__ import annotations

import os
import stat
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from detpyc.errors import DetpycError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Self

    from detpyc.errors import StrPath

__all__ = ["Replacement", "replace_file", "temporary_directory"]


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
) -> None:
    """Replace a file, or make a new one.

    Args:
        path: of the file.
        content: all of it.
        mode: its permission bits, whatever the umask.
        durable: whether to wait until it is safely on disk, which takes long for many small files.
        times: the access and modification times, in nanoseconds; by default now.
        replaced: the replaced file, if it is open; it must not be used afterwards.

    Raises:
        DetpycError: if it cannot be written; the file is then as it was.

    """
    with Replacement(path, mode) as replacement:
        with replacement.writing() as stream:
            stream.write(content)
        replacement.commit(times, durable=durable, replaced=replaced)


class Replacement:
    """A new file that replaces another one when it is complete.

    A context manager. Unless it is committed, nothing remains of it.

    """

    def __init__(self, path: StrPath, mode: int, directory: Path | None = None) -> None:
        """Prepare a new file.

        Args:
            path: of the file that it replaces, or of a file that does not exist yet.
            mode: its permission bits, whatever the umask.
            directory: where to write it if it will not be committed; by default beside its path.

        """
        self.path = Path(path)
        self.target = self.path.resolve()  # a symbolic link is kept, and the file that it leads to is replaced
        self.mode = mode
        # Named before it is made, so that it can be removed whenever a signal comes.
        from secrets import token_hex  # noqa: PLC0415 - slow to import, and most commands only read

        self.temporary = (self.target.parent if directory is None else directory) / f".detpyc-{token_hex(8)}.tmp"

    def __enter__(self) -> Self:
        with self._naming_the_file():
            self.stream: BinaryIO = self.temporary.open("x+b")
        return self

    def __exit__(self, *_: object) -> None:
        # Closing it flushes it, which fails again if the disk is full.
        with suppress(OSError):
            self.stream.close()
        with suppress(FileNotFoundError):
            try:
                self.temporary.unlink()
            except PermissionError:  # on Windows, if its mode is read-only already
                self.temporary.chmod(stat.S_IWRITE)
                self.temporary.unlink()

    def equals(self, path: Path) -> bool:
        """Return whether its content is that of an existing file."""
        import filecmp  # noqa: PLC0415 - most runs do not compare

        with self._naming_the_file():
            self.stream.flush()
        return path.exists() and filecmp.cmp(self.temporary, path, shallow=False)

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
            if durable:
                os.fsync(self.stream.fileno())
            self.stream.close()
            self.temporary.chmod(self.mode)
            if times is not None:
                os.utime(self.temporary, ns=times)
            if replaced is not None and sys.platform == "win32":
                replaced.close()  # Windows cannot replace an open file
            self.temporary.replace(self.target)

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
