"""Say how a pyc differs from what its source compiles to; most pycs are identical, and do without this."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detpyc.compilation import interpreters
from detpyc.explain.difference import CODE, ENCODING
from detpyc.explain.patch_releases import changes_of_patch_releases, differ_beyond_patch_releases
from detpyc.explain.payloads import compare_payloads
from detpyc.verify.pycs import Mismatch
from detpyc.verify.reports import Status

if TYPE_CHECKING:
    from detpyc.compilation.interpreters import Interpreter
    from detpyc.verify.pycs import Case


def compare_code(case: Case, expected: bytes, interpreter: Interpreter) -> Mismatch | list[str]:
    """Compare a pyc with the different payload that its source compiles to.

    Returns:
        The mismatch, if the code is different; otherwise, in which ways the same code is written differently.

    Raises:
        BytecodeError: if the payload is not understood.

    """
    differences = compare_payloads(case.payload, expected, case.header.version, interpreters.opcodes(interpreter))
    # What no patch release changes comes first.
    changed = sorted((found for found in differences if found.kind == CODE), key=changes_of_patch_releases)
    if not changed:
        return [f"{found.aspect} ({found.total})" for found in differences if found.kind == ENCODING]
    decisive = not changes_of_patch_releases(changed[0]) and differ_beyond_patch_releases(
        case.payload, expected, case.header.version
    )
    functions = dict.fromkeys(found.where for found in changed if changes_of_patch_releases(found))
    finding = case.finding(Status.DIFFERS, map(str, changed), interpreter.release)
    return Mismatch(finding, tuple(functions), decisive)
