"""Judge pycs: compile their sources again, with each interpreter in question, and compare the results with them."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import replace
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING

from detpyc.compilation import interpreters
from detpyc.compilation.pool import TIME_LIMIT, Pool, Source
from detpyc.executor import Executor
from detpyc.verify.pycs import Case, Judgement, Mismatch, finding, prepare
from detpyc.verify.reports import PASSING, Finding, Status
from detpyc.verify.verdicts import at_other_level, compare, without_match

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from types import TracebackType

    from typing_extensions import Self

    from detpyc.compilation.interpreters import Interpreter
    from detpyc.compilation.pool import Outcome
    from detpyc.verify.pycs import Pyc

    Progress = Callable[[int], Callable[[], None]]

# How many pycs, and how much of them and their sources, are in a batch; two batches are in memory at once.
_BATCH = 256
_BATCH_SIZE = 16 << 20  # bytes
_NO_MEMORY = "there is not enough memory to compare it with its source"


def judge(
    pycs: Iterable[Pyc],
    count: int,
    given: Sequence[Interpreter] = (),
    *,
    jobs: int | None = None,
    time_limit: float = TIME_LIMIT,
    install: bool = False,
    progress: Progress | None = None,
) -> tuple[Judgement, ...]:
    """Judge pycs.

    Args:
        pycs: what to judge. They are read in a thread, while the workers compile.
        count: how many they are.
        given: the interpreters to use for their versions. Where nothing is recorded, one of these releases is assumed
            to have compiled the pyc.
        jobs: how many workers; by default as many as there are usable processors.
        time_limit: seconds for one source.
        install: have uv install the recorded releases that are missing; for pycs without one, the releases of their
            version in turn until one compiles the source to the same code.
        progress: called with the number of pycs, it returns a function to call after each, from any thread.

    Returns:
        A judgement for each pyc, in their order.

    Raises:
        InterpreterError: if an interpreter cannot be started.
        DetpycError: if no more threads or processes can be started.

    """
    judgements: list[Judgement] = []
    batches = _batches(pycs)
    step = progress(count) if progress is not None else lambda: None
    compilers = _Compilers(given, jobs, time_limit, step, install=install)
    with Executor(1, thread_name_prefix="detpyc-read") as reader, compilers as used:
        coming = reader.submit(next, batches, None)
        while batch := coming.result():
            coming = reader.submit(next, batches, None)  # read while the workers compile
            judged = _judge_batch([case for case in batch if isinstance(case, Case)], used)
            for _ in range(len(batch) - len(judged)):
                step()
            judgements += (item if isinstance(item, Judgement) else judged[item.pyc.path] for item in batch)
    return tuple(judgements)


def _batches(pycs: Iterable[Pyc]) -> Iterator[list[Case | Judgement]]:
    """Prepare pycs, as many at once as may be in memory."""
    batch: list[Case | Judgement] = []
    size = 0
    for pyc in pycs:
        try:
            prepared = prepare(pyc)
        except MemoryError:
            prepared = Judgement(finding(pyc, Status.UNVERIFIABLE, [_NO_MEMORY]))
        batch.append(prepared)
        if isinstance(prepared, Case):
            size += prepared.size
        if len(batch) == _BATCH or size > _BATCH_SIZE:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


class _Compilers:
    """The interpreters that compile sources again. Their workers live on from batch to batch; a context manager."""

    def __init__(
        self,
        given: Sequence[Interpreter],
        jobs: int | None,
        time_limit: float,
        step: Callable[[], None],
        *,
        install: bool,
    ) -> None:
        self.given = given
        self.jobs = jobs
        self.time_limit = time_limit
        self.step = step  # called when a pyc is judged
        self.install = install
        self.pools: dict[Interpreter, Pool] = {}
        self.stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stack.__exit__(kind, error, traceback)

    def given_releases(self, version: tuple[int, int]) -> tuple[str, ...]:
        """Return the releases of a version that were given."""
        return tuple(interpreter.release for interpreter in self.given if interpreter.version == version)

    def candidates(self, version: tuple[int, int], release: str | None) -> Iterator[Interpreter]:
        """Yield the interpreters to try, the recorded release first: searching for others takes long."""
        given = [interpreter for interpreter in self.given if interpreter.version == version]
        if given:
            yield from sorted(given, key=lambda interpreter: interpreter.release != release)
            return
        running = [interpreters.current()] if sys.executable else []
        known = [
            interpreter for interpreter in running if interpreter.problem is None and interpreter.release == release
        ]
        yield from known
        others = [interpreter for interpreter in _found(version) if interpreter not in known]
        found = {interpreter.release for interpreter in (*known, *others)}
        if self.install and release is not None and release not in found:
            yield _installed(release)
        yield from sorted(others, key=lambda interpreter: interpreter.release != release)

    def installable(self, version: tuple[int, int], release: str | None) -> Iterator[Interpreter]:
        """Yield the other releases of a version, the newest first, each installed when it is needed."""
        if self.install and release is None and not self.given_releases(version):
            found = {interpreter.release for interpreter in _found(version)}
            yield from (_installed(other) for other in _offered(version) if other not in found)

    def compile(self, cases: list[Case], level: int, interpreter: Interpreter) -> list[Finding | Mismatch | Case]:
        """Compile the sources of pycs and compare the results with them, as `compare` does.

        What is to be compiled as the same path several times, as in copies of a package, is compiled once.
        """
        copies: dict[tuple[str, bytes], list[int]] = {}
        for index, case in enumerate(cases):
            copies.setdefault((case.path, case.source), []).append(index)
        indexes = [*copies.values()]

        def finish(number: int, outcome: Outcome) -> list[Finding | Mismatch | Case]:
            return [self._compare(cases[index], outcome, interpreter) for index in indexes[number]]

        if interpreter not in self.pools:
            self.pools[interpreter] = self.stack.enter_context(Pool(interpreter, self.jobs, self.time_limit))
        sources = (Source(path, source) for path, source in copies)
        found = self.pools[interpreter].byte_compile(sources, [level], finish)
        results = dict(zip(chain(*indexes), chain(*found), strict=True))
        return [results[index] for index in range(len(cases))]

    def _compare(self, case: Case, outcome: Outcome, interpreter: Interpreter) -> Finding | Mismatch | Case:
        try:
            result = compare(case, outcome, interpreter)
        except MemoryError:
            result = case.finding(Status.UNVERIFIABLE, [_NO_MEMORY], interpreter.release)
        if isinstance(result, Finding):
            self.step()
        return result


def _judge_batch(cases: list[Case], compilers: _Compilers) -> dict[str, Judgement]:
    """Judge pycs that are in memory; return the judgements by their paths."""
    judged: dict[str, Judgement] = {}
    # Largest first, so that no worker is left alone with a large source at the end.
    cases.sort(key=lambda case: len(case.source), reverse=True)
    groups: dict[tuple[tuple[int, int], str | None], list[Case]] = {}
    for case in cases:
        groups.setdefault((case.header.version, case.pyc.release), []).append(case)
    for (version, release), pending in groups.items():
        undecided = _try_each(pending, compilers.candidates(version, release), compilers, judged)
        # Another release is not worth a download for a pyc that no release can have compiled.
        open_to_others = [case for case in undecided if not case.decided]
        undecided = [case for case in undecided if case.decided]
        undecided += _try_each(open_to_others, compilers.installable(version, release), compilers, judged)
        for case in _try_other_levels(undecided, compilers.candidates(version, release), compilers, judged):
            finding = without_match(case, compilers.given_releases(version))
            judged[case.pyc.path] = Judgement(finding, case.header)
            compilers.step()
    return judged


def _try_each(
    cases: list[Case], candidates: Iterable[Interpreter], compilers: _Compilers, judged: dict[str, Judgement]
) -> list[Case]:
    """Compare pycs with what interpreters compile, one after the other; return those that none settles."""
    if cases:
        for interpreter in candidates:
            settled, cases = _try(cases, interpreter, compilers)
            judged |= settled
            if not cases:
                break  # before the next candidate, which may take a search
    return cases


def _try_other_levels(
    cases: list[Case], candidates: Iterable[Interpreter], compilers: _Compilers, judged: dict[str, Judgement]
) -> list[Case]:
    """Judge pycs whose names have no level, and which a level other than 0 verifies; return the other cases."""
    interpreters = [*candidates] if any(not case.level for case in cases) else []
    for level in (1, 2):
        unnamed = {case.pyc.path: case for case in cases if not case.level}
        settled: dict[str, Judgement] = {}
        _try_each([case.at_level(level) for case in unnamed.values()], interpreters, compilers, settled)
        for path, found in settled.items():
            if found.finding.status in PASSING:
                judged[path] = replace(found, finding=at_other_level(unnamed[path], level, found.finding))
        cases = [case for case in cases if case.pyc.path not in judged]
    return cases


def _try(cases: list[Case], interpreter: Interpreter, compilers: _Compilers) -> tuple[dict[str, Judgement], list[Case]]:
    """Compare pycs with what an interpreter compiles their sources to.

    Returns:
        The judgements on the pycs that this settles, by their paths; and the other cases, with the mismatch.

    """
    settled: dict[str, Judgement] = {}
    differing: list[Case] = []
    for level in sorted({case.level for case in cases}):
        pending = [case for case in cases if case.level == level]
        while pending:
            again: list[Case] = []
            for case, result in zip(pending, compilers.compile(pending, level, interpreter), strict=True):
                if isinstance(result, Case):
                    again.append(result)
                elif isinstance(result, Mismatch):
                    differing.append(case.differing(result))
                else:
                    settled[case.pyc.path] = _settled(case, result)
            pending = again
    return settled, differing


def _settled(case: Case, finding: Finding) -> Judgement:
    """Judge a pyc that an interpreter settles; note if it is of another release than the recorded one."""
    release = case.pyc.release
    if release in {None, finding.release} or finding.status not in PASSING:
        return Judgement(finding, case.header)
    note = f"recorded as compiled by CPython {release}, verified with {finding.release}"
    contradicted = any(mismatch.finding.release == release for mismatch in case.mismatches)
    if contradicted:
        note += f", and {release} compiles the source to different code"
    return Judgement(replace(finding, reasons=(*finding.reasons, note)), case.header, contradicted)


@cache
def _installed(release: str) -> Interpreter:
    """Have uv install a release."""
    from detpyc.compilation.installation import install_interpreter  # noqa: PLC0415 - it is rarely asked for

    return install_interpreter(release)


@cache
def _offered(version: tuple[int, int]) -> tuple[str, ...]:
    """Return the releases of a version that uv can install, the newest first."""
    from detpyc.compilation.installation import installable_releases  # noqa: PLC0415 - as above

    return installable_releases(version)


@cache
def _found(version: tuple[int, int]) -> list[Interpreter]:
    """Return an interpreter for each release of a version; the search is slow, so its result is kept."""
    return interpreters.find_releases(version)
