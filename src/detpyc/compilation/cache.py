"""The compile cache: what sources compiled to, by all that the result depends on.

It only saves time: with it and without it, the bytes are the same. So a key depends on the source, its recorded path
and its level; on the build that compiles, down to the content of its executable and libraries; and on the code of
detpyc that runs in it. Only what a worker has compiled is kept, never a pyc that was found.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from detpyc.bytecode.header import HEADER_SIZE, PycHeader
from detpyc.compilation import worker
from detpyc.compilation.outcomes import Compiled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detpyc.compilation.description import Interpreter
    from detpyc.compilation.outcomes import Source
    from detpyc.compilation.store import Store

__all__ = ["CompileCache"]

_SOURCE_HASH = 8  # bytes
_CHUNK = 1 << 20  # bytes


class CompileCache:
    """The compile cache for one interpreter.

    Attributes:
        store: its files; None if there is nothing to be read or written.

    """

    def __init__(self, store: Store | None, interpreter: Interpreter) -> None:
        build = None if store is None else _build(store, interpreter)
        self.store = None if build is None else store
        self.start = hashlib.sha256(build or b"")

    def key(self, source: Source, level: int) -> bytes:
        """Return the key for a source and a level."""
        path = source.path.encode("utf-8", "surrogatepass")
        key = self.start.copy()
        key.update(b"%d %d " % (level, len(path)) + path)
        key.update(source.content)
        return key.digest()

    def read(self, key: bytes) -> tuple[bytes, bytes] | None:
        """Return the source hash and the canonical payload for a key; None if they are not known."""
        value = None if self.store is None else self.store.get(key)
        return None if value is None else (value[:_SOURCE_HASH], value[_SOURCE_HASH:])

    def write(self, key: bytes, source_hash: bytes, payload: bytes) -> None:
        """Keep the source hash and the canonical payload for a key."""
        if self.store is not None:
            self.store.put(key, source_hash + payload)

    def lookup(self, source: Source, levels: Sequence[int]) -> Compiled | None:
        """Return what a worker would reply to a source, whose existing pycs are given; None if that is not known."""
        if self.store is None:
            return None
        payloads = []
        source_hash = b""
        for level, pyc in zip(levels, source.pycs or [b""] * len(levels), strict=True):
            found = self.read(self.key(source, level))
            if found is None:
                return None
            source_hash, payload = found
            if pyc and PycHeader.parse(pyc).source_hash in (None, source_hash):
                if pyc[HEADER_SIZE:] != payload:
                    return None  # a worker accepts it if it is canonical, as of another patch release
                payload = b""
            payloads.append(payload)
        return Compiled(source_hash, tuple(payloads))

    def keep(self, source: Source, levels: Sequence[int], outcome: Compiled) -> None:
        """Keep what a worker has compiled."""
        if self.store is not None and outcome.reusable:
            for level, payload in zip(levels, outcome.payloads, strict=True):
                if payload:
                    self.write(self.key(source, level), outcome.source_hash, payload)


def _build(store: Store, interpreter: Interpreter) -> bytes | None:
    """Return what all keys of an interpreter begin with; None if its files cannot be read."""
    system, *files = interpreter.build or (b"",)
    contents = [_content(store, file) for file in files]
    try:
        contents += [hashlib.sha256(path.read_bytes()).digest() for path in _worker_files()]
    except OSError:
        return None
    if not files or None in contents:
        return None
    described = f"{interpreter.release} {interpreter.cache_tag} {interpreter.magic_number}\n".encode() + system
    return b"".join([b"compile cache 1\n", *filter(None, contents), described])


def _worker_files() -> list[Path]:
    """Return the files of detpyc that run in the interpreter that compiles."""
    package = Path(worker.__file__).parents[1]
    return [Path(worker.__file__), package / "errors.py", *sorted(package.glob("bytecode/*.py"))]


def _content(store: Store, described: bytes) -> bytes | None:
    """Return the digest of a file that an interpreter described; None if it has changed or cannot be read.

    It is computed once, as long as size, times and inode stay the same.
    """
    key = hashlib.sha256(b"file " + described).digest()
    known = store.get(key)
    if known is not None:
        return known
    path = os.fsdecode(described.split(b" ", 4)[-1])
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - the path is a string
            digest = hashlib.sha256()
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
            if worker.describe_file(path) != described:
                return None
    except OSError:
        return None
    store.put(key, digest.digest())
    return digest.digest()
