"""Verify that bytecode is what its source compiles to: in wheels, in directory trees, in single pycs.

Each source is compiled again by the interpreter that the pyc names, and the result is held against the pyc, which is
only ever read by our own parser.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from detpyc import provenance
from detpyc.bytecode import explain, marshal, names
from detpyc.bytecode.describe import field as field_of
from detpyc.bytecode.describe import is_code, text
from detpyc.bytecode.header import HEADER_SIZE, MAGIC_NUMBERS, InvalidationMode, PycHeader, source_hash
from detpyc.compilation import interpreters
from detpyc.compilation.compiler import Compiled, Refused, Source, byte_compile
from detpyc.errors import BytecodeError, DetpycError, UnsupportedBytecodeError
from detpyc.files import open_locked, walk
from detpyc.settings import select
from detpyc.wheel import record
from detpyc.wheel.distribution import Wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from detpyc.bytecode.names import PycName
    from detpyc.compilation.compiler import Outcome
    from detpyc.compilation.interpreters import Interpreter
    from detpyc.provenance import Bytecode, Provenance

_BATCH = 512  # pycs that are held in memory at once, with their sources


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
class Report:
    """What was found in a wheel or a tree.

    Attributes:
        path: of the wheel or the tree.
        findings: one for each pyc, in the order of their paths.
        problems: what is wrong with the whole: RECORD, or provenance that contradicts the content.

    """

    path: str
    findings: tuple[Finding, ...]
    problems: tuple[str, ...] = ()

    def counts(self) -> dict[str, int]:
        """Return how many pycs there are of each status."""
        found = Counter(finding.status for finding in self.findings)
        return {status.value: found[status] for status in Status}

    def refused(self, allowed: Iterable[Status]) -> tuple[Finding, ...]:
        """Return the findings whose status is not allowed."""
        passing = frozenset(allowed)
        return tuple(finding for finding in self.findings if finding.status not in passing)


@dataclass(frozen=True, slots=True)
class _Pyc:
    """A pyc to be verified.

    Attributes:
        path: as it is reported.
        name: what its path says.
        read: reads it.
        read_source: reads its source; None if there is none.
        mtime: of the source; None where it has no meaning, as in a wheel.
        release: of the CPython that compiled it, as far as it is known.

    """

    path: str
    name: PycName
    read: Callable[[], bytes]
    read_source: Callable[[], bytes] | None
    mtime: float | None = None
    release: str | None = None


@dataclass(slots=True)
class _Case:
    """A pyc that can be verified, on its way to a verdict.

    Attributes:
        pyc: the pyc.
        header: its header.
        payload: the rest of it.
        source: the source's bytes.
        level: the optimization level.
        path: what the source is compiled as.
        mismatch: what was found of it under an interpreter that may not be the one that compiled it.

    """

    pyc: _Pyc
    header: PycHeader
    payload: bytes
    source: bytes
    level: int
    path: str
    mismatch: Finding | None = None


class Verifier:
    """Verifies pycs, remembering which interpreters there are.

    Args:
        given: the interpreters to use for their versions. Their releases are taken to be those that compiled what is
            verified, where nothing else is known.
        jobs: how many workers; by default as many as there are usable processors.

    """

    def __init__(self, given: Sequence[Interpreter] = (), jobs: int | None = None) -> None:
        self.jobs = jobs
        self.given = {each.version: each for each in given}
        self.known: dict[tuple[int, int], list[Interpreter]] = {}
        self.found: list[Finding] = []

    def verify(self, pycs: Iterable[_Pyc]) -> tuple[Finding, ...]:
        """Verify pycs; the findings are in their order."""
        order = []
        findings: dict[str, Finding] = {}
        cases: list[_Case] = []
        for pyc in pycs:
            order.append(pyc.path)
            prepared = _prepare(pyc)
            if isinstance(prepared, Finding):
                findings[pyc.path] = prepared
                continue
            cases.append(prepared)
            if len(cases) == _BATCH:
                findings |= self.judge(cases)
                cases = []
        findings |= self.judge(cases)
        return tuple(findings[path] for path in order)

    def judge(self, cases: list[_Case]) -> dict[str, Finding]:
        """Compile the sources again and hold the results against the pycs."""
        findings: dict[str, Finding] = {}
        groups: dict[tuple[tuple[int, int], str | None], list[_Case]] = {}
        for case in cases:
            groups.setdefault((case.header.version, case.pyc.release), []).append(case)
        for (version, release), pending in groups.items():
            candidates = self.candidates(version, release)
            for candidate, decisive in candidates:
                settled = self.hold(pending, candidate, decisive=decisive)
                findings |= settled
                pending = [case for case in pending if case.pyc.path not in settled]  # noqa: PLW2901 - what is left
                if not pending:
                    break
            for case in pending:
                findings[case.pyc.path] = case.mismatch or _without_interpreter(case, release)
        return findings

    def candidates(self, version: tuple[int, int], release: str | None) -> list[tuple[Interpreter, bool]]:
        """Return the interpreters to try, in this order, and of each whether a mismatch with it is decisive.

        Only the very release that compiled a pyc decides that its code is another. That release comes last, so that a
        pyc which some other one compiled, over what was shipped, is recognised first.
        """
        given = self.given.get(version)
        if given is not None:
            return [(given, release in {None, given.release})]
        if version not in self.known:
            self.known[version] = interpreters.find_releases(version)
        own = [each for each in self.known[version] if each.release == release]
        others = [each for each in self.known[version] if each.release != release]
        if own:
            return (
                [(own[0], False), *((each, False) for each in others), (own[0], True)] if others else [(own[0], True)]
            )
        return [(each, False) for each in others]

    def hold(self, cases: list[_Case], interpreter: Interpreter, *, decisive: bool) -> dict[str, Finding]:
        """Verify with one interpreter. What does not match is left open unless that is decisive."""
        settled: dict[str, Finding] = {}
        for level in sorted({case.level for case in cases}):
            pending = [case for case in cases if case.level == level]
            while pending:
                again: list[_Case] = []

                def finish(index: int, outcome: Outcome, pending: list[_Case] = pending) -> Finding | None:
                    return _verdict(pending[index], outcome, interpreter)

                sources = [Source(case.path, case.source) for case in pending]
                for case, finding in zip(
                    pending, byte_compile(interpreter, sources, [level], finish, jobs=self.jobs), strict=True
                ):
                    if finding is None:
                        again.append(case)  # under the path that the pyc records
                    elif finding.status is not Status.DIFFERS or decisive:
                        settled[case.pyc.path] = _noting_release(finding, case.pyc.release)
                    elif case.mismatch is None:
                        case.mismatch = _undecided(case, finding, interpreter)
                pending = again
        return settled


def _prepare(pyc: _Pyc) -> _Case | Finding:
    """Read a pyc, as far as that can be done without its interpreter."""
    try:
        data = pyc.read()
        header = PycHeader.parse(data)
        payload = data[HEADER_SIZE:]
        path = _compiled_as(pyc, payload, header)
        source = pyc.read_source() if pyc.read_source is not None else b""
    except UnsupportedBytecodeError as error:
        status, reason = Status.UNVERIFIABLE, str(error)
    except (DetpycError, OSError) as error:
        status, reason = Status.MALFORMED, str(error)
    else:
        tag = f"cpython-{header.version[0]}{header.version[1]}"
        if pyc.name.cache_tag not in {None, tag}:
            status = Status.MALFORMED
            reason = f"its magic number (at offset 0) is of {tag}, and its name says {pyc.name.cache_tag}"
        elif pyc.read_source is None:
            status, reason = Status.ORPHAN, f"there is no {pyc.name.source}"
        elif pyc.name.optimization not in {"", "1", "2"}:
            status = Status.UNVERIFIABLE
            reason = f"optimization level {pyc.name.optimization!r} is not one of CPython's"
        else:
            return _Case(pyc, header, payload, source, int(pyc.name.optimization or 0), path)
    return Finding(pyc.path, status, (reason,), pyc.name.source if pyc.read_source is not None else None)


def _compiled_as(pyc: _Pyc, payload: bytes, header: PycHeader) -> str:
    """Return the path that a pyc records; the likely one if it stands in the payload, which spares reading it."""
    likely = pyc.name.source
    encoded = likely.encode("utf-8", "surrogatepass")
    if len(encoded) < 256 and bytes([len(encoded)]) + encoded in payload:  # noqa: PLR2004 - a short text's
        return likely
    try:
        return _recorded_path(payload, header.version)
    except BytecodeError as error:
        raise error.behind(HEADER_SIZE) from error


def _recorded_path(payload: bytes, version: tuple[int, int]) -> str:
    nodes = marshal.read(payload, version)
    root = nodes.sequence[0]
    if not is_code(nodes, root):
        raise BytecodeError("the payload is no code object", 0)
    return text(nodes, field_of(nodes, root, "filename"))


def _verdict(case: _Case, outcome: Outcome, interpreter: Interpreter) -> Finding | None:
    """Hold a pyc against what its source compiles to; None if it is to be compiled under another path."""
    version = case.header.version

    def found(status: Status, reasons: Iterable[str]) -> Finding:
        return Finding(case.pyc.path, status, tuple(reasons), case.pyc.name.source, interpreter.release)

    if isinstance(outcome, Refused) and not outcome.exhausted:
        return found(Status.DIFFERS, [f"its source does not compile: {outcome.reason}"])
    if not isinstance(outcome, Compiled):
        return found(Status.UNVERIFIABLE, [f"its source could not be compiled: {outcome.reason}"])
    (expected,) = outcome.payloads
    stale = _staleness(case, outcome.source_hash)
    if case.payload == expected:
        reasons = [*_header_reasons(case), *_path_reasons(case)]
        status = Status.EQUIVALENT if reasons else Status.IDENTICAL
    else:
        try:
            recorded = _recorded_path(case.payload, version)
            if recorded != case.path:
                case.path = recorded
                return None
            same = explain.same_code(case.payload, expected, version)
            opcodes = {} if same else interpreters.opcodes(interpreter)
            differences = explain.explain(case.payload, expected, version, opcodes)
        except BytecodeError as error:
            return found(Status.MALFORMED, [str(error.behind(HEADER_SIZE))])
        if same:
            status = Status.EQUIVALENT
            reasons = [*_header_reasons(case), *_path_reasons(case)]
            reasons += (f"{each.aspect} ({each.total})" for each in differences if each.kind == explain.ENCODING)
        else:
            status = Status.DIFFERS
            reasons = [str(each) for each in differences if each.kind != explain.ENCODING]
    if stale is not None:
        same_code = "the code is the source's all the same" if status is not Status.DIFFERS else reasons[0]
        return found(Status.STALE, [stale, same_code])
    return found(status, reasons)


def _staleness(case: _Case, expected: bytes) -> str | None:
    """Say how the header does not match the source."""
    header = case.header
    if header.mode != InvalidationMode.TIMESTAMP:
        if header.source_hash == expected:
            return None
        return f"its header holds another source's hash, {_hex(header.source_hash)}, and not {_hex(expected)}"
    size = len(case.source) & 0xFFFFFFFF
    if header.source_size != size:
        return f"its header says that the source has {header.source_size} bytes, and it has {size}"
    if case.pyc.mtime is not None and header.mtime != int(case.pyc.mtime) & 0xFFFFFFFF:
        return f"its header says that the source is of {header.mtime}, and it is of {int(case.pyc.mtime)}"
    return None


def _hex(source_hash: bytes | None) -> str:
    return (source_hash or b"").hex()


def _header_reasons(case: _Case) -> list[str]:
    return ["timestamp header"] if case.header.mode == InvalidationMode.TIMESTAMP else []


def _path_reasons(case: _Case) -> list[str]:
    """Say that the recorded path is not one that detpyc writes: relative, from some directory above to the source."""
    if not case.path.startswith("/") and f"/{case.pyc.name.source}".endswith(f"/{case.path}"):
        return []
    return [f"recorded path {case.path!r}"]


def _noting_release(finding: Finding, recorded: str | None) -> Finding:
    """Note that another release verified a pyc than is recorded to have compiled it."""
    if recorded in {None, finding.release}:
        return finding
    note = f"recorded as compiled by CPython {recorded}, verified with {finding.release}"
    return replace(finding, reasons=(*finding.reasons, note))


def _undecided(case: _Case, finding: Finding, interpreter: Interpreter) -> Finding:
    if case.pyc.release is None:
        known = "and nothing tells which release compiled it"
    else:
        known = f"and it was compiled by {case.pyc.release}, which is not here"
    reasons = (f"CPython {interpreter.release} compiles the source to other code, {known}", *finding.reasons)
    return Finding(finding.pyc, Status.UNVERIFIABLE, reasons, finding.source, finding.release)


def _without_interpreter(case: _Case, release: str | None) -> Finding:
    wanted = release or "{}.{}".format(*case.header.version)
    reasons = [f"there is no CPython {wanted} here to compile its source"]
    stale = None
    if case.header.mode != InvalidationMode.TIMESTAMP:
        stale = _staleness(case, source_hash(case.source, case.header.magic_number))
    status = Status.UNVERIFIABLE
    if stale is not None:
        status, reasons = Status.STALE, [stale, *reasons]
    return Finding(case.pyc.path, status, tuple(reasons), case.pyc.name.source)


def verify_wheel(path: Path, given: Sequence[Interpreter] = (), *, jobs: int | None = None) -> Report:
    """Verify a wheel: its RECORD, its provenance, and every pyc in it.

    Args:
        path: of the wheel.
        given: interpreters to use, each for the pycs of its version; others are searched for.
        jobs: how many workers; by default as many as there are usable processors.

    Returns:
        What was found. It can be pickled.

    Raises:
        DetpycError: if it is no wheel, or cannot be read.

    """
    with open_locked(path) as stream:
        wheel = Wheel.read(path, stream)
        problems = list(wheel.problems)
        recorded = None
        name = f"{wheel.dist_info}/{provenance.FILE_NAME}"
        if name in wheel.archive.members:
            try:
                recorded = provenance.Provenance.from_json(wheel.read_member(name))
            except DetpycError as error:
                problems.append(str(error))
        pycs = list(_wheel_pycs(wheel, recorded))
        findings = Verifier(given, jobs).verify(pycs)
        if recorded is not None:
            problems += _contradictions(wheel, recorded)
    return Report(str(path), findings, tuple(problems))


def _wheel_pycs(wheel: Wheel, recorded: Provenance | None) -> Iterator[_Pyc]:
    releases = _releases(recorded)
    members = wheel.archive.members
    for member in sorted(members):
        path = wheel.importable_path(member)
        if path is None or not path.endswith(".pyc"):
            continue
        name = names.parse(path)
        source = member[: len(member) - len(path)] + name.source
        yield _Pyc(
            member,
            name,
            lambda member=member: wheel.read_member(member),  # type: ignore[misc]
            (lambda source=source: wheel.read_member(source)) if source in members else None,  # type: ignore[misc]
            release=releases.get((name.cache_tag, name.optimization)),
        )


def _releases(recorded: Provenance | None) -> dict[tuple[str | None, str], str]:
    """Return the recorded release for each cache tag and optimization level, as pycs' names have them."""
    bytecode = recorded.bytecode if recorded is not None else ()
    return {(each.cache_tag, str(each.optimize) if each.optimize else ""): each.release for each in bytecode}


