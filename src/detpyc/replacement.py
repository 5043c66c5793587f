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
