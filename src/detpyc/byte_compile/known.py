"""Which pycs of a tree are known to be up to date from earlier runs: a cache in the user's cache directory.

Checking that a pyc is canonical takes most of the time of making it so. This cache keeps the result for the bytes that
were checked: those of the pyc, of the path that it should record and, if its header has a hash, of its source. The
result follows from these bytes alone, so it stays right whatever becomes of the tree.

The digests are SipHash, which is built into every CPython for the hashes of sources, and takes a quarter of the time of
SHA-256. They guard against accidents. They need not resist forgery: whoever can write a forged pyc can write a
canonical one just as well, and ``detpyc verify`` finds those.

A cache that is missing, malformed, of another version or not writable is ignored, and never an error. The same run over
the same tree writes the same cache, as it may become part of an image.
"""

from __future__ import annotations

import _imp
import os
from contextlib import suppress
from pathlib import Path

from detpyc import __version__
from detpyc.errors import DetpycError
from detpyc.files import read_file
from detpyc.replacement import replace_file
from detpyc.temporaries import remove_stale

FORM = 1  # `detpyc.bytecode.canonical.FORM`, which is slow to import; a test keeps them equal
_TITLE = f"detpyc {__version__}: pycs known to be right, format 1, canonical form {FORM}\n".encode()
_SIPHASH_KEY = 0x7079632D6B6E6F77  # an arbitrary number
_DIGEST = 8  # bytes
_KEY = 2 * _DIGEST
# How many keys are kept: all of this run, and those of earlier runs (with other interpreters or levels, or over other
# parts of the tree) until there are _SHARE times as many in all, or _ROOM if that is more.
_SHARE = 8
_ROOM = 4096


def digest(data: bytes) -> bytes:
    """Return the digest of some bytes, which CPython 3.10 computes differently from later releases."""
    found: bytes = _imp.source_hash(_SIPHASH_KEY, data)
    return found


def key(pyc: bytes, path: str, source_digest: bytes) -> bytes:
    """Return the key for a pyc that is up to date.

    Args:
        pyc: all of it.
        path: that it should record.
        source_digest: of its source if its header has a hash, otherwise empty.

    """
    return digest(pyc) + digest(source_digest + b"\0" + path.encode("utf-8", "surrogatepass"))


class KnownPycs:
    """The keys of the pycs of one tree that are known to be up to date."""

    def __init__(self, tree: str, *, enabled: bool = True) -> None:
        """Read the cache.

        Args:
            tree: its real path.
            enabled: whether to read and write anything.

        """
        self.file = _file_for(tree) if enabled else None
        self.old = self._read()
        self.old_set = frozenset(self.old)
        self.current: set[bytes] = set()

    def _read(self) -> list[bytes]:
        if self.file is None:
            return []
        try:
            data = read_file(self.file)
        except DetpycError:
            return []
        start = len(_TITLE) + _DIGEST
        keys = data[start:]
        if not data.startswith(_TITLE) or data[len(_TITLE) : start] != digest(keys) or len(keys) % _KEY:
            return []
        return [keys[index : index + _KEY] for index in range(0, len(keys), _KEY)]

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
        """Write the cache, if there is anything new."""
        if self.file is None or self.current <= self.old_set:
            return
        room = max(_SHARE * len(self.current), _ROOM) - len(self.current)
        others = [old for old in self.old if old not in self.current][: max(room, 0)]
        keys = b"".join([*sorted(self.current), *others])
        with suppress(OSError, DetpycError):
            self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            remove_stale(self.file.parent)
            replace_file(self.file, _TITLE + digest(keys) + keys, 0o600, durable=False)


def _file_for(tree: str) -> Path | None:
    """Return the path of the cache for a tree; None if the user has no cache directory."""
    from platformdirs import user_cache_dir  # noqa: PLC0415 - not for --no-cache

    directory = user_cache_dir("detpyc", appauthor=False)
    if not os.path.isabs(directory):  # noqa: PTH117 - there is no home directory, and "~" was not expanded
        return None
    return Path(directory, "trees", digest(os.fsencode(tree)).hex())
