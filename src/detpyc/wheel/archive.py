"""ZIP archives: members read strictly, written deterministically, copied without being compressed again.

The format is PKWARE's APPNOTE.TXT; the section numbers below are its own.
"""

from __future__ import annotations

import hashlib
import stat
import threading
import unicodedata
import zipfile
import zlib
from dataclasses import dataclass, replace
from struct import Struct
from typing import TYPE_CHECKING, BinaryIO

from detpyc.errors import WheelError
from detpyc.reproducible import CREATE_SYSTEM, CREATE_VERSION, FILE_MODE, Date, deflate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

STORED = zipfile.ZIP_STORED
DEFLATED = zipfile.ZIP_DEFLATED

_CHUNK = 1 << 20

# The records, each with the signature that it starts with.
_LOCAL_HEADER, _LOCAL_SIGNATURE = Struct("<4s5H3L2H"), b"PK\x03\x04"  # 4.3.7
_CENTRAL_HEADER, _CENTRAL_SIGNATURE = Struct("<4s4B4H3L5H2L"), b"PK\x01\x02"  # 4.3.12
_END64, _END64_SIGNATURE = Struct("<4sQ2H2L4Q"), b"PK\x06\x06"  # 4.3.14
_LOCATOR64, _LOCATOR64_SIGNATURE = Struct("<4sLQL"), b"PK\x06\x07"  # 4.3.15
_END, _END_SIGNATURE = Struct("<4s4H2LH"), b"PK\x05\x06"  # 4.3.16

_ENCRYPTED = 0x1 | 0x40 | 0x2000  # 4.4.4: bits 0, 6 and 13
_UTF8_NAME = 0x800  # 4.4.4: bit 11
_VERSION_ZIP64 = 45  # 4.4.3.2
_ZIP64_EXTRA = 0x0001  # 4.5.3
_MAX_U16 = 0xFFFF
_MAX_U32 = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Member:
    """What a ZIP archive says of a file in it.

    Attributes:
        name: with ``/`` on every system.
        method: STORED or DEFLATED.
        crc: CRC-32 of the content.
        compressed_size: in bytes.
        size: of the content, in bytes.
        date_time: of its last modification.
        external_attributes: with the file's mode in the upper half, if made on Unix.
        internal_attributes: bit 0 marks a text.
        create_system: whose attributes these are; 3 is Unix.

    """

    name: str
    method: int
    crc: int
    compressed_size: int
    size: int
    date_time: Date
    external_attributes: int = FILE_MODE << 16
    internal_attributes: int = 0
    create_system: int = CREATE_SYSTEM

    @property
    def is_directory(self) -> bool:
        """Whether it only stands for a directory."""
        return self.name.endswith("/")


@dataclass(frozen=True, slots=True)
class NewMember:
    """A file to be added to an archive, compressed already.

    Attributes:
        member: what the archive is to say of it.
        compressed: its bytes there.
        sha256: the digest of its content.

    """

    member: Member
    compressed: bytes
    sha256: bytes

    @classmethod
    def make(cls, name: str, content: bytes, like: Member, *, stored: bool = False) -> NewMember:
        """Make a file that takes its date from another member, and the fixed mode of what is added."""
        compressed = content if stored else deflate(content)
        method = STORED if stored else DEFLATED
        member = Member(name, method, zlib.crc32(content), len(compressed), len(content), like.date_time)
        return cls(member, compressed, hashlib.sha256(content).digest())

    @classmethod
    def replacing(cls, old: Member, content: bytes) -> NewMember:
        """Give a member another content; it keeps its date, its mode and its compression."""
        stored = old.method == STORED
        compressed = content if stored else deflate(content)
        member = replace(old, crc=zlib.crc32(content), compressed_size=len(compressed), size=len(content))
        return cls(member, compressed, hashlib.sha256(content).digest())


