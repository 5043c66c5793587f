"""Write ZIP archives deterministically."""

from __future__ import annotations

import hashlib
import zlib
from struct import Struct
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from detpyc.reproducible import CREATE_VERSION, deflate
from detpyc.wheel.zip_format import (
    CENTRAL_HEADER,
    CENTRAL_SIGNATURE,
    DEFLATED,
    END,
    END64,
    END64_SIGNATURE,
    END_SIGNATURE,
    LOCAL_HEADER,
    LOCAL_SIGNATURE,
    LOCATOR64,
    LOCATOR64_SIGNATURE,
    MAX_U16,
    MAX_U32,
    STORED,
    UTF8_NAME,
    VERSION_ZIP64,
    ZIP64_EXTRA,
    Member,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from detpyc.reproducible import Date

__all__ = ["ArchiveWriter", "NewMember", "Packed"]

_BUFFER = 1 << 20  # bytes; many small writes take several times as long


class Packed(NamedTuple):
    """A content as an archive has it.

    Attributes:
        method: STORED or DEFLATED.
        compressed: its bytes in the archive.
        size: of the content, in bytes.
        crc: CRC-32 of the content.
        sha256: the digest of the content.

    """

    method: int
    compressed: bytes
    size: int
    crc: int
    sha256: bytes

    @classmethod
    def of(cls, content: bytes, *, stored: bool = False) -> Packed:
        """Compress a content, unless it is to be stored, and compute its checksums."""
        return cls(
            STORED if stored else DEFLATED,
            content if stored else deflate(content),
            len(content),
            zlib.crc32(content),
            hashlib.sha256(content).digest(),
        )


class NewMember(NamedTuple):
    """A file to add to an archive.

    Attributes:
        member: what the archive records of it.
        compressed: its bytes there.
        sha256: the digest of its content.

    """

    member: Member
    compressed: bytes
    sha256: bytes

    @classmethod
    def of(cls, name: str, packed: Packed, date: Date) -> NewMember:
        """Name a packed content; the member gets the fixed mode of everything that detpyc adds."""
        member = Member(name, packed.method, packed.crc, len(packed.compressed), packed.size, date)
        return cls(member, packed.compressed, packed.sha256)

    @classmethod
    def make(cls, name: str, content: bytes, like: Member, *, stored: bool = False) -> NewMember:
        """Return a file that has the date of another member."""
        return cls.of(name, Packed.of(content, stored=stored), like.date_time)

    @classmethod
    def replacing(cls, old: Member, content: bytes) -> NewMember:
        """Return a member with another content; it keeps its date, its mode and its compression."""
        packed = Packed.of(content, stored=old.method == STORED)
        member = old._replace(crc=packed.crc, compressed_size=len(packed.compressed), size=packed.size)
        return cls(member, packed.compressed, packed.sha256)


class ArchiveWriter:
    """Writes a ZIP archive without data descriptors, comments or extra fields (but ZIP64's, where a size needs it)."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream
        self.position = 0  # in the archive, with what is in the buffer
        self.written = 0
        self.pending: list[bytes] = []
        self.directory: list[bytes] = []

    def add(self, member: Member, chunks: Iterable[bytes]) -> None:
        """Write a member.

        Args:
            member: what the archive is to record of it.
            chunks: its compressed bytes.

        """
        name = member.name.encode("utf-8")
        flags = 0 if name.isascii() else UTF8_NAME
        large = member.size >= MAX_U32 or member.compressed_size >= MAX_U32
        far = self.position >= MAX_U32
        version = VERSION_ZIP64 if large or far else CREATE_VERSION
        sizes = (MAX_U32, MAX_U32) if large else (member.compressed_size, member.size)
        fields = [member.size, member.compressed_size] if large else []
        local_extra = _zip64_extra(fields)
        extra = _zip64_extra([*fields, self.position] if far else fields)
        offset = MAX_U32 if far else self.position
        attributes = member.internal_attributes, member.external_attributes
        described = flags, member.method, *_dos_time_and_date(member.date_time), member.crc, *sizes
        made_by = version, member.create_system
        # No comment, and the file is on the first disk.
        central = CENTRAL_HEADER.pack(
            CENTRAL_SIGNATURE, *made_by, version, 0, *described, len(name), len(extra), 0, 0, *attributes, offset
        )
        self.directory.append(central + name + extra)
        local = LOCAL_HEADER.pack(LOCAL_SIGNATURE, version, *described, len(name), len(local_extra))
        self._write(local + name + local_extra)
        for chunk in chunks:
            self._write(chunk)

    def finish(self) -> None:
        """Write the directory."""
        start, count = self.position, len(self.directory)
        self._write(b"".join(self.directory))
        size = self.position - start
        if count >= MAX_U16 or start >= MAX_U32 or size >= MAX_U32:
            end = self.position
            versions = (VERSION_ZIP64, VERSION_ZIP64)
            rest = END64.size - 12  # the size field does not count itself and what is before it
            self._write(END64.pack(END64_SIGNATURE, rest, *versions, 0, 0, count, count, size, start))
            self._write(LOCATOR64.pack(LOCATOR64_SIGNATURE, 0, end, 1))
        count, size, start = min(count, MAX_U16), min(size, MAX_U32), min(start, MAX_U32)
        self._write(END.pack(END_SIGNATURE, 0, 0, count, count, size, start, 0))
        self._flush()

    def _write(self, data: bytes) -> None:
        self.pending.append(data)
        self.position += len(data)
        if self.position - self.written >= _BUFFER:
            self._flush()

    def _flush(self) -> None:
        self.stream.write(b"".join(self.pending))
        self.pending.clear()
        self.written = self.position


def _dos_time_and_date(date: Date) -> tuple[int, int]:
    """Return the two 16-bit numbers that stand for a date (4.4.6)."""
    year, month, day, hour, minute, second = date
    return hour << 11 | minute << 5 | second // 2, (year - 1980) << 9 | month << 5 | day


def _zip64_extra(fields: list[int]) -> bytes:
    if not fields:
        return b""
    return Struct(f"<2H{len(fields)}Q").pack(ZIP64_EXTRA, 8 * len(fields), *fields)
