"""Read the directory of a ZIP archive, and refuse it unless every reader finds the same members.

Readers differ in how they search for the directory, and in what they do with bytes that belong to no member. So the
directory must be where the end record says, directly before it; the number of members and the ZIP64 records must be as
declared; nothing may be before, between or behind. `detpyc.wheel.archive` checks the members themselves.

A zipapp may have a program for the system before the archive, with offsets that are relative to the file or to the
archive, as Python accepts both (`zipimport`). Readers that search forwards must find no archive in the program.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from detpyc.errors import WheelError
from detpyc.limits import MAX_ARCHIVE_DIRECTORY, MAX_MEMBERS, MAX_PROGRAM
from detpyc.wheel.zip_format import (
    CENTRAL_HEADER,
    CENTRAL_SIGNATURE,
    CONFUSING_EXTRAS,
    DEFLATE_LEVEL,
    DEFLATED,
    ENCRYPTED,
    END,
    END64,
    END64_REST,
    END64_SIGNATURE,
    END_SIGNATURE,
    EXTRA_HEADER,
    HAS_DESCRIPTOR,
    LOCAL_SIGNATURE,
    LOCATOR64,
    LOCATOR64_SIGNATURE,
    MAX_COMMENT,
    MAX_U16,
    MAX_U32,
    MAX_VERSION,
    STORED,
    UTF8_NAME,
    ZIP64_EXTRA,
    Member,
    extended_mtime,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from detpyc.reproducible import Date

__all__ = ["Directory", "Entry", "extra_fields", "read_directory"]

_PROGRAM = b"#!"
_SIGNATURES = (LOCAL_SIGNATURE, CENTRAL_SIGNATURE, END_SIGNATURE)
_DOS_DIRECTORY = 0x10  # of the external attributes
_METHODS = frozenset({STORED, DEFLATED})
_KINDS = frozenset({0, stat.S_IFREG, stat.S_IFDIR})
_UNKNOWN_FLAGS = ~(DEFLATE_LEVEL | HAS_DESCRIPTOR | UTF8_NAME)


class Entry(NamedTuple):
    """An entry of the directory.

    Attributes:
        member: what it says of the file.
        raw_name: the name as it is written.
        flags: the general purpose bit flags.
        offset: of the local header.

    """

    member: Member
    raw_name: bytes
    flags: int
    offset: int


class Directory(NamedTuple):
    """The directory of an archive.

    Attributes:
        entries: in their order; the offsets are relative to the file.
        start: its offset, where the last member must end.
        first: the offset where the first member must begin.
        zip64: whether it has a ZIP64 end record.

    """

    entries: list[Entry]
    start: int
    first: int
    zip64: bool


class _End(NamedTuple):
    """What the end records say of the directory."""

    members: int
    size: int
    start: int
    zip64: bool = False


def read_directory(stream: BinaryIO, *, zipapp: bool = False) -> Directory:
    """Read the directory of an archive.

    Args:
        stream: the archive.
        zipapp: whether a program for the system may be before it.

    Raises:
        WheelError: if it is not a ZIP archive or is damaged, or readers would find other members.

    """
    end, before = _read_end(stream, zipapp=zipapp)
    if end.members > MAX_MEMBERS:
        raise WheelError(f"has {end.members} members; the limit is {MAX_MEMBERS}")
    if end.size > MAX_ARCHIVE_DIRECTORY:
        raise WheelError(f"has a directory of {end.size} bytes; the limit is {MAX_ARCHIVE_DIRECTORY}")
    start = end.start + before
    stream.seek(start)
    data = stream.read(end.size)
    entries = [entry._replace(offset=entry.offset + before) for entry in _read_entries(data)]
    if len(entries) != end.members:
        raise WheelError(f"has {len(entries)} members in its directory, and its end record says {end.members}")
    first = min((entry.offset for entry in entries), default=start) if zipapp else 0
    _check_program(stream, first, end.start if before else None)
    return Directory(entries, start, first, end.zip64)


def _check_program(stream: BinaryIO, size: int, start: int | None) -> None:
    """Refuse what is before an archive unless it is a program in which no reader finds an archive.

    Args:
        stream: the archive.
        size: of the program, in bytes.
        start: the offset of the directory in the end record, if that is relative to the archive.

    """
    if size > MAX_PROGRAM:
        raise WheelError(f"has {size} bytes before the archive; the limit is {MAX_PROGRAM}")
    stream.seek(0)
    program = stream.read(size)
    if program and not program.startswith(_PROGRAM):
        raise WheelError(f"has {size} bytes before the archive that do not start with #!")
    if any(signature in program for signature in _SIGNATURES):
        raise WheelError("has parts of another archive before it; unpackers would disagree")
    if start is not None:
        stream.seek(start)
        if stream.read(len(CENTRAL_SIGNATURE)) == CENTRAL_SIGNATURE:
            raise WheelError("has two directories, depending on where offsets begin; unpackers would disagree")


def _read_end(stream: BinaryIO, *, zipapp: bool) -> tuple[_End, int]:
    """Read the records at the end of an archive; the directory must end where they begin.

    Returns:
        What they say, and how many bytes are before the archive that offsets do not count.

    """
    total = stream.seek(0, os.SEEK_END)
    stream.seek(max(total - END.size - MAX_COMMENT, 0))
    tail = stream.read(END.size + MAX_COMMENT)
    *others, at = _end_records(tail)
    if others:
        raise WheelError("has an end record in the comment of another one; unpackers would disagree")
    _, disk, start_disk, here, count, size, start, _ = END.unpack_from(tail, at)
    if disk or start_disk or here != count:
        raise WheelError("is one of several ZIP archives that belong together")
    end, position = _End(count, size, start), total - len(tail) + at
    stream.seek(max(position - LOCATOR64.size, 0))
    locator = stream.read(LOCATOR64.size)
    if locator.startswith(LOCATOR64_SIGNATURE):
        position -= LOCATOR64.size + END64.size
        end = _read_end64(stream, end, locator, position)
    elif count == MAX_U16 or MAX_U32 in {size, start}:
        raise WheelError("is a ZIP archive without the ZIP64 records that its end record refers to")
    before = position - end.start - end.size
    if before and not (zipapp and before > 0):
        raise WheelError(
            f"has its directory elsewhere than its end record says: {end.size} bytes from {end.start} do not end at"
            f" {position}; something was put before or behind the archive"
        )
    return end, before


def _end_records(tail: bytes) -> Iterator[int]:
    """Yield where there are end records with a comment that ends where the file does; the last signature must be one.

    Raises:
        WheelError: if it is not, and so the file is not an archive.

    """
    at, ends = -1, False
    while (at := tail.find(END_SIGNATURE, at + 1)) >= 0:
        comment = tail[at + END.size - 2 : at + END.size]
        ends = len(tail) - at - END.size == int.from_bytes(comment, "little")
        if ends:
            yield at
    if not ends:
        raise WheelError("is not a ZIP archive, or is truncated: no end record ends where the file does")


def _read_end64(stream: BinaryIO, end: _End, locator: bytes, position: int) -> _End:
    """Read the ZIP64 end record, which must be directly before its locator, and agree with the end record."""
    _, disk, offset, disks = LOCATOR64.unpack(locator)
    if disk or disks != 1 or offset != position:
        raise WheelError("has a ZIP64 end record that is not directly before its locator")
    stream.seek(position)
    _, rest, _, _, disk, start_disk, here, *found = fields = END64.unpack(stream.read(END64.size))
    end64 = _End(*found)._replace(zip64=True)
    if (fields[0], rest, disk, start_disk, here) != (END64_SIGNATURE, END64_REST, 0, 0, end64.members):
        raise WheelError("has a malformed ZIP64 end record")
    for value, value64, maximum in zip(end[:3], end64[:3], (MAX_U16, MAX_U32, MAX_U32), strict=True):
        if value not in {value64, maximum}:
            raise WheelError("has end records that disagree with each other; unpackers would disagree, too")
    return end64


def _read_entries(data: bytes) -> Iterator[Entry]:
    position = 0
    while position < len(data):
        if len(data) - position < CENTRAL_HEADER.size or not data.startswith(CENTRAL_SIGNATURE, position):
            raise WheelError(f"has bytes in its directory that are not an entry (at its offset {position})")
        (_, _, system, version, _, flags, method, time, date, crc, compressed_size, size, *lengths, disk, internal,
         external, offset) = CENTRAL_HEADER.unpack_from(data, position)  # fmt: skip
        name_at = position + CENTRAL_HEADER.size
        extra_at = name_at + lengths[0]
        position = name_at + sum(lengths)
        if position > len(data):
            raise WheelError("has a directory that ends in the middle of an entry")
        raw_name = data[name_at:extra_at]
        name = _decoded(raw_name, flags)
        extra = extra_fields(name, data[extra_at : extra_at + lengths[1]])
        size, compressed_size, offset = _zip64_values(name, extra, (size, compressed_size, offset))
        if disk:
            raise WheelError(f"{name}: is in another archive")
        if version > MAX_VERSION:
            raise WheelError(f"{name}: needs version {version / 10} of the ZIP format, which unpackers do not know")
        date_time, mtime = _date_time(date, time), extended_mtime(extra)
        member = Member(name, method, crc, compressed_size, size, date_time, external, internal, system, mtime)
        _check_entry(member, flags)
        yield Entry(member, raw_name, flags, offset)


def _decoded(raw_name: bytes, flags: int) -> str:
    """Return a name; unpackers must agree on its encoding."""
    try:
        return raw_name.decode("utf-8" if flags & UTF8_NAME else "ascii")
    except UnicodeDecodeError as error:
        how = "not UTF-8, as its flags say" if flags & UTF8_NAME else "not ASCII, and not marked as UTF-8"
        raise WheelError(f"{raw_name!r}: is a name that is {how}; unpackers would disagree") from error


def extra_fields(name: str, extra: bytes) -> dict[int, bytes]:
    """Parse the extra fields of a member: the contents by their identifiers.

    Raises:
        WheelError: if they are malformed, one occurs twice, or one changes what some unpackers unpack.

    """
    found: dict[int, bytes] = {}
    position = 0
    while position < len(extra):
        if len(extra) - position < EXTRA_HEADER.size:
            raise WheelError(f"{name}: has a malformed extra field")
        identifier, size = EXTRA_HEADER.unpack_from(extra, position)
        position += EXTRA_HEADER.size
        if position + size > len(extra):
            raise WheelError(f"{name}: has a malformed extra field")
        if identifier in found:
            raise WheelError(f"{name}: has the extra field {identifier:#06x} twice; unpackers would disagree")
        if identifier in CONFUSING_EXTRAS:
            raise WheelError(f"{name}: has {CONFUSING_EXTRAS[identifier]} in an extra field; unpackers would disagree")
        found[identifier] = extra[position : position + size]
        position += size
    return found


def _zip64_values(name: str, extra: Mapping[int, bytes], values: tuple[int, int, int]) -> Sequence[int]:
    """Return the sizes and the offset of an entry; its ZIP64 extra field must have those that are needed, no more."""
    if not extra and MAX_U32 not in values:
        return values
    field = extra.get(ZIP64_EXTRA)
    needed = [index for index, value in enumerate(values) if value == MAX_U32]
    result = list(values)
    if field is None:
        if needed:
            raise WheelError(f"{name}: lacks the ZIP64 extra field that its entry refers to; unpackers would disagree")
        return result
    if not needed or len(field) != 8 * len(needed):
        raise WheelError(f"{name}: has a ZIP64 extra field that does not match its entry; unpackers would disagree")
    for number, index in enumerate(needed):
        result[index] = int.from_bytes(field[8 * number : 8 * number + 8], "little")
    return result


def _date_time(date: int, time: int) -> Date:
    """Return the date that two 16-bit numbers stand for (4.4.6)."""
    return (
        (date >> 9) + 1980,
        date >> 5 & 0xF,
        date & 0x1F,
        time >> 11,
        time >> 5 & 0x3F,
        (time & 0x1F) * 2,
    )


def _check_entry(member: Member, flags: int) -> None:
    """Refuse a member that is not allowed in a wheel, or that unpackers do not understand alike."""
    problem = _packing_problem(member, flags) or _kind_problem(member)
    if problem is not None:
        raise WheelError(f"{member.name}: {problem}")


def _packing_problem(member: Member, flags: int) -> str | None:
    if flags & ENCRYPTED:
        return "is encrypted"
    if flags & _UNKNOWN_FLAGS:
        return f"has the flags {flags:#06x}, which unpackers do not understand alike"
    if member.method not in _METHODS:
        return f"is compressed by method {member.method}; a wheel's are stored or deflated"
    if member.method == STORED and member.compressed_size != member.size:
        return f"is stored in {member.compressed_size} bytes and declares {member.size}"
    return None


def _kind_problem(member: Member) -> str | None:
    kind = stat.S_IFMT(member.external_attributes >> 16)
    if kind not in _KINDS:
        return "is a symbolic link" if kind == stat.S_IFLNK else "is neither a file nor a directory"
    if member.is_directory:
        return "is a directory with content" if member.size else None
    if kind == stat.S_IFDIR or member.external_attributes & _DOS_DIRECTORY:
        return "is a directory by its attributes and a file by its name"
    return None