def _contradictions(wheel: Wheel, recorded: Provenance) -> Iterator[str]:
    """Say where a wheel is not what its provenance says."""
    paths = {member: wheel.importable_path(member) for member in wheel.archive.members}
    sources = [member for member, path in paths.items() if path is not None and path.endswith(".py")]
    expected: set[str] = set()
    for bytecode in recorded.bytecode:
        if MAGIC_NUMBERS[bytecode.magic_number] != tuple(map(int, bytecode.release.split(".")[:2])):
            yield f"provenance says that CPython {bytecode.release} has magic number {bytecode.magic_number}"
        for source in select(sources, bytecode.include, bytecode.exclude):
            pyc = names.pyc_name(source, *bytecode.slot)
            expected.add(pyc)
            yield from _contradiction(wheel, source, pyc, bytecode)
    for member, path in paths.items():
        if path is not None and names.is_cached(path) and member not in expected:
            yield f"provenance does not tell of {member}"


def _contradiction(wheel: Wheel, source: str, pyc: str, bytecode: Bytecode) -> Iterator[str]:
    """Say where a pyc is not what provenance says of it."""
    skipped = source in bytecode.skipped
    if pyc not in wheel.archive.members:
        if not skipped:
            yield f"provenance says that {source} is byte-compiled, and there is no {pyc}"
        return
    if skipped:
        yield f"provenance says that {source} is not byte-compiled, and there is {pyc}"
    try:
        header = PycHeader.parse(wheel.read_member(pyc))
    except DetpycError:
        return  # which is a finding already
    if header.mode != bytecode.invalidation_mode:
        yield f"provenance says that {pyc} is {bytecode.invalidation_mode}, and it is {header.mode}"


