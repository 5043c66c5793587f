"""Read a pyc that is to be judged, and decide what can be decided without compiling its source.

A pyc is only ever read by our own parser, never unmarshalled by an interpreter.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from detpyc.bytecode import code_objects
from detpyc.bytecode.header import HEADER_SIZE, PycHeader
from detpyc.bytecode.reader import read_payload
from detpyc.errors import BytecodeError, DetpycError, TooLargeError, UnsupportedBytecodeError
from detpyc.limits import MAX_MESSAGE
from detpyc.pyc_paths import LEVELS
from detpyc.verify.disguises import ARCHIVE, has_archive
from detpyc.verify.reports import Finding, Status
from detpyc.wording import shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from detpyc.provenance import Bytecode
    from detpyc.pyc_paths import PycName


@dataclass(frozen=True, slots=True)
class Pyc:
    """A pyc to be judged.

    Attributes:
        path: as it is reported.
        name: what its path says.
        read: reads it.
        read_source: reads its source; None if there is none.
        mtime: of the source; None where it has no meaning, as in a wheel.
        recorded: what provenance says of it.
        in_wheel: whether it is in a wheel, as detpyc put it there; an installer may compile it again.
        layer: of an image, that it comes from.
        any_level: whether it may be of any optimization level: it is sourceless, and nothing records one.

    """

    path: str
    name: PycName
    read: Callable[[], bytes]
    read_source: Callable[[], bytes] | None
    mtime: float | None = None
    recorded: Bytecode | None = None
    in_wheel: bool = False
    layer: str | None = None
    any_level: bool = False

    @property
    def release(self) -> str | None:
        """The release of the CPython that is recorded to have compiled it."""
        return None if self.recorded is None else self.recorded.release


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was decided about a pyc.

    Attributes:
        finding: as it is reported.
        header: of the pyc; None if it cannot be read.
        contradicted: whether another release than the recorded one verified it, while the recorded one compiles its
            source to different code.

    """

    finding: Finding
    header: PycHeader | None = None
    contradicted: bool = False


@dataclass(frozen=True, slots=True)
class Mismatch:
    """That an interpreter does not compile the source of a pyc to the same code.

    Attributes:
        finding: as it is reported if this interpreter's release compiled the pyc.
        functions: the qualified names of the functions whose instructions differ; none if the source does not compile.
        decisive: whether no other release of the version could have compiled the pyc either.

    """

    finding: Finding
    functions: tuple[str, ...] = ()
    decisive: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """A pyc in memory with its source, on its way to a judgement.

    Attributes:
        pyc: the pyc.
        header: its header.
        payload: the rest of it.
        source: the source's bytes.
        level: the optimization level.
        path: what the source is compiled as.
        mismatches: one for each interpreter that was tried.

    """

    pyc: Pyc
    header: PycHeader
    payload: bytes
    source: bytes
    level: int
    path: str
    mismatches: tuple[Mismatch, ...] = ()

    @property
    def size(self) -> int:
        """How much memory it takes, in bytes."""
        return len(self.payload) + len(self.source)

    def finding(self, status: Status, reasons: Iterable[str], release: str | None = None) -> Finding:
        """Return a finding about it."""
        return finding(self.pyc, status, reasons, release)

    def at_level(self, level: int) -> Case:
        """Return the case with another optimization level, which has not been tried."""
        return replace(self, level=level, mismatches=())

    def compiled_as(self, path: str) -> Case:
        """Return the case with another path to compile the source as."""
        return replace(self, path=path)

    @property
    def decided(self) -> bool:
        """Whether the interpreters that were tried suffice: none of them leaves room for another release."""
        return bool(self.mismatches) and all(mismatch.decisive for mismatch in self.mismatches)

    def differing(self, mismatch: Mismatch) -> Case:
        """Return the case with one mismatch more."""
        return replace(self, mismatches=(*self.mismatches, mismatch))


def prepare(pyc: Pyc) -> Case | Judgement:
    """Read a pyc and its source; judge it if the source need not be compiled for that."""
    header = None
    try:
        data = pyc.read()
        header = PycHeader.parse(data)
        payload = data[HEADER_SIZE:]
        path = _likely_path(pyc, payload, header)
    except (UnsupportedBytecodeError, TooLargeError) as error:
        return _judgement(pyc, header, Status.UNVERIFIABLE, str(error))
    except DetpycError as error:
        return _judgement(pyc, header, Status.MALFORMED, str(error))
    problem = _misplaced(pyc, header)
    if problem is None and has_archive(payload):  # in a constant: `python FILE` runs it, and Python imports from it
        problem = Status.UNVERIFIABLE, ARCHIVE
    if problem is not None:
        return _judgement(pyc, header, *problem)
    if pyc.read_source is None:
        return _judgement(pyc, header, Status.ORPHAN, f"there is no {pyc.name.source}")
    try:
        source = pyc.read_source()
    except DetpycError as error:
        return _judgement(pyc, header, Status.UNVERIFIABLE, f"its source cannot be read: {error}")
    return Case(pyc, header, payload, source, LEVELS[pyc.name.optimization], path)


def _judgement(pyc: Pyc, header: PycHeader | None, status: Status, reason: str) -> Judgement:
    return Judgement(finding(pyc, status, [reason]), header)


def finding(pyc: Pyc, status: Status, reasons: Iterable[str], release: str | None = None) -> Finding:
    """Return a finding about a pyc; reasons that are too long are shortened."""
    source = None if pyc.read_source is None else pyc.name.source
    shown = tuple(shortened(reason, MAX_MESSAGE) for reason in reasons)
    return Finding(pyc.path, status, shown, source, release, pyc.layer)


def _misplaced(pyc: Pyc, header: PycHeader) -> tuple[Status, str] | None:
    """Return what is wrong with a pyc's name, and the status that this leads to; None if it is right."""
    tag, named = "cpython-{}{}".format(*header.version), pyc.name.cache_tag
    if named not in {None, tag}:
        if named.startswith(f"{tag}-"):
            return Status.UNVERIFIABLE, f"no CPython loads a pyc of that name; another tool wrote it, for {named}"
        return Status.MALFORMED, f"its magic number (at offset 0) is of {tag}, and its name says {named!r}"
    if pyc.name.optimization not in LEVELS:
        return Status.UNVERIFIABLE, f"CPython has no optimization level {pyc.name.optimization!r}"
    return None


def _likely_path(pyc: Pyc, payload: bytes, header: PycHeader) -> str:
    """Return the path that a pyc records; its source's if that occurs in the payload, which saves parsing it."""
    likely = pyc.name.source.encode("utf-8", "surrogatepass")
    if len(likely) < 256 and bytes([len(likely)]) + likely in payload:  # noqa: PLR2004 - a short string's
        return pyc.name.source
    try:
        return recorded_path(payload, header.version)
    except BytecodeError as error:
        raise error.shifted(HEADER_SIZE) from error


def recorded_path(payload: bytes, version: tuple[int, int]) -> str:
    """Return the path that a payload records.

    Raises:
        BytecodeError: if the payload is not understood.

    """
    path = code_objects.recorded_path(read_payload(payload, version))
    if path is None:
        raise BytecodeError("the payload is not a code object", 0)
    return path