class Archive:
    """A ZIP archive open for reading, all of whose members are such as may stand in a wheel.

    Several threads may read it at the same time.

    Attributes:
        members: by name, in archive order.

    """

    def __init__(self, stream: BinaryIO, zip_file: zipfile.ZipFile) -> None:
        infos = zip_file.infolist()
        self.stream = stream
        self.members: dict[str, Member] = {}
        self._offsets: dict[str, int] = {}
        self._reading = threading.Lock()  # the stream has one position
        problems = [
            *_name_problems(infos),
            *_collisions(infos),
            *(problem for info in infos for problem in _member_problems(info)),
        ]
        if problems:
            raise WheelError(*problems)
        for info in infos:
            self.members[info.filename] = Member(
                info.filename,
                info.compress_type,
                info.CRC,
                info.compress_size,
                info.file_size,
                info.date_time,
                info.external_attr,
                info.internal_attr,
                info.create_system,
            )
            self._offsets[info.filename] = self._data_offset(info)
        self._check_overlap()

    @classmethod
    def open(cls, stream: BinaryIO) -> Archive:
        """Read the directory of an archive and check all that it says.

        Args:
            stream: seekable; it stays open, and must, for as long as the archive is used.

        Raises:
            WheelError: if it is no ZIP archive or is damaged, or if a member may not stand in a wheel: encrypted, a
                symbolic link, in an unknown compression, with a name that leads out of the wheel or occurs twice.

        """
        try:
            with zipfile.ZipFile(stream) as zip_file:
                return cls(stream, zip_file)
        except zipfile.BadZipFile as error:
            raise WheelError(f"it is no ZIP archive, or a truncated one: {error}") from error
        except (NotImplementedError, ValueError, OverflowError, UnicodeDecodeError) as error:
            raise WheelError(f"it is a ZIP archive that cannot be read: {error}") from error

    def _data_offset(self, info: zipfile.ZipInfo) -> int:
        """Find where a member's data start, holding its local header against the directory."""
        if info.header_offset < 0:
            raise WheelError(f"{info.filename}: would start before the archive does; the archive is damaged")
        self.stream.seek(info.header_offset)
        header = self.stream.read(_LOCAL_HEADER.size)
        if len(header) < _LOCAL_HEADER.size or not header.startswith(_LOCAL_SIGNATURE):
            raise WheelError(
                f"{info.filename}: has no local header at offset {info.header_offset}; the archive is damaged"
            )
        _, _, flags, *_, name_size, extra_size = _LOCAL_HEADER.unpack(header)
        name = self.stream.read(name_size).decode("utf-8" if flags & _UTF8_NAME else "cp437", "replace")
        if name != info.orig_filename:
            raise WheelError(f"{info.filename}: is named {name!r} in its local header; unpackers would disagree")
        start: int = info.header_offset + _LOCAL_HEADER.size + name_size + extra_size
        return start

    def _check_overlap(self) -> None:
        end, before = 0, ""
        for name, offset in sorted(self._offsets.items(), key=lambda item: item[1]):
            if offset < end:
                raise WheelError(f"{name}: its data overlap those of {before}")
            end, before = offset + self.members[name].compressed_size, name

    def raw_chunks(self, name: str) -> Iterator[bytes]:
        """Give the compressed bytes of a member.

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
        """Give the content of a member, checking it against the declared size and CRC-32.

        Raises:
            WheelError: if it does not inflate, or to something else than declared.

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


def _name_problems(infos: Iterable[zipfile.ZipInfo]) -> Iterator[str]:
    """Say which names may not stand in a wheel: they would be unpacked outside of it."""
    for info in infos:
        name = info.orig_filename  # as written; zipfile has cut `filename` at a NUL and turned the system's separators
        parts = name.removesuffix("/").split("/")
        if name.startswith("/"):
            yield f"{name}: is an absolute path"
        elif "\\" in name or "\0" in name:
            yield f"{name!r}: holds a backslash or a NUL"
        elif len(name) > 1 and name[1] == ":":
            yield f"{name}: starts with a drive"
        elif not {"", ".", ".."}.isdisjoint(parts):
            yield f"{name}: has an empty, '.' or '..' part"
        elif info.filename != name:  # which zipfile takes from an extra field (4.6.9) since Python 3.12
            yield f"{name}: is named {info.filename!r} in an extra field; unpackers would disagree"


