"""Compare two payloads: the code in them, and how it is written."""

from __future__ import annotations

from collections import Counter, deque
from itertools import zip_longest
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from detpyc.bytecode import code_objects
from detpyc.bytecode.canonical import canonicalize
from detpyc.bytecode.marshal_format import RAW, TYPE_TUPLE
from detpyc.bytecode.nodes import content, content_size
from detpyc.bytecode.reader import read_payload
from detpyc.explain import describe
from detpyc.explain.difference import CODE, ENCODING, PATH, Difference
from detpyc.explain.digests import digests
from detpyc.explain.encoding import REFERENCES, encoding_differences
from detpyc.explain.identity import identity_difference
from detpyc.explain.instructions import show_instruction
from detpyc.explain.tables import first_byte, first_columns, first_exceptions, first_instructions, first_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

    from detpyc.bytecode.nodes import Nodes
    from detpyc.explain.instructions import Instruction, Opcodes

__all__ = ["compare_payloads"]

T = TypeVar("T")

_NOTHING = "nothing"
# Reported after what the code does; an edit changes these in many functions at once.
_LOCATIONS = frozenset({"firstlineno", "line", "columns", "line table"})
_MAX_BYTES = 24  # that are shown

# A small payload can refer to large tables and tuples from many places.
MAX_OBJECTS = 1 << 17  # in a payload that is compared in detail; the largest real modules have 32,000
MAX_STEPS = 1 << 21  # bytes of tables that are decoded, and items that are compared, each pair once
MAX_OF_ASPECT = 1000  # differences in the code that are reported of one aspect
_STEPS_OF_CODE = 16


def compare_payloads(a: bytes, b: bytes, version: tuple[int, int], opcodes: Opcodes | None = None) -> list[Difference]:
    """Compare two payloads.

    Args:
        a: a payload.
        b: another, of the same version.
        version: of the CPython that wrote them.
        opcodes: that version's opcodes by number, to name instructions; without them, instructions are numbers.

    Returns:
        The differences: those of the path, of the code in the order of the code objects, with lines and columns at the
        end, and of the encoding. Empty only if the payloads are equal. The code is the same if none is of kind CODE.
        Very large payloads are compared as a whole.

    Raises:
        BytecodeError: if one of them is not understood.

    """
    if a == b:
        return []
    found = _code_differences(a, b, version, opcodes or {})
    if found is None:
        return [_compare_as_a_whole(a, b, version)]
    found += encoding_differences(a, b, version)
    if not found:
        found.append(Difference(ENCODING, REFERENCES, "", "", "to one occurrence of a value", "to another one"))
    return found


def _code_differences(a: bytes, b: bytes, version: tuple[int, int], opcodes: Opcodes) -> list[Difference] | None:
    """Compare the paths and the code; None if a payload has too many objects, which are no longer in memory then."""
    nodes_a = read_payload(a, version)
    if nodes_a.objects > MAX_OBJECTS:
        return None
    nodes_b = read_payload(b, version)
    if nodes_b.objects > MAX_OBJECTS:
        return None
    return _Comparison(nodes_a, nodes_b, version, opcodes).differences()


def _compare_as_a_whole(a: bytes, b: bytes, version: tuple[int, int]) -> Difference:
    """Compare two large payloads by their canonical form; often the second is in it already."""
    canonical = canonicalize(a, version)
    same = canonical == b or canonical == canonicalize(b, version)
    return Difference(ENCODING if same else CODE, "payload", "", "", f"{len(a)} bytes", f"{len(b)} bytes")


class _Found(NamedTuple):
    """A difference in a field of a code object; the attributes are those of `Difference`."""

    aspect: str
    what: str
    a: str
    b: str
    total: int = 1


