"""Normalize existing pycs: rewrite them in canonical form, without compiling anything."""

from __future__ import annotations

import stat
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from detpyc.byte_compile.tree_files import TreeFiles
from detpyc.bytecode.canonical import canonicalize_pyc
from detpyc.bytecode.header import HEADER_SIZE, InvalidationMode, PycHeader, source_hash
from detpyc.errors import BytecodeError, DetpycError, SettingsError, UnsupportedBytecodeError
from detpyc.files import read_file, walk
from detpyc.limits import MAX_FILE
from detpyc.pyc_paths import parse
from detpyc.replacement import replace_file
from detpyc.temporaries import is_temporary, remove_stale
from detpyc.wheel.distribution import is_wheel
from detpyc.wheel.output import Output, locked_wheel
from detpyc.wheel.rewrite import rewrite
from detpyc.wheel.writing import NewMember

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Collection, Mapping

    from detpyc.wheel.distribution import Wheel

__all__ = ["NormalizationReport", "normalize_artifact"]

_HASH_MODES = (InvalidationMode.CHECKED_HASH, InvalidationMode.UNCHECKED_HASH)
_U32 = 0xFFFFFFFF
_ZIP_RESOLUTION = 2  # seconds


@dataclass(frozen=True, slots=True)
class NormalizationReport:
    """What was done to a wheel, a directory or a pyc.

    Attributes:
        path: of the wheel, the directory or the pyc.
        pycs: how many pycs there are.
        changed: the paths of those that were not canonical, and now are.
        unsupported: the reason for each pyc that was left alone because its release is not supported, by path.
        malformed: the reason for each pyc that cannot be read or written, by path.
        kept_timestamps: the reason for each pyc whose header was to be converted and still has a timestamp, by path.

    """

    path: str
    pycs: int
    changed: tuple[str, ...]
    unsupported: dict[str, str]
    malformed: dict[str, str]
    kept_timestamps: dict[str, str] = field(default_factory=dict)


def normalize_artifact(
    path: str | os.PathLike[str], *, check: bool = False, invalidation_mode: str | None = None
) -> NormalizationReport:
    """Rewrite every pyc of a wheel, of a directory and below, or a single one, in canonical form.

    The header of each pyc, and a file's mode and mtime, stay the same. A wheel's RECORD is rewritten to match.

    Args:
        path: of the wheel, directory or pyc.
        check: change nothing on disk.
        invalidation_mode: convert headers with a timestamp to this mode, ``checked-hash`` or ``unchecked-hash``, if the
            source is there and has the time and the size that the header has.

    Returns:
        What was done, or with ``check`` would be.

    Raises:
        SettingsError: if the invalidation mode is another one.
        DetpycError: if the path cannot be read, or the wheel cannot be rewritten.

    """
    if invalidation_mode not in {None, *_HASH_MODES}:
        raise SettingsError(f"{invalidation_mode!r:.100} is not {' or '.join(_HASH_MODES)}")
    path = Path(path)
    tally = _Tally(invalidation_mode)
    if is_wheel(path):
        return _normalize_wheel(path, tally, check=check)
    if path.is_dir():
        return _normalize_tree(path, tally, check=check)
    if path.suffix != ".pyc" or not path.is_file():
        raise DetpycError("not a wheel, directory or .pyc file; other archives and images are not rewritten", path=path)
    _normalize_file(path, tally, check=check)
    return tally.report(path)


class _Source(NamedTuple):
    """The source of a pyc.

    Attributes:
        read: reads it.
        mtimes: that it may have had.

    """

    read: Callable[[], bytes]
    mtimes: Collection[int]


