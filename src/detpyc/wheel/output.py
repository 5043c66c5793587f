"""Write what becomes of a wheel: to its own place, under another name, or to another directory."""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from detpyc.errors import DetpycError
from detpyc.files import open_locked
from detpyc.replacement import Replacement, temporary_directory
from detpyc.temporaries import remove_stale
from detpyc.wheel.distribution import Wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["Output", "Written", "locked_wheel"]


class Written(NamedTuple):
    """The new form of a wheel, complete, before or after it is in its place.

    Attributes:
        changed: whether another file is there afterwards than before, or one of another name.
        same: whether the same content is there already.
        bytes_added: to the size of the wheel.
        stream: the content; only for those who look at it before it is in its place.

    """

    changed: bool
    same: bool
    bytes_added: int
    stream: BinaryIO


@contextmanager
def locked_wheel(path: Path) -> Iterator[Wheel]:
    """Open a wheel, and lock it against every other detpyc process.

    Raises:
        DetpycError: if it is not a wheel, is damaged, cannot be read, or another process keeps it locked.

    """
    with open_locked(path) as stream:
        yield Wheel.open(path, stream)


class Output(NamedTuple):
    """Where the new form of a locked wheel goes.

    Attributes:
        wheel: as it is.
        name: of the new one.
        directory: of the new one; None for the wheel's own, in which the new one takes its place.
        check: whether nothing is changed on disk.

    """

    wheel: Wheel
    name: str
    directory: Path | None = None
    check: bool = False

    @property
    def target(self) -> Path:
        """The path of the new wheel."""
        return (self.directory or self.wheel.path.parent) / self.name

    @property
    def in_place(self) -> bool:
        """Whether the new wheel has the path of the old one."""
        return self.target == self.wheel.path

    def copy(self) -> bool:
        """Copy the wheel as it is; return whether it was not there already."""
        return not self.in_place and self.write(self._copy_to).changed

    def write(self, write: Callable[[BinaryIO], object]) -> Written:
        """Write the new wheel, as `writing` does."""
        with self.writing(write) as written:
            return written

    @contextmanager
    def writing(self, write: Callable[[BinaryIO], object]) -> Iterator[Written]:
        """Write the new wheel, and put it in its place after the body.

        If it takes the place of the old one under another name, the old one is removed.

        Args:
            write: writes the content to a stream.
            examine: reads the content, if it differs from what is there, before it takes its place.

        Raises:
            DetpycError: if it cannot be written, or another file is in its place; nothing has changed then.

        """
        old = os.fstat(self.wheel.archive.stream.fileno())
        if not self.check:
            remove_stale(self.target.parent)
        directory = temporary_directory() if self.check else None
        mode = stat.S_IMODE(old.st_mode)
        with Replacement(self.target, mode, directory, follow_symlinks=self.in_place) as replacement:
            with replacement.writing() as stream:
                write(stream)
                bytes_added = stream.tell() - old.st_size
            same = replacement.equals(self.target)
            if not self.in_place:
                self._require_free(same=same)
            moves = self.directory is None and not self.in_place  # even if the same is there already
            written = Written(moves or not same, same, bytes_added, stream)
            yield written
            if written.changed and not self.check:
                self._commit(replacement, moves=moves)

    def _copy_to(self, stream: BinaryIO) -> None:
        import shutil  # noqa: PLC0415 - slow to import, and only for a wheel that is not byte-compiled

        self.wheel.archive.stream.seek(0)
        shutil.copyfileobj(self.wheel.archive.stream, stream)

    def _require_free(self, *, same: bool) -> None:
        """Refuse to write where there is something else than an earlier result."""
        if self.target.is_symlink():
            raise DetpycError("is a symbolic link, which is not followed; remove it", path=self.target)
        renamed = self.name != self.wheel.path.name
        if renamed and not same and os.path.lexists(self.target):
            reason = "exists already, and is another wheel; remove it, or write to another directory"
            raise DetpycError(reason, path=self.target)

    def _commit(self, replacement: Replacement, *, moves: bool) -> None:
        """Put the new wheel in its place, and remove the old one if it moves.

        A signal in between does not leave both. What ends the process at once does, e.g. SIGKILL; the next run removes
        the old one.
        """
        old = self.wheel.path
        try:
            replacement.commit(replaced=self.wheel.archive.stream)
        finally:
            if moves and not os.path.lexists(replacement.temporary):
                try:
                    old.unlink()
                except OSError as error:
                    reason = f"cannot be removed: {error.strerror}; the result is beside it"
                    raise DetpycError(reason, path=old) from error
