"""ZIP archives from which unpackers read different members, and legal ones that look similar."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import wheels
from detpyc.reproducible import deflate
from hostile.cases import FAILED, PASSED, Case
from pycs import HERE, SOURCE, TAG, pyc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

NAME = "demo-1.0-py3-none-any.whl"
CORE = "demo/core.py"
PYC = f"demo/__pycache__/core.{TAG}.pyc"
FILES = {CORE: SOURCE, PYC: pyc(SOURCE, CORE), "demo/caf\xe9.txt": b"words\n"}

LOCAL, CENTRAL, END = struct.Struct("<4s5H3L2H"), struct.Struct("<4s6H3L5H2L"), struct.Struct("<4s4H2LH")
SECOND = 1  # of the members: the one with bytecode
NAME_EXTRA = struct.pack("<2HBL", 0x7075, 5 + len("evil.py"), 1, zlib.crc32(PYC.encode())) + b"evil.py"
TIMESTAMP = struct.pack("<2HBL", 0x5455, 5, 1, 1_600_000_000)


@dataclass
class Raw:
    """An archive in pieces.

    Attributes:
        members: the local header, the name, the extra fields and the data of every member.
        entries: the central headers with what follows them.

    """

    members: list[bytes]
    entries: list[bytes]

    @classmethod
    def of(cls, data: bytes) -> Raw:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = archive.infolist()
            start = archive.start_dir
        bounds = [*(info.header_offset for info in infos), start]
        members = [data[begin:end] for begin, end in pairwise(bounds)]
        entries = []
        for _ in infos:
            sizes = CENTRAL.unpack_from(data, start)[10:13]
            end = start + CENTRAL.size + sum(sizes)
            entries.append(data[start:end])
            start = end
        return cls(members, entries)

    def pack(self, *, before: bytes = b"", gap: bytes = b"", behind: bytes = b"", count: int = 0) -> bytes:
        """Join the pieces, with offsets that are right; something before, between members and directory, and behind."""
        data = bytearray(before)
        directory = bytearray()
        for number, member in enumerate(self.members):
            if number < len(self.entries):
                entry = bytearray(self.entries[number])
                struct.pack_into("<L", entry, 42, len(data))
                directory += entry
            data += member
        data += gap
        number = len(self.entries)
        end = END.pack(b"PK\5\6", 0, 0, number + count, number + count, len(directory), len(data), 0)
        return bytes(data + directory + end + behind)


def sound(files: dict[str, bytes] = FILES, *, stored: bool = False) -> bytes:
    """Return the bytes of a good wheel."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED) as archive:
        for name, content in wheels.complete(files).items():
            info = zipfile.ZipInfo(name, wheels.DATE)
            info.compress_type = archive.compression
            info.external_attr = 0o100644 << 16
            archive.writestr(info, content)
    return stream.getvalue()


def raw() -> Raw:
    return Raw.of(sound())


def extended(header: bytes, field: bytes, *, central: bool) -> bytes:
    """Add an extra field to a member or an entry."""
    size_at, start = (30, 46) if central else (28, 30)
    name_size, extra_size = struct.unpack_from("<2H", header, size_at - 2)
    changed = bytearray(header)
    struct.pack_into("<H", changed, size_at, extra_size + len(field))
    end = start + name_size + extra_size
    return bytes(changed[:end] + field + changed[end:])


def written(make: Callable[[], bytes]) -> Callable[[Path], Path]:
    def build(directory: Path) -> Path:
        path = directory / NAME
        path.write_bytes(make())
        return path

    build.__name__ = make.__name__
    return build


# ---- bytes that belong to no member


def hidden_member() -> bytes:
    """Some unpackers read local headers one after the other."""
    archive = Raw.of(sound({**FILES, "evil.py": b"evil = 1\n"}))
    number = list(wheels.complete({**FILES, "evil.py": b""})).index("evil.py")
    parts = raw()
    parts.members[number - 1] += archive.members[number]
    return parts.pack()


def hidden_first_member() -> bytes:
    archive = raw()
    return archive.pack(before=archive.members[0])


def hidden_last_member() -> bytes:
    archive = raw()
    return archive.pack(gap=archive.members[0])


def bytes_between_members() -> bytes:
    archive = raw()
    archive.members[0] += b"\0"
    return archive.pack()


def bytes_before_the_directory() -> bytes:
    return raw().pack(gap=b"\0")


