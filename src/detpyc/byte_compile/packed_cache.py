"""The compile cache for wheels: pycs as an archive has them, so that they are neither compiled nor deflated again."""

from __future__ import annotations

import hashlib
import zlib
from struct import Struct
from typing import TYPE_CHECKING

from detpyc.bytecode.header import PycHeader
from detpyc.settings import STORED
from detpyc.wheel.writing import Packed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detpyc.compilation.cache import CompileCache
    from detpyc.compilation.interpreters import Interpreter
    from detpyc.compilation.outcomes import Compiled, Source
    from detpyc.settings import Settings

__all__ = ["PackedCache"]

_START = Struct("<HQI32s")  # of an entry: method, size, CRC-32, SHA-256; then the compressed bytes


class PackedCache:
    """The pycs of one interpreter, as the settings want them.

    Args:
        cache: has the payloads.
        interpreter: that compiles.
        settings: for the levels, the invalidation mode and the compression.

    """

    def __init__(self, cache: CompileCache, interpreter: Interpreter, settings: Settings) -> None:
        self.cache = cache
        self.interpreter = interpreter
        self.settings = settings
        # Implementations of deflate differ in their output, and may do so from version to version.
        deflate = f"{zlib.ZLIB_RUNTIME_VERSION} {getattr(zlib, 'ZLIBNG_VERSION', '')}"
        self.form = f"{settings.invalidation_mode} {settings.compression} {deflate}".encode()

    def keys(self, source: Source) -> list[bytes]:
        """Return the keys of the payloads of a source, for each level."""
        return [self.cache.key(source, level) for level in self.settings.optimize] if self.cache.store else []

    def read(self, keys: Sequence[bytes]) -> list[Packed] | None:
        """Return the pycs for some keys; None unless all are known."""
        found = []
        for key in keys:
            packed = self._read(key)
            if packed is None:
                return None
            found.append(packed)
        return found or None

    def _read(self, key: bytes) -> Packed | None:
        store = self.cache.store
        entry = None if store is None else store.get(self._packed_key(key))
        if entry is not None and len(entry) >= _START.size:
            method, size, crc, sha256 = _START.unpack_from(entry)
            return Packed(method, entry[_START.size :], size, crc, sha256)
        known = self.cache.read(key)
        if known is None:
            return None
        packed = self.pack(*known)
        self._write(key, packed)
        return packed

    def write(self, keys: Sequence[bytes], compiled: Compiled, pycs: Sequence[Packed]) -> None:
        """Keep what was compiled for some keys, and the pycs that were made of it."""
        if compiled.reusable:
            for key, payload, packed in zip(keys, compiled.payloads, pycs, strict=False):  # no keys without a cache
                self.cache.write(key, compiled.source_hash, payload)
                self._write(key, packed)

    def _write(self, key: bytes, packed: Packed) -> None:
        if self.cache.store is not None and self.settings.compression != STORED:
            start = _START.pack(packed.method, packed.size, packed.crc, packed.sha256)
            self.cache.store.put(self._packed_key(key), start + packed.compressed)

    def pack(self, source_hash: bytes, payload: bytes) -> Packed:
        """Return a pyc as an archive has it."""
        mode = self.settings.invalidation_mode
        header = PycHeader(self.interpreter.magic_number, mode, source_hash=source_hash)
        return Packed.of(header.to_bytes() + payload, stored=self.settings.compression == STORED)

    def _packed_key(self, key: bytes) -> bytes:
        return hashlib.sha256(key + self.form).digest()
