"""Decompression: as much as is asked for, whatever was compressed how."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import sys
from importlib import import_module
from typing import TYPE_CHECKING

import pytest

from bounds import bounded
from detpyc.artifacts.compression import Budget, Decompressed, Section, decompressed
from detpyc.errors import DetpycError, TooLargeError

if TYPE_CHECKING:
    from collections.abc import Callable

CONTENT = bytes(range(256)) * 1000


def compress_zstd(data: bytes) -> bytes:
    return bytes(import_module("compression.zstd").compress(data))


COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: gzip.compress(data, mtime=0),
    "bzip2": bz2.compress,
    "xz": lzma.compress,
}
if sys.version_info >= (3, 14):
    COMPRESSIONS["Zstandard"] = compress_zstd


def opened(data: bytes, size: int = 1 << 30) -> Decompressed:
    stream = decompressed(io.BytesIO(data), Budget(size))
    assert isinstance(stream, Decompressed)
    return stream


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_any_position(compression: str) -> None:
    stream = opened(COMPRESSIONS[compression](CONTENT))
    for offset in (0, 100_000, 100_000, 70_000, 255_999, 3):
        assert stream.seek(offset) == offset
        assert stream.read(300) == CONTENT[offset : offset + 300]
    stream.seek(255_000)
    assert stream.read(5000) == CONTENT[255_000:]
    assert stream.read(1) == b""


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_several_streams(compression: str) -> None:
    """As programs write them that compress with several processors; and filled up with zeros."""
    compress = COMPRESSIONS[compression]
    data = compress(CONTENT) + compress(b"more") + bytes(100_000) + compress(b"end") + bytes(512)
    assert opened(data).read(1 << 20) == CONTENT + b"more" + b"end"


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize(
    "damage",
    [lambda data: data[:-10], lambda data: data[:8], lambda data: data + b"x", lambda data: data[:20] + b"x" * 99],
)
def test_damage(compression: str, damage: Callable[[bytes], bytes]) -> None:
    data = COMPRESSIONS[compression](CONTENT)
    with pytest.raises(DetpycError, match=rf"cannot be decompressed \({compression}\): "):
        opened(damage(data)).read(1 << 20)


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_position_behind_the_end(compression: str) -> None:
    with pytest.raises(DetpycError, match="is truncated"):
        opened(COMPRESSIONS[compression](CONTENT)).seek(len(CONTENT) + 1)


@bounded()
@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_bomb(compression: str) -> None:
    bomb = COMPRESSIONS[compression](bytes(64 << 20))
    assert len(bomb) < 1 << 17
    with pytest.raises(TooLargeError, match="has more than 16777216 bytes when decompressed"):
        opened(bomb, 16 << 20).seek(64 << 20)


def test_going_back_counts() -> None:
    stream = opened(gzip.compress(CONTENT, mtime=0), 2 * len(CONTENT))
    for _ in range(2):
        stream.seek(len(CONTENT))
        stream.seek(0)
    with pytest.raises(TooLargeError):
        stream.read(1)


@bounded()
def test_xz_that_needs_much_memory() -> None:
    """1.5 GiB, for a dictionary that is larger than the content."""
    data = bytearray(lzma.compress(b"x", filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 20}]))
    at = data.index(b"\x21\x01", 12) + 2  # the filter's identifier, and the size of its properties
    data[at] = 39
    with pytest.raises(DetpycError, match=r"cannot be decompressed \(xz\)"):
        opened(bytes(data)).read(1)


@pytest.mark.parametrize(
    ("start", "name"),
    [(b"\x04\x22\x4d\x18", "LZ4"), (b"LZIP", "lzip"), (b"7z\xbc\xaf\x27\x1c", "7-Zip"), (b"Rar!", "RAR")],
)
def test_unknown_compression(start: bytes, name: str) -> None:
    with pytest.raises(DetpycError, match=f"is compressed with {name}, which is not supported"):
        opened(start)


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="this Python reads it")
def test_zstandard_of_newer_pythons() -> None:
    with pytest.raises(DetpycError, match=r"compressed with Zstandard, which only Python 3\.14 and later read"):
        opened(b"\x28\xb5\x2f\xfd")


def test_uncompressed() -> None:
    stream = io.BytesIO(b"content")
    assert decompressed(stream, Budget()) is stream
    assert stream.tell() == 0


def test_section() -> None:
    section = Section(io.BytesIO(b"0123456789"), 2, 5)
    assert (section.read(3), section.read(3), section.read(3)) == (b"234", b"56", b"")
    section.seek(4)
    assert section.read(9) == b"6"
    section.seek(7)
    assert section.read(1) == b""
