"""Find the sources in a directory tree, and what is in the ``__pycache__`` beside each, reading each directory once."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from detpyc.errors import DetpycError
from detpyc.gitignore import select
from detpyc.pyc_paths import CACHE
from detpyc.temporaries import is_temporary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from detpyc.byte_compile.tree_files import TreeFiles
    from detpyc.settings import Settings

    OnError = Callable[[str, OSError], object]
    OnTemporary = Callable[[str], object]

_NOWHERE = {errno.ENOENT, errno.ELOOP}  # where some links lead, such as those that editors lock files with


class TreeSource(NamedTuple):
    """A source in a tree.

    Attributes:
        path: on disk.
        recorded: the path that its code objects record.
        cache: the directory of its pycs, with a separator at the end.
        stem: how their names begin.
        pycs: what was in that directory, as for `Candidate`; None if that is not known.

    """

    path: str
    recorded: str
    cache: str
    stem: str
    pycs: Mapping[str, bool] | None


class Candidate(NamedTuple):
    """A directory entry with the name of a source; whether it is a file is not known yet.

    Attributes:
        name: its path in the tree, with ``/`` on every system.
        where: the directory that it is in, on disk, with a separator at the end; empty for the current directory.
        entry: the directory entry.
        pycs: what is in the ``__pycache__`` beside it: by name, whether it is a regular file and not a link. None if
            the ``__pycache__`` itself is a link, or not a directory.

    """

    name: str
    where: str
    entry: os.DirEntry[str]
    pycs: Mapping[str, bool] | None

    @property
    def path(self) -> str:
        """Its path on disk."""
        return self.where + self.entry.name


class RecordedPaths(NamedTuple):
    """Which paths code objects record: those relative to the tree, or those with prefixes changed as by ``compileall``.

    Attributes:
        strip_prefix: what to remove from the front of a source's path.
        prepend_prefix: what to add there then.

    """

    strip_prefix: str | None = None
    prepend_prefix: str | None = None

    def of(self, path: str, name: str) -> str:
        """Return the path to record for a source.

        Args:
            path: its path.
            name: its path in the tree, which is recorded if there are no prefixes.

        Raises:
            DetpycError: if the path does not have the prefix that is to be removed.

        """
        if self.strip_prefix is None and self.prepend_prefix is None:
            return name
        file = Path(path)
        if self.strip_prefix is not None:
            try:
                file = file.relative_to(self.strip_prefix)
            except ValueError:
                raise DetpycError(f"does not start with the prefix {self.strip_prefix}", path=file) from None
        return (file if self.prepend_prefix is None else Path(self.prepend_prefix, file)).as_posix()


def find_sources(
    top: Path, files: TreeFiles, settings: Settings, recorded: RecordedPaths, on_error: OnError
) -> Iterator[TreeSource]:
    """Yield the selected sources in a directory and below. Those that links lead to outside the tree are left out.

    Temporary files that a killed process left there are removed.

    Args:
        top: the directory.
        files: of the tree.
        settings: for their patterns.
        recorded: the paths to record.
        on_error: called with each path that cannot be read, which is then skipped.

    Raises:
        DetpycError: if one does not have the prefix that is to be removed.

    """
    candidates = {candidate.name: candidate for candidate in scan(top, on_error, files.remove_temporary)}
    for name in select(candidates, settings.include, settings.exclude):
        _, where, entry, pycs = candidates[name]
        path = where + entry.name
        try:
            if entry.is_symlink() and not files.contains(path):
                continue
            if not entry.is_file():
                continue
        except OSError as error:
            if error.errno not in _NOWHERE:
                on_error(path, error)
            continue
        yield TreeSource(path, recorded.of(path, name), f"{where}{CACHE}{os.sep}", entry.name[: -len(".py")], pycs)


def single_source(file: Path, settings: Settings, recorded: RecordedPaths) -> Iterator[TreeSource]:
    """Yield a source on its own, if it is selected. If it is a link, it may lead anywhere."""
    for name in select([file.name], settings.include, settings.exclude):
        path = str(file)
        yield TreeSource(path, recorded.of(path, name), f"{file.parent / CACHE}{os.sep}", file.stem, None)


def below_prefix(source: TreeSource, prefix: str) -> TreeSource:
    """Return a source whose pycs are below a prefix, where Python looks if ``sys.pycache_prefix`` is set."""
    cache = prefix_directory(os.path.dirname(source.path), prefix)  # noqa: PTH120 - done for thousands of files
    return source._replace(cache=os.path.join(cache, ""), pycs=None)  # noqa: PTH118


def prefix_directory(directory: str, prefix: str) -> str:
    """Return where Python looks for the pycs of the sources in a directory, below a prefix.

    This is the rule of `importlib.util.cache_from_source`.
    """
    path = os.path.abspath(directory)  # noqa: PTH100 - links stay
    if path[1:2] == ":":
        path = path[2:]
    separators = os.sep + (os.altsep or "")
    return os.path.join(os.path.abspath(prefix), path.lstrip(separators))  # noqa: PTH100, PTH118


def scan(top: Path, on_error: OnError, on_temporary: OnTemporary) -> Iterator[Candidate]:
    """Yield what has a name in ``.py`` in a directory and below, in the order of the paths, files first.

    Symbolic links to directories are not followed. Files in a ``__pycache__`` are not sources.

    Args:
        top: where to begin.
        on_error: called with each directory that cannot be read, which is then skipped.
        on_temporary: called with the path of each temporary file of detpyc.

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
                _find_temporaries(inside, cached, on_temporary)
                below += [(f"{prefix}{CACHE}/{other.name}/", f"{inside}{other.name}{separator}") for other in others]
            else:
                below.append((f"{prefix}{directory.name}/", inside))
        _find_temporaries(where, files, on_temporary)
        if any(entry.name == CACHE for entry in files):
            pycs = None
        for entry in files:
            if entry.name.endswith(".py"):
                yield Candidate(prefix + entry.name, where, entry, pycs)
        waiting += reversed(below)


def _find_temporaries(where: str, files: list[os.DirEntry[str]], on_temporary: OnTemporary) -> None:
    for entry in files:
        if entry.name[0] == "." and is_temporary(entry.name):
            on_temporary(where + entry.name)


def _list(where: str, on_error: OnError) -> tuple[list[os.DirEntry[str]], ...]:
    """Return what is in a directory, sorted by name: files, links and all others; and directories."""
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
