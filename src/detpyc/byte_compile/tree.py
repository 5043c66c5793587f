"""Byte-compile a directory tree: for container images, Lambda zips and the build roots of distributions."""

from __future__ import annotations

import os
import stat
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from detpyc import temporaries
from detpyc.byte_compile.known import KnownPycs
from detpyc.byte_compile.sources import RecordedPaths, below_prefix, find_sources, prefix_directory, single_source
from detpyc.byte_compile.stale import StaleFinder
from detpyc.byte_compile.tree_files import TreeFiles
from detpyc.byte_compile.tree_report import Tally, TreeReport
from detpyc.compilation.cache_location import find_store
from detpyc.errors import DetpycError
from detpyc.files import walk
from detpyc.pyc_paths import CACHE, is_cached, parse
from detpyc.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from detpyc.byte_compile.sources import TreeSource
    from detpyc.byte_compile.stale import StaleSource, Target
    from detpyc.compilation.cache import CompileCache
    from detpyc.compilation.interpreters import Interpreter
    from detpyc.compilation.outcomes import Outcome

    # Called with the number of steps; returns a function to call after each step, from any thread.
    Progress = Callable[[int], Callable[[], None]]

__all__ = ["TreeOptions", "TreeReport", "byte_compile_tree"]

_BATCH = 1024  # sources that are in memory at once


