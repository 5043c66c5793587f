"""Read ZIP archives strictly.

The format is PKWARE's APPNOTE.TXT; the section numbers below are its own.
"""

from __future__ import annotations

import stat
import threading
import unicodedata
import zipfile
import zlib
from typing import TYPE_CHECKING, BinaryIO

from detpyc.errors import WheelError
from detpyc.wheel.zip_format import (
    DEFLATED,
    ENCRYPTED,
    LOCAL_HEADER,
    LOCAL_SIGNATURE,
    STORED,
    UTF8_NAME,
    Member,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Archive"]

_CHUNK = 1 << 20


class Archive:
    """A ZIP archive open for reading, whose members are all allowed in a wheel.

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
        """Read the directory of an archive and check it.

        Args:
            stream: seekable; it must stay open while the archive is used.

        Raises:
            WheelError: if it is not a ZIP archive or is damaged, or if a member is not allowed in a wheel: encrypted, a
                symbolic link, in an unknown compression, with a name that leads out of the wheel or occurs twice.

        """
        try:
            with zipfile.ZipFile(stream) as zip_file:
                return cls(stream, zip_file)
        except zipfile.BadZipFile as error:
            raise WheelError(f"is not a ZIP archive, or is truncated: {error}") from error
        except (NotImplementedError, ValueError, OverflowError, UnicodeDecodeError) as error:
            raise WheelError(f"is a ZIP archive that cannot be read: {error}") from error

    def _data_offset(self, info: zipfile.ZipInfo) -> int:
        """Return where a member's data start; its local header must agree with the directory."""
        if info.header_offset < 0:
            raise WheelError(f"{info.filename}: would start before the archive does; the archive is damaged")
        self.stream.seek(info.header_offset)
        header = self.stream.read(LOCAL_HEADER.size)
        if len(header) < LOCAL_HEADER.size or not header.startswith(LOCAL_SIGNATURE):
            raise WheelError(
                f"{info.filename}: has no local header at offset {info.header_offset}; the archive is damaged"
            )
        _, _, flags, *_, name_size, extra_size = LOCAL_HEADER.unpack(header)
        name = self.stream.read(name_size).decode("utf-8" if flags & UTF8_NAME else "cp437", "replace")
        if name != info.orig_filename:
            raise WheelError(f"{info.filename}: is named {name!r} in its local header; unpackers would disagree")
        start: int = info.header_offset + LOCAL_HEADER.size + name_size + extra_size
        return start

    def _check_overlap(self) -> None:
        end, before = 0, ""
        for name, offset in sorted(self._offsets.items(), key=lambda item: item[1]):
            if offset < end:
                raise WheelError(f"{name}: its data overlap those of {before}")
            end, before = offset + self.members[name].compressed_size, name

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


def _name_problems(infos: Iterable[zipfile.ZipInfo]) -> Iterator[str]:
    """Yield a problem for each name that is not allowed in a wheel, such as one that leads out of it."""
    for info in infos:
        name = info.orig_filename  # as written; zipfile has cut `filename` at a NUL and turned the system's separators
        parts = name.removesuffix("/").split("/")
        if name.startswith("/"):
            yield f"{name}: is an absolute path"
        elif "\\" in name or "\0" in name:
            yield f"{name!r}: contains a backslash or a NUL"
        elif len(name) > 1 and name[1] == ":":
            yield f"{name}: starts with a drive"
        elif not {"", ".", ".."}.isdisjoint(parts):
            yield f"{name}: has an empty, '.' or '..' part"
        elif info.filename != name:  # which zipfile takes from an extra field (4.6.9) since Python 3.12
            yield f"{name}: is named {info.filename!r} in an extra field; unpackers would disagree"


def _collisions(infos: Iterable[zipfile.ZipInfo]) -> Iterator[str]:
    """Yield a problem for each two names of one file, or of a file and a directory.

    Some file systems ignore letter case and how accents are composed.
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
    if info.flag_bits & ENCRYPTED:
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
