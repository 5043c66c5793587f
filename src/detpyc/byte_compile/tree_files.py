"""Write and remove the files of a tree, and change nothing outside it.

Every change is made relative to a descriptor of the directory, so that it does not matter if somebody replaces the
directory by a symbolic link at the same time.
"""

from __future__ import annotations

import os
import stat
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from detpyc import temporaries
from detpyc.errors import DetpycError
from detpyc.files import directory_descriptor
from detpyc.replacement import replace_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


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
        # importlib._bootstrap_external._calc_mode: as the source, but always writable and never executable.
        mode = (source_mode | stat.S_IWUSR) & 0o666
        try:
            with self.directory(cache, make=True) as dir_fd:
                replace_file(pyc, content, mode, durable=False, dir_fd=dir_fd)
        except DetpycError as error:
            if not os.access(f"{cache}{os.sep}.", os.W_OK):
                error.path = cache  # one error for all pycs in it
            raise

    @contextmanager
    def directory(self, path: str, *, make: bool = False) -> Iterator[int | None]:
        """Open a directory, as `directory_descriptor` does.

        Args:
            path: of the directory.
            make: whether it is made if it is missing.

        Raises:
            DetpycError: if it cannot be opened, or is not in the tree.

        """
        try:
            if make and not os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises where one may not be entered
                self._make(path)
            with directory_descriptor(path, self.real_top) as descriptor:
                yield descriptor
        except OSError as error:
            raise DetpycError(f"cannot be written: {error.strerror}", path=path) from error

    def _make(self, cache: str) -> None:
        """Make a directory of pycs with the permissions of the directory that it is in, whatever the umask."""
        parent, name = os.path.split(cache)
        if os.path.realpath(cache) == self.real_top:  # a prefix
            with suppress(FileExistsError):
                os.makedirs(cache)  # noqa: PTH103
            return
        if parent and not os.path.isdir(parent):  # noqa: PTH112 - below a prefix
            self._make(parent)
        with directory_descriptor(parent, self.real_top) as dir_fd, suppress(FileExistsError):
            if sys.platform == "win32" or dir_fd is None:
                os.mkdir(cache)  # noqa: PTH102
            else:
                access = (os.fstat(dir_fd).st_mode | stat.S_IWUSR) & 0o777
                os.mkdir(name, access, dir_fd=dir_fd)
                made = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=dir_fd)
                try:
                    mode = os.fstat(made).st_mode & ~0o777 | access
                    if mode != os.fstat(made).st_mode:  # because of the umask
                        os.fchmod(made, stat.S_IMODE(mode))
                finally:
                    os.close(made)

    def remove(self, pyc: str) -> bool:
        """Remove a pyc, and return whether there was one.

        Raises:
            DetpycError: if it cannot be removed.

        """
        cache, name = os.path.split(pyc)
        if not self.contains(cache):
            return False
        try:
            with directory_descriptor(cache, self.real_top) as dir_fd:
                path = pyc if dir_fd is None else name
                os.stat(path, dir_fd=dir_fd, follow_symlinks=False)
                if not self.check:
                    os.unlink(path, dir_fd=dir_fd)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise DetpycError(f"cannot be removed: {error.strerror}", path=pyc) from error
        return True

    def remove_temporary(self, path: str) -> None:
        """Remove a temporary file if no process uses it any more and that is possible."""
        if not self.check:
            with suppress(DetpycError), self.directory(os.path.dirname(path)) as dir_fd:  # noqa: PTH120
                temporaries.remove_if_stale(path, dir_fd)

    def remove_empty_caches(self, removed: Iterable[str]) -> None:
        """Remove the directories whose last pycs were removed."""
        if self.check:
            return
        for cache in {os.path.dirname(pyc) for pyc in removed}:  # noqa: PTH120
            parent, name = os.path.split(cache)
            with suppress(OSError, DetpycError), directory_descriptor(parent, self.real_top) as dir_fd:
                os.rmdir(cache if dir_fd is None else name, dir_fd=dir_fd)  # fails if it is not empty
