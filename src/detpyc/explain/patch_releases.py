"""What the patch releases of a version change in the code that they compile a source to.

They change instructions, and the tables of lines and exceptions that go with them. In 20,292 modules compiled by 3.11.2
and 3.11.7, or by 3.13.0 and 3.13.5, nothing else differs; ``benchmarks/patch_releases.py`` measures it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from detpyc.bytecode.reader import read_payload
from detpyc.explain.digests import digests

if TYPE_CHECKING:
    from detpyc.explain.difference import Difference

__all__ = ["changes_of_patch_releases", "differ_beyond_patch_releases"]

_FIELDS = frozenset({"code", "lnotab", "linetable", "exceptiontable"})
# What `compare_payloads` calls differences in these fields.
_ASPECTS = frozenset({"instruction", "line", "columns", "line table", "exception table"})


def differ_beyond_patch_releases(a: bytes, b: bytes, version: tuple[int, int]) -> bool:
    """Return whether two payloads differ in what no patch release changes.

    That is a name, a constant, a variable, an argument count, a flag, a stack size, a first line, or the tree of code
    objects. The path that the outermost code objects record does not count.

    Args:
        a: a payload.
        b: another, of the same version.
        version: of the CPython that wrote them.

    Raises:
        BytecodeError: if one of them is not understood.

    """
    return _digest(a, version) != _digest(b, version)


def _digest(payload: bytes, version: tuple[int, int]) -> bytes:
    nodes = read_payload(payload, version)
    return digests(nodes, paths=False, ignored=_FIELDS)[nodes.sequence[0]]


def changes_of_patch_releases(difference: Difference) -> bool:
    """Return whether a difference in the code is in what patch releases change."""
    return difference.aspect in _ASPECTS
