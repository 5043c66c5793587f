"""ZIP archives: what is refused, what is read, and what is written."""

from __future__ import annotations

import hashlib
import io
import random
import stat
import struct
import subprocess
import sys
import zipfile
import zlib
from typing import TYPE_CHECKING

import pytest

import wheels
from detpyc.errors import WheelError
from detpyc.wheel.archive import Archive
from detpyc.wheel.writing import ArchiveWriter, NewMember
from detpyc.wheel.zip_format import DEFLATED, STORED, Member

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

CONTENT = b"x = 1\n" * 1000
LOCAL_HEADER = struct.Struct("<4s5H3L2H")
UTF8 = 0x800
FOUR_GIB = 1 << 32


def archive_of(path: Path) -> Archive:
    return Archive(io.BytesIO(path.read_bytes()))


def incompressible(size: int) -> bytes:
    """Return bytes that cannot be compressed, always the same."""
    return b"".join(hashlib.sha512(b"%d" % number).digest() for number in range(size // 64))


def member(name: str, content: bytes, method: int = DEFLATED, mode: int = 0o100644) -> tuple[Member, bytes]:
    compressor = zlib.compressobj(wbits=-15)
    compressed = compressor.compress(content) + compressor.flush() if method == DEFLATED else content
    sizes = (zlib.crc32(content), len(compressed), len(content))
    return Member(name, method, *sizes, wheels.DATE, mode << 16), compressed


def written(members: Iterable[tuple[Member, bytes]]) -> bytes:
    stream = io.BytesIO()
    writer = ArchiveWriter(stream)
    for entry, compressed in members:
        writer.add(entry, [compressed])
    writer.finish()
    return stream.getvalue()


def local_headers(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield the flags and the size of the extra field of every local header."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for info in archive.infolist():
            _, _, flags, *_, extra_size = LOCAL_HEADER.unpack_from(data, info.header_offset)
            yield flags, extra_size


# ---- what is refused


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["/a.py"], "/a.py: is an absolute path"),
        (["//server/a.py"], "is an absolute path"),
        (["../a.py"], "../a.py: has an empty, '.' or '..' part"),
        (["a/../../b.py"], "'..' part"),
        (["a/.."], "'..' part"),
        (["./a.py"], "'.' or"),
        (["a//b.py"], "an empty"),
        (["a\\b.py"], "a backslash"),
        (["..\\a.py"], "a backslash"),
        (["C:a.py"], "C:a.py: starts with a drive"),
        (["c:/a.py"], "starts with a drive"),
        (["a.py", "a.py"], "a.py: occurs twice"),
        (["A.py", "a.py"], "a.py: occurs twice, as A.py, on systems that ignore letter case or Unicode form"),
        (["stra\xdfe.py", "STRASSE.py"], "occurs twice, as stra\xdfe.py"),
        (["\xe9.py", "e\u0301.py"], "occurs twice, as \xe9.py"),
        (["a", "a/"], "a/: occurs twice, as a,"),
    ],
)
def test_names_that_are_not_allowed(tmp_path: Path, names: list[str], words: str) -> None:
    path = wheels.write(tmp_path / "a.zip", [("good.py", b""), *((name, b"") for name in names)])
    with pytest.raises(WheelError) as caught:
        archive_of(path)
    assert words in str(caught.value)
    assert "good.py" not in str(caught.value)


def test_every_bad_name_is_reported(tmp_path: Path) -> None:
    names = ["/a.py", "../b.py", "c\\d.py", "e.py", "E.py"]
    path = wheels.write(tmp_path / "a.zip", [(name, b"") for name in names])
    with pytest.raises(WheelError) as caught:
        archive_of(path)
    assert all(name in str(caught.value) for name in ["/a.py", "../b.py", "c\\\\d.py", "E.py"])


def test_name_with_a_nul(tmp_path: Path) -> None:
    path = wheels.write(tmp_path / "a.zip", {"a.py#.txt": b""})
    data = path.read_bytes().replace(b"a.py#.txt", b"a.py\0.txt")
    with pytest.raises(WheelError, match="NUL"):
        Archive(io.BytesIO(data))


def test_name_in_an_extra_field_is_checked(tmp_path: Path) -> None:
    """A name may be given again in an extra field (APPNOTE 4.6.9), and some unpackers believe that one."""

    def add_name(info: zipfile.ZipInfo) -> None:
        other = struct.pack("<BL", 1, zlib.crc32(info.filename.encode())) + b"../evil.py"
        info.extra = struct.pack("<2H", 0x7075, len(other)) + other

    path = wheels.write(tmp_path / "a.zip", {"good.py": b""}, adapt=add_name)
    with pytest.raises(WheelError, match=r"good\.py: has another name in an extra field"):
        archive_of(path)


