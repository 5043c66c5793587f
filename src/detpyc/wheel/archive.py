"""Read ZIP archives, if every unpacker would find the same members with the same content in them.

The format is PKWARE's APPNOTE.TXT; the section numbers below are its own.
"""

from __future__ import annotations

import threading
import zlib
from typing import TYPE_CHECKING, BinaryIO

from detpyc.errors import WheelError
from detpyc.wheel.directory import Entry, extra_fields, read_directory
from detpyc.wheel.member_names import name_problems
from detpyc.wheel.zip_format import (
    DESCRIPTOR,
    DESCRIPTOR64,
    DESCRIPTOR_SIGNATURE,
    HAS_DESCRIPTOR,
    LOCAL_HEADER,
    LOCAL_SIGNATURE,
    MAX_U32,
    STORED,
    ZIP64_EXTRA,
    Member,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Archive"]

_CHUNK = 1 << 20
_ZIP64_FIELD = 16  # bytes: a local header's has both sizes (4.5.3)


class Archive:
    """A ZIP archive open for reading, whose members are all allowed in a wheel.

    Several threads may read it at the same time.

    Attributes:
        members: by name, in archive order.
        zip64: whether it has a ZIP64 end record.

    """

    def __init__(self, stream: BinaryIO, *, zipapp: bool = False) -> None:
        """Read the directory of an archive, and the headers of its members.

        Args:
            stream: seekable; it must stay open while the archive is used.
            zipapp: whether a program for the system may be before it.

        Raises:
            WheelError: if it is not a ZIP archive or is damaged, if unpackers would not find the same members, or if a
                member is not allowed in a wheel: encrypted, a symbolic link, in an unknown compression, with a name
                that leads out of the wheel or that another member has on some systems.

        """
        self.stream = stream
        self._reading = threading.Lock()  # the stream has one position
        entries, directory_start, first, self.zip64 = read_directory(stream, zipapp=zipapp)
        problems = name_problems(entry.member.name for entry in entries)
        if problems:
            raise WheelError(*problems)
        self.members = {entry.member.name: entry.member for entry in entries}
        self._offsets = dict.fromkeys(self.members, 0)
        end, before = first, ""
        for entry in sorted(entries, key=lambda entry: entry.offset):
            name, expected = entry.member.name, end
            self._offsets[name], end = self._read_local_header(entry)
            if entry.offset < expected:
                raise WheelError(f"{name}: its data overlap those of {before}")
            if entry.offset > expected:
                raise WheelError(f"{name}: {entry.offset - expected} bytes before it belong to no member")
            before = name
        if end != directory_start:
            what = f"{directory_start - end} bytes before the directory belong to no member"
            raise WheelError(what if end < directory_start else f"{before}: its data overlap the directory")

    def _read_local_header(self, entry: Entry) -> tuple[int, int]:
        """Compare the local header of a member with the directory; return where its data start and where it ends."""
        name, member = entry.member.name, entry.member
        self.stream.seek(entry.offset)
        header = self.stream.read(LOCAL_HEADER.size + len(entry.raw_name))
        if len(header) < LOCAL_HEADER.size or not header.startswith(LOCAL_SIGNATURE):
            raise WheelError(f"{name}: has no local header at offset {entry.offset}; the archive is damaged")
        _, _, flags, method, _, _, crc, compressed_size, size, name_size, extra_size = LOCAL_HEADER.unpack_from(header)
        if (name_size, header[LOCAL_HEADER.size :]) != (len(entry.raw_name), entry.raw_name):
            raise WheelError(f"{name}: has another name in its local header; unpackers would disagree")
        fields = extra_fields(name, self.stream.read(extra_size)) if extra_size else {}
        described = bool(entry.flags & HAS_DESCRIPTOR)
        sizes = _zip64_sizes(name, fields.get(ZIP64_EXTRA), (size, compressed_size), described=described)
        found = flags, method, crc, *sizes
        expected = entry.flags, member.method, member.crc, member.size, member.compressed_size
        later = entry.flags, member.method, 0, 0, 0
        if found != expected and not (described and found == later):
            raise WheelError(f"{name}: its local header does not agree with the directory; unpackers would disagree")
        if described and found != expected and member.method == STORED:
            raise WheelError(f"{name}: is stored without its size before it; unpackers could disagree where it ends")
        start: int = entry.offset + LOCAL_HEADER.size + name_size + extra_size
        end = start + member.compressed_size
        return start, self._skip_descriptor(member, end, large=ZIP64_EXTRA in fields) if described else end

    def _skip_descriptor(self, member: Member, position: int, *, large: bool) -> int:
        """Compare a data descriptor (4.3.9) with the directory; return where it ends."""
        descriptor = DESCRIPTOR64 if large else DESCRIPTOR
        self.stream.seek(position)
        data = self.stream.read(descriptor.size)
        expected = DESCRIPTOR_SIGNATURE, member.crc, member.compressed_size, member.size
        if len(data) != descriptor.size or descriptor.unpack(data) != expected:
            raise WheelError(
                f"{member.name}: its data descriptor does not agree with the directory; unpackers would disagree"
            )
        return position + descriptor.size

    def raw_chunks(self, name: str) -> Iterator[bytes]:
        """Yield the compressed bytes of a member.

        Raises:
            WheelError: if the archive ends before they do.

        """
        remaining = self.members[name].compressed_size
        offset = self._offsets[name]
        while remaining:
            with self._reading:
                self.stream.seek(offset)
                chunk = self.stream.read(min(remaining, _CHUNK))
            if not chunk:
                raise WheelError(f"{name}: the archive ends in the middle of it")
            offset += len(chunk)
            remaining -= len(chunk)
            yield chunk

    def chunks(self, name: str) -> Iterator[bytes]:
        """Yield the content of a member, and compare it with the declared size and CRC-32.

        Raises:
            WheelError: if it does not inflate, or not to what is declared.

        """
        member = self.members[name]
        size = crc = 0
        for chunk in self.raw_chunks(name) if member.method == STORED else self._inflated(name):
            size += len(chunk)
            if size > member.size:
                raise WheelError(f"{name}: inflates past its declared {member.size} bytes")
            crc = zlib.crc32(chunk, crc)
            yield chunk
        if size < member.size:
            raise WheelError(f"{name}: has {size} bytes and declares {member.size}")
        if crc != member.crc:
            raise WheelError(f"{name}: its CRC-32 is wrong; the archive is damaged")

    def _inflated(self, name: str) -> Iterator[bytes]:
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        # One byte more than there should be shows whether there are more; most members are inflated in one go.
        limit = min(self.members[name].size + 1, _CHUNK)
        try:
            for raw in self.raw_chunks(name):
                pending = raw
                while pending and not inflater.eof:
                    yield inflater.decompress(pending, limit)
                    pending = inflater.unconsumed_tail
            if not inflater.eof:
                yield inflater.flush()
        except zlib.error as error:
            raise WheelError(f"{name}: does not inflate: {error}") from error
        if not inflater.eof:
            raise WheelError(f"{name}: its compressed data end too early")
        if inflater.unused_data:
            raise WheelError(f"{name}: has bytes after the end of its compressed data")

    def read(self, name: str) -> bytes:
        """Return the content of a member, checked as in `chunks`."""
        return b"".join(self.chunks(name))


def _zip64_sizes(name: str, field: bytes | None, sizes: tuple[int, int], *, described: bool) -> tuple[int, int]:
    """Return the two sizes that a local header declares; its ZIP64 extra field has both, or there is none.

    Where it is not needed, it must have the same sizes, as `zipfile` wrote them before 3.11.4 (CPython's issue 103861).
    """
    if field is None and MAX_U32 not in sizes:
        return sizes
    if field is not None and len(field) == _ZIP64_FIELD:
        found = int.from_bytes(field[:8], "little"), int.from_bytes(field[8:], "little")
        # Before a data descriptor, the field alone decides how long that is, and unpackers look for it differently.
        if sizes == (MAX_U32, MAX_U32) or (found == sizes and not described):
            return found
    raise WheelError(f"{name}: has a ZIP64 extra field that does not match its header; unpackers would disagree")
