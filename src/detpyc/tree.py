"""Byte-compile a directory tree: the use case of images, Lambda zips and distributions' build roots."""

from __future__ import annotations

import hashlib
import stat
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from detpyc.bytecode.header import InvalidationMode, PycHeader
from detpyc.bytecode.names import is_cached, parse, pyc_name
from detpyc.compilation.compiler import Compiled, Refused, Source, byte_compile
from detpyc.errors import BytecodeError, DetpycError
from detpyc.files import Replacement, walk
from detpyc.reproducible import source_date_epoch
from detpyc.settings import select
from detpyc.wheel import record

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence

    from detpyc.compilation.compiler import Outcome
    from detpyc.compilation.interpreters import Interpreter
    from detpyc.settings import Settings

_BATCH = 1024  # sources that are held in memory at once
_U32 = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Options:
    """How a tree is byte-compiled, beyond the settings that wheels have as well.

    Attributes:
        strip_prefix: what to take off the front of a source's path before it is recorded; None records it relative to
            the directory it was found under.
        prepend_prefix: what to put before it then.
        force: write what is up to date as well.
        check: change nothing on disk.
        prune: remove pycs that have no source.
        prune_other_tags: remove pycs of other interpreters than those that compile now.
        update_records: list the pycs in the RECORD of each ``.dist-info`` directory that lists their source.
        jobs: how many workers; by default as many as there are usable processors. The results do not depend on it.

    """

    strip_prefix: str | None = None
    prepend_prefix: str | None = None
    force: bool = False
    check: bool = False
    prune: bool = False
    prune_other_tags: bool = False
    update_records: bool = False
    jobs: int | None = None


@dataclass(slots=True)
class Report:
    """What was done to a tree, or with ``check`` would be.

    Attributes:
        path: of the tree or the source.
        sources: how many sources there are.
        written: the pycs that were written.
        current: how many pycs were up to date.
        skipped: the sources that do not compile, each with the reason.
        pruned: the pycs that were removed.
        records: the RECORD files that were changed.
        failed: the files and directories that could not be read or written, each with the reason.

    """

    path: str
    sources: int = 0
    written: list[str] = field(default_factory=list)
    current: int = 0
    skipped: dict[str, str] = field(default_factory=dict)
    pruned: list[str] = field(default_factory=list)
    records: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def changed(self) -> bool:
        """Whether anything was changed, or with ``check`` would be."""
        return bool(self.written or self.pruned or self.records)


def byte_compile_tree(path: Path, settings: Settings, options: Options, chosen: Sequence[Interpreter]) -> Report:
    """Byte-compile every source in a directory and below, or a single one.

    A pyc that is right already is not written again. What cannot be written is reported when the rest is done.

    Args:
        path: of the directory or the source. Symbolic links that lead out of it are not followed.
        settings: what to byte-compile, and how; the patterns are over paths relative to the directory.
        options: the rest.
        chosen: the interpreters that compile.

    Returns:
        What was done.

    Raises:
        DetpycError: if the path cannot be read, an option does not fit it, or SOURCE_DATE_EPOCH is malformed.

    """
    tree = _Tree(path, settings, options)
    for interpreter in chosen:
        tree.compile(interpreter)
    if options.prune or options.prune_other_tags:
        tree.prune({each.cache_tag for each in chosen})
    if options.update_records:
        tree.update_records(chosen)
    return tree.report


@dataclass(frozen=True, slots=True)
class _Found:
    """A source in the tree.

    Attributes:
        path: on disk.
        recorded: what its code objects are to record.
        status: what the file system says of it.

    """

    path: Path
    recorded: str
    status: os.stat_result