def rename_in_directory(info: zipfile.ZipInfo) -> None:
    info.filename = info.orig_filename = "b.py"


@pytest.mark.parametrize(
    ("forge", "words"),
    [
        (lambda info: setattr(info, "flag_bits", 0x1), "a.py: is encrypted"),
        (lambda info: setattr(info, "flag_bits", 0x41), "a.py: is encrypted"),
        (lambda info: setattr(info, "external_attr", (stat.S_IFLNK | 0o777) << 16), "a.py: is a symbolic link"),
        (lambda info: setattr(info, "external_attr", (stat.S_IFIFO | 0o644) << 16), "neither a file nor a directory"),
        (lambda info: setattr(info, "compress_type", zipfile.ZIP_BZIP2), "method 12; a wheel's are stored or deflated"),
        (lambda info: setattr(info, "compress_type", STORED), "is stored in"),
        (rename_in_directory, "local header"),
        (lambda info: setattr(info, "header_offset", 7), "no local header at offset 7"),
        (lambda info: setattr(info, "header_offset", 1 << 20), "no local header at offset 1048576"),
    ],
)
def test_members_that_are_not_allowed(tmp_path: Path, forge: Callable[[zipfile.ZipInfo], None], words: str) -> None:
    path = wheels.write(tmp_path / "a.zip", {"a.py": CONTENT}, forge=forge)
    with pytest.raises(WheelError) as caught:
        archive_of(path)
    assert words in str(caught.value)


def test_members_that_overlap(tmp_path: Path) -> None:
    """The data of one member cannot contain another's: that is how bombs are made."""
    inner = written([member("b.py", CONTENT, STORED)])
    path = wheels.write(tmp_path / "a.zip", {"a.py": inner, "b.py": CONTENT}, adapt=store)
    data = path.read_bytes()
    offset, wrong_offset = (struct.pack("<L", number) for number in (data.rindex(b"PK\3\4"), data.index(inner)))
    head, directory = data[: data.index(b"PK\1\2")], data[data.index(b"PK\1\2") :]
    forged = head + directory.replace(offset + b"b.py", wrong_offset + b"b.py")
    with pytest.raises(WheelError, match=r"b\.py: its data overlap those of a\.py"):
        Archive(io.BytesIO(forged))


def store(info: zipfile.ZipInfo) -> None:
    info.compress_type = STORED


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"size": 10}, "a.py: inflates past its declared 10 bytes"),
        ({"size": 7000}, "a.py: has 6000 bytes and declares 7000"),
        ({"crc": 1}, "a.py: its CRC-32 is wrong"),
    ],
)
def test_content_that_is_not_as_declared(tmp_path: Path, fields: dict[str, int], words: str) -> None:
    path = wheels.write(tmp_path / "a.zip", {"a.py": CONTENT})
    archive = archive_of(wheels.forge(path, "a.py", **fields))
    with pytest.raises(WheelError) as caught:
        archive.read("a.py")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("end", "words"), [(-1, "a.py: its compressed data end too early"), (None, "a.py: has bytes after the end")]
)
def test_compressed_data_that_end_elsewhere(end: int | None, words: str) -> None:
    sound, compressed = member("a.py", CONTENT)
    data = (compressed if end else compressed + b"more")[:end]
    archive = Archive(io.BytesIO(written([(sound._replace(compressed_size=len(data)), data)])))
    with pytest.raises(WheelError, match=words):
        archive.read("a.py")


def test_content_that_is_not_deflated() -> None:
    broken, _ = member("a.py", CONTENT)
    data = written([(broken, b"\xff" * broken.compressed_size)])
    with pytest.raises(WheelError, match=r"a\.py: does not inflate"):
        Archive(io.BytesIO(data)).read("a.py")


def test_bomb_is_not_unpacked_past_what_it_declares() -> None:
    bomb, compressed = member("a.py", bytes(100 << 20))
    forged = Member("a.py", DEFLATED, bomb.crc, bomb.compressed_size, 1000, wheels.DATE)
    archive = Archive(io.BytesIO(written([(forged, compressed)])))
    sizes = []
    with pytest.raises(WheelError, match="inflates past its declared 1000 bytes"):
        sizes += [len(chunk) for chunk in archive.chunks("a.py")]
    assert not sizes


