"""Compare a pyc with what its source compiles to, and say how they differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detpyc.bytecode.canonical import canonicalize
from detpyc.bytecode.header import HEADER_SIZE, InvalidationMode, source_hash
from detpyc.compilation import interpreters
from detpyc.compilation.pool import Compiled, Refused
from detpyc.errors import BytecodeError
from detpyc.explain.difference import CODE, ENCODING
from detpyc.verify.pycs import recorded_path
from detpyc.verify.reports import Status
from detpyc.wording import date

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from detpyc.compilation.interpreters import Interpreter
    from detpyc.compilation.pool import Failed, Outcome
    from detpyc.explain.difference import Difference
    from detpyc.verify.pycs import Case
    from detpyc.verify.reports import Finding


def compare(case: Case, outcome: Outcome, interpreter: Interpreter) -> Finding | Case:
    """Compare a pyc with what an interpreter compiles its source to.

    Args:
        case: the pyc and its source.
        outcome: of compiling the source.
        interpreter: that compiled it.

    Returns:
        The finding; or the case, if its source is to be compiled again under the path that the pyc records.

    """
    if not isinstance(outcome, Compiled):
        return _not_compiled(case, outcome, interpreter)
    (expected,) = outcome.payloads
    status, reasons = Status.IDENTICAL, [*_header_reasons(case), *_path_reasons(case)]
    if case.payload != expected:
        try:
            recorded = recorded_path(case.payload, case.header.version)
            if recorded != case.path:
                return case.compiled_as(recorded)
            differences = _differences(case, expected, interpreter)
        except BytecodeError as error:
            return case.finding(Status.MALFORMED, [str(error.shifted(HEADER_SIZE))], interpreter.release)
        changed = [str(difference) for difference in differences if difference.kind == CODE]
        if changed:
            status, reasons = Status.DIFFERS, changed
        else:
            reasons += (f"{found.aspect} ({found.total})" for found in differences if found.kind == ENCODING)
    if reasons and status is Status.IDENTICAL:
        status = Status.EQUIVALENT
    stale = _staleness(case, outcome.source_hash)
    if stale is not None:
        code = reasons[0] if status is Status.DIFFERS else "the code still matches the source"
        return case.finding(Status.STALE, [stale, code], interpreter.release)
    return case.finding(status, reasons, interpreter.release)


def _differences(case: Case, expected: bytes, interpreter: Interpreter) -> list[Difference]:
    from detpyc.explain.payloads import compare_payloads  # noqa: PLC0415 - most pycs are identical

    return compare_payloads(case.payload, expected, case.header.version, interpreters.opcodes(interpreter))


def without_match(case: Case, assumed: Sequence[str]) -> Finding:
    """Return the finding about a pyc that no interpreter's result is equal to.

    Args:
        case: the pyc, with a mismatch for each interpreter that was tried.
        assumed: the releases one of which compiled the pyc, if nothing is recorded.

    """
    if not case.mismatches:
        return _without_interpreter(case)
    compiled_by = _recorded_release(case) or assumed
    for mismatch in case.mismatches:
        if mismatch.release in compiled_by:
            return mismatch
    mismatch = case.mismatches[0]
    unknown = (
        "which release compiled the pyc is not known (-i names it)"
        if not compiled_by
        else f"CPython {' or '.join(compiled_by)}, which compiled the pyc, was not tried"
    )
    reason = f"CPython {mismatch.release} compiles the source to different code, and {unknown}"
    return case.finding(Status.UNVERIFIABLE, [reason, *mismatch.reasons], mismatch.release)


def _recorded_release(case: Case) -> tuple[str, ...]:
    """Return the release that compiled a pyc, if provenance says so.

    In an installed tree provenance is about the pycs that are still as detpyc writes them, and no others.
    """
    recorded = case.pyc.recorded
    if recorded is None:
        return ()
    canonical = case.pyc.in_wheel or (
        case.header.mode == recorded.invalidation_mode
        and canonicalize(case.payload, case.header.version) == case.payload
    )
    return (recorded.release,) if canonical else ()


def _not_compiled(case: Case, outcome: Refused | Failed, interpreter: Interpreter) -> Finding:
    status, reason = Status.UNVERIFIABLE, f"its source could not be compiled: {outcome.reason}"
    if isinstance(outcome, Refused):
        status, reason = Status.DIFFERS, f"its source does not compile: {outcome.reason}"
    stale = _staleness(case)
    if stale is not None:
        return case.finding(Status.STALE, [stale, reason], interpreter.release)
    return case.finding(status, [reason], interpreter.release)


def _without_interpreter(case: Case) -> Finding:
    wanted = case.pyc.release or "{}.{}".format(*case.header.version)
    reason = f"CPython {wanted}, which would compile its source, was not found"
    stale = _staleness(case)
    if stale is not None:
        return case.finding(Status.STALE, [stale, reason])
    return case.finding(Status.UNVERIFIABLE, [reason])


def _staleness(case: Case, expected: bytes | None = None) -> str | None:
    """Return how the header does not match the source, whose hash may be known already."""
    header = case.header
    if header.mode != InvalidationMode.TIMESTAMP:
        expected = source_hash(case.source, header.magic_number) if expected is None else expected
        if header.source_hash == expected:
            return None
        found = (header.source_hash or b"").hex()
        return f"the source hash in its header is {found}, but the source's is {expected.hex()}"
    size = len(case.source) & 0xFFFFFFFF
    if header.source_size != size:
        return f"the source size in its header is {header.source_size}, but the source has {size} bytes"
    if case.pyc.mtime is not None and header.mtime != int(case.pyc.mtime) & 0xFFFFFFFF:
        recorded, actual = date(header.mtime or 0), date(int(case.pyc.mtime))
        return f"the source mtime in its header is {recorded}, but the source's is {actual}"
    return None


def _header_reasons(case: Case) -> Iterator[str]:
    if case.header.mode == InvalidationMode.TIMESTAMP:
        yield "timestamp header"


def _path_reasons(case: Case) -> Iterator[str]:
    """Yield a reason if detpyc would not record that path: relative, in a tree to any directory above."""
    source = case.pyc.name.source
    ours = source == case.path if case.pyc.in_wheel else f"/{source}".endswith(f"/{case.path.lstrip('/')}")
    if not ours or case.path.startswith("/"):
        yield f"recorded path {case.path!r}"
