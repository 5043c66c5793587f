"""Byte-compile a directory tree: the use case of images, Lambda zips and distributions' build roots."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from detpyc.byte_compile.known import Known, digest, proof
from detpyc.byte_compile.sources import scan
from detpyc.bytecode.header import HEADER_SIZE, InvalidationMode, PycHeader
from detpyc.errors import DetpycError
from detpyc.files import read_regular, walk
from detpyc.gitignore import select
from detpyc.pyc_paths import CACHE, is_cached, parse, pyc_name
from detpyc.replacement import Replacement
from detpyc.reproducible import source_date_epoch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from detpyc.compilation.interpreters import Interpreter
    from detpyc.compilation.pool import Outcome, Source
    from detpyc.settings import Settings

    # Told how many steps there will be; returns what is to be called after each, from any thread.
    Progress = Callable[[int], Callable[[], None]]

_BATCH = 1024  # sources that are held in memory at once
_U32 = 0xFFFFFFFF
_START = 8  # bytes of a header before what ties it to its source
_NOWHERE = {errno.ENOENT, errno.ELOOP}  # where some links lead, such as those by which editors lock files


class Options(NamedTuple):
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
        cache: keep in the user's cache directory which pycs are known to be right, and believe what is there.

    """

    strip_prefix: str | None = None
    prepend_prefix: str | None = None
    force: bool = False
    check: bool = False
    prune: bool = False
    prune_other_tags: bool = False
    update_records: bool = False
    jobs: int | None = None
    cache: bool = True


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

    def __init__(self, path: str) -> None:
        self.path = path
        self.sources = 0
        self.written: list[str] = []
        self.current = 0
        self.skipped: dict[str, str] = {}
        self.removed: list[str] = []
        self.records: list[str] = []
        self.failed: dict[str, str] = {}

    @property
    def changed(self) -> bool:
        """Whether anything was changed, or with ``check`` would be."""
        return bool(self.written or self.removed or self.records)

    def fail(self, path: str | Path, error: OSError | DetpycError, done: str) -> None:
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
        target = tree.target(interpreter)
        stale = tree.stale(target, sources, step)
        while batch := list(islice(stale, _BATCH)):
            tree.byte_compile(target, batch, step)
    if options.prune or options.prune_other_tags:
        tree.prune({each.cache_tag for each in chosen})
    if not options.check:
        tree.remove_empty_caches()
    if options.update_records:
        tree.update_records({(each.cache_tag, level) for each in chosen for level in settings.optimize})
    if not options.check:
        tree.known.write()
    return tree.report


class _Found(NamedTuple):
    """A source in the tree.

    Attributes:
        path: on disk.
        recorded: the path that its code objects are to record.
        cache: the directory of its pycs, with a separator at the end.
        stem: how their names begin.
        listing: what stood in that directory, by name, and whether it was a regular file and no link; None if that is
            not known.

    """

    path: str
    recorded: str
    cache: str
    stem: str
    listing: Mapping[str, bool] | None


class _Target(NamedTuple):
    """What the pycs of one interpreter have in common.

    Attributes:
        interpreter: that compiles.
        endings: of their names, for each level.
        start: of their headers, as far as that does not depend on the source.

    """

    interpreter: Interpreter
    endings: Sequence[str]
    start: bytes