@pytest.mark.parametrize("data", [b"", b"PK", b"no archive at all", b"PK\5\6" + bytes(10), CONTENT])
def test_what_is_not_an_archive(data: bytes) -> None:
    with pytest.raises(WheelError, match="not a ZIP archive, or is truncated"):
        Archive(io.BytesIO(data))


def test_every_truncation_is_noticed(tmp_path: Path) -> None:
    data = wheels.write(tmp_path / "a.zip", {"a.py": b"x = 1\n", "b.py": b""}).read_bytes()
    for size in range(len(data)):
        with pytest.raises(WheelError):
            Archive(io.BytesIO(data[:size]))


def test_damage_anywhere_is_an_error_of_its_own_kind_or_harmless(tmp_path: Path) -> None:
    sound = wheels.write(tmp_path / "a.zip", {"a.py": b"x = 1\n", "\xe9.py": CONTENT}).read_bytes()
    noise = random.Random(0)  # noqa: S311 - the test must be repeatable
    outcomes = {"refused": 0, "read": 0}
    path = tmp_path / "damaged.zip"
    for position in [*range(len(sound))] * 3:
        damaged = bytearray(sound)
        damaged[position] ^= noise.randrange(1, 256)
        path.write_bytes(damaged)
        with path.open("rb") as stream:
            try:
                archive = Archive(stream)
                for name in archive.members:
                    archive.read(name)
            except WheelError:
                outcomes["refused"] += 1
            else:
                outcomes["read"] += 1
    assert outcomes["refused"] > outcomes["read"] > 0


# ---- what is read


def test_members_are_as_the_archive_says(tmp_path: Path) -> None:
    path = wheels.write(tmp_path / "a.zip", {"b/": b"", "b/x.py": CONTENT, '\xe9 ,".py': b""})
    archive = archive_of(path)
    assert list(archive.members) == ["b/", "b/x.py", '\xe9 ,".py']
    assert [entry.is_directory for entry in archive.members.values()] == [True, False, False]
    found = archive.members["b/x.py"]
    assert (found.method, found.crc, found.size) == (DEFLATED, zlib.crc32(CONTENT), len(CONTENT))
    assert (found.date_time, found.external_attributes >> 16) == (wheels.DATE, 0o100664)
    assert archive.read("b/x.py") == CONTENT
    assert zlib.decompress(b"".join(archive.raw_chunks("b/x.py")), wbits=-15) == CONTENT


def test_large_content_comes_in_chunks(tmp_path: Path) -> None:
    content = incompressible(3 << 20) + bytes(3 << 20)
    archive = archive_of(wheels.write(tmp_path / "a.zip", {"a.bin": content}))
    chunks = list(archive.chunks("a.bin"))
    assert b"".join(chunks) == content
    assert max(map(len, chunks)) <= 1 << 20


def test_archive_behind_something_else(tmp_path: Path) -> None:
    """Readers differ in whether they find it; `zipfile` does."""
    data = b"#!/bin/sh\n" * 100 + wheels.write(tmp_path / "a.zip", {"a.py": CONTENT}).read_bytes()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.read("a.py") == CONTENT
    with pytest.raises(WheelError, match="something was put before or behind the archive"):
        Archive(io.BytesIO(data))


# ---- what is written


class Unseekable(io.BytesIO):
    """A stream to which `zipfile` writes data descriptors, since it cannot go back."""

    def seekable(self) -> bool:
        return False

    def tell(self) -> int:
        raise io.UnsupportedOperation


def test_what_others_added_to_the_format_is_dropped() -> None:
    extra = struct.pack("<2HL", 0x5455, 4, 0)
    stream = Unseekable()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, method in [("a.py", DEFLATED), ("b.bin", DEFLATED), ("\xe9/", STORED)]:
            info = zipfile.ZipInfo(name, wheels.DATE)
            info.compress_type = method
            info.extra, info.comment = extra, b"comment"
            info.external_attr = 0o100755 << 16
            archive.writestr(info, b"" if info.is_dir() else CONTENT)
        archive.comment = b"comment"
    before = stream.getvalue()
    assert [(flags & 8, extra_size) for flags, extra_size in local_headers(before)] == [(8, 8)] * 3

    old = Archive(io.BytesIO(before))
    after = written((entry, b"".join(old.raw_chunks(name))) for name, entry in old.members.items())
    assert list(local_headers(after)) == [(0, 0), (0, 0), (UTF8, 0)]
    with zipfile.ZipFile(io.BytesIO(after)) as archive, zipfile.ZipFile(io.BytesIO(before)) as original:
        assert not archive.comment
        for made, was in zip(archive.infolist(), original.infolist(), strict=True):
            assert (made.extra, made.comment) == (b"", b"")
            assert (made.filename, made.compress_type, made.date_time) == (
                was.filename,
                was.compress_type,
                was.date_time,
            )
            assert (made.external_attr, made.create_system) == (was.external_attr, was.create_system)
            assert archive.read(made) == original.read(was)
    new = Archive(io.BytesIO(after))
    assert new.members == old.members
    assert all([*new.raw_chunks(name)] == [*old.raw_chunks(name)] for name in old.members)


