"""Judge pycs: compile their sources again and hold the results against them.

A pyc is only ever read by our own parser, never unmarshalled by an interpreter.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING

from detpyc.bytecode.canonical import canonicalize
from detpyc.bytecode.code_objects import recorded_path
from detpyc.bytecode.header import HEADER_SIZE, InvalidationMode, PycHeader, source_hash
from detpyc.bytecode.reader import read_payload
from detpyc.compilation import interpreters
from detpyc.compilation.pool import TIME_LIMIT, Compiled, Pool, Refused, Source
from detpyc.errors import BytecodeError, DetpycError, TooLargeError, UnsupportedBytecodeError
from detpyc.explain.difference import CODE, ENCODING
from detpyc.explain.payloads import compare_payloads
from detpyc.pyc_paths import LEVELS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from detpyc.compilation.interpreters import Interpreter
    from detpyc.compilation.pool import Failed, Outcome
    from detpyc.provenance import Bytecode
    from detpyc.pyc_paths import PycName

# How many pycs, and how much of them and their sources, are in a batch; two batches are in memory at once.
_BATCH = 256
_BATCH_SIZE = 16 << 20  # bytes


class Status(str, Enum):
    """What was found of a pyc."""

    IDENTICAL = "identical"
    EQUIVALENT = "equivalent"
    DIFFERS = "differs"
    STALE = "stale"
    ORPHAN = "orphan"
    UNVERIFIABLE = "unverifiable"
    MALFORMED = "malformed"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one pyc.

    Attributes:
        pyc: its path, in the wheel or on disk.
        status: the verdict.
        reasons: why it is so, and what else is to be noted.
        source: the path of its source; None if it has none.
        release: of the CPython that compiled the source again; None if none did.

    """

    pyc: str
    status: Status
    reasons: tuple[str, ...] = ()
    source: str | None = None
    release: str | None = None


@dataclass(frozen=True, slots=True)
class Pyc:
    """A pyc to be judged.

    Attributes:
        path: as it is reported.
        name: what its path says.
        read: reads it.
        read_source: reads its source; None if there is none.
        mtime: of the source; None where it has no meaning, as in a wheel.
        recorded: what provenance tells of it.
        in_wheel: whether it stands in a wheel, as detpyc put it there; an installer may compile it again.

    """

    path: str
    name: PycName
    read: Callable[[], bytes]
    read_source: Callable[[], bytes] | None
    mtime: float | None = None
    recorded: Bytecode | None = None
    in_wheel: bool = False

    @property
    def release(self) -> str | None:
        """The release of the CPython that is recorded to have compiled it."""
        return None if self.recorded is None else self.recorded.release


@dataclass(slots=True)
class _Case:
    """A pyc on its way to a verdict.

    Attributes:
        pyc: the pyc.
        header: its header.
        payload: the rest of it.
        source: the source's bytes.
        level: the optimization level.
        path: what the source is compiled as; corrected to the recorded one, if that turns out to be another.
        mismatches: what was found of it under the interpreters that compile its source otherwise.

    """

    pyc: Pyc
    header: PycHeader
    payload: bytes
    source: bytes
    level: int
    path: str
    mismatches: list[Finding] = field(default_factory=list)

    def finding(self, status: Status, reasons: Iterable[str], release: str | None = None) -> Finding:
        return Finding(self.pyc.path, status, tuple(reasons), self.pyc.name.source, release)


