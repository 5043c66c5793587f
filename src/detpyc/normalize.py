"""Normalize existing pycs: rewrite them in canonical form, without compiling anything."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from detpyc.byte_compile.tree_files import TreeFiles
from detpyc.bytecode.canonical import canonicalize_pyc
from detpyc.errors import BytecodeError, DetpycError, UnsupportedBytecodeError
from detpyc.files import read_file, walk
from detpyc.replacement import replace_file
from detpyc.temporaries import is_temporary, remove_stale
from detpyc.wheel.distribution import is_wheel
from detpyc.wheel.output import Output, locked_wheel
from detpyc.wheel.rewrite import rewrite
from detpyc.wheel.writing import NewMember

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

__all__ = ["NormalizationReport", "normalize_artifact"]


@dataclass(frozen=True, slots=True)
class NormalizationReport:
    """What was done to a wheel, a directory or a pyc.

    Attributes:
        path: of the wheel, the directory or the pyc.
        pycs: how many pycs there are.
        changed: the paths of those that were not canonical, and now are.
        unsupported: the reason for each pyc that was left alone because its release is not supported, by path.
        malformed: the reason for each pyc that cannot be read or written, by path.

    """

    path: str
    pycs: int
    changed: tuple[str, ...]
    unsupported: dict[str, str]
    malformed: dict[str, str]


def normalize_artifact(path: str | os.PathLike[str], *, check: bool = False) -> NormalizationReport:
    """Rewrite every pyc of a wheel, of a directory and below, or a single one, in canonical form.

    The header of each pyc, and a file's mode and mtime, stay the same. A wheel's RECORD is rewritten to match.

    Args:
        path: of the wheel, directory or pyc.
        check: change nothing on disk.

    Returns:
        What was done, or with ``check`` would be.

    Raises:
        DetpycError: if the path cannot be read, or the wheel cannot be rewritten.

    """
    path = Path(path)
    if is_wheel(path):
        return _normalize_wheel(path, check=check)
    if path.is_dir():
        return _normalize_tree(path, check=check)
    if path.suffix != ".pyc" or not path.is_file():
        raise DetpycError("not a wheel, directory or .pyc file; other archives and images are not rewritten", path=path)
    tally = _Tally()
    _normalize_file(path, tally, check=check)
    return tally.report(path)


class _Tally:
    """What has been found so far."""

    def __init__(self) -> None:
        self.pycs = 0
        self.changed: list[str] = []
        self.unsupported: dict[str, str] = {}
        self.malformed: dict[str, str] = {}

    def canonical(self, path: str, read: Callable[[], bytes]) -> bytes | None:
        """Read a pyc and return it in canonical form; None if it is canonical already, or cannot be read."""
        self.pycs += 1
        try:
            data = read()
            canonical = canonicalize_pyc(data)
        except UnsupportedBytecodeError as error:
            self.unsupported[path] = error.reason
        except DetpycError as error:
            self.malformed[path] = _reason(error)
        else:
            if canonical != data:
                return canonical
        return None

    def report(self, path: Path) -> NormalizationReport:
        return NormalizationReport(str(path), self.pycs, tuple(self.changed), self.unsupported, self.malformed)


def _reason(error: DetpycError) -> str:
    """Return what is wrong with a pyc, without its path."""
    return f"{error.reason} (at offset {error.offset})" if isinstance(error, BytecodeError) else error.reason


def _normalize_tree(path: Path, *, check: bool) -> NormalizationReport:
    tally = _Tally()

    def skip(error: OSError) -> None:
        tally.malformed[str(error.filename)] = f"cannot be read: {error.strerror}"

    files = TreeFiles(str(path), check=check)
    for file in walk(path, (".pyc", ".tmp"), skip):
        if is_temporary(file.name):
            files.remove_temporary(str(file))
        elif file.suffix == ".pyc" and not file.is_symlink():  # its target is in the tree too, or not ours
            _normalize_file(file, tally, files=files, check=check)
    return tally.report(path)


def _normalize_file(pyc: Path, tally: _Tally, *, files: TreeFiles | None = None, check: bool) -> None:
    canonical = tally.canonical(str(pyc), partial(read_file, pyc))
    if canonical is None:
        return
    try:
        if files is not None and not check:
            with files.directory(str(pyc.parent)) as dir_fd:
                _replace(pyc, canonical, dir_fd)
        elif not check:
            remove_stale(pyc.parent)
            _replace(pyc, canonical)
    except DetpycError as error:
        tally.malformed[str(pyc)] = error.reason
    else:
        tally.changed.append(str(pyc))


def _replace(pyc: Path, content: bytes, dir_fd: int | None = None) -> None:
    """Replace the content of a file; its mode and times stay."""
    try:
        status = pyc.stat()
    except OSError as error:
        raise DetpycError(f"cannot be read: {error.strerror}", path=pyc) from error
    times = status.st_atime_ns, status.st_mtime_ns
    replace_file(pyc, content, stat.S_IMODE(status.st_mode), durable=False, times=times, dir_fd=dir_fd)


def _normalize_wheel(path: Path, *, check: bool) -> NormalizationReport:
    tally = _Tally()
    with locked_wheel(path) as wheel:
        pycs = {name: member for name, member in wheel.archive.members.items() if name.endswith(".pyc")}
        replaced = {}
        with wheel.rewriting(pycs):
            for name, member in pycs.items():
                canonical = tally.canonical(name, partial(wheel.read_member, name))
                if canonical is not None:
                    replaced[name] = NewMember.replacing(member, canonical)
                    tally.changed.append(name)
        if replaced and not check:
            Output(wheel, path.name).write(partial(rewrite, wheel, replaced=replaced))
    return tally.report(path)
