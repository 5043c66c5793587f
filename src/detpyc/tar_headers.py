"""Read the headers of a tar archive within limits.

`tarfile` reads an extended header as a whole, however large it is, and its rules differ from release to release. Only a
plain header, which always has 512 bytes, is left to it.
"""

from __future__ import annotations

import ntpath
import re
import tarfile
from typing import TYPE_CHECKING, Protocol

from detpyc.errors import DetpycError, TooLargeError
from detpyc.limits import MAX_DEPTH, MAX_PATH

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["FILE_TYPES", "MalformedTarError", "Seekable", "member_path", "read_headers"]

FILE_TYPES = frozenset({tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE})

_BLOCK = tarfile.BLOCKSIZE
_PAX_TYPES = frozenset({tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE})
_GNU_FIELDS = {tarfile.GNUTYPE_LONGNAME: "path", tarfile.GNUTYPE_LONGLINK: "linkpath"}
_PAX_RECORD = re.compile(rb"([1-9][0-9]{0,9}) ([^=\n]+)=")
_PAX_FIELDS = frozenset({b"path", b"linkpath", b"size", b"mtime"})  # what decides where a member is, and what it is
_PAX_SIZE = re.compile(r"[0-9]{1,20}", re.ASCII)
_PAX_TIME = re.compile(r"-?[0-9]{1,20}(\.[0-9]*)?", re.ASCII)
_PAX_SPARSE = b"GNU.sparse."


class Seekable(Protocol):
    """A stream with a position that can be set."""

    def read(self, size: int, /) -> bytes:
        """Read from the position on; less than the size only at the end."""

    def seek(self, offset: int, /) -> int:
        """Set the position."""


class MalformedTarError(DetpycError):
    """A tar archive that is damaged, or none."""


def read_headers(stream: Seekable, *, max_members: int, max_extended: int) -> Iterator[tarfile.TarInfo]:
    """Yield the header of each member, with the extended headers before it applied (POSIX pax, GNU tar).

    The ``offset_data`` of a header is that of the member's content. The position of the stream only ever goes forward,
    unless it is changed between two headers. Whether a content is all there is not checked.

    Args:
        stream: the archive.
        max_members: how many headers it may have.
        max_extended: how many bytes its extended headers may have.

    Raises:
        MalformedTarError: if it is malformed.
        TooLargeError: if it exceeds a limit.
        DetpycError: if it has a sparse file, or names all members at once.

    """
    fields: dict[str, str] = {}
    count = extended = position = 0
    while (info := _header(stream, position)) is not None:
        count += 1
        if count > max_members:
            raise TooLargeError(f"has more than {max_members} members, which is the limit")
        position += _BLOCK
        if info.type in _PAX_TYPES or info.type in _GNU_FIELDS or info.type == tarfile.XGLTYPE:
            extended += info.size
            if extended > max_extended:
                raise TooLargeError(f"has more than {max_extended} bytes of extended headers, which is the limit")
            fields |= _extended(info, stream.read(info.size))
            position += _padded(info.size)
            continue
        _apply(fields, info)
        info.offset_data = position
        fields = {}
        yield info
        if info.type in FILE_TYPES:
            position += _padded(info.size)
    if not count:
        raise MalformedTarError("the archive is empty")
    if fields:
        raise MalformedTarError("the last member is missing")


def _apply(fields: dict[str, str], info: tarfile.TarInfo) -> None:
    """Change a header as the extended headers before it say."""
    info.name, info.linkname = fields.get("path", info.name), fields.get("linkpath", info.linkname)
    info.size = int(fields.get("size", info.size))
    info.mtime = int(float(fields.get("mtime", info.mtime)))


def _header(stream: Seekable, position: int) -> tarfile.TarInfo | None:
    """Return the header at a position; None at the end of the archive."""
    stream.seek(position)
    block = stream.read(_BLOCK)
    if block.count(0) == len(block):
        if stream.read(_BLOCK).strip(b"\0"):  # some programs stop here, and some do not
            raise MalformedTarError("there is something behind a single block of zeros")
        return None
    try:
        info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except (tarfile.TarError, ValueError) as error:
        raise MalformedTarError(str(error)) from error
    if info.size < 0:
        raise MalformedTarError(f"{info.name!r} has a negative size")
    return info


def _padded(size: int) -> int:
    """Return a size, rounded up to whole blocks."""
    return -(-size // _BLOCK) * _BLOCK


def _extended(info: tarfile.TarInfo, content: bytes) -> dict[str, str]:
    """Return the path, link target and size that an extended header sets for the next member.

    Raises:
        DetpycError: if it is malformed, describes a sparse file, or names all members at once.

    """
    if info.type in _GNU_FIELDS:
        return {_GNU_FIELDS[info.type]: content.partition(b"\0")[0].decode("utf-8", "surrogateescape")}
    fields: dict[str, str] = {}
    position = 0
    while match := _PAX_RECORD.match(content, position):
        key, start, end = match[2], match.end(), position + int(match[1])
        if end <= start or content[end - 1 : end] != b"\n":
            break
        position = end
        if key.startswith(_PAX_SPARSE):
            raise DetpycError("has a sparse file, which is not supported")
        if key in _PAX_FIELDS:
            fields[key.decode()] = content[start : position - 1].decode("utf-8", "surrogateescape")
    is_sound = _PAX_SIZE.fullmatch(fields.get("size", "0")) and _PAX_TIME.fullmatch(fields.get("mtime", "0"))
    if content[position:].strip(b"\0") or not is_sound:
        raise MalformedTarError("malformed pax header")
    if info.type == tarfile.XGLTYPE and fields:
        raise DetpycError("has a global header that names a member, which is not supported")
    return fields


def member_path(name: str) -> str:
    """Return a member's path in its shortest form.

    Raises:
        DetpycError: if a rule forbids it.

    """
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if len(name) > MAX_PATH or len(parts) > MAX_DEPTH:
        raise TooLargeError(
            f"has a path of {len(name)} characters and {len(parts)} parts; the limits are {MAX_PATH} and {MAX_DEPTH}"
        )
    if name.startswith("/") or ntpath.splitdrive(name)[0] or ".." in parts or "\\" in name or "\0" in name:
        raise DetpycError(f"has the unsafe path {name!r}")
    return "/".join(parts)