class _Comparison:
    """The comparison of the code in two payloads.

    Fields that many code objects share are compared once, and all of them within MAX_STEPS: an untrusted payload can
    refer to large ones from each of its code objects.
    """

    def __init__(self, a: Nodes, b: Nodes, version: tuple[int, int], opcodes: Opcodes) -> None:
        self.a, self.b = a, b
        self.version = version
        self.opcodes = opcodes
        self.digests_a, self.digests_b = digests(a, paths=False), digests(b, paths=False)
        self.names = describe.qualified_names(a)
        self.known: dict[tuple[str, bytes, bytes], Any] = {}
        self.steps = MAX_STEPS

    def differences(self) -> list[Difference]:
        a, b = self.a.sequence[0], self.b.sequence[0]
        if not (code_objects.is_code(a) and code_objects.is_code(b)):
            return self.identities() if self.same(a, b) else [self.as_a_whole(a, b)]
        path_a, path_b = (code_objects.field(nodes, node, "filename") for nodes, node in ((self.a, a), (self.b, b)))
        found = []
        if self.digests_a[path_a] != self.digests_b[path_b]:
            shown = describe.value(self.a, path_a), describe.value(self.b, path_b)
            found.append(Difference(PATH, "recorded path", "", "", *shown))
        if not self.same(a, b):
            in_code = self.first_of_each_aspect(self.in_code(a, b)) or [self.as_a_whole(a, b)]
            found += sorted(in_code, key=lambda difference: difference.aspect in _LOCATIONS)
        return found + self.identities()

    def first_of_each_aspect(self, differences: Iterable[Difference]) -> list[Difference]:
        """Return the first differences of each aspect, so that many of one do not hide another."""
        counts: Counter[str] = Counter()
        found = []
        for difference in differences:
            counts[difference.aspect] += 1
            if counts[difference.aspect] <= MAX_OF_ASPECT:
                found.append(difference)
        return found

    def identities(self) -> list[Difference]:
        found = identity_difference(self.a, self.b, self.digests_a, self.digests_b)
        return [] if found is None else [found]

    def same(self, a: bytes, b: bytes) -> bool:
        return self.digests_a[a] == self.digests_b[b]

    def as_a_whole(self, a: bytes, b: bytes) -> Difference:
        return Difference(CODE, "payload", "", "", describe.value(self.a, a), describe.value(self.b, b))

    def in_code(self, a: bytes, b: bytes) -> Iterator[Difference]:
        """Compare two code objects and those they contain."""
        pending = [(a, b)]
        seen: set[tuple[bytes, bytes]] = set()
        while pending:
            a, b = pending.pop()
            if (a, b) in seen or self.same(a, b):
                continue
            seen.add((a, b))
            if not self.affordable(_STEPS_OF_CODE):
                yield self.as_a_whole(a, b)
                return
            for found in (*self.compare_integers(a, b), *self.compare_fields(a, b)):
                yield Difference(CODE, found.aspect, self.names[a], found.what, found.a, found.b, found.total)
            _, inner = self.compare_constants(
                code_objects.field(self.a, a, "consts"), code_objects.field(self.b, b, "consts")
            )
            pending += reversed(inner)

    def affordable(self, steps: int) -> bool:
        """Return whether so many steps are left, and use them if they are."""
        if steps > self.steps:
            return False
        self.steps -= steps
        return True

    def compare_integers(self, a: bytes, b: bytes) -> Iterator[_Found]:
        integers_b = code_objects.integers(self.b, b)
        for name, number in code_objects.integers(self.a, a).items():
            if number != integers_b[name]:
                show_number = describe.flags if name == "flags" else str
                yield _Found(name, "", show_number(number), show_number(integers_b[name]))

    def compare_fields(self, a: bytes, b: bytes) -> Iterator[_Found]:
        for name, kind in zip(self.a.layout.fields, self.a.layout.kinds, strict=True):
            field_a, field_b = code_objects.field(self.a, a, name), code_objects.field(self.b, b, name)
            if name == "filename":
                yield from self.compare_inner_paths(field_a, field_b)
            elif kind == RAW or self.same(field_a, field_b):
                continue
            elif name == "consts":
                yield from self.compare_constants(field_a, field_b)[0]
            elif name == "code":
                yield self.compare_instructions(a, b)
            elif name in ("lnotab", "linetable"):
                yield self.compare_lines(a, b)
            elif name == "exceptiontable":
                yield self.once(name, field_a, field_b, self.compare_exception_tables)
            elif kind == TYPE_TUPLE:
                yield self.once(name, field_a, field_b, self.compare_names)._replace(aspect=name)
            else:
                yield _Found(name, "", describe.value(self.a, field_a), describe.value(self.b, field_b))

    def once(self, name: str, a: bytes, b: bytes, compare: Callable[[bytes, bytes], T]) -> T:
        """Compare two nodes, each pair only once."""
        if (name, a, b) not in self.known:
            self.known[name, a, b] = compare(a, b)
        found: T = self.known[name, a, b]
        return found

    def compare_inner_paths(self, a: bytes, b: bytes) -> Iterator[_Found]:
        """Compare the paths of code objects; those that the outermost ones record count as equal."""
        own_a = a == code_objects.field(self.a, self.a.sequence[0], "filename")
        own_b = b == code_objects.field(self.b, self.b.sequence[0], "filename")
        if own_a != own_b or not (own_a or self.same(a, b)):
            yield _Found("filename", "", describe.value(self.a, a), describe.value(self.b, b))

    def compare_constants(self, a: bytes, b: bytes) -> tuple[list[_Found], list[tuple[bytes, bytes]]]:
        """Compare two tuples of constants: the differences, and the pairs of code objects in them to compare."""
        return self.once("consts", a, b, self.match_constants)

    def match_constants(self, a: bytes, b: bytes) -> tuple[list[_Found], list[tuple[bytes, bytes]]]:
        constants_a, constants_b = self.a.children[a], self.b.children[b]
        if not self.affordable(len(constants_a) + len(constants_b)):
            return [_Found("constant", "", describe.value(self.a, a), describe.value(self.b, b))], []
        left_a = {index: self.digests_a[node] for index, node in enumerate(constants_a)}
        left_b = {index: self.digests_b[node] for index, node in enumerate(constants_b)}
        matched = _match(left_a, left_b)
        # Of the remaining code objects, two with one name are taken for two states of the same.
        names_a = {index: _code_name(self.a, constants_a[index]) for index in left_a}
        names_b = {index: _code_name(self.b, constants_b[index]) for index in left_b}
        inner = _match(names_a, names_b)
        differing: list[tuple[int | None, int | None]] = [*zip_longest(names_a, names_b)]
        if not differing:
            differing = [(place, place) for place, other in sorted([*matched, *inner]) if place != other]
        found = []
        if differing:
            place_a, place_b = differing[0]
            shown = _show_item(self.a, constants_a, place_a), _show_item(self.b, constants_b, place_b)
            what = str(place_b if place_a is None else place_a)
            found.append(_Found("constant", what, *shown, total=len(differing)))
        return found, [(constants_a[place], constants_b[other]) for place, other in inner]

    def compare_names(self, a: bytes, b: bytes) -> _Found:
        names_a, names_b = self.a.children[a], self.b.children[b]
        if not self.affordable(len(names_a) + len(names_b)):
            return _Found("", "", describe.value(self.a, a), describe.value(self.b, b))
        pairs = zip_longest((self.digests_a[node] for node in names_a), (self.digests_b[node] for node in names_b))
        wrong = [index for index, (name_a, name_b) in enumerate(pairs) if name_a != name_b]
        shown = _show_item(self.a, names_a, wrong[0]), _show_item(self.b, names_b, wrong[0])
        return _Found("", str(wrong[0]), *shown, total=len(wrong))

    def compare_instructions(self, a: bytes, b: bytes) -> _Found:
        fields = code_objects.field(self.a, a, "code"), code_objects.field(self.b, b, "code")
        if not self.once("room for code", *fields, self.can_decode):
            return self.once("bytes of code", *fields, self.compare_bytes)._replace(aspect="instruction")
        first, second = self.once("code", *fields, self.first_instructions)
        shown_a = show_instruction(first, self.opcodes, self.a, a) if first else _NOTHING
        shown_b = show_instruction(second, self.opcodes, self.b, b) if second else _NOTHING
        if shown_a == shown_b and first and second:  # in an inline cache, or by an EXTENDED_ARG that adds nothing
            shown_a += f", in bytes {first.encoding[:_MAX_BYTES].hex()}"
            shown_b += f", in bytes {second.encoding[:_MAX_BYTES].hex()}"
        at = min(instruction.offset for instruction in (first, second) if instruction)
        return _Found("instruction", f"at {at}", shown_a, shown_b)

    def first_instructions(self, a: bytes, b: bytes) -> tuple[Instruction | None, Instruction | None]:
        return first_instructions(content(a), content(b), self.opcodes)

    def can_decode(self, a: bytes, b: bytes) -> bool:
        return self.affordable(content_size(a) + content_size(b))

    def can_decode_twice(self, a: bytes, b: bytes) -> bool:
        return self.affordable(2 * (content_size(a) + content_size(b)))

    def compare_bytes(self, a: bytes, b: bytes) -> _Found:
        """Compare two tables without decoding them."""
        table_a, table_b = content(a), content(b)
        at = first_byte(table_a, table_b)
        shown_a, shown_b = (table[at : at + _MAX_BYTES].hex() or _NOTHING for table in (table_a, table_b))
        return _Found("", f"from byte {at} on", shown_a, shown_b)

    def compare_exception_tables(self, a: bytes, b: bytes) -> _Found:
        aspect = "exception table"
        if not self.can_decode(a, b):
            return self.compare_bytes(a, b)._replace(aspect=aspect)
        table_a, table_b = content(a), content(b)
        found = first_exceptions(table_a, table_b)
        if found is None:
            return _Found(aspect, "with the same entries", _show_table(table_a), _show_table(table_b))
        index, first, second = found
        return _Found(aspect, f"entry {index}", str(first or _NOTHING), str(second or _NOTHING))

    def compare_lines(self, a: bytes, b: bytes) -> _Found:
        name = "linetable" if "linetable" in self.a.layout.fields else "lnotab"
        fields = code_objects.field(self.a, a, name), code_objects.field(self.b, b, name)
        if not self.once("room for lines", *fields, self.can_decode_twice):
            return self.once("bytes of lines", *fields, self.compare_bytes)._replace(aspect="line table")
        found = self.once("lines", *fields, self.first_lines)
        if found is not None:
            offset, line_a, line_b = found
            shown_a, shown_b = _show_line(self.a, a, line_a), _show_line(self.b, b, line_b)
            return _Found("line", f"from instruction {offset} on", shown_a, shown_b)
        return self.once("columns", *fields, self.compare_columns)

    def first_lines(self, a: bytes, b: bytes) -> tuple[int, int | None, int | None] | None:
        return first_lines(content(a), content(b), self.version)

    def compare_columns(self, a: bytes, b: bytes) -> _Found:
        """Compare two line tables with equal lines."""
        table_a, table_b = content(a), content(b)
        found = first_columns(table_a, table_b, self.version)
        if found is None:
            return _Found("line table", "with the same lines", _show_table(table_a), _show_table(table_b))
        offset, shown_a, shown_b = found
        return _Found("columns", f"of instruction {offset}", shown_a, shown_b)


