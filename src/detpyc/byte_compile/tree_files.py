"""Write and remove the pycs of a tree, and change nothing outside it."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from detpyc.errors import DetpycError
from detpyc.replacement import replace_file

if TYPE_CHECKING:
    from collections.abc import Iterable


class TreeFiles:
    """The files of one tree. Symbolic links are followed only within it.

    Args:
        top: the directory; if it is a symbolic link, the directory that it leads to.
        check: change nothing on disk, and report what would be changed.

    """

    def __init__(self, top: str, *, check: bool = False) -> None:
        self.real_top = os.path.realpath(top)
        self.check = check

    def contains(self, path: str) -> bool:
        """Return whether a path is not a symbolic link, or one that stays in the tree."""
        if not os.path.islink(path):  # noqa: PTH114 - Path.is_symlink raises where a directory may not be entered
            return True
        return Path(os.path.realpath(path)).is_relative_to(self.real_top)

    def write(self, pyc: str, content: bytes, source_mode: int) -> None:
        """Write a pyc as a whole or not at all, and its ``__pycache__`` if that is missing.

        Args:
            pyc: its path.
            content: all of it.
            source_mode: the mode of its source, which determines its own.

        Raises:
            DetpycError: if it cannot be written, or would be written outside the tree.

        """
        cache = os.path.dirname(pyc)  # noqa: PTH120 - done for thousands of files
        for path in (cache, pyc):
            if not self.contains(path):
                raise DetpycError("is a symbolic link that leads out of the tree, and is not followed", path=path)
        if self.check:
            return
        try:
            _make_cache(cache)
        except OSError as error:
            raise DetpycError(f"cannot be written: {error.strerror}", path=cache) from error
        # importlib._bootstrap_external._calc_mode: as the source, but always writable and never executable.
        mode = (source_mode | stat.S_IWUSR) & 0o666
        try:
            replace_file(pyc, content, mode, durable=False)
        except DetpycError as error:
            if not os.access(f"{cache}{os.sep}.", os.W_OK):
                error.path = cache  # one error for all pycs in it
            raise

    def remove(self, pyc: str) -> bool:
        """Remove a pyc, and return whether there was one.

        Raises:
            DetpycError: if it cannot be removed.

        """
        if not self.contains(os.path.dirname(pyc)):  # noqa: PTH120
            return False
        try:
            os.lstat(pyc)
            if not self.check:
                os.unlink(pyc)  # noqa: PTH108
        except FileNotFoundError:
            return False
        except OSError as error:
            raise DetpycError(f"cannot be removed: {error.strerror}", path=pyc) from error
        return True

    def remove_empty_caches(self, removed: Iterable[str]) -> None:
        """Remove the directories whose last pycs were removed."""
        if self.check:
            return
        for cache in {os.path.dirname(pyc) for pyc in removed}:  # noqa: PTH120
            with suppress(OSError):  # it is not empty
                os.rmdir(cache)  # noqa: PTH106


def _make_cache(cache: str) -> None:
    """Make a ``__pycache__`` with the permissions of the directory that it is in, whatever the umask."""
    with suppress(FileExistsError):
        os.mkdir(cache)  # noqa: PTH102
        access = (os.stat(os.path.dirname(cache) or os.curdir).st_mode | stat.S_IWUSR) & 0o777  # noqa: PTH116, PTH120
        os.chmod(cache, os.stat(cache).st_mode & ~0o777 | access)  # noqa: PTH101, PTH116