class Judge:
    """Judges pycs.

    Args:
        given: the interpreters to use for their versions. Where nothing else is known, one of these releases is taken
            to have compiled what is judged.
        jobs: how many workers; by default as many as there are usable processors.
        time_limit: seconds for one source.

    Attributes:
        contradicted: the paths of the pycs that another release than the recorded one verified, while the recorded one
            compiles their sources to other code.
        modes: the invalidation mode of each pyc by its path, where the header can be read.

    """

    def __init__(
        self, given: Sequence[Interpreter] = (), jobs: int | None = None, time_limit: float = TIME_LIMIT
    ) -> None:
        self.given = given
        self.jobs = jobs
        self.time_limit = time_limit
        self.contradicted: list[str] = []
        self.modes: dict[str, str] = {}
        self.pools: dict[Interpreter, Pool] = {}
        self.stack = ExitStack()  # which ends them

    def judge(self, pycs: Iterable[Pyc]) -> tuple[Finding, ...]:
        """Judge pycs; the findings are in their order."""
        findings: list[Finding] = []
        batches = self.batches(pycs)
        with ThreadPoolExecutor(1, thread_name_prefix="detpyc-read") as reader, self.stack:
            coming = reader.submit(next, batches, None)
            while batch := coming.result():
                coming = reader.submit(next, batches, None)  # read while the workers compile
                found = self.judge_batch([each for each in batch if isinstance(each, _Case)])
                findings += (each if isinstance(each, Finding) else found[each.pyc.path] for each in batch)
        return tuple(findings)

    def batches(self, pycs: Iterable[Pyc]) -> Iterator[list[_Case | Finding]]:
        """Prepare pycs, as many at once as may be in memory; of some that is enough for a verdict."""
        batch: list[_Case | Finding] = []
        size = 0
        for pyc in pycs:
            prepared = self.prepare(pyc)
            batch.append(prepared)
            if isinstance(prepared, _Case):
                size += len(prepared.payload) + len(prepared.source)
            if len(batch) == _BATCH or size > _BATCH_SIZE:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch

    def prepare(self, pyc: Pyc) -> _Case | Finding:
        """Read a pyc and its source; a finding, if that is enough for one."""
        try:
            data = pyc.read()
            header = PycHeader.parse(data)
            self.modes[pyc.path] = header.mode
            payload = data[HEADER_SIZE:]
            path = _compiled_as(pyc, payload, header)
        except (UnsupportedBytecodeError, TooLargeError) as error:
            return _uncompiled(pyc, Status.UNVERIFIABLE, str(error))
        except DetpycError as error:
            return _uncompiled(pyc, Status.MALFORMED, str(error))
        misplaced = _misplaced(pyc, header)
        if misplaced is not None:
            return _uncompiled(pyc, *misplaced)
        if pyc.read_source is None:
            return _uncompiled(pyc, Status.ORPHAN, f"there is no {pyc.name.source}")
        try:
            source = pyc.read_source()
        except DetpycError as error:
            return _uncompiled(pyc, Status.UNVERIFIABLE, f"its source cannot be read: {error}")
        return _Case(pyc, header, payload, source, LEVELS[pyc.name.optimization], path)

    def judge_batch(self, cases: list[_Case]) -> dict[str, Finding]:
        """Judge pycs that are in memory; the findings are by their paths."""
        findings: dict[str, Finding] = {}
        # Largest first, so that no worker is left alone with a large source at the end.
        cases.sort(key=lambda case: len(case.source), reverse=True)
        groups: dict[tuple[tuple[int, int], str | None], list[_Case]] = {}
        for case in cases:
            groups.setdefault((case.header.version, case.pyc.release), []).append(case)
        for (version, release), pending in groups.items():
            for interpreter in self.candidates(version, release):
                if not pending:
                    break
                settled = self.hold(pending, interpreter)
                findings |= settled
                pending = [case for case in pending if case.pyc.path not in settled]  # noqa: PLW2901 - what is left
            findings |= {case.pyc.path: self.unsettled(case) for case in pending}
        return findings

    def candidates(self, version: tuple[int, int], release: str | None) -> Iterator[Interpreter]:
        """Give the interpreters to try, that of the release first: to look for others takes long."""
        given = [each for each in self.given if each.version == version]
        if given:
            yield from sorted(given, key=lambda each: each.release != release)
            return
        running = [interpreters.current()] if sys.executable else []
        known = [each for each in running if each.problem is None and each.release == release]
        yield from known
        others = [each for each in _found(version) if each not in known]
        yield from sorted(others, key=lambda each: each.release != release)

    def hold(self, cases: list[_Case], interpreter: Interpreter) -> dict[str, Finding]:
        """Hold pycs against what an interpreter makes of their sources: the findings of those that this settles."""
        settled: dict[str, Finding] = {}
        for level in sorted({case.level for case in cases}):
            pending = [case for case in cases if case.level == level]
            while pending:
                again: list[_Case] = []
                for case, finding in zip(pending, self.compile(pending, level, interpreter), strict=True):
                    if finding is None:
                        again.append(case)  # under the path that the pyc records
                    elif finding.status is Status.DIFFERS:
                        case.mismatches.append(finding)
                    else:
                        settled[case.pyc.path] = self.noting_release(case, finding)
                pending = again
        return settled

    def compile(self, cases: list[_Case], level: int, interpreter: Interpreter) -> list[Finding | None]:
        """Compile the sources of pycs: the verdict on each, None if it is to be compiled under another path."""

        def finish(index: int, outcome: Outcome) -> Finding | None:
            return _verdict(cases[index], outcome, interpreter)

        if interpreter not in self.pools:
            self.pools[interpreter] = self.stack.enter_context(Pool(interpreter, self.jobs, self.time_limit))
        sources = (Source(case.path, case.source) for case in cases)
        return self.pools[interpreter].byte_compile(sources, [level], finish)

    def noting_release(self, case: _Case, finding: Finding) -> Finding:
        """Note that another release verified a pyc than is recorded to have compiled it."""
        release = case.pyc.release
        if release in {None, finding.release} or finding.status not in {Status.IDENTICAL, Status.EQUIVALENT}:
            return finding
        note = f"recorded as compiled by CPython {release}, verified with {finding.release}"
        if any(mismatch.release == release for mismatch in case.mismatches):
            self.contradicted.append(case.pyc.path)
            note += f", and {release} compiles the source to other code"
        return replace(finding, reasons=(*finding.reasons, note))

    def unsettled(self, case: _Case) -> Finding:
        """Return what is to be found of a pyc that no interpreter's result is equal to."""
        if not case.mismatches:
            return _without_interpreter(case)
        compiled_by = self.compiled_by(case)
        for mismatch in case.mismatches:
            if mismatch.release in compiled_by:
                return mismatch
        mismatch = case.mismatches[0]
        unknown = (
            "which release compiled the pyc is not known (-i names it)"
            if not compiled_by
            else f"CPython {' or '.join(compiled_by)}, which compiled the pyc, was not tried"
        )
        reasons = (f"CPython {mismatch.release} makes other code of the source, and {unknown}", *mismatch.reasons)
        return replace(mismatch, status=Status.UNVERIFIABLE, reasons=reasons)

    def compiled_by(self, case: _Case) -> tuple[str, ...]:
        """Return the releases one of which has compiled a pyc; nothing if that is not known.

        In an installed tree provenance tells it only of pycs that are still as detpyc writes them.
        """
        recorded = case.pyc.recorded
        if recorded is not None and (
            case.pyc.in_wheel
            or (
                case.header.mode == recorded.invalidation_mode
                and canonicalize(case.payload, case.header.version) == case.payload
            )
        ):
            return (recorded.release,)
        return tuple(each.release for each in self.given if each.version == case.header.version)