def verify_tree(path: Path, given: Sequence[Interpreter] = (), *, jobs: int | None = None) -> Report:
    """Verify every pyc in a directory and below, or a single pyc.

    Args:
        path: of the directory or the pyc. Symbolic links to directories are not followed.
        given: as for `verify_wheel`.
        jobs: as for `verify_wheel`.

    Returns:
        What was found. It can be pickled.

    Raises:
        DetpycError: if the path cannot be read.

    """
    problems: list[str] = []
    if not path.exists():
        raise DetpycError(f"{path}: there is no such file or directory")
    pycs = iter([path]) if path.is_file() else walk(path, ".pyc")
    releases = _tree_releases(path, problems)
    return Report(str(path), Verifier(given, jobs).verify(_tree_pyc(pyc, releases) for pyc in pycs), tuple(problems))


def _tree_pyc(pyc: Path, releases: dict[str, str]) -> _Pyc:
    name = names.parse(pyc.as_posix())
    source = Path(name.source)
    exists = source.is_file()
    return _Pyc(
        str(pyc),
        name,
        pyc.read_bytes,
        source.read_bytes if exists else None,
        mtime=source.stat().st_mtime if exists else None,
        release=releases.get(str(pyc.absolute())),
    )


def _tree_releases(path: Path, problems: list[str]) -> dict[str, str]:
    """Return which release compiled the pycs of installed wheels that say so.

    An installer may have compiled them again. What it wrote has another hash than RECORD had from the wheel, and if
    RECORD was changed too, the release is wrong and is only the first to be tried.
    """
    if path.is_file():
        return {}
    found: dict[str, str] = {}
    for document in sorted(path.rglob(f"*.dist-info/{provenance.FILE_NAME}")):
        site = document.parent.parent
        try:
            releases = _releases(provenance.Provenance.from_json(document.read_bytes()))
            entries = record.parse((document.parent / "RECORD").read_bytes())
        except (OSError, DetpycError) as error:
            problems.append(f"{document}: {error}")
            continue
        for entry in entries:
            if entry.path.endswith(".pyc"):
                name = names.parse(entry.path)
                release = releases.get((name.cache_tag, name.optimization))
                if release is not None:
                    found[str((site / entry.path).absolute())] = release
    return found