def _match(a: dict[int, bytes], b: dict[int, bytes]) -> list[tuple[int, int]]:
    """Match equal items that are not empty, the first with the first, and remove them from both."""
    counterparts: dict[bytes, deque[int]] = {}
    for place, item in b.items():
        if item:
            counterparts.setdefault(item, deque()).append(place)
    matched = []
    for place, item in list(a.items()):
        if counterparts.get(item):
            other = counterparts[item].popleft()
            matched.append((place, other))
            del a[place], b[other]
    return matched


def _code_name(nodes: Nodes, node: bytes) -> bytes:
    """Return a code object's name, which is never empty as a node; empty for other objects."""
    return code_objects.field(nodes, node, "name") if code_objects.is_code(node) else b""


def _show_item(nodes: Nodes, items: tuple[bytes, ...], index: int | None) -> str:
    return describe.value(nodes, items[index]) if index is not None and index < len(items) else _NOTHING


def _show_line(nodes: Nodes, code: bytes, number: int | None) -> str:
    """Show a line that is relative to the code object's first one."""
    return "no line" if number is None else str(code_objects.integers(nodes, code)["firstlineno"] + number)


def _show_table(table: bytes) -> str:
    return f"{len(table)} bytes, {table[:_MAX_BYTES].hex()}"