def test_others_read_what_is_written(tmp_path: Path) -> None:
    names = ["a.py", 'a b,c".py', "d/\xe9.py", "日本/モジュール.py"]
    path = tmp_path / "a.zip"
    path.write_bytes(written(member(name, name.encode() * 100) for name in names))
    assert wheels.read(path) == {name: name.encode() * 100 for name in names}
    subprocess.run([sys.executable, "-m", "zipfile", "-t", path], check=True)


def test_empty_archive(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(written([]))
    assert wheels.read(path) == {}
    assert archive_of(path).members == {}


@pytest.mark.parametrize("count", [65_534, 65_535])
def test_more_members_than_the_old_format_counts(tmp_path: Path, count: int) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(written(member(f"{number}", b"", STORED) for number in range(count)))
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == [f"{number}" for number in range(count)]
    assert len(archive_of(path).members) == count


@pytest.mark.parametrize("method", [STORED, DEFLATED])
def test_sizes_and_offsets_past_four_gib(tmp_path: Path, method: int) -> None:
    size = FOUR_GIB + len(wheels.ZEROS)
    zeros = [wheels.ZEROS] * (size // len(wheels.ZEROS))
    large = {
        STORED: Member("large", STORED, 0, size, size, wheels.DATE),
        DEFLATED: Member("large", DEFLATED, 0, size, 2 * size, wheels.DATE),  # its content is never looked at
    }[method]
    small, content = member("small.py", CONTENT)
    limit, filler = Member("limit", STORED, 0, 0xFFFFFFFF, 0xFFFFFFFF, wheels.DATE), bytes(len(wheels.ZEROS) - 1)
    path = tmp_path / "a.zip"
    with wheels.SparseFile(path, "w+") as stream:
        writer = ArchiveWriter(stream)
        writer.add(small, [content])
        writer.add(large, zeros)
        writer.add(limit, [*zeros[1:-1], filler])
        writer.add(small._replace(name="later.py"), [content])
        writer.finish()

    with zipfile.ZipFile(path) as archive:
        found = {info.filename: info for info in archive.infolist()}
        assert archive.read("small.py") == archive.read("later.py") == CONTENT
    assert (found["large"].compress_size, found["large"].file_size) == (large.compressed_size, large.size)
    assert found["limit"].file_size == 0xFFFFFFFF
    assert found["later.py"].header_offset > 2 * FOUR_GIB
    versions = {name: info.extract_version for name, info in found.items()}
    assert versions == {"small.py": 20, "large": 45, "limit": 45, "later.py": 45}

    with path.open("rb") as stream:
        ours = Archive(stream)
        assert ours.members["large"] == large
        assert ours.read("later.py") == CONTENT


def test_new_members_take_a_date_and_fixed_attributes() -> None:
    like, _ = member("a.py", b"", mode=0o100755)
    new = NewMember.make("b.py", CONTENT, like)
    assert (new.member.date_time, new.member.external_attributes) == (like.date_time, 0o100644 << 16)
    assert zlib.decompress(new.compressed, wbits=-15) == CONTENT


@pytest.mark.parametrize("method", [STORED, DEFLATED])
def test_members_with_another_content_keep_the_rest(method: int) -> None:
    old, _ = member("a.py", b"old", method, mode=0o100755)
    new = NewMember.replacing(old, CONTENT)
    data = written([(new.member, new.compressed)])
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        (info,) = archive.infolist()
        assert archive.read(info) == CONTENT
    assert (info.compress_type, info.external_attr, info.date_time) == (method, 0o100755 << 16, wheels.DATE)


def test_file_and_directory_of_one_name(tmp_path: Path) -> None:
    path = wheels.write(tmp_path / "a.zip", {"pkg": b"", "PKG/sub/a.py": b""})
    with pytest.raises(WheelError, match=r"pkg: is a file, and PKG/sub/a\.py would be in a directory of that name"):
        archive_of(path)
