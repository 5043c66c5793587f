"""The header of a pyc (PEP 552): magic number, flags, and the hash or the time and size of the source.

Loaded by the worker under the target interpreter: standard library only, Python 3.8 syntax.
"""

from __future__ import annotations

import _imp
import sys
from struct import Struct

from detpyc.errors import BytecodeError, UnsupportedBytecodeError

__all__ = ["FORM", "HEADER_SIZE", "MAGIC_NUMBERS", "SUPPORTED", "InvalidationMode", "PycHeader", "source_hash"]

FORM = 1  # the version of the canonical form, which `detpyc.bytecode.canonical` describes

HEADER_SIZE = 16

# Each release's final magic number, from Include/internal/pycore_magic_number.h (before 3.13:
# Lib/importlib/_bootstrap_external.py). Alphas and betas had others; their formats are not supported.
MAGIC_NUMBERS = {
    3413: (3, 8),
    3425: (3, 9),
    3439: (3, 10),
    3495: (3, 11),
    3531: (3, 12),
    3571: (3, 13),
    3627: (3, 14),
    3666: (3, 15),
}
SUPPORTED = "CPython 3.8 to 3.15"

_HEADER = Struct("<H2sI8s")
_TIMESTAMP = Struct("<II")
_END_OF_MAGIC = b"\r\n"
_HASH_BASED = 0b01
_CHECK_SOURCE = 0b10
_U64 = 0xFFFFFFFFFFFFFFFF


class InvalidationMode:
    """How an import compares a pyc with its source; the names of ``py_compile.PycInvalidationMode``."""

    TIMESTAMP = "timestamp"
    CHECKED_HASH = "checked-hash"
    UNCHECKED_HASH = "unchecked-hash"


_FLAGS = {
    InvalidationMode.TIMESTAMP: 0,
    InvalidationMode.UNCHECKED_HASH: _HASH_BASED,
    InvalidationMode.CHECKED_HASH: _HASH_BASED | _CHECK_SOURCE,
}
_MODES = {flags: mode for mode, flags in _FLAGS.items()}


class PycHeader:
    """The first sixteen bytes of a pyc.

    Attributes:
        magic_number: the release's, e.g. 3531.
        mode: one of `InvalidationMode`'s.
        source_hash: eight bytes; None for a timestamp pyc.
        mtime: of the source, seconds modulo 2**32; None for a hash-based pyc.
        source_size: in bytes modulo 2**32; None for a hash-based pyc.

    """

    __slots__ = ("magic_number", "mode", "mtime", "source_hash", "source_size")

    def __init__(
        self,
        magic_number: int,
        mode: str,
        source_hash: bytes | None = None,
        mtime: int | None = None,
        source_size: int | None = None,
    ) -> None:
        self.magic_number = magic_number
        self.mode = mode
        self.source_hash = source_hash
        self.mtime = mtime
        self.source_size = source_size

    @property
    def version(self) -> tuple[int, int]:
        """The CPython that reads this pyc, e.g. ``(3, 12)``."""
        return MAGIC_NUMBERS[self.magic_number]

    @classmethod
    def parse(cls, data: bytes) -> PycHeader:
        """Read the header of a pyc.

        Args:
            data: the pyc, or at least its first sixteen bytes.

        Returns:
            The header.

        Raises:
            UnsupportedBytecodeError: if it is from another implementation or release.
            BytecodeError: if it is truncated, or has flags that PEP 552 does not define.

        """
        if len(data) < HEADER_SIZE:
            raise BytecodeError("the data ends in the middle of the header", len(data))
        magic_number, end_of_magic, flags, rest = _HEADER.unpack_from(data)
        if end_of_magic != _END_OF_MAGIC:
            raise BytecodeError("not a pyc: the magic number does not end in a carriage return and a newline", 0)
        if magic_number not in MAGIC_NUMBERS:
            raise UnsupportedBytecodeError(
                f"magic number {magic_number} is from {_origin(magic_number)}; {SUPPORTED} are supported", 0
            )
        if flags not in _MODES:
            raise BytecodeError(f"flags {flags:#x} are not defined by PEP 552", 4)
        if flags & _HASH_BASED:
            return cls(magic_number, _MODES[flags], source_hash=rest)
        mtime, source_size = _TIMESTAMP.unpack(rest)
        return cls(magic_number, _MODES[flags], mtime=mtime, source_size=source_size)

    def to_bytes(self) -> bytes:
        """Return the sixteen bytes."""
        rest = self.source_hash
        if rest is None:
            rest = _TIMESTAMP.pack(self.mtime, self.source_size)
        return _HEADER.pack(self.magic_number, _END_OF_MAGIC, _FLAGS[self.mode], rest)


