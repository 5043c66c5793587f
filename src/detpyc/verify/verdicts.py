"""Compare a pyc with what its source compiles to, and say how they differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detpyc.bytecode.header import HEADER_SIZE, InvalidationMode, source_hash
from detpyc.compilation.pool import Compiled, Refused
from detpyc.errors import BytecodeError
from detpyc.verify.pycs import Mismatch, recorded_path
from detpyc.verify.reports import Status
from detpyc.wording import date, listed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from detpyc.compilation.interpreters import Interpreter
    from detpyc.compilation.pool import Failed, Outcome
    from detpyc.verify.pycs import Case
    from detpyc.verify.reports import Finding


def compare(case: Case, outcome: Outcome, interpreter: Interpreter) -> Finding | Mismatch | Case:
    """Compare a pyc with what an interpreter compiles its source to.

    Args:
        case: the pyc and its source.
        outcome: of compiling the source.
        interpreter: that compiled it.

    Returns:
        The finding; or the mismatch, if the code is different; or the case, if its source is to be compiled again under
        the path that the pyc records.

    """
    if not isinstance(outcome, Compiled):
        return _not_compiled(case, outcome, interpreter)
    (expected,) = outcome.payloads
    stale = _staleness(case, outcome.source_hash)
    reasons = [*_header_reasons(case), *_path_reasons(case)]
    if case.payload != expected:
        from detpyc.verify.mismatches import compare_code  # noqa: PLC0415 - most pycs are identical

        try:
            recorded = recorded_path(case.payload, case.header.version)
            if recorded != case.path:
                return case.compiled_as(recorded)
            found = compare_code(case, expected, interpreter)
        except BytecodeError as error:
            return case.finding(Status.MALFORMED, [str(error.shifted(HEADER_SIZE))], interpreter.release)
        if isinstance(found, Mismatch):
            return found if stale is None else _stale(case, stale, found.finding.reasons[0], interpreter)
        reasons += found
    if stale is not None:
        return _stale(case, stale, "the code still matches the source", interpreter)
    return case.finding(Status.EQUIVALENT if reasons else Status.IDENTICAL, reasons, interpreter.release)


def _stale(case: Case, stale: str, code: str, interpreter: Interpreter) -> Finding:
    return case.finding(Status.STALE, [stale, code], interpreter.release)


def without_match(case: Case, assumed: Sequence[str]) -> Finding:
    """Return the finding about a pyc that no interpreter's result is equal to.

    Args:
        case: the pyc, with a mismatch for each interpreter that was tried.
        assumed: the releases one of which compiled the pyc, if nothing is recorded.

    """
    if not case.mismatches:
        return _without_interpreter(case)
    compiled_by = _recorded_release(case) or assumed
    findings = [mismatch.finding for mismatch in case.mismatches]
    known = next((finding for finding in findings if finding.release in compiled_by), None)
    if known is not None:
        return known
    if case.decided:
        tried = ", ".join(str(finding.release) for finding in findings)
        note = f"compared with CPython {tried}; no patch release explains the difference"
        return findings[0]._replace(reasons=(*findings[0].reasons, note))
    mismatch = next(mismatch for mismatch in case.mismatches if not mismatch.decisive)
    unknown = (
        "which release compiled the pyc is not known (-i names it)"
        if not compiled_by
        else f"CPython {' or '.join(compiled_by)}, which compiled the pyc, was not tried"
    )
    reason = f"{_without_decision(mismatch)}, and {unknown}"
    return case.finding(Status.UNVERIFIABLE, [reason, *mismatch.finding.reasons], mismatch.finding.release)


def at_other_level(case: Case, level: int, found: Finding) -> Finding:
    """Return the finding about a pyc whose name has no level, and which another level than 0 verifies.

    Args:
        case: the pyc, with a mismatch for each interpreter that was tried at level 0.
        level: the other level.
        found: the finding at that level.

    """
    if case.pyc.any_level:
        return found._replace(reasons=(*found.reasons, f"compiled at optimization level {level}"))
    reason = f"the source compiles to it at optimization level {level}, and its name is for level 0"
    differences = case.mismatches[0].finding.reasons if case.mismatches else ()
    return case.finding(Status.DIFFERS, [reason, *differences], found.release)


def _without_decision(mismatch: Mismatch) -> str:
    """Say how an interpreter's result differs, where another release could have compiled the pyc."""
    release = mismatch.finding.release
    if not mismatch.functions:
        return f"CPython {release} does not compile the source to this code"
    return f"CPython {release} compiles the source to other instructions in {listed(mismatch.functions)}"


def _recorded_release(case: Case) -> tuple[str, ...]:
    """Return the release that compiled a pyc, if provenance says so.

    In an installed tree provenance is about the pycs that are still as detpyc writes them, and no others.
    """
    recorded = case.pyc.recorded
    if recorded is None:
        return ()
    canonical = case.pyc.in_wheel or (case.header.mode == recorded.invalidation_mode and _is_canonical(case))
    return (recorded.release,) if canonical else ()


def _is_canonical(case: Case) -> bool:
    from detpyc.bytecode.canonical import canonicalize  # noqa: PLC0415 - only for what no interpreter settles

    return canonicalize(case.payload, case.header.version) == case.payload


def _not_compiled(case: Case, outcome: Refused | Failed, interpreter: Interpreter) -> Finding | Mismatch:
    malformed = _malformed(case)
    if malformed is not None:
        return malformed
    refused = isinstance(outcome, Refused)
    reason = f"its source {'does not compile' if refused else 'could not be compiled'}: {outcome.reason}"
    stale = _staleness(case)
    if stale is not None:
        return _stale(case, stale, reason, interpreter)
    if refused:
        return Mismatch(case.finding(Status.DIFFERS, [reason], interpreter.release))
    return case.finding(Status.UNVERIFIABLE, [reason], interpreter.release)


def _malformed(case: Case) -> Finding | None:
    """Return the finding about a payload that is not understood, which nothing has parsed if its path was likely."""
    try:
        recorded_path(case.payload, case.header.version)
    except BytecodeError as error:
        return case.finding(Status.MALFORMED, [str(error.shifted(HEADER_SIZE))])
    return None


def _without_interpreter(case: Case) -> Finding:
    malformed = _malformed(case)
    if malformed is not None:
        return malformed
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
