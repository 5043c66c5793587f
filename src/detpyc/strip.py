"""Strip the bytecode from wheels and directories: the opposite of byte-compiling them."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from detpyc.byte_compile.installed_records import is_record
from detpyc.byte_compile.tree_files import TreeFiles
from detpyc.errors import DetpycError, WheelError
from detpyc.files import open_locked, read_file
from detpyc.limits import MAX_PROVENANCE
from detpyc.provenance import FILE_NAME, Provenance
from detpyc.pyc_paths import CACHE, is_cache_directory, is_cached, parse
from detpyc.replacement import replace_file
from detpyc.settings import SOURCELESS
from detpyc.wheel import record
from detpyc.wheel.distribution import is_wheel
from detpyc.wheel.output import Output, locked_wheel
from detpyc.wheel.rewrite import rewrite

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from detpyc.wheel.distribution import Wheel

__all__ = ["StripReport", "strip_artifact"]

_NO_SOURCE = "has no source, and would be lost"
_LINK = "is a symbolic link to a directory, which is not followed"
_LOCK_TIMEOUT = 60.0  # seconds for another detpyc to be done with a RECORD, which takes much less


@dataclass(frozen=True, slots=True)
class StripReport:
    """What was done to a wheel or a directory.

    Attributes:
        path: of the wheel or directory.
        pycs: the paths of the pycs that were removed.
        left: the reason for each pyc that was left, by path.
        updated: the paths of the files that listed the pycs, and were rewritten or removed.
        failed: the reason for each file that cannot be read, rewritten or removed, by path.

    """

    path: str
    pycs: tuple[str, ...] = ()
    left: dict[str, str] = field(default_factory=dict)
    updated: tuple[str, ...] = ()
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def changed(self) -> bool:
        """Whether there was anything to do."""
        return bool(self.pycs or self.updated)


def strip_artifact(path: str | os.PathLike[str], *, sourceless: bool = False, check: bool = False) -> StripReport:
    """Remove the pycs of a wheel, or of a directory and below, and what lists them.

    The RECORD of a wheel, and of each distribution that is installed in a directory, is rewritten to match, and
    ``detpyc.json`` is removed with the bytecode that it records. A wheel is rewritten as a whole or not at all.

    Args:
        path: of the wheel or directory.
        sourceless: remove pycs that have no source as well; what they define is lost.
        check: change nothing on disk.

    Returns:
        What was done, or with ``check`` would be.

    Raises:
        DetpycError: if the path is something else or cannot be read, or the wheel cannot be rewritten.

    """
    path = Path(path)
    if is_wheel(path):
        return _strip_wheel(path, sourceless=sourceless, check=check)
    if not path.is_dir():
        raise DetpycError("not a wheel or directory; other archives and images are not rewritten", path=path)
    tree = _Tree(path, sourceless=sourceless, check=check)
    tree.strip()
    return StripReport(str(path), tuple(sorted(tree.pycs)), tree.left, tuple(tree.updated), tree.failed)


def _strip_wheel(path: Path, *, sourceless: bool, check: bool) -> StripReport:
    with locked_wheel(path) as wheel:
        with wheel.rewriting():
            report = _plan(wheel, sourceless=sourceless)
        if report.changed and not check:
            dropped = {*report.pycs, *report.updated}
            dropped |= _emptied(wheel.archive.members, dropped)
            Output(wheel, path.name).write(partial(rewrite, wheel, dropped=dropped))
    return report


def _plan(wheel: Wheel, *, sourceless: bool) -> StripReport:
    """Return what will be done to a wheel."""
    members = wheel.archive.members
    pycs = {name for name in members if name.endswith(".pyc")}
    left = set() if sourceless else pycs - _with_source(wheel, pycs)
    provenance = f"{wheel.dist_info}/{FILE_NAME}"
    goes = provenance in members and not (
        left and _records_sourceless(wheel.read_member(provenance, MAX_PROVENANCE), wheel.path)
    )
    return StripReport(
        str(wheel.path),
        tuple(sorted(pycs - left)),
        dict.fromkeys(sorted(left), _NO_SOURCE),
        (provenance,) if goes else (),
    )


def _with_source(wheel: Wheel, pycs: Iterable[str]) -> set[str]:
    """Return the pycs whose sources are in the wheel: beside them, or there once both are installed."""
    installed = {*wheel.importable_sources().values()}
    found = set()
    for name in pycs:
        path = wheel.importable.get(name)
        if parse(name).source in wheel.archive.members or (path is not None and parse(path).source in installed):
            found.add(name)
    return found


def _records_sourceless(content: bytes, path: Path) -> bool:
    """Return whether a ``detpyc.json`` records bytecode without sources; then it records nothing else.

    Raises:
        DetpycError: if it cannot be read.

    """
    try:
        return any(bytecode.layout == SOURCELESS for bytecode in Provenance.from_json(content).bytecode)
    except DetpycError as error:
        error.path = str(path)
        raise


def _emptied(members: Iterable[str], dropped: Collection[str]) -> set[str]:
    """Return the names of the ``__pycache__/`` entries that nothing is left in."""
    used = {f"{name.rpartition('/')[0]}/" for name in members if name not in dropped and not name.endswith("/")}
    return {name for name in members if is_cache_directory(name)} - used


class _Tree:
    """A directory that is being stripped, and what has been done so far."""

    def __init__(self, path: Path, *, sourceless: bool, check: bool) -> None:
        self.path = path
        self.sourceless = sourceless
        self.files = TreeFiles(str(path), check=check)
        self.pycs: list[str] = []
        self.left: dict[str, str] = {}
        self.updated: list[str] = []
        self.failed: dict[str, str] = {}

    def strip(self) -> None:
        """Remove the pycs, then what lists them: if interrupted in between, the next run finishes it."""
        sources: set[str] = set()
        records: list[Path] = []
        for parent, directories, files in os.walk(self.path, onerror=self.unreadable):
            directories.sort()
            found = [Path(parent, name) for name in sorted(files)]
            links = [Path(parent, name) for name in directories if name == CACHE]
            self.left |= {str(link): _LINK for link in links if link.is_symlink()}
            sources.update(str(file) for file in found if file.name.endswith(".py"))
            records += filter(is_record, found)
            for file in found:
                if file.name.endswith(".pyc"):
                    self.remove_pyc(file, sources)
        self.files.remove_empty_caches(pyc for pyc in self.pycs if is_cached(Path(pyc).as_posix()))
        for record_file in records:
            self.update(record_file)

    def unreadable(self, error: OSError) -> None:
        self.failed[str(error.filename)] = f"cannot be read: {error.strerror}"

    def remove_pyc(self, pyc: Path, sources: Collection[str]) -> None:
        """Remove a pyc if it may go."""
        if not self.sourceless and str(Path(parse(pyc.as_posix()).source)) not in sources:
            self.left[str(pyc)] = _NO_SOURCE
        elif self.remove(pyc):
            self.pycs.append(str(pyc))

    def remove(self, file: Path) -> bool:
        """Remove a file; return whether it is removed, or with ``check`` would be."""
        try:
            return self.files.remove(str(file))
        except DetpycError as error:
            self.failed[str(file)] = error.reason
            return False

    def update(self, record_file: Path) -> None:
        """Remove what records the bytecode of a distribution, and remove the rows of what is gone from its RECORD."""
        try:
            self.update_provenance(record_file.with_name(FILE_NAME))
            self.update_record(record_file)
        except DetpycError as error:
            self.failed[error.path or str(record_file)] = error.reason

    def update_provenance(self, file: Path) -> None:
        """Remove ``detpyc.json``, unless it records bytecode that is left, or that could not be removed."""
        site = file.parent.parent
        if not file.is_file() or any(Path(pyc).is_relative_to(site) for pyc in self.failed):
            return
        left = any(Path(pyc).is_relative_to(site) for pyc in self.left)
        if not (left and _records_sourceless(read_file(file), file)) and self.remove(file):
            self.updated.append(str(file))

    def update_record(self, file: Path) -> None:
        """Remove the rows of files that are gone from a RECORD: pycs, and ``detpyc.json``."""
        gone = {os.path.normpath(path) for path in (*self.pycs, *self.updated)}
        site = file.parent.parent

        def is_gone(path: str) -> bool:
            where = os.path.normpath(site / path)
            ours = path.endswith(".pyc") or path == f"{file.parent.name}/{FILE_NAME}"
            return ours and (where in gone or not os.path.lexists(where))

        with self.files.directory(str(file.parent)) as dir_fd, open_locked(file, _LOCK_TIMEOUT) as stream:
            try:
                entries = record.parse(read_file(file))
            except WheelError as error:
                error.path = str(file)
                raise
            rows = [entry for entry in entries if not is_gone(entry.path)]
            if len(rows) == len(entries):
                return
            if not self.files.check:
                mode = stat.S_IMODE(os.fstat(stream.fileno()).st_mode)
                replace_file(file, record.serialize(rows), mode, replaced=stream, dir_fd=dir_fd)
        self.updated.append(str(file))