def _collisions(infos: Iterable[zipfile.ZipInfo]) -> Iterator[str]:
    """Say which names stand for one file, or for a file and a directory.

    Letter case, and how accents are composed, do not tell files apart on every file system.
    """
    seen: dict[str, str] = {}
    files: set[str] = set()
    directories: dict[str, str] = {}
    for info in infos:
        name = info.orig_filename
        key = _folded(name.removesuffix("/"))
        if key in seen:
            as_well = (
                "" if seen[key] == name else f", as {seen[key]}, on systems that ignore letter case or Unicode form"
            )
            yield f"{name}: occurs twice{as_well}"
        seen[key] = name
        if not name.endswith("/"):
            files.add(key)
        parent = key.rpartition("/")[0]
        while parent and parent not in directories:  # what is above a known one is known as well
            directories[parent] = name
            parent = parent.rpartition("/")[0]
    for key in sorted(files & directories.keys()):
        yield f"{seen[key]}: is a file, and {directories[key]} would be in a directory of that name"


def _folded(name: str) -> str:
    if name.isascii():  # as nearly all are; the general way takes several times as long
        return name.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _member_problems(info: zipfile.ZipInfo) -> Iterator[str]:
    if info.flag_bits & _ENCRYPTED:
        yield f"{info.filename}: is encrypted"
    if info.compress_type not in {STORED, DEFLATED}:
        yield f"{info.filename}: is compressed by method {info.compress_type}; a wheel's are stored or deflated"
    if info.compress_type == STORED and info.compress_size != info.file_size:
        yield f"{info.filename}: is stored in {info.compress_size} bytes and declares {info.file_size}"
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind == stat.S_IFLNK:
        yield f"{info.filename}: is a symbolic link"
    elif kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
        yield f"{info.filename}: is neither a file nor a directory"


class ArchiveWriter:
    """Writes a ZIP archive without data descriptors, comments or extra fields (but ZIP64's, where a size needs it)."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream
        self.position = 0  # in the archive, with what is still to be written
        self.written = 0
        self.pending: list[bytes] = []
        self.directory: list[bytes] = []

    def add(self, member: Member, chunks: Iterable[bytes]) -> None:
        """Write a member.

        Args:
            member: what the archive is to say of it.
            chunks: its compressed bytes.

        """
        name = member.name.encode("utf-8")
        flags = 0 if name.isascii() else _UTF8_NAME
        large = member.size >= _MAX_U32 or member.compressed_size >= _MAX_U32
        far = self.position >= _MAX_U32
        version = _VERSION_ZIP64 if large or far else CREATE_VERSION
        sizes = (_MAX_U32, _MAX_U32) if large else (member.compressed_size, member.size)
        fields = [member.size, member.compressed_size] if large else []
        local_extra = _zip64_extra(fields)
        extra = _zip64_extra([*fields, self.position] if far else fields)
        offset = _MAX_U32 if far else self.position
        attributes = member.internal_attributes, member.external_attributes
        described = flags, member.method, *_dos_time_and_date(member.date_time), member.crc, *sizes
        made_by = version, member.create_system
        # No comment, and the file is on the first disk.
        central = _CENTRAL_HEADER.pack(
            _CENTRAL_SIGNATURE, *made_by, version, 0, *described, len(name), len(extra), 0, 0, *attributes, offset
        )
        self.directory.append(central + name + extra)
        local = _LOCAL_HEADER.pack(_LOCAL_SIGNATURE, version, *described, len(name), len(local_extra))
        self._write(local + name + local_extra)
        for chunk in chunks:
            self._write(chunk)

    def finish(self) -> None:
        """Write the directory."""
        start, count = self.position, len(self.directory)
        self._write(b"".join(self.directory))
        size = self.position - start
        if count >= _MAX_U16 or start >= _MAX_U32 or size >= _MAX_U32:
            end = self.position
            versions = (_VERSION_ZIP64, _VERSION_ZIP64)
            rest = _END64.size - 12  # the size field does not count itself and what is before it
            self._write(_END64.pack(_END64_SIGNATURE, rest, *versions, 0, 0, count, count, size, start))
            self._write(_LOCATOR64.pack(_LOCATOR64_SIGNATURE, 0, end, 1))
        count, size, start = min(count, _MAX_U16), min(size, _MAX_U32), min(start, _MAX_U32)
        self._write(_END.pack(_END_SIGNATURE, 0, 0, count, count, size, start, 0))
        self._flush()

    def _write(self, data: bytes) -> None:
        self.pending.append(data)
        self.position += len(data)
        if self.position - self.written >= _CHUNK:  # many small writes take several times as long
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
    return Struct(f"<2H{len(fields)}Q").pack(_ZIP64_EXTRA, 8 * len(fields), *fields)
