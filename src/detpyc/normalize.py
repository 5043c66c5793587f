"""Normalize existing pycs: rewrite them in canonical form, without compiling anything."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from detpyc.bytecode.canonical import canonicalize_pyc
from detpyc.errors import DetpycError, UnsupportedBytecodeError
from detpyc.files import open_locked, read_file, walk
from detpyc.limits import MAX_FILE
from detpyc.replacement import Replacement
from detpyc.wheel.distribution import Wheel, is_wheel
from detpyc.wheel.rewrite import rewrite
from detpyc.wheel.writing import NewMember

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Report:
    """What was done to a wheel, a tree or a pyc.

    Attributes:
        path: of it.
        pycs: how many pycs there are.
        changed: the paths of those that were not canonical, and now are.
        unsupported: those left alone since their release is not supported, each with what it is of.
        malformed: those that cannot be read, or written, each with the reason.

    """

    path: str
    pycs: int
    changed: tuple[str, ...]
    unsupported: dict[str, str]
    malformed: dict[str, str]


def normalize(path: Path, *, check: bool = False) -> Report:
    """Bring every pyc of a wheel, of a directory and below, or a single one, into canonical form.

    The header of each stays as it is, and so do a file's mode and mtime. Of a wheel, RECORD is made to match.

    Args:
        path: of the wheel, directory or pyc.
        check: change nothing on disk.

    Returns:
        What was done, or with ``check`` would be.

    Raises:
        DetpycError: if the path cannot be read, or the wheel not be rewritten.

    """
    if is_wheel(path):
        return _normalize_wheel(path, check=check)
    if path.is_dir():
        return _normalize_tree(path, check=check)
    if path.suffix != ".pyc" or not path.is_file():
        raise DetpycError(f"{path}: is no wheel, directory or pyc")
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
        """Read a pyc and return it in canonical form; None if it is so, or cannot be brought into it."""
        self.pycs += 1
        try:
            data = read()
            canonical = canonicalize_pyc(data)
        except UnsupportedBytecodeError as error:
            self.unsupported[path] = error.reason
        except DetpycError as error:
            self.malformed[path] = _reason(error, path)
        else:
            if canonical != data:
                self.changed.append(path)
                return canonical
        return None

    def report(self, path: Path) -> Report:
        return Report(str(path), self.pycs, tuple(self.changed), self.unsupported, self.malformed)


def _reason(error: Exception, path: str) -> str:
    """Return what an error says, without the path that it may name and that is told anyhow."""
    return str(error).rpartition(f"{path}: ")[2]


def _normalize_tree(path: Path, *, check: bool) -> Report:
    tally = _Tally()

    def skip(error: OSError) -> None:
        tally.malformed[str(error.filename)] = f"cannot be read: {error.strerror}"

    for pyc in walk(path, ".pyc", skip):
        if not pyc.is_symlink():  # what it leads to is in the tree as well, or is none of ours
            _normalize_file(pyc, tally, check=check)
    return tally.report(path)


def _normalize_file(pyc: Path, tally: _Tally, *, check: bool) -> None:
    canonical = tally.canonical(str(pyc), partial(read_file, pyc))
    if canonical is None or check:
        return
    try:
        _replace(pyc, canonical)
    except (OSError, DetpycError) as error:
        tally.changed.remove(str(pyc))
        tally.malformed[str(pyc)] = _reason(error, str(pyc))


def _replace(pyc: Path, content: bytes) -> None:
    """Give a file another content, and leave it its mode and times."""
    status = pyc.stat()
    with Replacement(pyc, stat.S_IMODE(status.st_mode)) as replacement:
        with replacement.writing() as stream:
            stream.write(content)
        replacement.commit((status.st_atime_ns, status.st_mtime_ns), durable=False)


def _normalize_wheel(path: Path, *, check: bool) -> Report:
    tally = _Tally()
    with open_locked(path) as stream:
        wheel = Wheel.open(path, stream)
        wheel.require_rewritable()
        replaced = {}
        for name, member in wheel.archive.members.items():
            if name.endswith(".pyc"):
                canonical = tally.canonical(name, partial(wheel.read_member, name, MAX_FILE))
                if canonical is not None:
                    replaced[name] = NewMember.replacing(member, canonical)
        if replaced and not check:
            mode = stat.S_IMODE(os.fstat(stream.fileno()).st_mode)
            with Replacement(path, mode) as replacement:
                with replacement.writing() as output:
                    rewrite(wheel, output, replaced=replaced)
                replacement.commit(replaced=stream)
    return tally.report(path)