def bytes_before_the_archive() -> bytes:
    return b"#!/bin/sh\n" + sound()


def bytes_before_the_first_member() -> bytes:
    return raw().pack(before=b"#!/bin/sh\n")


def bytes_behind_the_archive() -> bytes:
    return sound() + b"\0"


def two_directories() -> bytes:
    """The first is of the same members but one."""
    archive = raw()
    first = b"".join(archive.entries[1:])
    return archive.pack(gap=first)


def two_ends() -> bytes:
    archive = raw()
    first = archive.pack()
    return archive.pack(gap=first[first.index(archive.entries[0][:46]) :])


def concatenated() -> bytes:
    return sound({CORE: b"evil = 1\n"}) + sound()


def archive_in_a_comment() -> bytes:
    """Some unpackers search for the end record forwards, and some backwards."""
    inner = sound({CORE: b"evil = 1\n"})
    return commented(sound(), inner)


def end_in_a_comment() -> bytes:
    return commented(sound(), b"words " + END.pack(b"PK\5\6", 0, 0, 0, 0, 0, 0, 0))


def signature_in_a_comment() -> bytes:
    return commented(sound(), b"words PK\5\6 words")


def commented(data: bytes, comment: bytes) -> bytes:
    return data[:-2] + struct.pack("<H", len(comment)) + comment


def wrong_count() -> bytes:
    return raw().pack(count=1)


def overlapping_members() -> bytes:
    archive = raw()
    data = bytearray(archive.pack())
    at = data.index(archive.entries[1][:42])
    struct.pack_into("<L", data, at + 42, 0)
    return bytes(data)


# ---- headers that disagree


def local(offset: int, layout: str, value: int) -> bytes:
    archive = raw()
    member = bytearray(archive.members[SECOND])
    struct.pack_into(layout, member, offset, value)
    archive.members[SECOND] = bytes(member)
    return archive.pack()


def local_flags() -> bytes:
    return local(6, "<H", 2)


def local_method() -> bytes:
    return local(8, "<H", 0)


def local_crc() -> bytes:
    return local(14, "<L", 1)


def local_compressed_size() -> bytes:
    return local(18, "<L", 1)


def local_size() -> bytes:
    return local(22, "<L", 1)


def local_name() -> bytes:
    archive = raw()
    archive.members[SECOND] = archive.members[SECOND].replace(PYC.encode(), PYC.replace("core", "evil").encode())
    return archive.pack()


def unicode_path_in_local_header() -> bytes:
    archive = raw()
    archive.members[SECOND] = extended(archive.members[SECOND], NAME_EXTRA, central=False)
    return archive.pack()


def unicode_path_in_directory() -> bytes:
    archive = raw()
    archive.entries[SECOND] = extended(archive.entries[SECOND], NAME_EXTRA, central=True)
    return archive.pack()


def zip64(*values: int) -> bytes:
    return struct.pack(f"<2H{len(values)}Q", 1, 8 * len(values), *values)


def needless_zip64_in_directory() -> bytes:
    archive = raw()
    archive.entries[SECOND] = extended(archive.entries[SECOND], zip64(1, 1), central=True)
    return archive.pack()


def needless_zip64_in_local_header() -> bytes:
    archive = raw()
    archive.members[SECOND] = extended(archive.members[SECOND], zip64(1, 1), central=False)
    return archive.pack()


def needless_zip64_that_agrees() -> bytes:
    """As `zipfile` wrote it before 3.11.4 for what may become large; so does what builds protobuf's wheels."""
    archive = raw()
    for number, member in enumerate(archive.members):
        compressed_size, size = struct.unpack_from("<2L", member, 18)
        archive.members[number] = extended(member, zip64(size, compressed_size), central=False)
    return archive.pack()


def needless_zip64_before_a_descriptor() -> bytes:
    archive = Raw.of(streamed())
    archive.members[SECOND] = extended(archive.members[SECOND], zip64(0, 0), central=False)
    return archive.pack()


def doubled_zip64() -> bytes:
    archive = raw()
    entry = bytearray(archive.entries[SECOND])
    (size,) = struct.unpack_from("<L", entry, 24)
    struct.pack_into("<L", entry, 24, 0xFFFFFFFF)
    archive.entries[SECOND] = extended(bytes(entry), zip64(size) + zip64(1), central=True)
    return archive.pack()


