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
_PAX_SPARSE = (b"GNU.sparse.", b"SCHILY.realsize")
# With these attributes, overlayfs takes a directory or the content of a file from elsewhere.
_PAX_OVERLAY = re.compile(rb"SCHILY\.xattr\.(?:trusted|user)\.overlay\.(?:redirect|metacopy)\Z")
_SIZE, _MAGIC, _PREFIX = slice(124, 136), slice(257, 263), slice(345, 500)  # fields of a plain header
_USTAR = b"ustar\0"
_BASE_256 = 0x80  # what a number in binary form begins with
_NOT_OCTAL = re.compile(rb"[^0-7]")


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
        DetpycError: if it has a sparse file, names all members at once, or programs would read it differently.

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
            found = _extended(info, stream.read(info.size))
            doubled = next((field for field in found if field in fields), None)
            if doubled is not None:  # some programs take the first, others the last, or that of a kind of header
                raise DetpycError(f"has two extended headers that set the {doubled} of one member")
            fields |= found
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
    """Change a header as the extended headers before it say.

    Raises:
        DetpycError: if programs would make something else of the result.

    """
    info.name, info.linkname = fields.get("path", info.name), fields.get("linkpath", info.linkname)
    info.size = int(fields.get("size", info.size))
    info.mtime = int(float(fields.get("mtime", info.mtime)))
    # Programs differ in whether they read the content of a link, and make a file or a directory.
    if info.size and info.type not in FILE_TYPES:
        raise MalformedTarError(f"{info.name!r} is not a file, and has {info.size} bytes")
    if info.name.endswith("/") and info.type != tarfile.DIRTYPE:
        raise DetpycError(f"has {info.name!r}, which is a directory by its name and not by its type")


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
    # `tarfile` reads more forms of numbers than others do, and the prefix in formats that do not have it.
    if block[_SIZE][0] < _BASE_256 and _NOT_OCTAL.search(block[_SIZE].partition(b"\0")[0].strip(b" ")):
        raise MalformedTarError(f"{info.name!r} has a malformed size")
    if block[_MAGIC] != _USTAR and block[_PREFIX].strip(b"\0"):
        raise DetpycError(f"has {info.name!r}, whose path programs read differently")
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
        if _PAX_OVERLAY.match(key):
            raise DetpycError("has a file whose content is elsewhere, by an attribute of overlayfs")
        if key in _PAX_FIELDS:
            if key.decode() in fields:
                raise MalformedTarError("malformed pax header")
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
