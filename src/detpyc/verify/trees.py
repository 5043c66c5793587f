"""Find every file in a directory and below that some system could load as bytecode."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from detpyc.errors import DetpycError, TooLargeError
from detpyc.file_names import is_short_name, mapped_name
from detpyc.files import open_regular
from detpyc.limits import MAX_DIRECTORIES, MAX_PYCS
from detpyc.provenance import FILE_NAME
from detpyc.pyc_paths import CACHE
from detpyc.verify.disguises import disguise, may_be_run
from detpyc.wheel.problems import Problem, Rule, under_rule

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

_MODULES = (".py", ".pyc")
_SHORT = 8  # characters; longer names have short ones as well
_WANTED = (*_MODULES, CACHE, FILE_NAME)
_JUNCTION = 0xA0000003  # IO_REPARSE_TAG_MOUNT_POINT, which `stat` has on Windows only


@dataclass(slots=True)
class Tree:
    """What is in a directory and below.

    Attributes:
        pycs: the paths of what is named like a pyc, in order: those in a directory before those below it.
        sources: the paths of what is named like a source.
        documents: the paths of provenance documents.
        suspects: the paths of files that may be run, and could be bytecode that is not named like it.
        problems: what could be loaded as bytecode, and cannot be judged.

    """

    pycs: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    documents: list[str] = field(default_factory=list)
    suspects: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Directory:
    """A directory that is to be scanned.

    Attributes:
        path: by which Python would reach it.
        real: the same without links.
        parent: the real path of the directory that its path is in.
        mapped: the path as systems map names.

    """

    path: str
    real: str
    parent: str
    mapped: str

    @property
    def key(self) -> tuple[str, str]:
        """What verdicts on its files depend on: the directory, and for a ``__pycache__`` where its sources are."""
        return self.real, self.parent if os.path.basename(self.path) == CACHE else ""  # noqa: PTH119 - a string


def scan(top: Path) -> Tree:
    """Scan a directory.

    Symbolic links and junctions are followed, as Python does. A directory that is reached by several paths is scanned
    once, under its own path if that is in the tree, as the verdicts are the same.

    Args:
        top: where to begin.

    Raises:
        TooLargeError: if there are more directories or pycs than `limits` allows.
        DetpycError: if a directory cannot be read.

    """
    found = Tree()
    pending = [_Directory(str(top), os.path.realpath(top), os.path.realpath(top.absolute().parent), "")]
    links: list[_Directory] = []  # scanned last
    seen: set[tuple[str, str]] = set()
    twins: dict[str, list[str]] = {}
    while pending or links:
        directory = pending.pop() if pending else links.pop(0)
        if directory.key in seen:
            continue
        seen.add(directory.key)
        if len(seen) > MAX_DIRECTORIES:
            raise TooLargeError(f"has more than {MAX_DIRECTORIES} directories, and no more are read", path=top)
        twins.setdefault(directory.mapped, []).append(directory.path)
        _scan_directory(directory, found, pending, links)
        if max(len(found.pycs), len(found.suspects)) > MAX_PYCS:
            raise TooLargeError(f"has more than {MAX_PYCS} pycs or programs, and no more are read", path=top)
    for directories in twins.values():
        if len(directories) > 1:
            found.problems += under_rule(Rule.NAME, _twins(map(_entries, directories)))
    found.pycs.sort(key=_order)
    found.sources.sort(key=_order)
    found.documents.sort()
    found.problems = sorted(set(found.problems))
    return found


def _scan_directory(directory: _Directory, found: Tree, pending: list[_Directory], links: list[_Directory]) -> None:
    """Add what is in one directory to what was found, and the directories in it to those that are to be scanned."""
    entries = _entries(directory.path)
    found.problems += under_rule(Rule.NAME, (*_twins([entries]), *_short_names(entries)))
    for entry, mapped in entries:
        if _is_directory(entry):
            link = _is_link(entry)
            real = os.path.realpath(entry.path) if link else os.path.join(directory.real, entry.name)  # noqa: PTH118
            child = _Directory(entry.path, real, directory.real, f"{directory.mapped}/{mapped}")
            (links if link else pending).append(child)
        elif entry.name.endswith(".pyc"):
            found.pycs.append(entry.path)
        elif entry.name == FILE_NAME:
            found.documents.append(entry.path)
        else:
            found.suspects.append(entry.path)
            if entry.name.endswith(".py"):
                found.sources.append(entry.path)
        problem = _problem(entry, mapped)
        if problem is not None:
            found.problems.append(Problem(f"{Path(entry.path)}: {problem}", Rule.NAME))


def _problem(entry: os.DirEntry[str], mapped: str) -> str | None:
    """Return how a file or a directory could hide bytecode by its name, or despite its name."""
    if entry.name.endswith(".pyc"):
        return None
    if mapped.endswith(".pyc") and not _is_directory(entry):
        return f"Windows or macOS reads it as {mapped}"
    if mapped == CACHE and entry.name != CACHE:
        return f"Windows or macOS reads it as {CACHE}"
    if mapped == CACHE and entry.is_symlink() and not _is_directory(entry):
        return "the link does not lead to a directory"
    return None


def tree_disguises(suspects: Iterable[str], compiled: Collection[str | None]) -> Iterator[Problem]:
    """Yield the problems of files that contain bytecode, or could, and are not named like pycs.

    Args:
        suspects: the paths of the files.
        compiled: the paths of sources that are known to compile, and so are not bytecode.

    """
    for suspect in map(Path, suspects):
        if suspect.as_posix() not in compiled:
            problem = _disguise(suspect)
            if problem is not None:
                yield problem


def _disguise(suspect: Path) -> Problem | None:
    try:
        with open_regular(suspect) as stream:
            problem = disguise(suspect.name, stream)
    except DetpycError as error:
        # What is not a regular file, or leads nowhere, cannot be run. Others may be able to read what is one.
        return Problem(f"{error}; it could be bytecode", Rule.CONTENT) if suspect.is_file() else None
    return None if problem is None else Problem(f"{suspect}: {problem}", Rule.DISGUISE)


def _twins(listings: Iterable[list[tuple[os.DirEntry[str], str]]]) -> Iterator[str]:
    """Yield the problems of modules that some systems take for one: in one directory, or in several of one name."""
    modules: dict[str, str] = {}
    for entry, mapped in (pair for listing in listings for pair in listing):
        twin = modules.setdefault(mapped, entry.path) if mapped.endswith(_MODULES) else entry.path
        if twin != entry.path:
            yield f"{Path(entry.path)}: Windows or macOS reads it as {Path(twin)}"


def _short_names(entries: list[tuple[os.DirEntry[str], str]]) -> Iterator[str]:
    """Yield the problems of modules and directories that Windows could take for others with longer names."""
    for entry, mapped in entries:
        if is_short_name(entry.name) and (mapped.endswith(_MODULES) or _is_directory(entry)):
            # Of a long name, two characters stay if there are many that are alike.
            longer = next((other for other, _ in entries if _is_long_name(other.name, mapped[:2])), None)
            if longer is not None:
                yield f"{Path(entry.path)}: Windows can read it as {longer.name}"


def _is_long_name(name: str, start: str) -> bool:
    return len(name) > _SHORT and mapped_name(name).startswith(start) and not is_short_name(name)


def _entries(directory: str) -> list[tuple[os.DirEntry[str], str]]:
    """Return what matters in a directory, by name, with the name as systems map it."""
    try:
        with os.scandir(directory) as entries:
            mapped = ((entry, mapped_name(entry.name)) for entry in entries)
            found = [
                pair for pair in mapped if pair[1].endswith(_WANTED) or _is_directory(pair[0]) or _may_be_run(*pair)
            ]
    except OSError as error:
        raise DetpycError(f"cannot be read: {error.strerror}", path=directory) from error
    return sorted(found, key=lambda pair: pair[0].name)


def _may_be_run(entry: os.DirEntry[str], mapped: str) -> bool:
    try:
        return may_be_run(mapped) or bool(entry.stat().st_mode & 0o111)
    except OSError:  # a link that leads nowhere
        return False


def _is_directory(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # for instance a link in a circle
        return False


def _is_link(entry: os.DirEntry[str]) -> bool:
    """Return whether a directory is a symbolic link or, on Windows, a junction."""
    return entry.is_symlink() or _reparse_tag(entry) == _JUNCTION


def _reparse_tag(entry: os.DirEntry[str]) -> int:
    """Return the tag that Windows has for what leads elsewhere; there, this costs no system call."""
    tag = 0
    if sys.platform == "win32":
        tag = entry.stat(follow_symlinks=False).st_reparse_tag
    return tag


def _order(path: str) -> tuple[list[str], str]:
    *directories, name = path.split(os.sep)  # noqa: PTH206 - Path.parts takes several times as long
    return directories, name
