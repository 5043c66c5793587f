"""Differences in how two payloads write the same values: flags, sharing, order, interning, type codes, signs of NaNs.

The code is the same. Programs can observe the order in which a set is iterated, and the sign of a NaN.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from detpyc.bytecode.marshal_format import FLAG_REF, INTERNED, RAW, SETS, SINGLETONS, TYPE_NULL
from detpyc.explain import describe
from detpyc.explain.as_written import locate, read_as_written
from detpyc.explain.difference import ENCODING, Difference
from detpyc.explain.digests import digests
from detpyc.explain.identity import has_identity
from detpyc.explain.nans import is_nan

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

UNUSED_FLAGS = "unused reference flags"
SHARING = "sharing"
SET_ORDER = "set order"
INTERNING = "interning"
TYPE_CODES = "type codes"
NAN_SIGN = "NaN sign"  # of a folded constant, which depends on the machine that compiled it
REFERENCES = "reference numbers"

_NOT_COMPARED = frozenset({RAW, TYPE_NULL, *SINGLETONS})  # written in one way only
_MAX_ELEMENTS = 8  # of a set that are shown


def encoding_differences(a: bytes, b: bytes, version: tuple[int, int]) -> list[Difference]:
    """Explain the differences in how two payloads write the values that both contain.

    Args:
        a: a payload.
        b: another, of the same version.
        version: of the CPython that wrote them.

    Returns:
        One difference for each aspect, with its first example and the number of values that it concerns.

    Raises:
        BytecodeError: if one of them is not understood.

    """
    first, second = _Writing(a, version), _Writing(b, version)
    both = [value for value in first.written if value in second.written]
    found = []
    for aspect, read in _ASPECTS.items():
        differing = [value for value in both if _differ(read(first, value), read(second, value))]
        if differing:
            value = differing[0]
            start = first.written[value][0]
            if aspect == SET_ORDER:
                shown_a, shown_b = _show_orders(first, second, value)
            else:
                shown_a, shown_b = (_SHOW[aspect](read(writing, value)) for writing in (first, second))
            what = describe.value(first.nodes, first.node_at[start])
            found.append(Difference(ENCODING, aspect, first.where(start), what, shown_a, shown_b, len(differing)))
    return found


def _differ(a: object, b: object) -> bool:
    if isinstance(a, list) and isinstance(
        b, list
    ):  # NaNs, of which those that only one has are a difference in the code
        return any(first != second for first, second in zip(a, b, strict=False))
    return a != b


def _show_orders(first: _Writing, second: _Writing, value: bytes) -> list[str]:
    """Show the elements of a set in two orders, from the first that differs on."""
    orders = [min(writing.orders(value)) for writing in (first, second)]
    at = next((index for index, (a, b) in enumerate(zip(*orders, strict=True)) if a != b), 0)
    shown = []
    for writing, order in zip((first, second), orders, strict=True):
        elements = [describe.value(writing.nodes, writing.node_of[item]) for item in order[at : at + _MAX_ELEMENTS]]
        before, after = "..., " if at else "", ", ..." if at + _MAX_ELEMENTS < len(order) else ""
        shown.append(before + ", ".join(elements) + after)
    return shown


class _Writing:
    """How a payload writes its values: the offsets where each is written in full. An object is known by its offset.

    Attributes:
        nodes: the payload's.
        node_at: the node of each object that is written in full, by its offset.
        node_of: the node of each value, by its digest.
        written: the offsets at which a value, other than a singleton, is written in full, by its digest.
        references: the number of references to each object that is written in full.
        parents: the offset of the container in which an object is written in full.

    """

    def __init__(self, payload: bytes, version: tuple[int, int]) -> None:
        self.payload = payload
        self.nodes = read_as_written(payload, version)
        self.digests = digests(self.nodes)
        self.node_at: dict[int, bytes] = {}
        self.node_of = {value: node for node, value in self.digests.items()}
        self.written: dict[bytes, list[int]] = {}
        self.references: Counter[int] = Counter()
        self.parents: dict[int, int] = {}
        self.names = describe.qualified_names(self.nodes)
        self.locate_objects()

    def locate_objects(self) -> None:
        """Find where everything is written."""
        around: list[list[int]] = []  # the open containers: the offset, and how many children are left
        for offset, node, start in locate(self.payload, self.nodes):
            if around:
                parent = around[-1]
                self.parents.setdefault(start, parent[0])
                parent[1] -= 1
            if start != offset:
                self.references[start] += 1
            elif node[0] not in _NOT_COMPARED:
                self.node_at[start] = node
                self.written.setdefault(self.digests[node], []).append(start)
                if node in self.nodes.children:
                    around.append([start, len(self.nodes.children[node])])
            while around and not around[-1][1]:
                around.pop()

    def type_code(self, start: int) -> int:
        return self.payload[start]

    def flags(self, value: bytes) -> bool:
        """Return whether a value is flagged and never referenced anywhere."""
        return any(self.type_code(start) & FLAG_REF and not self.references[start] for start in self.written[value])

    def times(self, value: bytes) -> int:
        """Return how often a value is written in full; 0 if that depends on its identity."""
        starts = self.written[value]
        return 0 if has_identity(self.nodes, self.node_at[starts[0]]) else len(starts)

    def orders(self, value: bytes) -> set[tuple[bytes, ...]]:
        """Return the orders in which a set is written."""
        nodes = [self.node_at[start] for start in self.written[value]]
        if nodes[0][0] not in SETS:
            return set()
        return {tuple(self.digests[child] for child in self.nodes.children[node]) for node in nodes}

    def interned(self, value: bytes) -> bool:
        """Return whether a string is written as interned anywhere."""
        return any(self.type_code(start) & ~FLAG_REF in INTERNED for start in self.written[value])

    def type_codes(self, value: bytes) -> set[int]:
        """Return the type codes that a value is written with, regardless of flags and interning."""
        codes = {self.type_code(start) & ~FLAG_REF for start in self.written[value]}
        return {INTERNED.get(code, code) for code in codes}

    def nan_signs(self, value: bytes) -> list[str]:
        """Return a NaN as it is written, with its sign, each time in full."""
        nodes = [self.node_at[start] for start in self.written[value]]
        return [describe.value(self.nodes, node) for node in nodes if is_nan(self.nodes, node)]

    def where(self, start: int) -> str:
        """Name the code object that contains an object."""
        while start in self.parents:
            start = self.parents[start]
            if self.node_at[start] in self.names:
                return self.names[self.node_at[start]]
        return ""


# The aspects in which two payloads may write a value differently, and how each is shown.
_ASPECTS: dict[str, Callable[[_Writing, bytes], Any]] = {
    UNUSED_FLAGS: _Writing.flags,
    SHARING: _Writing.times,
    SET_ORDER: _Writing.orders,
    INTERNING: _Writing.interned,
    TYPE_CODES: _Writing.type_codes,
    NAN_SIGN: _Writing.nan_signs,
}
_SHOW: dict[str, Callable[[Any], str]] = {
    UNUSED_FLAGS: lambda flags: "flagged and never referenced" if flags else "not flagged, or referenced",
    SHARING: lambda times: "written once and shared" if times == 1 else f"written {times} times",
    INTERNING: lambda interned: "interned" if interned else "not interned",
    TYPE_CODES: lambda codes: ", ".join(repr(chr(code)) for code in sorted(codes)),
    NAN_SIGN: lambda signs: ", ".join(dict.fromkeys(signs)),
}