def zip64_with_more_than_needed() -> bytes:
    archive = raw()
    entry = bytearray(archive.entries[SECOND])
    (size,) = struct.unpack_from("<L", entry, 24)
    struct.pack_into("<L", entry, 24, 0xFFFFFFFF)
    archive.entries[SECOND] = extended(bytes(entry), zip64(size, 1), central=True)
    return archive.pack()


def zip64_end_that_disagrees() -> bytes:
    archive = raw()
    data = archive.pack()
    end = END.unpack(data[-22:])
    position = len(data) - 22
    record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, end[3] - 1, end[3] - 1, end[5], end[6])
    return data[:-22] + record + struct.pack("<4sLQL", b"PK\6\7", 0, position, 1) + data[-22:]


def malformed_extra_field() -> bytes:
    archive = raw()
    archive.entries[SECOND] = extended(archive.entries[SECOND], b"\x55\x54\x09\x00\x01", central=True)
    return archive.pack()


def name_of_no_encoding() -> bytes:
    """A name that is not ASCII, and not marked as UTF-8."""
    archive = raw()
    for pieces, at in ((archive.members, 6), (archive.entries, 8)):
        (number,) = (number for number, piece in enumerate(pieces) if b"caf\xc3\xa9" in piece)
        piece = bytearray(pieces[number])
        struct.pack_into("<H", piece, at, 0)
        pieces[number] = bytes(piece)
    return archive.pack()


def name_with_a_version() -> bytes:
    """As on VMS; unzip removes it."""
    return sound({**FILES, f"{PYC};1": b""})


def name_with_a_control_character() -> bytes:
    return sound({**FILES, PYC.replace(".pyc", ".p\x7fyc"): b""})


def encrypted() -> bytes:
    return flagged(1)


def patched() -> bytes:
    return flagged(0x20)


def flagged(flags: int) -> bytes:
    archive = raw()
    for pieces, at in ((archive.members, 6), (archive.entries, 8)):
        piece = bytearray(pieces[SECOND])
        struct.pack_into("<H", piece, at, flags)
        pieces[SECOND] = bytes(piece)
    return archive.pack()


def version_of_the_future() -> bytes:
    archive = raw()
    entry = bytearray(archive.entries[SECOND])
    entry[6] = 64
    archive.entries[SECOND] = bytes(entry)
    return archive.pack()


# ---- data descriptors


class Unseekable(io.BytesIO):
    """A stream to which `zipfile` writes data descriptors, since it cannot go back."""

    def seekable(self) -> bool:
        return False

    def tell(self) -> int:
        raise io.UnsupportedOperation


def streamed(names: Iterable[str] = (), *, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = Unseekable()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in wheels.complete(FILES).items():
            info = zipfile.ZipInfo(name, wheels.DATE)
            info.compress_type = method
            info.external_attr = 0o100644 << 16
            archive.writestr(info, content)
        archive.comment = " ".join(names).encode()
    return stream.getvalue()


def descriptor_that_disagrees() -> bytes:
    data = bytearray(streamed())
    at = data.index(b"PK\7\x08")
    struct.pack_into("<L", data, at + 4, 1)
    return bytes(data)


def descriptor_that_is_missing() -> bytes:
    archive = Raw.of(streamed())
    archive.members[SECOND] = archive.members[SECOND][:-16]
    return archive.pack()


def descriptor_of_64_bits() -> bytes:
    """Its local header does not say so, and unpackers expect the short form."""
    archive = Raw.of(streamed())
    member = archive.members[SECOND]
    crc, compressed_size, size = struct.unpack("<3L", member[-12:])
    archive.members[SECOND] = member[:-12] + struct.pack("<L2Q", crc, compressed_size, size)
    return archive.pack()


def hidden_in_a_directory() -> bytes:
    """A directory has no content, but compressed data may follow that of nothing."""
    return with_hidden_data("demo/")


def hidden_in_a_signature() -> bytes:
    """RECORD does not list signatures, and so nothing compares their hashes."""
    return with_hidden_data("demo-1.0.dist-info/RECORD.jws")


def with_hidden_data(name: str) -> bytes:
    archive, hidden = raw(), Raw.of(sound({"evil.py": b"evil = 1\n"})).members[0]
    data = deflate(b"") + hidden
    header = 8, *struct.unpack_from("<2H", archive.entries[0], 12), 0, len(data), 0, len(name)
    archive.members.append(struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, *header, 0) + name.encode() + data)
    attributes = 0, 0, 0, 0, 0o100644 << 16, 0
    archive.entries.append(struct.pack("<4s6H3L5H2L", b"PK\1\2", 0x314, 20, 0, *header, *attributes) + name.encode())
    return archive.pack()