class _Stale(NamedTuple):
    """A source whose pycs are not known to be right.

    Attributes:
        found: the source.
        status: what the file system said of it before it was read.
        digest: of its content, if the headers are to hold a hash of it; otherwise nothing.
        source: what is to be compiled, and the pycs that may be right.

    """

    found: _Found
    status: os.stat_result
    digest: bytes
    source: Source


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
        self.known = Known(os.path.realpath(path), enabled=options.cache)

    def find_sources(self) -> Iterator[_Found]:
        """Give the sources that are to be byte-compiled.

        Raises:
            DetpycError: if one does not have the prefix that is to be stripped.

        """
        if not self.is_directory:
            for name in select([self.path.name], self.settings.include, self.settings.exclude):
                path, cache = str(self.path), f"{self.top / CACHE}{os.sep}"
                # Wherever it leads, if it is a link.
                yield _Found(path, self.recorded_path(path, name), cache, self.path.stem, None)
            return
        candidates = {each.name: each for each in scan(self.path, self.unreadable)}
        for name in select(candidates, self.settings.include, self.settings.exclude):
            _, where, entry, listing = candidates[name]
            path = where + entry.name
            try:
                if entry.is_symlink() and not self.is_inside(path):
                    continue
                if not entry.is_file():
                    continue
            except OSError as error:
                if error.errno not in _NOWHERE:
                    self.unreadable(path, error)
                continue
            stem = entry.name[: -len(".py")]
            yield _Found(path, self.recorded_path(path, name), f"{where}{CACHE}{os.sep}", stem, listing)

    def walk(self, suffix: str) -> Iterator[Path]:
        """Give the files of the tree whose names end so; a single source has none around it."""
        if self.is_directory:
            yield from walk(self.path, suffix, lambda error: self.unreadable(error.filename, error))

    def unreadable(self, path: str, error: OSError) -> None:
        """Note that a file or directory cannot be read."""
        self.report.fail(path, error, "read")

    def is_inside(self, path: str | Path) -> bool:
        """Tell whether a path is no symbolic link, or one that stays in the tree."""
        if not os.path.islink(path):  # noqa: PTH114 - Path.is_symlink raises where a directory may not be entered
            return True
        return Path(os.path.realpath(path)).is_relative_to(self.home)

    def recorded_path(self, path: str, name: str) -> str:
        """Return the path that a source's code objects are to record, with -s and -p as ``compileall`` has it."""
        strip, prepend = self.options.strip_prefix, self.options.prepend_prefix
        if strip is None and prepend is None:
            return name
        file = Path(path)
        if strip is not None:
            try:
                file = file.relative_to(strip)
            except ValueError:
                raise DetpycError(f"{file}: does not start with the prefix {strip} that is to be stripped") from None
        return (file if prepend is None else Path(prepend, file)).as_posix()

    def target(self, interpreter: Interpreter) -> _Target:
        """Return what the pycs of an interpreter have in common."""
        names = [pyc_name(".py", interpreter.cache_tag, level) for level in self.settings.optimize]
        header = PycHeader(interpreter.magic_number, self.settings.invalidation_mode, source_hash=bytes(8))
        return _Target(interpreter, [Path(name).name for name in names], header.to_bytes()[:_START])

    def stale(self, target: _Target, sources: Iterable[_Found], step: Callable[[], None]) -> Iterator[_Stale]:
        """Give the sources whose pycs are not known to be right, and count those that are."""
        for found in sources:
            try:
                stale = self.if_stale(target, found)
            except (OSError, DetpycError) as error:
                self.report.fail(found.path, error, "read")
                continue
            if stale is not None:
                yield stale
            else:
                self.report.current += len(self.settings.optimize)
                step()

    def if_stale(self, target: _Target, found: _Found) -> _Stale | None:
        """Return a source whose pycs are not known to be right.

        Raises:
            OSError: if it cannot be read.
            DetpycError: if it is no regular file any more.

        """
        status, content, source_digest, start = None, None, b"", target.start
        if self.settings.invalidation_mode == InvalidationMode.TIMESTAMP:
            status = os.stat(found.path)  # noqa: PTH116 - it is done for thousands
            start = self.header(target.interpreter, status)
        else:
            content = read_regular(found.path)
            source_digest = digest(content)
        pycs = [self.plausible_pyc(found, found.stem + ending, start) for ending in target.endings]
        if all(pyc and self.known.holds(proof(pyc, found.recorded, source_digest)) for pyc in pycs):
            return None
        from detpyc.compilation.pool import Source  # noqa: PLC0415 - it takes long, and is often not needed

        if status is None:
            status = os.stat(found.path)  # noqa: PTH116
        if content is None:
            content = read_regular(found.path)
        return _Stale(found, status, source_digest, Source(found.recorded, content, tuple(pycs)))

    def byte_compile(self, target: _Target, batch: Sequence[_Stale], step: Callable[[], None]) -> None:
        """Bring the pycs of some sources up to date."""
        from detpyc.compilation.pool import byte_compile  # noqa: PLC0415 - as above

        def finish(index: int, outcome: Outcome) -> Report:
            report = self.settle(batch[index], target, outcome)
            step()
            return report

        sources = [each.source for each in batch]
        levels, jobs = self.settings.optimize, self.options.jobs
        for report in byte_compile(target.interpreter, sources, levels, finish, jobs=jobs):
            self.report.add(report)

    def plausible_pyc(self, found: _Found, name: str, start: bytes) -> bytes:
        """Return the pyc that is there if its header may be right; what only the worker can tell is left to it."""
        path = found.cache + name
        if self.options.force:
            return b""
        if found.listing is None or found.listing.get(name) is False:
            if not self.is_inside(found.cache.rstrip(os.sep)) or not self.is_inside(path):
                return b""
        elif name not in found.listing:
            return b""
        try:
            data = read_regular(path)
        except (OSError, DetpycError):
            return b""
        return data if data.startswith(start) and len(data) >= HEADER_SIZE else b""

    def header(self, interpreter: Interpreter, status: os.stat_result, source_hash: bytes = b"") -> bytes:
        """Return the header that a pyc is to have."""
        mode = self.settings.invalidation_mode
        if mode != InvalidationMode.TIMESTAMP:
            return PycHeader(interpreter.magic_number, mode, source_hash=source_hash).to_bytes()
        mtime, size = int(status.st_mtime), status.st_size
        if self.epoch is not None:
            mtime = min(mtime, self.epoch)
        return PycHeader(interpreter.magic_number, mode, mtime=mtime & _U32, source_size=size & _U32).to_bytes()

    def settle(self, stale: _Stale, target: _Target, outcome: Outcome) -> Report:
        """Write the pycs of a source, or see to it that there are none; return what was done."""
        from detpyc.compilation.pool import Compiled, Refused  # noqa: PLC0415 - as above

        found, release = stale.found, target.interpreter.release
        report = Report(found.path)
        paths = [Path(found.cache, found.stem + ending) for ending in target.endings]
        if isinstance(outcome, Compiled):
            header = self.header(target.interpreter, stale.status, outcome.source_hash)
            for path, old, payload in zip(paths, stale.source.pycs, outcome.payloads, strict=True):
                pyc = header + payload if payload else old
                self.known.learn(proof(pyc, found.recorded, stale.digest))
                if payload:
                    self.write(path, stale.status.st_mode, pyc, report)
                else:
                    report.current += 1
        elif isinstance(outcome, Refused) and not outcome.exhausted:
            report.skipped[found.path] = f"CPython {release}: {outcome.reason}"
            for path in paths:  # what is there is of another source, and might be loaded all the same
                self.remove(path, report)
        else:
            report.failed[found.path] = f"cannot be compiled by CPython {release}: {outcome.reason}"
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
        from detpyc.byte_compile.installed_records import is_record, update_record  # noqa: PLC0415 - as above

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
