"""Read the headers of a tar archive within limits.

`tarfile` reads an extended header as a whole, however large it is, and its rules differ from release to release. Only a
plain header, which always has 512 bytes, is left to it.
"""

from __future__ import annotations

import re
import tarfile
from typing import IO, TYPE_CHECKING

from detpyc.errors import DetpycError, TooLargeError
from detpyc.limits import MAX_SDIST_HEADERS, MAX_SDIST_MEMBERS

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["FILE_TYPES", "malformed", "read_headers"]

FILE_TYPES = frozenset({tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE})

_BLOCK = tarfile.BLOCKSIZE
_PAX_TYPES = frozenset({tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE})
_GNU_FIELDS = {tarfile.GNUTYPE_LONGNAME: "path", tarfile.GNUTYPE_LONGLINK: "linkpath"}
_PAX_RECORD = re.compile(rb"([1-9][0-9]{0,9}) ([^=\n]+)=")
_PAX_FIELDS = frozenset({b"path", b"linkpath", b"size"})  # what decides where a member is, and what it is called
_PAX_SPARSE = b"GNU.sparse."


def read_headers(stream: IO[bytes], end: int) -> Iterator[tarfile.TarInfo]:
    """Yield the header of each member, with the extended headers before it applied (POSIX pax, GNU tar).

    The ``offset_data`` of a header is that of the member's content.
    """
    fields: dict[str, str] = {}
    count = extended = position = 0
    while position < end:
        info = _header(stream, position)
        if info is None:
            break
        count += 1
        if count > MAX_SDIST_MEMBERS:
            raise TooLargeError(f"has more than {MAX_SDIST_MEMBERS} members, which is the limit")
        position += _BLOCK
        if info.type in _PAX_TYPES or info.type in _GNU_FIELDS or info.type == tarfile.XGLTYPE:
            extended += info.size
            if extended > MAX_SDIST_HEADERS:
                raise TooLargeError(f"has more than {MAX_SDIST_HEADERS} bytes of extended headers, which is the limit")
            fields |= _extended(info, stream.read(info.size))
            position += _padded(info.size)
            continue
        info.name, info.linkname = fields.get("path", info.name), fields.get("linkpath", info.linkname)
        info.size = int(fields.get("size", info.size))
        info.offset_data = position
        fields = {}
        yield info
        if info.type in FILE_TYPES:
            position += _padded(info.size)
    if not count:
        raise malformed("the archive is empty")
    if fields:
        raise malformed("the last member is missing")


def _header(stream: IO[bytes], position: int) -> tarfile.TarInfo | None:
    """Return the header at a position; None at the end of the archive."""
    stream.seek(position)
    block = stream.read(_BLOCK)
    if block.count(0) == len(block):
        return None
    try:
        info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except (tarfile.TarError, ValueError) as error:
        raise malformed(error) from error
    if info.size < 0:
        raise malformed(f"{info.name!r} has a negative size")
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
            raise DetpycError("has a sparse file; a source distribution has none")
        if key in _PAX_FIELDS:
            fields[key.decode()] = content[start : position - 1].decode("utf-8", "surrogateescape")
    if content[position:].strip(b"\0") or not re.fullmatch("[0-9]{1,20}", fields.get("size", "0"), re.ASCII):
        raise malformed("malformed pax header")
    if info.type == tarfile.XGLTYPE and fields:
        raise DetpycError("has a global header that names a member; a source distribution has none")
    return fields


def malformed(fault: object) -> DetpycError:
    """Return the error for an archive that is malformed."""
    return DetpycError(f"not a source distribution (.tar.gz): {fault}")