def stored_of_unknown_size() -> bytes:
    """Who reads one member after the other has to guess where it ends."""
    return streamed(method=zipfile.ZIP_STORED)


# ---- what is legal


def comment() -> bytes:
    return commented(sound(), b"made by hand")


def descriptors() -> bytes:
    return streamed(["made", "as", "a", "stream"])


def timestamps() -> bytes:
    archive = raw()
    archive.members[SECOND] = extended(archive.members[SECOND], TIMESTAMP, central=False)
    archive.entries[SECOND] = extended(archive.entries[SECOND], TIMESTAMP, central=True)
    return archive.pack()


def forced_zip64() -> bytes:
    return wheels.with_zip64(wheels.complete(FILES))


def archive_as_a_member() -> bytes:
    return sound({**FILES, "demo/data.bin": sound()}, stored=True)


DISAGREE = "unpackers would disagree"
HIDDEN = "has bytes after the end of its compressed data"
NO_MEMBER = "belong to no member"
NO_ARCHIVE = "is not a ZIP archive, or is truncated"
ELSEWHERE = "has its directory elsewhere than its end record says"

REFUSED: dict[Callable[[], bytes], str] = {
    hidden_member: NO_MEMBER,
    hidden_first_member: NO_MEMBER,
    hidden_last_member: NO_MEMBER,
    bytes_between_members: NO_MEMBER,
    bytes_before_the_directory: NO_MEMBER,
    bytes_before_the_archive: ELSEWHERE,
    bytes_before_the_first_member: NO_MEMBER,
    bytes_behind_the_archive: NO_ARCHIVE,
    two_directories: NO_MEMBER,
    two_ends: NO_MEMBER,
    concatenated: ELSEWHERE,
    archive_in_a_comment: "has an end record in the comment of another one",
    end_in_a_comment: "has an end record in the comment of another one",
    signature_in_a_comment: NO_ARCHIVE,
    wrong_count: "its end record says 7",
    overlapping_members: DISAGREE,
    local_flags: DISAGREE,
    local_method: DISAGREE,
    local_crc: DISAGREE,
    local_compressed_size: DISAGREE,
    local_size: DISAGREE,
    local_name: "has another name in its local header",
    unicode_path_in_local_header: "has another name in an extra field",
    unicode_path_in_directory: "has another name in an extra field",
    needless_zip64_in_directory: "has a ZIP64 extra field that does not match its entry",
    needless_zip64_in_local_header: "has a ZIP64 extra field that does not match its header",
    needless_zip64_before_a_descriptor: "has a ZIP64 extra field that does not match its header",
    doubled_zip64: "has the extra field 0x0001 twice",
    zip64_with_more_than_needed: "has a ZIP64 extra field that does not match its entry",
    zip64_end_that_disagrees: "has end records that disagree",
    malformed_extra_field: "has a malformed extra field",
    name_of_no_encoding: "not ASCII, and not marked as UTF-8",
    name_with_a_version: "which unpackers remove",
    name_with_a_control_character: "which unpackers remove",
    encrypted: "is encrypted",
    patched: "has the flags 0x0020",
    version_of_the_future: "needs version 6.4 of the ZIP format",
    descriptor_that_disagrees: "its data descriptor does not agree",
    descriptor_that_is_missing: "its data descriptor does not agree",
    descriptor_of_64_bits: "its data descriptor does not agree",
    hidden_in_a_directory: HIDDEN,
    stored_of_unknown_size: "is stored without its size before it",
}
ACCEPTED = (comment, descriptors, timestamps, forced_zip64, needless_zip64_that_agrees, archive_as_a_member)

VERIFY = ("verify", "-i", HERE.path)
CASES = (
    *(Case(written(make), FAILED, (words,), VERIFY) for make, words in REFUSED.items()),
    *(Case(written(make), FAILED, (words,), ("wheel",)) for make, words in REFUSED.items()),
    Case(written(hidden_in_a_signature), FAILED, (HIDDEN,), VERIFY),
    Case(written(hidden_in_a_signature), FAILED, ("carries the signature RECORD.jws",), ("wheel",)),
    *(Case(written(make), PASSED, ("1 equivalent",), VERIFY) for make in ACCEPTED),
    *(Case(written(make), PASSED, command=("wheel", "-q"), changes=True) for make in ACCEPTED),
)
