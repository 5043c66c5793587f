"""Byte-compile a directory tree: the use case of images, Lambda zips and distributions' build roots."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from detpyc.bytecode.header import InvalidationMode, PycHeader
from detpyc.bytecode.names import CACHE, is_cached, parse, pyc_name
from detpyc.compilation.compiler import Compiled, Refused, Source, byte_compile
from detpyc.errors import DetpycError
from detpyc.files import Replacement, open_regular, walk
from detpyc.installed import is_record, update_record
from detpyc.reproducible import source_date_epoch
from detpyc.settings import select

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from detpyc.compilation.compiler import Outcome
    from detpyc.compilation.interpreters import Interpreter
    from detpyc.settings import Settings

    # Told how many steps there will be; returns what is to be called after each, from any thread.
    Progress = Callable[[int], Callable[[], None]]

_BATCH = 1024  # sources that are held in memory at once
_U32 = 0xFFFFFFFF
_NOWHERE = {errno.ENOENT, errno.ELOOP}  # where some links lead, such as those by which editors lock files


@dataclass(frozen=True, slots=True)
class Options:
    """How a tree is byte-compiled, beyond the settings that wheels have as well.

    Attributes:
        strip_prefix: what to take off the front of a source's path before it is recorded. If neither this nor
            ``prepend_prefix`` is given, the path relative to the directory that it was found under is recorded.
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
        skipped: the sources that do not compile, each with the reasons of the interpreters.
        removed: the pycs that were removed: those of sources that do not compile, and those that nothing would load.
        records: the RECORD files that were changed.
        failed: the files and directories that could not be read, compiled or written, each with the reason.

    """

    path: str
    sources: int = 0
    written: list[str] = field(default_factory=list)
    current: int = 0
    skipped: dict[str, str] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)
    records: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def changed(self) -> bool:
        """Whether anything was changed, or with ``check`` would be."""
        return bool(self.written or self.removed or self.records)

    def fail(self, path: Path, error: OSError | DetpycError, done: str) -> None:
        """Note what could not be done to a path."""
        cause = error.__cause__ if isinstance(error, DetpycError) else error
        reason = cause.strerror if isinstance(cause, OSError) else str(error)
        self.failed[str(path)] = f"cannot be {done}: {reason}"

    def add(self, part: Report) -> None:
        """Add what was done to a part."""
        self.sources += part.sources
        self.written += part.written
        self.current += part.current
        for source, reason in part.skipped.items():
            self.skipped[source] = f"{self.skipped[source]}; {reason}" if source in self.skipped else reason
        self.removed += part.removed
        self.records += part.records
        self.failed |= part.failed


def byte_compile_tree(
    path: Path,
    settings: Settings,
    options: Options,
    chosen: Sequence[Interpreter],
    progress: Progress | None = None,
) -> Report:
    """Byte-compile every source in a directory and below, or a single one.

    A pyc that is right already is not written again. A source that does not compile is left without a pyc. What cannot
    be read or written is reported when the rest is done.

    Args:
        path: of the directory or the source. Symbolic links that lead out of it are not followed.
        settings: what to byte-compile, and how; the patterns are over paths relative to the directory.
        options: the rest.
        chosen: the interpreters that compile.
        progress: shows how far it is.

    Returns:
        What was done.

    Raises:
        DetpycError: if there is nothing at the path, an option does not fit it, SOURCE_DATE_EPOCH is malformed, or an
            interpreter cannot be started.

    """
    tree = _Tree(path, settings, options)
    sources = list(tree.find_sources())
    tree.report.sources = len(sources)
    step = progress(len(sources) * len(chosen)) if progress is not None else lambda: None
    for interpreter in chosen:
        remaining = iter(sources)
        while batch := list(islice(remaining, _BATCH)):
            tree.byte_compile(interpreter, batch, step)
    if options.prune or options.prune_other_tags:
        tree.prune({each.cache_tag for each in chosen})
    if not options.check:
        tree.remove_empty_caches()
    if options.update_records:
        tree.update_records({(each.cache_tag, level) for each in chosen for level in settings.optimize})
    return tree.report


@dataclass(frozen=True, slots=True)
class _Found:
    """A source in the tree.

    Attributes:
        path: on disk.
        recorded: the path that its code objects are to record.
        status: what the file system says of it.

    """

    path: Path
    recorded: str
    status: os.stat_result

    def pyc(self, interpreter: Interpreter, level: int) -> Path:
        return self.path.parent / pyc_name(self.path.name, interpreter.cache_tag, level)


class _Tree:
    """The byte-compilation of one tree."""

    def __init__(self, path: Path, settings: Settings, options: Options) -> None:
        self.path = path
        self.settings = settings
        self.options = options
        self.epoch = source_date_epoch()
        self.report = Report(str(path))
        try:
            mode = path.stat().st_mode
        except OSError as error:
            raise DetpycError(f"{path}: cannot be read: {error.strerror}") from error
        self.is_directory = stat.S_ISDIR(mode)
        if not self.is_directory and not (stat.S_ISREG(mode) and path.suffix == ".py"):
            raise DetpycError(f"{path}: is no directory, and no source: those are files with names in .py")
        self.top = path if self.is_directory else path.parent
        self.home = os.path.realpath(self.top)

    def find_sources(self) -> Iterator[_Found]:
        """Give the sources that are to be byte-compiled.

        Raises:
            DetpycError: if one does not have the prefix that is to be stripped.

        """
        if self.is_directory:
            files = [file for file in self.walk(".py") if file.parent.name != CACHE and self.is_inside(file)]
        else:
            files = [self.path]  # wherever it leads, if it is a link
        by_name = {file.relative_to(self.top).as_posix(): file for file in files}
        for name in select(by_name, self.settings.include, self.settings.exclude):
            file = by_name[name]
            try:
                status = file.stat()
            except OSError as error:
                if error.errno not in _NOWHERE:
                    self.report.fail(file, error, "read")
                continue
            if stat.S_ISREG(status.st_mode):
                yield _Found(file, self.recorded_path(file, name), status)

    def walk(self, suffix: str) -> Iterator[Path]:
        """Give the files of the tree whose names end so; a single source has none around it."""
        if self.is_directory:
            yield from walk(self.path, suffix, lambda error: self.report.fail(error.filename, error, "read"))

    def is_inside(self, path: Path) -> bool:
        """Tell whether a path is no symbolic link, or one that stays in the tree."""
        if not os.path.islink(path):  # noqa: PTH114 - Path.is_symlink raises where a directory may not be entered
            return True
        return Path(os.path.realpath(path)).is_relative_to(self.home)

    def recorded_path(self, file: Path, name: str) -> str:
        """Return the path that a source's code objects are to record, with -s and -p as ``compileall`` has it."""
        strip, prepend = self.options.strip_prefix, self.options.prepend_prefix
        if strip is None and prepend is None:
            return name
        if strip is not None:
            try:
                file = file.relative_to(strip)
            except ValueError:
                raise DetpycError(f"{file}: does not start with the prefix {strip} that is to be stripped") from None
        return (file if prepend is None else Path(prepend, file)).as_posix()

    def byte_compile(self, interpreter: Interpreter, batch: Sequence[_Found], step: Callable[[], None]) -> None:
        """Bring the pycs of some sources up to date."""
        readable: list[_Found] = []
        sources: list[Source] = []
        for found in batch:
            try:
                pycs = tuple(self.plausible_pyc(found, interpreter, level) for level in self.settings.optimize)
                sources.append(Source(found.recorded, found.path.read_bytes(), pycs))
                readable.append(found)
            except OSError as error:
                self.report.fail(found.path, error, "read")

        def finish(index: int, outcome: Outcome) -> Report:
            report = self.settle(readable[index], interpreter, outcome)
            step()
            return report

        levels = self.settings.optimize
        for report in byte_compile(interpreter, sources, levels, finish, jobs=self.options.jobs):
            self.report.add(report)

    def plausible_pyc(self, found: _Found, interpreter: Interpreter, level: int) -> bytes:
        """Return the pyc that is there if its header may be right; what only the worker can tell is left to it."""
        pyc = found.pyc(interpreter, level)
        if self.options.force or not self.is_inside(pyc.parent) or not self.is_inside(pyc):
            return b""
        try:
            with open_regular(pyc) as stream:
                data = stream.read()
            header = PycHeader.parse(data)
        except DetpycError:
            return b""
        wanted = self.header(found, interpreter, header.source_hash or b"")
        return data if header.to_bytes() == wanted.to_bytes() else b""

    def header(self, found: _Found, interpreter: Interpreter, source_hash: bytes) -> PycHeader:
        """Return the header that a pyc is to have."""
        mode = self.settings.invalidation_mode
        if mode != InvalidationMode.TIMESTAMP:
            return PycHeader(interpreter.magic_number, mode, source_hash=source_hash)
        mtime, size = int(found.status.st_mtime), found.status.st_size
        if self.epoch is not None:
            mtime = min(mtime, self.epoch)
        return PycHeader(interpreter.magic_number, mode, mtime=mtime & _U32, source_size=size & _U32)

    def settle(self, found: _Found, interpreter: Interpreter, outcome: Outcome) -> Report:
        """Write the pycs of a source, or see to it that there are none; return what was done."""
        report = Report(str(found.path))
        pycs = [found.pyc(interpreter, level) for level in self.settings.optimize]
        if isinstance(outcome, Compiled):
            for pyc, payload in zip(pycs, outcome.payloads, strict=True):
                if payload:
                    header = self.header(found, interpreter, outcome.source_hash)
                    self.write(pyc, found.status.st_mode, header.to_bytes() + payload, report)
                else:
                    report.current += 1
        elif isinstance(outcome, Refused) and not outcome.exhausted:
            report.skipped[str(found.path)] = f"CPython {interpreter.release}: {outcome.reason}"
            for pyc in pycs:  # what is there is of another source, and might be loaded all the same
                self.remove(pyc, report)
        else:
            report.failed[str(found.path)] = f"cannot be compiled by CPython {interpreter.release}: {outcome.reason}"
        return report

    def write(self, pyc: Path, mode: int, content: bytes, report: Report) -> None:
        """Write a pyc, as a whole or not at all, with the mode that its source's makes it (``_calc_mode``)."""
        for path in (pyc.parent, pyc):
            if not self.is_inside(path):
                report.failed[str(path)] = "is a symbolic link that leads out of the tree, and is not followed"
                return
        where = pyc.parent
        try:
            if not self.options.check:
                _make_cache(where)
                # importlib._bootstrap_external._calc_mode: as the source, but always writable and never executable.
                with Replacement(pyc, (mode | stat.S_IWUSR) & 0o666) as replacement:
                    where = pyc
                    with replacement.writing() as stream:
                        stream.write(content)
                    replacement.commit(durable=False)
        except (OSError, DetpycError) as error:
            report.fail(where, error, "written")
        else:
            report.written.append(str(pyc))

    def remove(self, pyc: Path, report: Report) -> None:
        """Remove a pyc if there is one."""
        if not self.is_inside(pyc.parent):
            return
        try:
            pyc.lstat()
            if not self.options.check:
                pyc.unlink()
        except FileNotFoundError:
            return
        except OSError as error:
            report.fail(pyc, error, "removed")
        else:
            report.removed.append(str(pyc))

    def prune(self, own_tags: set[str]) -> None:
        """Remove the pycs that nothing would load."""
        for pyc in self.walk(".pyc"):
            if is_cached(pyc.as_posix()):  # or else a sourceless distribution's
                name = parse(pyc.as_posix())
                orphaned = self.options.prune and not Path(name.source).is_file()
                foreign = self.options.prune_other_tags and name.cache_tag not in own_tags
                if orphaned or foreign:
                    self.remove(pyc, self.report)

    def update_records(self, slots: set[tuple[str, int]]) -> None:
        """Make the RECORD of every installed distribution list the pycs of its sources."""
        for file in self.walk("RECORD"):
            if is_record(file) and self.is_inside(file):
                try:
                    if update_record(file, slots, check=self.options.check):
                        self.report.records.append(str(file))
                except DetpycError as error:
                    self.report.failed[str(file)] = str(error).removeprefix(f"{file}: ")

    def remove_empty_caches(self) -> None:
        """Remove the directories that have had their last pycs removed."""
        for cache in {Path(pyc).parent for pyc in self.report.removed}:
            with suppress(OSError):  # it is not empty
                cache.rmdir()


def _make_cache(cache: Path) -> None:
    """Make a ``__pycache__``, as accessible as the directory that it is in, whatever the umask."""
    with suppress(FileExistsError):
        cache.mkdir()
        access = (cache.parent.stat().st_mode | stat.S_IWUSR) & 0o777
        cache.chmod(cache.stat().st_mode & ~0o777 | access)
