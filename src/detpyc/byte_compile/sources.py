"""Find the sources in a directory tree, and what is in the ``__pycache__`` beside each, reading each directory once."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from detpyc.pyc_paths import CACHE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path


class Candidate(NamedTuple):
    """Something whose name ends as a source's does; whether it is a file is not known yet.

    Attributes:
        name: its path in the tree, with ``/`` on every system.
        where: the directory that it is in, on disk, with a separator at the end; empty for the current one.
        entry: what the file system says of it.
        pycs: what is in the ``__pycache__`` beside it: by name, whether it is a regular file and no link. None if the
            ``__pycache__`` itself is a link or no directory.

    """

    name: str
    where: str
    entry: os.DirEntry[str]
    pycs: Mapping[str, bool] | None

    @property
    def path(self) -> str:
        """Its path on disk."""
        return self.where + self.entry.name


def scan(top: Path, on_error: Callable[[str, OSError], object]) -> Iterator[Candidate]:
    """Give what has a name in ``.py`` in a directory and below, in the order of the paths, files first.

    Symbolic links to directories are not followed. What lies in a ``__pycache__`` is no source.

    Args:
        top: where to begin.
        on_error: called with each directory that cannot be read, which is then passed over.

    """
    separator = os.sep
    start = "" if str(top) == os.curdir else str(top).rstrip(separator) + separator
    waiting = [("", start)]
    while waiting:
        prefix, where = waiting.pop()
        files, directories = _list(where, on_error)
        pycs: dict[str, bool] | None = {}
        below = []
        for directory in directories:
            inside = f"{where}{directory.name}{separator}"
            if directory.name == CACHE:
                cached, others = _list(inside, on_error)
                pycs = {entry.name: entry.is_file(follow_symlinks=False) for entry in [*cached, *others]}
                below += [(f"{prefix}{CACHE}/{each.name}/", f"{inside}{each.name}{separator}") for each in others]
            else:
                below.append((f"{prefix}{directory.name}/", inside))
        if any(entry.name == CACHE for entry in files):
            pycs = None
        for entry in files:
            if entry.name.endswith(".py"):
                yield Candidate(prefix + entry.name, where, entry, pycs)
        waiting += reversed(below)


def _list(where: str, on_error: Callable[[str, OSError], object]) -> tuple[list[os.DirEntry[str]], ...]:
    """Return what is in a directory, each by name: files, links and whatever else there is; and directories."""
    files: list[os.DirEntry[str]] = []
    directories: list[os.DirEntry[str]] = []
    try:
        with os.scandir(where or os.curdir) as entries:
            for entry in entries:
                (directories if entry.is_dir(follow_symlinks=False) else files).append(entry)
    except OSError as error:
        on_error(where.rstrip(os.sep) or where or os.curdir, error)
    files.sort(key=_name)
    directories.sort(key=_name)
    return files, directories


def _name(entry: os.DirEntry[str]) -> str:
    return entry.name