class _Tree:
    """The byte-compilation of one tree."""

    def __init__(self, path: Path, settings: Settings, options: Options) -> None:
        self.path = path
        self.settings = settings
        self.options = options
        self.epoch = source_date_epoch()
        self.report = Report(str(path))
        self.sources = list(self.find_sources())
        self.report.sources = len(self.sources)

    def find_sources(self) -> Iterator[_Found]:
        if not self.path.exists():
            raise DetpycError(f"{self.path}: there is no such file or directory")
        if self.path.is_file():
            top, files = self.path.parent, [self.path]
        else:
            top, files = self.path, list(walk(self.path, ".py"))
        home = top.resolve()
        by_name = {file.relative_to(top).as_posix(): file for file in files}
        for name in select(by_name, self.settings.include, self.settings.exclude):
            file = by_name[name]
            if file.is_symlink() and not file.resolve().is_relative_to(home):
                continue
            try:
                yield _Found(file, self.recorded_path(file, name), file.stat())
            except OSError as error:
                self.report.failed[str(file)] = f"cannot be read: {error.strerror}"

    def recorded_path(self, file: Path, name: str) -> str:
        """Return what a source's code objects are to record, as ``compileall -s`` and ``-p`` have it."""
        strip, prepend = self.options.strip_prefix, self.options.prepend_prefix
        if strip is None and prepend is None:
            return name
        recorded: PurePath = file
        if strip is not None:
            try:
                recorded = file.relative_to(strip)
            except ValueError:
                raise DetpycError(f"{file}: does not start with the prefix {strip} that is to be stripped") from None
        if prepend is not None:
            recorded = PurePath(prepend) / recorded
        return recorded.as_posix()

    def compile(self, interpreter: Interpreter) -> None:
        remaining = iter(self.sources)
        while batch := list(islice(remaining, _BATCH)):
            self.compile_batch(interpreter, batch)

    def compile_batch(self, interpreter: Interpreter, batch: list[_Found]) -> None:
        readable: list[_Found] = []
        sources: list[Source] = []
        for found in batch:
            try:
                pycs = tuple(self.plausible_pyc(found, interpreter, level) for level in self.settings.optimize)
                sources.append(Source(found.recorded, found.path.read_bytes(), pycs))
                readable.append(found)
            except OSError as error:
                self.report.failed[str(found.path)] = f"cannot be read: {error.strerror}"

        outcomes = byte_compile(interpreter, sources, self.settings.optimize, _as_it_is, jobs=self.options.jobs)
        for found, outcome in zip(readable, outcomes, strict=True):
            if isinstance(outcome, Compiled):
                for level, payload in zip(self.settings.optimize, outcome.payloads, strict=True):
                    self.put(found, interpreter, level, outcome.source_hash, payload)
            elif isinstance(outcome, Refused):
                self.report.skipped[str(found.path)] = outcome.reason
            else:
                self.report.failed[str(found.path)] = outcome.reason

    def header(self, found: _Found, interpreter: Interpreter, source_hash: bytes) -> PycHeader:
        if self.settings.invalidation_mode != InvalidationMode.TIMESTAMP:
            return PycHeader(interpreter.magic_number, self.settings.invalidation_mode, source_hash=source_hash)
        return PycHeader(
            interpreter.magic_number,
            InvalidationMode.TIMESTAMP,
            mtime=self.mtime(found),
            source_size=found.status.st_size & _U32,
        )

    def mtime(self, found: _Found) -> int:
        """Return the source's mtime as a header has it, not later than SOURCE_DATE_EPOCH."""
        mtime = int(found.status.st_mtime)
        return (mtime if self.epoch is None else min(mtime, self.epoch)) & _U32

    def plausible_pyc(self, found: _Found, interpreter: Interpreter, level: int) -> bytes:
        """Return the pyc that is there if its header may be right; what only the worker can tell is left to it."""
        if self.options.force:
            return b""
        try:
            data = _pyc_path(found.path, interpreter, level).read_bytes()
            header = PycHeader.parse(data)
        except (OSError, BytecodeError):
            return b""
        wanted = self.header(found, interpreter, header.source_hash or b"")
        return data if header.to_bytes() == wanted.to_bytes() else b""

    def put(self, found: _Found, interpreter: Interpreter, level: int, source_hash: bytes, payload: bytes) -> None:
        """Write a pyc, atomically and with its source's mode, as ``py_compile`` does; nothing if it is right."""
        pyc = _pyc_path(found.path, interpreter, level)
        if not payload:
            self.report.current += 1
            return
        if not self.options.check:
            try:
                pyc.parent.mkdir(exist_ok=True)
                # importlib._bootstrap_external._calc_mode: as the source, but always writable and never executable.
                with Replacement(pyc, (found.status.st_mode | stat.S_IWUSR) & 0o666) as replacement:
                    with replacement.writing() as stream:
                        stream.write(self.header(found, interpreter, source_hash).to_bytes() + payload)
                    replacement.commit(durable=False)
            except (OSError, DetpycError) as error:
                self.report.failed[str(pyc)] = str(error)
                return
        self.report.written.append(str(pyc))

    def prune(self, own_tags: set[str]) -> None:
        """Remove the pycs that nothing would load."""
        for pyc in walk(self.path, ".pyc") if self.path.is_dir() else ():
            if not is_cached(pyc.as_posix()):
                continue  # a sourceless distribution's
            name = parse(pyc.as_posix())
            orphaned = self.options.prune and not Path(name.source).exists()
            foreign = self.options.prune_other_tags and name.cache_tag not in own_tags
            if not (orphaned or foreign):
                continue
            try:
                if not self.options.check:
                    pyc.unlink()
            except OSError as error:
                self.report.failed[str(pyc)] = f"cannot be removed: {error.strerror}"
            else:
                self.report.pruned.append(str(pyc))

    def update_records(self, chosen: Sequence[Interpreter]) -> None:
        """Make the RECORD of every installed distribution list the pycs of its sources."""
        for file in walk(self.path, "RECORD") if self.path.is_dir() else ():
            if file.name != "RECORD" or not file.parent.name.endswith(".dist-info"):
                continue
            try:
                old = file.read_bytes()
                new = record.serialize(self.updated(record.parse(old), file.parent.parent, chosen))
                if new == old:
                    continue
                if not self.options.check:
                    with Replacement(file, stat.S_IMODE(file.stat().st_mode)) as replacement:
                        with replacement.writing() as stream:
                            stream.write(new)
                        replacement.commit(durable=False)
            except OSError as error:
                self.report.failed[str(file)] = f"cannot be read: {error.strerror}"
            except DetpycError as error:
                self.report.failed[str(file)] = str(error)
            else:
                self.report.records.append(str(file))

    def updated(
        self, entries: list[record.RecordEntry], site: Path, chosen: Sequence[Interpreter]
    ) -> Iterator[record.RecordEntry]:
        """Give the entries of a RECORD with those of the pycs that are there now, and without those that are not."""
        sources = [entry.path for entry in entries if entry.path.endswith(".py")]
        pycs = {
            pyc_name(source, each.cache_tag, level)
            for source in sources
            for each in chosen
            for level in self.settings.optimize
        }
        own = {entry.path for entry in entries if is_cached(entry.path)} | pycs
        present = {path: site / path for path in own if (site / path).is_file()}
        seen: set[str] = set()
        for entry in entries:
            if entry.path not in own:
                yield entry
            elif entry.path in present and entry.path not in seen:  # pip lists what it has overwritten twice
                seen.add(entry.path)
                yield _entry(entry.path, present[entry.path])
        for path in sorted(present.keys() - seen):
            yield _entry(path, present[path])


def _as_it_is(_index: int, outcome: Outcome) -> Outcome:
    return outcome


def _pyc_path(source: Path, interpreter: Interpreter, level: int) -> Path:
    return source.with_name("__pycache__") / Path(pyc_name(source.name, interpreter.cache_tag, level)).name


def _entry(path: str, file: Path) -> record.RecordEntry:
    content = file.read_bytes()
    return record.RecordEntry.of(path, hashlib.sha256(content).digest(), len(content))
