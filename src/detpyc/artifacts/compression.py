"""Decompress streams of untrusted bytes: as much as is asked for, and no more than a limit."""

from __future__ import annotations

import bz2
import lzma
import sys
import zlib
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

from detpyc.errors import DetpycError, TooLargeError
from detpyc.limits import MAX_TAR, MAX_XZ_MEMORY

if TYPE_CHECKING:
    from collections.abc import Callable

    from detpyc.tar_headers import Seekable

__all__ = ["Budget", "Decompressed", "Section", "compression_of", "decompressed"]

_CHUNK = 1 << 16  # bytes that are read at once
_START = 8  # bytes that show the compression

_ZSTD = "Zstandard"
_ZSTD_SINCE = (3, 14)
# By the bytes that they begin with; of those that are not read, too.
_MAGIC = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\0": "xz",
    b"\x28\xb5\x2f\xfd": _ZSTD,
    b"\x04\x22\x4d\x18": "LZ4",
    b"LZIP": "lzip",
    b"\x1f\x9d": "compress",
    b"7z\xbc\xaf\x27\x1c": "7-Zip",
    b"Rar!": "RAR",
    b"\x89LZO": "lzop",
}


class _Decompressor(Protocol):
    """As those of `bz2`, `lzma` and `compression.zstd` are."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _Gunzip:
    """Decompress a member of a gzip file; see `_Decompressor`."""

    def __init__(self) -> None:
        self._inflater = zlib.decompressobj(16 + zlib.MAX_WBITS)
        self._may_have_more = False

    @property
    def eof(self) -> bool:
        return self._inflater.eof

    @property
    def needs_input(self) -> bool:
        return not self._may_have_more

    @property
    def unused_data(self) -> bytes:
        return self._inflater.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        output = self._inflater.decompress(self._inflater.unconsumed_tail + data, max_length)
        self._may_have_more = len(output) == max_length
        return output


class Budget:
    """How much may still be decompressed, of several streams together."""

    def __init__(self, size: int = MAX_TAR) -> None:
        self.size = self.left = size

    def spend(self, size: int) -> None:
        """Take note of bytes.

        Raises:
            TooLargeError: if they are too many.

        """
        self.left -= size
        if self.left < 0:
            raise TooLargeError(f"has more than {self.size} bytes when decompressed, which is the limit")


class Section:
    """A part of a stream, as a stream."""

    def __init__(self, stream: Seekable, start: int, size: int) -> None:
        self._stream, self._start, self._size = stream, start, size
        self._position = 0

    def seek(self, offset: int, /) -> int:
        """Set the position."""
        self._position = offset
        return offset

    def read(self, size: int, /) -> bytes:
        """Read from the position on; less than the size only at the end."""
        self._stream.seek(self._start + self._position)
        data = self._stream.read(max(min(size, self._size - self._position), 0))
        self._position += len(data)
        return data


class Decompressed:
    """The content of a compressed stream. Going back begins again, which costs as much as was read."""

    def __init__(self, stream: Seekable, compression: str, budget: Budget) -> None:
        self._stream, self._new, self._budget = stream, _decompressor(compression), budget
        self._compression = compression
        self._restart()

    def _restart(self) -> None:
        self._decompressor = self._new()
        self._between = False  # whether one compressed stream has ended, and another may begin
        self._input = b""
        self._offset = 0  # of the compressed bytes that come next
        self._output = b""
        self._position = 0

    def seek(self, offset: int, /) -> int:
        """Set the position.

        Raises:
            DetpycError: if the stream is damaged, ends before the position, or exceeds a limit.

        """
        if offset < self._position:
            self._restart()
        while self._position < offset:
            if not self.read(min(offset - self._position, _CHUNK)):
                raise DetpycError("is truncated")
        return self._position

    def read(self, size: int, /) -> bytes:
        """Read from the position on; less than the size only at the end.

        Raises:
            DetpycError: if the stream is damaged, or exceeds a limit.

        """
        pieces: list[bytes] = []
        while size:
            if not self._output:
                self._output = self._next()
            if not self._output:
                break
            piece = self._output[:size]
            self._output = self._output[size:]
            pieces.append(piece)
            size -= len(piece)
            self._position += len(piece)
        return b"".join(pieces)

    def _next(self) -> bytes:
        """Decompress some more; nothing at the end."""
        try:
            while self._prepare():
                data, self._input = self._input, b""
                output = self._decompressor.decompress(data, _CHUNK)
                if self._decompressor.eof:
                    self._between, self._input = True, self._decompressor.unused_data
                if output:
                    self._budget.spend(len(output))
                    return output
        except _errors() as error:
            raise DetpycError(f"cannot be decompressed ({self._compression}): {error}") from error
        return b""

    def _prepare(self) -> bool:
        """Have input for the decompressor, unless it has some; return whether there is more to decompress."""
        while self._between:
            self._input = self._input.lstrip(b"\0") or self._more()  # many programs fill up with zeros
            if not self._input:
                return False
            if self._input.strip(b"\0"):
                self._input = self._input.lstrip(b"\0")
                self._decompressor, self._between = self._new(), False
        if not self._input and self._decompressor.needs_input:
            self._input = self._more()
            if not self._input:
                raise EOFError("is truncated")
        return True

    def _more(self) -> bytes:
        self._stream.seek(self._offset)
        data = self._stream.read(_CHUNK)
        self._offset += len(data)
        return data


def compression_of(start: bytes) -> str | None:
    """Return the name of the compression that a file with these first bytes has; None if it has none that is known."""
    return next((name for magic, name in _MAGIC.items() if start.startswith(magic)), None)


def decompressed(stream: Seekable, budget: Budget) -> Seekable:
    """Return a stream of the content of a stream, which may be compressed.

    Raises:
        DetpycError: if it is compressed in a way that is not supported.

    """
    stream.seek(0)
    compression = compression_of(stream.read(_START))
    stream.seek(0)
    return stream if compression is None else Decompressed(stream, compression, budget)


def _errors() -> tuple[type[Exception], ...]:
    """Return what decompressors raise for damaged data."""
    errors = (zlib.error, lzma.LZMAError, OSError, EOFError)
    return errors if sys.version_info < _ZSTD_SINCE else (*errors, import_module("compression.zstd").ZstdError)


def _decompressor(compression: str) -> Callable[[], _Decompressor]:
    if compression == _ZSTD and sys.version_info < _ZSTD_SINCE:
        raise DetpycError(
            "is compressed with Zstandard, which only Python 3.14 and later read; use one, or decompress it"
        )
    known: dict[str, Callable[[], _Decompressor]] = {
        "gzip": _Gunzip,
        "bzip2": bz2.BZ2Decompressor,
        "xz": lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, MAX_XZ_MEMORY),
    }
    if compression == _ZSTD:
        known[_ZSTD] = import_module("compression.zstd").ZstdDecompressor
    if compression not in known:
        raise DetpycError(f"is compressed with {compression}, which is not supported; decompress it first")
    return known[compression]