def _origin(magic_number: int) -> str:
    """Name the implementation or release that has a magic number, if it is known."""
    oldest, newest = min(MAGIC_NUMBERS), max(MAGIC_NUMBERS)
    origins = {
        range(1000): "PyPy",  # which counts from 0 in steps of 16
        range(3000, oldest): "CPython 3.7 or older",
        range(oldest, newest): "a pre-release of CPython",
        range(newest, 4000): "a newer CPython",
        range(21000, 30000): "GraalPy",
    }
    return next((name for numbers, name in origins.items() if magic_number in numbers), "an unknown implementation")


def source_hash(source: bytes, magic_number: int) -> bytes:
    """Hash a source as the release of that magic number does: ``importlib.util.source_hash`` for any release.

    Args:
        source: the file's bytes.
        magic_number: of the release, e.g. 3531; it is the key, and selects SipHash-2-4 (up to 3.10) or SipHash-1-3
            (``_Py_KeyedHash`` in ``Python/pyhash.c``).

    Returns:
        Eight bytes.

    """
    key = magic_number | int.from_bytes(_END_OF_MAGIC, "little") << 16
    double = _has_double_rounds(MAGIC_NUMBERS[magic_number])
    if double == _has_double_rounds(sys.version_info[:2]):
        digest: bytes = _imp.source_hash(key, source)
        return digest
    return _siphash(key, source, *((2, 4) if double else (1, 3)))


def _has_double_rounds(version: tuple[int, int]) -> bool:
    return version < (3, 11)


def _siphash(key: int, data: bytes, rounds: int, final_rounds: int) -> bytes:
    """Compute SipHash with a 64-bit key, the upper half of the 128-bit key being zero, as CPython does."""
    v0, v1, v2, v3 = key ^ 0x736F6D6570736575, 0x646F72616E646F6D, key ^ 0x6C7967656E657261, 0x7465646279746573
    tail = len(data) % 8
    blocks = data[: len(data) - tail] + data[len(data) - tail :].ljust(7, b"\0") + bytes([len(data) & 0xFF])
    words = [word for (word,) in Struct("<Q").iter_unpack(blocks)]
    for word in (*words, None):
        if word is None:
            v2 ^= 0xFF
            rounds = final_rounds
        else:
            v3 ^= word
        for _ in range(rounds):
            v0 = (v0 + v1) & _U64
            v2 = (v2 + v3) & _U64
            v1 = ((v1 << 13 | v1 >> 51) & _U64) ^ v0
            v3 = ((v3 << 16 | v3 >> 48) & _U64) ^ v2
            v0 = ((v0 << 32 | v0 >> 32) & _U64) + v3 & _U64
            v2 = v2 + v1 & _U64
            v3 = ((v3 << 21 | v3 >> 43) & _U64) ^ v0
            v1 = ((v1 << 17 | v1 >> 47) & _U64) ^ v2
            v2 = (v2 << 32 | v2 >> 32) & _U64
        if word is not None:
            v0 ^= word
    return (v0 ^ v1 ^ v2 ^ v3).to_bytes(8, "little")
