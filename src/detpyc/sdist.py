"""Open, list and unpack source distributions by one set of rules, on every Python.

A source distribution is a gzip-compressed tar archive (PEP 517, PEP 625). Only newer releases of Python have filters
for unpacking such archives safely; the rules here are at least as strict as those of `tarfile.data_filter` (PEP 706):

- Members are regular files, directories, hard links and symbolic links. Devices, pipes and sparse files are refused.
- A path is relative and has no ``..``, backslash or drive. Of two members with one path, the last one counts.
- No path leads through a file or a link.
- A hard link is a copy of a file that comes before it.
- A symbolic link leads to a path inside the archive, without ``..`` except at the start and not through another link.
- Modes are 0644 or, for executable files, 0755. Owners are ignored.
"""

from __future__ import annotations

import gzip
import ntpath
import os
import tarfile
import tempfile
import zlib
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import IO, TYPE_CHECKING

from detpyc.errors import DetpycError, TooLargeError
from detpyc.files import open_regular
from detpyc.limits import MAX_SDIST, MAX_SDIST_HEADERS, MAX_SDIST_MEMBERS
from detpyc.replacement import temporary_directory
from detpyc.reproducible import normalized_mode
from detpyc.tar_headers import FILE_TYPES, MalformedTarError, member_path, read_headers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Sdist", "open_sdist"]

_CHUNK = 1 << 20
_IN_MEMORY = 32 << 20  # bytes; a larger archive is decompressed into a temporary file
_LAST_MTIME = 0xFFFFFFFF  # seconds; what every file system can store


@dataclass(frozen=True, slots=True)
class _Member:
    """A member of a source distribution.

    Attributes:
        kind: ``file``, ``directory`` or ``link``.
        offset: of a file's content in the decompressed archive.
        size: of a file's content, in bytes.
        mode: the permission bits.
        mtime: the modification time, in seconds.
        target: of a symbolic link, as the archive has it.

    """

    kind: str
    offset: int = 0
    size: int = 0
    mode: int = 0
    mtime: int = 0
    target: str = ""


class Sdist:
    """A source distribution, open for reading, whose members follow the rules of this module.

    Attributes:
        path: of the archive.
        files: the paths of the regular files and hard links, e.g. ``demo-1.0/setup.py``.

    """

    def __init__(self, path: Path, stream: IO[bytes]) -> None:
        self.path = path
        self._stream = stream
        self._members = _read_members(stream)
        self.files = [name for name, member in self._members.items() if member.kind == "file"]

    def size(self, name: str) -> int:
        """Return the size of a file, in bytes."""
        return self._members[name].size

    def read(self, name: str, limit: int) -> bytes:
        """Return the content of a file.

        Args:
            name: one of `files`.
            limit: the largest size to read, in bytes.

        Raises:
            TooLargeError: if the file is larger.

        """
        member = self._members[name]
        if member.size > limit:
            raise TooLargeError(f"{name} has {member.size} bytes; the limit is {limit}", path=self.path)
        self._stream.seek(member.offset)
        return self._stream.read(member.size)

    def unpack(self, directory: Path) -> Path:
        """Unpack the archive.

        Args:
            directory: the directory to create and unpack into.

        Returns:
            The one directory at the top of the archive, unpacked.

        Raises:
            DetpycError: if there is not exactly one directory at the top, or a file cannot be written.

        """
        tops = {
            name.partition("/")[0]
            for name, member in self._members.items()
            if "/" in name or member.kind == "directory"
        }
        if len(tops) != 1:
            raise DetpycError(f"has {len(tops)} directories at its top; a source distribution has one", path=self.path)
        try:
            directory.mkdir()
            for name, member in sorted(self._members.items(), key=lambda item: item[1].kind == "link"):
                self._write(directory / name, member)
        except OSError as error:
            raise DetpycError(f"cannot be unpacked: {error.strerror}: {error.filename}", path=self.path) from error
        return directory / tops.pop()

    def _write(self, path: Path, member: _Member) -> None:
        """Write a member; links come last, so that nothing is written through one."""
        if member.kind == "directory":
            path.mkdir(parents=True, exist_ok=True)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        if member.kind == "link":
            path.symlink_to(member.target)
            return
        self._stream.seek(member.offset)
        with path.open("xb") as output:
            remaining = member.size
            while remaining:
                remaining -= output.write(self._stream.read(min(remaining, _CHUNK)))
        path.chmod(member.mode)
        os.utime(path, (member.mtime, member.mtime))


