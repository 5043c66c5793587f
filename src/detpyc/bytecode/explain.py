"""What is different between two payloads: in the code they hold, and in how they are written.

Standard library only, Python 3.8 syntax.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, NamedTuple

from detpyc.bytecode import describe, marshal
from detpyc.bytecode.lines import lines

if TYPE_CHECKING:
    from detpyc.bytecode.marshal import Nodes

HEADER = "header"
PATH = "path"
CODE = "code"
ENCODING = "encoding"

UNUSED_FLAGS = "unused reference flags"
SHARING = "sharing"
SET_ORDER = "set order"
INTERNING = "interning"
TYPE_CODES = "type codes"
REFERENCES = "reference numbers"

_UNIT = 2  # bytes of an instruction


class Difference(NamedTuple):
    """One difference between two pycs, or all of one kind in how they are written.

    Attributes:
        kind: HEADER, PATH, CODE or ENCODING; the last does not change what the code does.
        aspect: which part of the header, which field of the code object, or what about the encoding.
        where: the qualified name of the code object; empty for the file as a whole.
        what: the first thing that differs.
        a: how it is in the first.
        b: how it is in the second.
        total: how many there are of the kind, the first of which is told.

    """

    kind: str
    aspect: str
    where: str
    what: str
    a: str
    b: str
    total: int = 1

    def __str__(self) -> str:
        """Say it in one line."""
        place = "in {}: ".format(self.where) if self.where else ""
        subject = "{} {}".format(self.aspect, self.what).strip() if self.what else self.aspect
        if self.kind == ENCODING:
            subject = "{} ({}, first {})".format(self.aspect, self.total, self.what) if self.what else self.aspect
        elif self.total > 1:
            subject = "{} (the first of {})".format(subject, self.total)
        return "{}{}: {} against {}".format(place, subject, self.a, self.b)


def explain(a: bytes, b: bytes, version: tuple[int, int], opcodes: dict[int, str] | None = None) -> list[Difference]:
    """Explain the differences between two payloads.

    Args:
        a: a payload.
        b: another, of the same version.
        version: of the CPython that wrote them.
        opcodes: that version's opcodes by number, for instructions to be named; else they are shown in numbers.

    Returns:
        The differences: first those of path and code, in the order of the code objects, then those of encoding. Empty
        only if the payloads are equal.

    Raises:
        BytecodeError: if one of them is not understood.

    """
    if a == b:
        return []
    found = _CodeComparison(marshal.read(a, version), marshal.read(b, version), version, opcodes or {}).differences()
    found += encoding_differences(a, b, version)
    if not found:
        found.append(Difference(ENCODING, REFERENCES, "", "", "as in the first", "to other occurrences of the same"))
    return found


def same_code(a: bytes, b: bytes, version: tuple[int, int]) -> bool:
    """Tell whether two payloads hold the same code, the path they record aside.

    Raises:
        BytecodeError: if one of them is not understood.

    """
    first, second = marshal.read(a, version), marshal.read(b, version)
    return _digests(first, paths=False)[first.sequence[0]] == _digests(second, paths=False)[second.sequence[0]]


def _digests(nodes: Nodes, *, paths: bool = True) -> list[bytes]:
    """Return a digest of the value of each node, comparable between payloads.

    Args:
        nodes: of one payload.
        paths: whether the path counts that the code objects record. A code object that records another than the
            outermost does counts in any case.

    """
    root = nodes.sequence[0]
    own_path = -1
    if not paths and describe.is_code(nodes, root):
        own_path = describe.field(nodes, root, "filename")
    at = nodes.layout.fields.index("filename")
    digests: list[bytes] = []
    for node, piece in enumerate(nodes.pieces):  # a node comes after those it contains
        kind = nodes.kinds[node]
        parts = [digests[child] for child in nodes.children.get(node, ())]
        if kind in marshal.SETS:
            parts.sort()
        elif kind == marshal.TYPE_CODE and nodes.children[node][at] == own_path:
            parts[at] = b""
        digests.append(hashlib.blake2b(bytes([kind]) + piece + b"".join(parts), digest_size=16).digest())
    return digests


class _CodeComparison:
    """The comparison of the code in two payloads."""

    def __init__(self, a: Nodes, b: Nodes, version: tuple[int, int], opcodes: dict[int, str]) -> None:
        self.a, self.b = a, b
        self.version = version
        self.opcodes = opcodes
        self.digests_a, self.digests_b = _digests(a, paths=False), _digests(b, paths=False)
        self.names = describe.names(a)
        self.found: list[Difference] = []

    def differences(self) -> list[Difference]:
        a, b = self.a.sequence[0], self.b.sequence[0]
        if not (describe.is_code(self.a, a) and describe.is_code(self.b, b)):
            if self.digests_a[a] != self.digests_b[b]:
                shown = describe.value(self.a, a), describe.value(self.b, b)
                self.found.append(Difference(CODE, "payload", "", "", *shown))
            return self.found
        paths = [
            describe.text(nodes, describe.field(nodes, node, "filename")) for nodes, node in ((self.a, a), (self.b, b))
        ]
        if paths[0] != paths[1]:
            self.found.append(Difference(PATH, "recorded path", "", "", repr(paths[0]), repr(paths[1])))
        pending = [(a, b)]
        seen = set()
        while pending:
            pair = pending.pop()
            if pair not in seen and self.digests_a[pair[0]] != self.digests_b[pair[1]]:
                seen.add(pair)
                pending += reversed(self.compare(*pair))
        return self.found

    def add(self, code: int, aspect: str, what: str, a: str, b: str, total: int = 1) -> None:
        self.found.append(Difference(CODE, aspect, self.names[code], what, a, b, total))

    def compare(self, a: int, b: int) -> list[tuple[int, int]]:
        """Compare two code objects: their own fields, and which of those they contain are to be compared with which."""
        integers_a, integers_b = describe.integers(self.a, a), describe.integers(self.b, b)
        for name, number in integers_a.items():
            if number != integers_b[name]:
                show = hex if name == "flags" else str
                self.add(a, name, "", show(number), show(integers_b[name]))
        inner: list[tuple[int, int]] = []
        for name, kind in zip(self.a.layout.fields, self.a.layout.kinds):  # noqa: B905 - Python 3.8
            field_a, field_b = describe.field(self.a, a, name), describe.field(self.b, b, name)
            if name == "filename":
                self.compare_inner_paths(a, b)
            elif kind == marshal.RAW or self.digests_a[field_a] == self.digests_b[field_b]:
                continue
            elif name == "consts":
                inner = self.compare_constants(a, b)
            elif name == "code":
                self.compare_instructions(a, field_a, field_b)
            elif name in ("lnotab", "linetable"):
                self.compare_lines(a, b, name)
            elif kind == marshal.TYPE_TUPLE:
                self.compare_names(a, name, self.a.children[field_a], self.b.children[field_b])
            else:
                self.add(a, name, "", describe.value(self.a, field_a), describe.value(self.b, field_b))
        return inner

    def compare_inner_paths(self, a: int, b: int) -> None:
        root_a, root_b = self.a.sequence[0], self.b.sequence[0]
        path_a, path_b = describe.field(self.a, a, "filename"), describe.field(self.b, b, "filename")
        own_a = path_a == describe.field(self.a, root_a, "filename")
        own_b = path_b == describe.field(self.b, root_b, "filename")
        if own_a != own_b or (not own_a and self.digests_a[path_a] != self.digests_b[path_b]):
            self.add(a, "filename", "", describe.value(self.a, path_a), describe.value(self.b, path_b))

    def compare_constants(self, a: int, b: int) -> list[tuple[int, int]]:
        constants_a, constants_b = describe.constants(self.a, a), describe.constants(self.b, b)
        keys_a = [self.constant_key(self.a, self.digests_a, node) for node in constants_a]
        keys_b = [self.constant_key(self.b, self.digests_b, node) for node in constants_b]
        inner: list[tuple[int, int]] = []
        own: list[tuple[str, str, str]] = []
        for _, start_a, end_a, start_b, end_b in SequenceMatcher(None, keys_a, keys_b, autojunk=False).get_opcodes():
            for step in range(max(end_a - start_a, end_b - start_b)):
                index_a, index_b = start_a + step, start_b + step
                node_a = constants_a[index_a] if index_a < end_a else None
                node_b = constants_b[index_b] if index_b < end_b else None
                if node_a is not None and node_b is not None and keys_a[index_a] == keys_b[index_b]:
                    if describe.is_code(self.a, node_a):
                        inner.append((node_a, node_b))
                    continue
                shown_a = "nothing" if node_a is None else describe.value(self.a, node_a)
                shown_b = "nothing" if node_b is None else describe.value(self.b, node_b)
                own.append((str(index_a if node_a is not None else index_b), shown_a, shown_b))
        if own:
            self.add(a, "constant", *own[0], total=len(own))
        return inner

    @staticmethod
    def constant_key(nodes: Nodes, digests: list[bytes], node: int) -> object:
        """Return what makes a constant the counterpart of another: its value; of code, the name."""
        return (
            describe.text(nodes, describe.field(nodes, node, "name"))
            if describe.is_code(nodes, node)
            else digests[node]
        )

    def compare_names(self, code: int, field: str, a: tuple[int, ...], b: tuple[int, ...]) -> None:
        shown_a = [describe.value(self.a, node) for node in a]
        shown_b = [describe.value(self.b, node) for node in b]
        size = max(len(a), len(b))
        shown_a += ["nothing"] * (size - len(a))
        shown_b += ["nothing"] * (size - len(b))
        wrong = [index for index in range(size) if shown_a[index] != shown_b[index]]
        first = wrong[0] if wrong else 0
        self.add(code, field, str(first), shown_a[first], shown_b[first], total=max(len(wrong), 1))

    def compare_instructions(self, code: int, a: int, b: int) -> None:
        code_a, code_b = describe.byte_string(self.a, a), describe.byte_string(self.b, b)
        offset = next(
            (
                start
                for start in range(0, max(len(code_a), len(code_b)), _UNIT)
                if _unit(code_a, start) != _unit(code_b, start)
            ),
            0,
        )
        self.add(
            code,
            "instruction",
            "at {}".format(offset),
            self.instruction(code_a, offset),
            self.instruction(code_b, offset),
        )

    def instruction(self, code: bytes, offset: int) -> str:
        unit = _unit(code, offset)
        if len(unit) < _UNIT:
            return "nothing"
        return "{} {}".format(self.opcodes.get(unit[0], "opcode {}".format(unit[0])), unit[1])

    def compare_lines(self, a: int, b: int, field: str) -> None:
        tables = []
        for nodes, node in ((self.a, a), (self.b, b)):
            table = describe.byte_string(nodes, describe.field(nodes, node, field))
            first_line = describe.integers(nodes, node)["firstlineno"]
            tables.append((table, lines(table, first_line, self.version)))
        (table_a, lines_a), (table_b, lines_b) = tables
        for entry_a, entry_b in zip(lines_a, lines_b):  # noqa: B905 - Python 3.8
            if entry_a != entry_b:
                what = "from instruction {} on".format(min(entry_a[0], entry_b[0]))
                self.add(a, "line", what, str(entry_a[1]), str(entry_b[1]))
                return
        if len(lines_a) != len(lines_b):
            self.add(a, field, "", "{} entries".format(len(lines_a)), "{} entries".format(len(lines_b)))
        else:
            offset = next((i for i, pair in enumerate(zip(table_a, table_b)) if pair[0] != pair[1]), 0)  # noqa: B905
            shown_a, shown_b = table_a[offset : offset + 8].hex(), table_b[offset : offset + 8].hex()
            self.add(a, field, "(columns) from byte {} on".format(offset), shown_a, shown_b)


def _unit(code: bytes, offset: int) -> bytes:
    return code[offset : offset + _UNIT]


def encoding_differences(a: bytes, b: bytes, version: tuple[int, int]) -> list[Difference]:
    """Explain the differences in how two payloads write the values that stand in both.

    Raises:
        BytecodeError: if one of them is not understood.

    """
    first, second = _Writing(a, version), _Writing(b, version)
    both: dict[bytes, int] = {}
    for node, digest in enumerate(first.digests):
        if digest in second.full and digest in first.full:
            both.setdefault(digest, node)
    found = []
    for aspect, shown in (
        (UNUSED_FLAGS, _Writing.flagged),
        (SHARING, _Writing.times_written),
        (SET_ORDER, _Writing.element_order),
        (INTERNING, _Writing.interned),
        (TYPE_CODES, _Writing.type_codes),
    ):
        differing = [digest for digest in both if shown(first, digest) != shown(second, digest)]
        if aspect == SHARING:
            differing.reverse()  # what contains others comes after them, and says more
        if differing:
            example = both[differing[0]]
            what = describe.value(first.nodes, example)
            shown_a, shown_b = shown(first, differing[0]), shown(second, differing[0])
            found.append(Difference(ENCODING, aspect, first.where(example), what, shown_a, shown_b, len(differing)))
    return found


class _Writing:
    """How a payload writes its values: one node for each object that is written in full."""

    def __init__(self, payload: bytes, version: tuple[int, int]) -> None:
        self.payload = payload
        self.nodes = nodes = marshal.read_as_written(payload, version)
        self.digests = _digests(nodes)
        self.occurrences = Counter(nodes.sequence)
        self.parents: dict[int, int] = {}
        for parent, children in nodes.children.items():
            for child in children:
                self.parents.setdefault(child, parent)
        self.full: dict[bytes, list[int]] = {}
        for node, kind in enumerate(nodes.kinds):
            if kind != marshal.RAW and kind not in marshal.SINGLETONS:
                self.full.setdefault(self.digests[node], []).append(node)

    def type_code(self, node: int) -> int:
        return self.payload[self.nodes.offsets[node]]

    def flagged(self, value: bytes) -> str:
        unused = [
            node for node in self.full[value] if self.type_code(node) & marshal.FLAG_REF and self.occurrences[node] == 1
        ]
        return "flagged and never referenced" if unused else "not flagged, or referenced"

    def times_written(self, value: bytes) -> str:
        times = len(self.full[value])
        return "written once and shared" if times == 1 else "written {} times".format(times)

    def element_order(self, value: bytes) -> str:
        node = self.full[value][0]
        if self.nodes.kinds[node] not in marshal.SETS:
            return ""
        return ", ".join(describe.value(self.nodes, child) for child in self.nodes.children[node])

    def interned(self, value: bytes) -> str:
        kinds = {self.type_code(node) & ~marshal.FLAG_REF for node in self.full[value]}
        return "not interned" if kinds.isdisjoint(marshal.INTERNED) else "interned"

    def type_codes(self, value: bytes) -> str:
        codes = {self.type_code(node) & ~marshal.FLAG_REF for node in self.full[value]}
        return ", ".join(sorted(repr(chr(marshal.INTERNED.get(code, code))) for code in codes))

    def where(self, node: int) -> str:
        """Name the code object that an object stands in."""
        names = describe.names(self.nodes)
        while node in self.parents:
            node = self.parents[node]
            if node in names:
                return names[node]
        return ""