class TreeOptions(NamedTuple):
    """How to byte-compile a tree, in addition to the settings.

    Attributes:
        strip_prefix: what to remove from the front of a source's path before it is recorded. Without this and
            ``prepend_prefix``, the path relative to the directory is recorded.
        prepend_prefix: what to add there then.
        force: write pycs that are up to date too.
        check: change nothing on disk.
        prune: remove pycs that have no source.
        prune_other_tags: remove pycs of interpreters other than those that compile.
        update_records: list the pycs in the RECORD of each ``.dist-info`` directory that lists their source.
        jobs: how many workers at most; by default one per usable processor. The results do not depend on it.
        cache: use the compile cache.
        pycache_prefix: the directory below which Python looks for the pycs (``PYTHONPYCACHEPREFIX``); by default it
            looks in the ``__pycache__`` beside each source.

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
    pycache_prefix: str | None = None


_SETTINGS = Settings()
_OPTIONS = TreeOptions()


def byte_compile_tree(
    path: str | os.PathLike[str],
    settings: Settings = _SETTINGS,
    options: TreeOptions = _OPTIONS,
    interpreters: Sequence[Interpreter] | None = None,
    progress: Progress | None = None,
) -> TreeReport:
    """Byte-compile every source in a directory and below, or a single one.

    A pyc that is up to date is not written again. A source that does not compile has no pyc afterwards. What cannot be
    read or written is reported when everything else is done.

    Args:
        path: of the directory or the source. Symbolic links that lead out of the directory are not followed.
        settings: what to byte-compile, and how; the patterns are for paths relative to the directory.
        options: how to proceed.
        interpreters: those that compile; by default those that the settings name.
        progress: shows the progress: called with the number of steps, it returns a function to call after each step,
            from any thread.

    Returns:
        What was done.

    Raises:
        DetpycError: if the path is not a directory or a source, a prefix does not fit or is to be used for records,
            SOURCE_DATE_EPOCH is malformed, or an interpreter is missing or cannot be started.

    """
    tree = _Tree(Path(path), settings, options)
    if interpreters is None:
        from detpyc.compilation.interpreters import choose  # noqa: PLC0415 - the command line has chosen them

        interpreters, missing = choose(settings.interpreters, settings.on_missing_interpreter)
        if missing:
            options = options._replace(prune_other_tags=False)  # it would remove the pycs of those that are missing
    sources = list(tree.find_sources())
    step = progress(len(sources) * len(interpreters)) if progress is not None else lambda: None
    for interpreter in interpreters:
        tree.byte_compile(interpreter, sources, step)
    if options.prune or options.prune_other_tags:
        tree.prune({interpreter.cache_tag for interpreter in interpreters})
    tree.pyc_files.remove_empty_caches(tree.tally.removed)
    if options.update_records:
        tree.update_records(
            {(interpreter.cache_tag, level) for interpreter in interpreters for level in settings.optimize}
        )
    tree.write_cache()
    return tree.tally.report(str(path), len(sources))


class _Tree:
    """The byte-compilation of one tree."""

    def __init__(self, path: Path, settings: Settings, options: TreeOptions) -> None:
        self.path = path
        self.settings = settings
        self.options = options
        self.tally = Tally()
        try:
            mode = path.stat().st_mode
        except OSError as error:
            raise DetpycError(f"cannot be read: {error.strerror}", path=path) from error
        self.is_directory = stat.S_ISDIR(mode)
        if not self.is_directory and not (stat.S_ISREG(mode) and path.suffix == ".py"):
            raise DetpycError("not a directory or source file: expected a name ending in .py", path=path)
        self.files = TreeFiles(str(path if self.is_directory else path.parent), check=options.check)
        self.pyc_files = self.files
        if options.pycache_prefix is not None:
            if options.update_records:
                raise DetpycError("the pycs below a prefix are not part of any distribution, so no RECORD lists them")
            self.pyc_files = TreeFiles(os.path.abspath(options.pycache_prefix), check=options.check)  # noqa: PTH100
        self.store = find_store(writable=not options.check) if options.cache else None
        self.known = KnownPycs(os.path.realpath(path), self.store)
        self.finder = StaleFinder(self.pyc_files, settings, self.known, force=options.force)

    def find_sources(self) -> Iterator[TreeSource]:
        """Yield the sources to byte-compile.

        Raises:
            DetpycError: if one does not have the prefix that is to be removed.

        """
        recorded = RecordedPaths(self.options.strip_prefix, self.options.prepend_prefix)
        if self.is_directory:
            found = find_sources(self.path, self.files, self.settings, recorded, self.cannot_read)
        else:
            found = single_source(self.path, self.settings, recorded)
        prefix = self.options.pycache_prefix
        if prefix is None:
            return found
        for path in self.walk_prefix(prefix, temporaries.SUFFIX):
            if temporaries.is_temporary(path.name):  # a killed process left it
                self.pyc_files.remove_temporary(str(path))
        return (below_prefix(source, prefix) for source in found)

    def cannot_read(self, path: str, error: OSError) -> None:
        """Note that a file or directory cannot be read."""
        self.tally.failed[path] = f"cannot be read: {error.strerror}"

    def byte_compile(self, interpreter: Interpreter, sources: Iterable[TreeSource], step: Callable[[], None]) -> None:
        """Update the pycs of one interpreter, some sources at a time."""
        target = self.finder.target(interpreter)
        stale = self.find_stale(target, sources, step)
        for first in stale:
            from detpyc.compilation.cache import CompileCache  # noqa: PLC0415 - often, nothing is stale

            cache = CompileCache(self.store, interpreter)
            missing = self.find_missing(target, cache, chain([first], stale), step)
            while batch := list(islice(missing, _BATCH)):
                self.compile_batch(target, cache, batch, step)

    def find_stale(
        self, target: Target, sources: Iterable[TreeSource], step: Callable[[], None]
    ) -> Iterator[StaleSource]:
        """Yield the sources whose pycs are not known to be up to date, and count the pycs of the others."""
        for source in sources:
            try:
                stale = self.finder.find_stale(target, source)
            except OSError as error:
                self.cannot_read(source.path, error)
                continue
            except DetpycError as error:
                self.tally.fail(error)
                continue
            if stale is not None:
                yield stale
            else:
                self.tally.current += len(self.settings.optimize)
                step()

    def find_missing(
        self, target: Target, cache: CompileCache, stale: Iterable[StaleSource], step: Callable[[], None]
    ) -> Iterator[StaleSource]:
        """Yield the sources that the cache does not know, and update the pycs of the others."""
        for source in stale:
            known = cache.lookup(source.request, self.settings.optimize)
            if known is None:
                yield source
            else:
                self.tally.add(self.finish(source, target, known))
                step()

    def compile_batch(
        self, target: Target, cache: CompileCache, batch: Sequence[StaleSource], step: Callable[[], None]
    ) -> None:
        """Update the pycs of some sources."""
        from detpyc.compilation.outcomes import Compiled  # noqa: PLC0415 - as above
        from detpyc.compilation.pool import byte_compile  # noqa: PLC0415

        def finish(index: int, outcome: Outcome) -> Tally:
            part = self.finish(batch[index], target, outcome)
            if isinstance(outcome, Compiled):
                cache.keep(requests[index], levels, outcome)
            step()
            return part

        requests = [stale.request for stale in batch]
        levels, jobs = self.settings.optimize, self.options.jobs
        for part in byte_compile(target.interpreter, requests, levels, finish, jobs=jobs):
            self.tally.add(part)

    def finish(self, stale: StaleSource, target: Target, outcome: Outcome) -> Tally:
        """Write the pycs of a source, or remove those of one that does not compile; return what was done."""
        from detpyc.compilation.outcomes import Compiled, Refused  # noqa: PLC0415 - as above

        source, release = stale.source, target.interpreter.release
        tally = Tally()
        paths = [f"{source.cache}{source.stem}{ending}" for ending in target.endings]
        if isinstance(outcome, Compiled):
            header = self.finder.header(target.interpreter, stale.status, outcome.source_hash)
            for path, old, payload in zip(paths, stale.request.pycs, outcome.payloads, strict=True):
                pyc = header + payload if payload else old
                self.known.add(self.known.key(pyc, source.recorded, stale.digest))
                if payload:
                    self.write(path, pyc, stale.status.st_mode, tally)
                else:
                    tally.current += 1
        elif isinstance(outcome, Refused):
            tally.skipped[source.path] = f"CPython {release}: {outcome.reason}"
            for path in paths:  # it is of an earlier version of the source, and Python might still load it
                self.remove(path, tally)
        else:
            tally.failed[source.path] = f"cannot be compiled by CPython {release}: {outcome.reason}"
        return tally

    def write_cache(self) -> None:
        """Write what is known of the tree now."""
        if self.store is not None:
            self.known.write()
            self.store.finish()

    def write(self, pyc: str, content: bytes, source_mode: int, tally: Tally) -> None:
        """Write a pyc."""
        try:
            self.pyc_files.write(pyc, content, source_mode)
        except DetpycError as error:
            tally.fail(error)
        else:
            tally.written.append(pyc)

    def remove(self, pyc: str, tally: Tally) -> None:
        """Remove a pyc if there is one."""
        try:
            if self.pyc_files.remove(pyc):
                tally.removed.append(pyc)
        except DetpycError as error:
            tally.fail(error)

    def walk(self, suffix: str) -> Iterator[Path]:
        """Yield the files of the tree whose names have a suffix; there are none around a single source."""
        if self.is_directory:
            yield from walk(self.path, suffix, lambda error: self.cannot_read(error.filename, error))

    def walk_prefix(self, prefix: str, suffix: str) -> Iterator[Path]:
        """Yield the files where Python looks for the pycs of the tree, below a prefix, whose names have a suffix."""
        top = Path(prefix_directory(str(self.path), prefix))
        if self.is_directory and top.is_dir():
            yield from walk(top, suffix, lambda error: self.cannot_read(error.filename, error))

    def cached_pycs(self) -> Iterator[tuple[Path, str]]:
        """Yield the pycs that are cached, and where each would be without a prefix."""
        prefix = self.options.pycache_prefix
        if prefix is None:
            # Other pycs are those of sourceless distributions.
            yield from ((pyc, pyc.as_posix()) for pyc in self.walk(".pyc") if is_cached(pyc.as_posix()))
        else:
            top = prefix_directory(str(self.path), prefix)
            for pyc in self.walk_prefix(prefix, ".pyc"):
                yield pyc, (self.path / pyc.parent.relative_to(top) / CACHE / pyc.name).as_posix()

    def prune(self, own_tags: set[str]) -> None:
        """Remove the pycs that Python does not load."""
        for pyc, beside in self.cached_pycs():
            name = parse(beside)
            orphaned = self.options.prune and not Path(name.source).is_file()
            foreign = self.options.prune_other_tags and name.cache_tag not in own_tags
            if orphaned or foreign:
                self.remove(str(pyc), self.tally)

    def update_records(self, slots: set[tuple[str, int]]) -> None:
        """Make the RECORD of every installed distribution list the pycs of its sources."""
        from detpyc.byte_compile.installed_records import is_record, update_record  # noqa: PLC0415 - rarely asked for

        for file in self.walk("RECORD"):
            if is_record(file) and self.files.contains(str(file)):
                try:
                    with self.files.directory(str(file.parent)) as dir_fd:
                        if update_record(file, slots, check=self.options.check, dir_fd=dir_fd):
                            self.tally.records.append(str(file))
                except DetpycError as error:
                    self.tally.fail(error)
