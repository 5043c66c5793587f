"""Find the sources of a tree whose pycs are not known to be up to date."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from detpyc.bytecode.header import HEADER_SIZE, InvalidationMode, PycHeader
from detpyc.errors import DetpycError
from detpyc.files import read_file
from detpyc.pyc_paths import pyc_name
from detpyc.reproducible import source_date_epoch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detpyc.byte_compile.known import KnownPycs
    from detpyc.byte_compile.sources import TreeSource
    from detpyc.byte_compile.tree_files import TreeFiles
    from detpyc.compilation.interpreters import Interpreter
    from detpyc.compilation.outcomes import Source
    from detpyc.settings import Settings

_U32 = 0xFFFFFFFF
_START = 8  # bytes of a header before those that depend on the source


class Target(NamedTuple):
    """What the pycs of one interpreter have in common.

    Attributes:
        interpreter: that compiles.
        endings: of their names, for each level.
        start: of their headers, as far as it does not depend on the source.

    """

    interpreter: Interpreter
    endings: Sequence[str]
    start: bytes


class StaleSource(NamedTuple):
    """A source whose pycs are not known to be up to date.

    Attributes:
        source: where it is.
        status: of the file before it was read.
        digest: of its content if the headers have a hash of it, otherwise empty.
        request: what to compile, and the pycs that may be up to date.

    """

    source: TreeSource
    status: os.stat_result
    digest: bytes
    request: Source


class StaleFinder:
    """Decides which pycs of a tree are up to date.

    Args:
        files: of the tree.
        settings: for the levels and the invalidation mode.
        known: the pycs that are known to be up to date.
        force: treat every source as stale.

    Raises:
        DetpycError: if SOURCE_DATE_EPOCH is malformed.

    """

    def __init__(self, files: TreeFiles, settings: Settings, known: KnownPycs, *, force: bool) -> None:
        self.files = files
        self.settings = settings
        self.known = known
        self.force = force
        self.epoch = source_date_epoch()

    def target(self, interpreter: Interpreter) -> Target:
        """Return what the pycs of an interpreter have in common."""
        names = [pyc_name(".py", interpreter.cache_tag, level) for level in self.settings.optimize]
        header = PycHeader(interpreter.magic_number, self.settings.invalidation_mode, source_hash=bytes(8))
        return Target(interpreter, [Path(name).name for name in names], header.to_bytes()[:_START])

    def find_stale(self, target: Target, source: TreeSource) -> StaleSource | None:
        """Return a source with what is needed to compile it; None if its pycs are known to be up to date.

        Raises:
            OSError: if its status cannot be read.
            DetpycError: if it cannot be read.

        """
        status, content, source_digest, start = None, None, b"", target.start
        if self.settings.invalidation_mode == InvalidationMode.TIMESTAMP:
            status = os.stat(source.path)  # noqa: PTH116 - done for thousands of files
            start = self.header(target.interpreter, status)
        else:
            content = read_file(source.path)
            source_digest = self.known.digest(content)
        pycs = [self.plausible_pyc(source, source.stem + ending, start) for ending in target.endings]
        if all(pyc and self.known.lookup(self.known.key(pyc, source.recorded, source_digest)) for pyc in pycs):
            return None
        from detpyc.compilation.outcomes import Source  # noqa: PLC0415 - often, nothing is stale

        if status is None:
            status = os.stat(source.path)  # noqa: PTH116
        if content is None:
            content = read_file(source.path)
        return StaleSource(source, status, source_digest, Source(source.recorded, content, tuple(pycs)))

    def plausible_pyc(self, source: TreeSource, name: str, start: bytes) -> bytes:
        """Return the existing pyc if its header may be right; a worker checks the rest."""
        path = source.cache + name
        if self.force:
            return b""
        if source.pycs is None or source.pycs.get(name) is False:
            if not self.files.contains(source.cache.rstrip(os.sep)) or not self.files.contains(path):
                return b""
        elif name not in source.pycs:
            return b""
        try:
            pyc = read_file(path)
        except DetpycError:
            return b""
        return pyc if pyc.startswith(start) and len(pyc) >= HEADER_SIZE else b""

    def header(self, interpreter: Interpreter, status: os.stat_result, source_hash: bytes = b"") -> bytes:
        """Return the header for a pyc of a source."""
        mode = self.settings.invalidation_mode
        if mode != InvalidationMode.TIMESTAMP:
            return PycHeader(interpreter.magic_number, mode, source_hash=source_hash).to_bytes()
        mtime, size = int(status.st_mtime), status.st_size
        if self.epoch is not None:
            mtime = min(mtime, self.epoch)
        return PycHeader(interpreter.magic_number, mode, mtime=mtime & _U32, source_size=size & _U32).to_bytes()