@cache
def _found(version: tuple[int, int]) -> list[Interpreter]:
    """Return an interpreter for each release of a version; searching takes long enough to do it once."""
    return interpreters.find_releases(version)


def _uncompiled(pyc: Pyc, status: Status, reason: str) -> Finding:
    """Return what is found of a pyc whose source need not be compiled for that."""
    return Finding(pyc.path, status, (reason,), None if pyc.read_source is None else pyc.name.source)


def _misplaced(pyc: Pyc, header: PycHeader) -> tuple[Status, str] | None:
    """Say what is wrong with a pyc's name, and the status that this makes; None if it is right."""
    tag, named = "cpython-{}{}".format(*header.version), pyc.name.cache_tag
    if named not in {None, tag}:
        if named.startswith(f"{tag}-"):
            return Status.UNVERIFIABLE, f"no CPython loads a pyc of that name; another tool wrote it, for {named}"
        return Status.MALFORMED, f"its magic number (at offset 0) is of {tag}, and its name says {named!r}"
    if pyc.name.optimization not in LEVELS:
        return Status.UNVERIFIABLE, f"optimization level {pyc.name.optimization!r} is none of CPython's"
    return None


def _compiled_as(pyc: Pyc, payload: bytes, header: PycHeader) -> str:
    """Return the path that a pyc records; the likely one if it stands in the payload, which spares reading it."""
    likely = pyc.name.source.encode("utf-8", "surrogatepass")
    if len(likely) < 256 and bytes([len(likely)]) + likely in payload:  # noqa: PLR2004 - a short text's
        return pyc.name.source
    try:
        return _recorded_path(payload, header.version)
    except BytecodeError as error:
        raise error.shifted(HEADER_SIZE) from error


