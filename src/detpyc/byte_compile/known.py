"""Which pycs of a tree are known to be up to date from earlier runs: a part of the compile cache.

Checking that a pyc is canonical takes most of the time of making it so, and reading what is cached for each source
takes longer than reading the pycs. So there is one entry for each tree, with a key for each pyc that was checked. A key
depends on the bytes of the pyc, of the path that it should record and, if its header has a hash, of its source. The
result follows from these bytes alone, so it stays right whatever becomes of the tree.

The keys are SipHash, which is built into every CPython for the hashes of sources and takes a quarter of the time of
SHA-256, under a random secret that is kept with them. Whoever cannot read the cache cannot make another pyc with the
same key (SipHash is a message authentication code), and whoever can is the user.
"""

from __future__ import annotations

import _imp
import hashlib
import os
import struct
from typing import TYPE_CHECKING

from detpyc import __version__
from detpyc.bytecode.header import FORM

if TYPE_CHECKING:
    from detpyc.compilation.store import Store

_TITLE = f"detpyc {__version__}: pycs known to be right, format 2, canonical form {FORM}\n".encode()
_SECRET = struct.calcsize("l")  # bytes; SipHash's in CPython is a C long
_DIGEST = 8  # bytes
_KEY = 2 * _DIGEST
# How many keys are kept: all of this run, and those of earlier runs (with other interpreters or levels, or over other
# parts of the tree) until there are _SHARE times as many in all, or _ROOM if that is more.
_SHARE = 8
_ROOM = 4096


class KnownPycs:
    """The keys of the pycs of one tree that are known to be up to date."""

    def __init__(self, tree: str, store: Store | None) -> None:
        """Read the keys.

        Args:
            tree: its real path.
            store: the compile cache, or None not to read or write anything.

        """
        self.store = store
        self.entry = hashlib.sha256(_TITLE + os.fsencode(tree)).digest()
        secret, self.old = self._read()
        self.secret = secret or os.urandom(_SECRET)
        self.number = int.from_bytes(self.secret, "little", signed=True)
        self.old_set = frozenset(self.old)
        self.current: set[bytes] = set()

    def _read(self) -> tuple[bytes, list[bytes]]:
        data = self.store.get(self.entry) if self.store is not None else None
        if data is None or len(data) % _KEY != _SECRET % _KEY:
            return b"", []
        return data[:_SECRET], [data[index : index + _KEY] for index in range(_SECRET, len(data), _KEY)]

    def digest(self, data: bytes) -> bytes:
        """Return the digest of some bytes, which CPython 3.10 computes differently from later releases."""
        found: bytes = _imp.source_hash(self.number, data)
        return found

    def key(self, pyc: bytes, path: str, source_digest: bytes) -> bytes:
        """Return the key for a pyc that is up to date.

        Args:
            pyc: all of it.
            path: that it should record.
            source_digest: of its source if its header has a hash, otherwise empty.

        """
        return self.digest(pyc) + self.digest(source_digest + b"\0" + path.encode("utf-8", "surrogatepass"))

    def lookup(self, found: bytes) -> bool:
        """Return whether a key is known, and if so keep it."""
        if found not in self.old_set:
            return False
        self.current.add(found)
        return True

    def add(self, new: bytes) -> None:
        """Add a key."""
        self.current.add(new)

    def write(self) -> None:
        """Write the keys, if there are new ones."""
        if self.store is None or self.current <= self.old_set:
            return
        room = max(_SHARE * len(self.current), _ROOM) - len(self.current)
        others = [old for old in self.old if old not in self.current][: max(room, 0)]
        self.store.put(self.entry, b"".join([self.secret, *sorted(self.current), *others]))
