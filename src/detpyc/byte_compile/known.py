"""Which pycs of a tree are known to be right from earlier runs: a cache in the user's cache directory.

To see that a pyc is canonical takes most of the time that it takes to make it so. What is kept here is that it is, for
exactly the bytes that it was seen of: those of the pyc, of the path that it is to record and, if its header holds a
hash, of its source. That follows from the bytes alone, so it stays right whatever becomes of the tree.

The digests are SipHash, which every CPython has built in for its sources and which takes a quarter of the time of
SHA-256. They guard against accidents. They need not resist a forger: who can write a forged pyc can write one that is
canonical just as well, and it is ``detpyc verify`` that finds those.

A cache that is missing, malformed, of another version or that cannot be written is no cache, and never an error. The
same run over the same tree writes the same cache, as it may end up in an image.
"""

from __future__ import annotations

import _imp
import os
from contextlib import suppress
from pathlib import Path

from detpyc import __version__
from detpyc.errors import DetpycError
from detpyc.files import read_regular
from detpyc.replacement import Replacement

FORM = 1  # `detpyc.bytecode.canonical.FORM`, which would take long to import; the tests hold them together
_TITLE = f"detpyc {__version__}: pycs known to be right, format 1, canonical form {FORM}\n".encode()
_KEY = 0x7079632D6B6E6F77  # any number will do
_DIGEST = 8  # bytes
_PROOF = 2 * _DIGEST
# How many proofs are kept: all of this run, and some of earlier runs (with other interpreters or levels, or over other
# parts of the tree) up to _SHARE times as many in all, or up to _ROOM if that is more.
_SHARE = 8
_ROOM = 4096


def digest(data: bytes) -> bytes:
    """Return the digest of some bytes, which is another one under CPython 3.10 than from 3.11 on."""
    found: bytes = _imp.source_hash(_KEY, data)
    return found


def proof(pyc: bytes, path: str, source_digest: bytes) -> bytes:
    """Return what stands for a pyc being right.

    Args:
        pyc: the whole of it.
        path: that it is to record.
        source_digest: of its source, if its header holds a hash; otherwise nothing.

    """
    return digest(pyc) + digest(source_digest + b"\0" + path.encode("utf-8", "surrogatepass"))


class Known:
    """The proofs for one tree."""

    def __init__(self, tree: str, *, enabled: bool = True) -> None:
        """Read what is known.

        Args:
            tree: its real path.
            enabled: whether anything is to be read or written.

        """
        self.file = _file_for(tree) if enabled else None
        self.old = self._read()
        self.lookup = frozenset(self.old)
        self.now: set[bytes] = set()

    def _read(self) -> list[bytes]:
        if self.file is None:
            return []
        try:
            data = read_regular(self.file)
        except (OSError, DetpycError):
            return []
        start = len(_TITLE) + _DIGEST
        proofs = data[start:]
        if not data.startswith(_TITLE) or data[len(_TITLE) : start] != digest(proofs) or len(proofs) % _PROOF:
            return []
        return [proofs[index : index + _PROOF] for index in range(0, len(proofs), _PROOF)]

    def holds(self, found: bytes) -> bool:
        """Tell whether a pyc is known to be right."""
        if found not in self.lookup:
            return False
        self.now.add(found)
        return True

    def learn(self, found: bytes) -> None:
        """Note that a pyc was found to be right, or made so."""
        self.now.add(found)

    def write(self) -> None:
        """Keep what was learned, if anything was."""
        if self.file is None or self.now <= self.lookup:
            return
        room = max(_SHARE * len(self.now), _ROOM) - len(self.now)
        proofs = b"".join([*sorted(self.now), *[each for each in self.old if each not in self.now][: max(room, 0)]])
        with suppress(OSError, RuntimeError, DetpycError):  # a RuntimeError for links in a circle
            self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with Replacement(self.file, 0o600) as replacement:
                with replacement.writing() as stream:
                    stream.write(_TITLE + digest(proofs) + proofs)
                replacement.commit(durable=False)


def _file_for(tree: str) -> Path | None:
    """Return where the proofs for a tree are kept; None if the user has no place for such files."""
    from platformdirs import user_cache_dir  # noqa: PLC0415 - not for --no-cache

    directory = user_cache_dir("detpyc", appauthor=False)
    if not os.path.isabs(directory):  # noqa: PTH117 - there is no home directory, and "~" was left as it is
        return None
    return Path(directory, "trees", digest(os.fsencode(tree)).hex())