def _recorded_path(payload: bytes, version: tuple[int, int]) -> str:
    path = recorded_path(read_payload(payload, version))
    if path is None:
        raise BytecodeError("the payload is not a code object", 0)
    return path


def _verdict(case: _Case, outcome: Outcome, interpreter: Interpreter) -> Finding | None:
    """Hold a pyc against what its source compiles to; None if it is to be compiled under another path."""
    if not isinstance(outcome, Compiled):
        return _not_compiled(case, outcome, interpreter)
    (expected,) = outcome.payloads
    status, reasons = Status.IDENTICAL, [*_header_reasons(case), *_path_reasons(case)]
    if case.payload != expected:
        try:
            recorded = _recorded_path(case.payload, case.header.version)
            if recorded != case.path:
                case.path = recorded
                return None
            differences = compare_payloads(
                case.payload, expected, case.header.version, interpreters.opcodes(interpreter)
            )
        except BytecodeError as error:
            return case.finding(Status.MALFORMED, [str(error.shifted(HEADER_SIZE))], interpreter.release)
        changed = [str(each) for each in differences if each.kind == CODE]
        if changed:
            status, reasons = Status.DIFFERS, changed
        reasons += (f"{each.aspect} ({each.total})" for each in differences if each.kind == ENCODING and not changed)
    if reasons and status is Status.IDENTICAL:
        status = Status.EQUIVALENT
    stale = _staleness(case, outcome.source_hash)
    if stale is not None:
        code = reasons[0] if status is Status.DIFFERS else "the code is the source's all the same"
        return case.finding(Status.STALE, [stale, code], interpreter.release)
    return case.finding(status, reasons, interpreter.release)


def _not_compiled(case: _Case, outcome: Refused | Failed, interpreter: Interpreter) -> Finding:
    status, reason = Status.UNVERIFIABLE, f"its source could not be compiled: {outcome.reason}"
    if isinstance(outcome, Refused) and not outcome.exhausted:
        status, reason = Status.DIFFERS, f"its source does not compile: {outcome.reason}"
    stale = _staleness(case)
    if stale is not None:
        return case.finding(Status.STALE, [stale, reason], interpreter.release)
    return case.finding(status, [reason], interpreter.release)


def _staleness(case: _Case, expected: bytes | None = None) -> str | None:
    """Say how the header does not match the source, whose hash may be known already."""
    header = case.header
    if header.mode != InvalidationMode.TIMESTAMP:
        expected = source_hash(case.source, header.magic_number) if expected is None else expected
        if header.source_hash == expected:
            return None
        return f"its header holds another source's hash, {(header.source_hash or b'').hex()}, and not {expected.hex()}"
    size = len(case.source) & 0xFFFFFFFF
    if header.source_size != size:
        return f"its header says that the source has {header.source_size} bytes, and it has {size}"
    if case.pyc.mtime is not None and header.mtime != int(case.pyc.mtime) & 0xFFFFFFFF:
        return f"its header says that the source is of {header.mtime}, and it is of {int(case.pyc.mtime)}"
    return None


def _header_reasons(case: _Case) -> Iterator[str]:
    if case.header.mode == InvalidationMode.TIMESTAMP:
        yield "timestamp header"


def _path_reasons(case: _Case) -> Iterator[str]:
    """Say that the recorded path is not one that detpyc writes: relative, in a tree to any directory above."""
    source = case.pyc.name.source
    ours = source == case.path if case.pyc.in_wheel else f"/{source}".endswith(f"/{case.path.lstrip('/')}")
    if not ours or case.path.startswith("/"):
        yield f"recorded path {case.path!r}"


def _without_interpreter(case: _Case) -> Finding:
    wanted = case.pyc.release or "{}.{}".format(*case.header.version)
    reason = f"there is no CPython {wanted} here to compile its source"
    stale = _staleness(case)
    if stale is not None:
        return case.finding(Status.STALE, [stale, reason])
    return case.finding(Status.UNVERIFIABLE, [reason])