@contextmanager
def open_sdist(path: Path) -> Iterator[Sdist]:
    """Open a source distribution.

    Args:
        path: of a ``.tar.gz`` file.

    Raises:
        DetpycError: if it is not a source distribution, breaks a rule of this module, or cannot be read.
        TooLargeError: if it exceeds a limit.

    """
    with ExitStack() as stack:
        archive = stack.enter_context(open_regular(path))
        directory = str(temporary_directory())
        stream = stack.enter_context(tempfile.SpooledTemporaryFile(_IN_MEMORY, dir=directory))
        try:
            _decompress(archive, stream)
            sdist = Sdist(path, stream)
        except MalformedTarError as error:
            raise DetpycError(f"not a source distribution (.tar.gz): {error.reason}", path=path) from error
        except DetpycError as error:
            error.path = error.path or str(path)
            raise
        yield sdist


def _decompress(archive: IO[bytes], stream: IO[bytes]) -> None:
    """Decompress a whole archive, so that its files can be read in any order."""
    size = 0
    with gzip.GzipFile(fileobj=archive) as compressed:
        while True:
            try:
                chunk = compressed.read(_CHUNK)
            except (gzip.BadGzipFile, EOFError, zlib.error) as error:
                raise MalformedTarError(str(error)) from error
            if not chunk:
                return
            size += len(chunk)
            if size > MAX_SDIST:
                raise TooLargeError(f"has more than {MAX_SDIST} bytes when decompressed, which is the limit")
            stream.write(chunk)


def _read_members(stream: IO[bytes]) -> dict[str, _Member]:
    """Read the headers of an archive; return its members by their paths.

    Raises:
        DetpycError: if the archive is malformed or breaks a rule.

    """
    end = stream.seek(0, os.SEEK_END)
    members: dict[str, _Member] = {}
    unpacked = 0
    for info in read_headers(stream, max_members=MAX_SDIST_MEMBERS, max_extended=MAX_SDIST_HEADERS):
        name = member_path(info.name)
        member = _member(info, name, members)
        if member.offset + member.size > end:
            raise MalformedTarError(f"{name} is truncated")
        unpacked += member.size
        if unpacked > MAX_SDIST:
            raise TooLargeError(f"has more than {MAX_SDIST} bytes when unpacked, which is the limit")
        if name:  # "./" is the directory that it is unpacked into
            members[name] = member
    _check_parents(members)
    return members


def _member(info: tarfile.TarInfo, name: str, before: dict[str, _Member]) -> _Member:
    """Return what a header describes.

    Args:
        info: the header.
        name: the member's path.
        before: the members before it, which a hard link may be a copy of.

    Raises:
        DetpycError: if a rule forbids it.

    """
    if info.type == tarfile.DIRTYPE:
        return _Member("directory")
    if info.type in FILE_TYPES and name:
        mtime = min(max(int(info.mtime), 0), _LAST_MTIME)
        return _Member("file", info.offset_data, info.size, normalized_mode(info.mode) & 0o777, mtime)
    if info.type == tarfile.LNKTYPE:
        original = before.get(member_path(info.linkname))
        if original is None or original.kind != "file":
            raise DetpycError(f"has the hard link {name!r} to {info.linkname!r}, which is not a file before it")
        return replace(original)
    if info.type == tarfile.SYMTYPE:
        return _Member("link", target=info.linkname)
    raise DetpycError(f"has {name!r}, which is not a file, directory or link")


def _check_parents(members: dict[str, _Member]) -> None:
    """Refuse paths that lead through a file or a link, and links that lead out of the archive or through another link.

    Raises:
        DetpycError: if there is one.

    """
    for name, member in members.items():
        if not _is_below_directories(name, members):
            raise DetpycError(f"has {name!r}, which is below a file or a link")
        if member.kind == "link":
            target = _target(name, member.target)
            if target is None or not _is_below_directories(target, members):
                raise DetpycError(f"has the unsafe symbolic link {name!r} to {member.target!r}")


def _is_below_directories(name: str, members: dict[str, _Member]) -> bool:
    """Return whether no directory of a path is a file or a link."""
    while "/" in name:
        name = name.rpartition("/")[0]
        if name in members and members[name].kind != "directory":
            return False
    return True


def _target(name: str, target: str) -> str | None:
    """Return the path in the archive that a symbolic link leads to; None if a rule forbids it."""
    parts = [part for part in target.split("/") if part not in ("", ".")]
    up = next((index for index, part in enumerate(parts) if part != ".."), len(parts))
    parent = name.split("/")[:-1]
    if not target or target.startswith("/") or ntpath.splitdrive(target)[0] or up > len(parent):
        return None
    try:
        return member_path("/".join([*parent[: len(parent) - up], *parts[up:]]))
    except DetpycError:
        return None