class _Tally:
    """What has been found so far."""

    def __init__(self, mode: str | None) -> None:
        self.mode = mode  # that timestamps are converted to
        self.pycs = 0
        self.changed: list[str] = []
        self.unsupported: dict[str, str] = {}
        self.malformed: dict[str, str] = {}
        self.kept_timestamps: dict[str, str] = {}

    def canonical(
        self, path: str, read: Callable[[], bytes], find_source: Callable[[], _Source | None]
    ) -> bytes | None:
        """Read a pyc and return it as it should be; None if it is that already, or cannot be read."""
        self.pycs += 1
        try:
            data = read()
            canonical = canonicalize_pyc(data)
            if self.mode is not None:
                canonical = self._hashed(path, canonical, self.mode, find_source)
        except UnsupportedBytecodeError as error:
            self.unsupported[path] = error.reason
        except DetpycError as error:
            self.malformed[path] = _reason(error)
        else:
            if canonical != data:
                return canonical
        return None

    def report(self, path: Path) -> NormalizationReport:
        changed = tuple(self.changed)
        failed = self.unsupported, self.malformed, self.kept_timestamps
        return NormalizationReport(str(path), self.pycs, changed, *failed)

    def _hashed(self, path: str, pyc: bytes, mode: str, find_source: Callable[[], _Source | None]) -> bytes:
        """Return a pyc with the hash of its source in place of the timestamp, if that matches."""
        header = PycHeader.parse(pyc)
        if header.mode != InvalidationMode.TIMESTAMP:
            return pyc
        try:
            source = find_source()
            content = b"" if source is None else source.read()
        except DetpycError as error:
            self.kept_timestamps[path] = f"its source cannot be read: {error.reason}"
            return pyc
        if source is None:
            self.kept_timestamps[path] = "there is no source"
        elif header.source_size != len(content) & _U32:
            self.kept_timestamps[path] = "its source has another size"
        elif header.mtime not in {mtime & _U32 for mtime in source.mtimes}:
            self.kept_timestamps[path] = "its source has another time"
        else:
            digest = source_hash(content, header.magic_number)
            return PycHeader(header.magic_number, mode, source_hash=digest).to_bytes() + pyc[HEADER_SIZE:]
        return pyc


def _reason(error: DetpycError) -> str:
    """Return what is wrong with a pyc, without its path."""
    return f"{error.reason} (at offset {error.offset})" if isinstance(error, BytecodeError) else error.reason


def _normalize_tree(path: Path, tally: _Tally, *, check: bool) -> NormalizationReport:
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
    canonical = tally.canonical(str(pyc), partial(read_file, pyc), partial(_source_in_tree, pyc))
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


def _source_in_tree(pyc: Path) -> _Source | None:
    source = Path(parse(pyc.as_posix()).source)
    try:
        mtime = int(source.stat().st_mtime)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DetpycError(f"cannot be read: {error.strerror}", path=source) from error
    return _Source(partial(read_file, source), [mtime])


def _normalize_wheel(path: Path, tally: _Tally, *, check: bool) -> NormalizationReport:
    with locked_wheel(path) as wheel:
        pycs = {name: member for name, member in wheel.archive.members.items() if name.endswith(".pyc")}
        installed = {path: name for name, path in wheel.importable.items()}
        replaced = {}
        with wheel.rewriting(pycs):
            for name, member in pycs.items():
                find_source = partial(_source_in_wheel, wheel, name, installed)
                canonical = tally.canonical(name, partial(wheel.read_member, name), find_source)
                if canonical is not None:
                    replaced[name] = NewMember.replacing(member, canonical)
                    tally.changed.append(name)
        if replaced and not check:
            Output(wheel, path.name).write(partial(rewrite, wheel, replaced=replaced))
    return tally.report(path)


def _source_in_wheel(wheel: Wheel, pyc: str, installed: Mapping[str, str]) -> _Source | None:
    """Return the source of a pyc in a wheel.

    Args:
        wheel: the wheel.
        pyc: the name of the member.
        installed: the names of the importable members, by the paths that they get.

    """
    name = installed.get(parse(wheel.importable.get(pyc, "")).source)
    if name is None:
        return None
    member = wheel.archive.members[name]
    mtimes: Collection[int] = ()
    if member.mtime is not None:
        mtimes = [member.mtime]
    elif member.local_mtime is not None:
        mtimes = range(member.local_mtime, member.local_mtime + _ZIP_RESOLUTION)
    return _Source(partial(wheel.read_member, name, MAX_FILE), mtimes)
