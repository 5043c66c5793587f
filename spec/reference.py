"""A reference implementation of canonical form 1, written from canonical-form.md for clarity, not for speed.

``python reference.py VERSION < PAYLOAD > CANONICAL``, with a version such as 3.12. If it refuses the payload, it prints
``KIND at offset N`` on standard error and exits with 1. Python 3.10 or newer, standard library only.
"""

import re
import struct
import sys
from collections import Counter

MAX_LEVELS, MAX_COUNT, MAX_SETS = 2000, 1 << 20, 1 << 24
SINGLETONS, SCALARS, CONTAINERS, MUTABLE = "NFT.S", "ilfgxysutaAzZ", "()[{}<>:c", "[{<"
SINCE, SIZES = {":": (3, 14), "}": (3, 15)}, {"i": 4, "g": 8, "y": 16}
EMPTY_TUPLE, u32 = b")\0", struct.Struct("<I").pack
# Code objects: how many integers; the types of the fields (n: tuple of identifiers, i: identifier, L: first line).
BEFORE_311, SINCE_311 = (6, "s(nnnnuiLs"), (5, "s(nnsuiuLss")


class Refusal(Exception):  # noqa: N818 - the word of the specification
    """A payload that is not understood: the kind, and the offset."""


class Node:
    """A value: its type, how it is written before its items, its items, and where it first starts in the payload."""

    def __init__(self, kind: str, head: bytes, items: "list[Node]", start: int) -> None:
        self.kind, self.head, self.items, self.start = kind, head, items, start
        # Of the standalone encoding. It can be too large a number to compute with; only the limit matters.
        self.size: int = min(len(head) + sum(item.size for item in items), MAX_SETS + 1)


class Reader:
    """Reads a payload. Equal values become one node."""

    def __init__(self, data: bytes, version: tuple[int, int]) -> None:
        self.data, self.version, self.pos = data, version, 0
        self.integers, self.fields = SINCE_311 if version >= (3, 11) else BEFORE_311
        self.values: dict[object, Node] = {}
        self.flagged: list[Node | None] = []  # None until it is complete
        self.sets: list[Node] = []  # in the order in which they end, as the code objects
        self.codes: list[Node] = []
        self.count, self.in_open_dicts = 1, 0

    def take(self, size: int) -> bytes:
        """Return the next bytes."""
        if self.pos + size > len(self.data):
            raise Refusal("truncated", len(self.data))
        self.pos += size
        return self.data[self.pos - size : self.pos]

    def number(self, form: str = "<I") -> int:
        """Return the next number."""
        return int(struct.unpack(form, self.take(struct.calcsize(form)))[0])

    def node(self, kind: str, head: bytes, items: list[Node], start: int) -> Node:
        """Return the node of a value: that of an equal value, or a new one."""
        new = Node(kind, head, items, start)
        if kind in MUTABLE or (kind in "gy" and any(part != part for (part,) in struct.iter_unpack("<d", head[1:]))):  # noqa: PLR0124 - NaN
            return new
        same = frozenset(map(id, items)) if kind == ">" else tuple(map(id, items))
        return self.values.setdefault((kind, head, same), new)

    def read(self, level: int, field: str = "") -> Node:
        """Read an object that is in so many containers. The first line number of a code object has no type code."""
        start = self.pos
        if field == "L":
            return self.node("L", self.take(4), [], start)
        code = self.number("<B")
        kind, flag = chr(code & 0x7F), code >= 0x80
        if code == ord("r"):
            index = self.number()
            found = self.flagged[index] if index < len(self.flagged) else None
            if found is None:
                raise Refusal("reference", start)
            return found
        if kind in SINGLETONS:
            return self.node(kind, kind.encode(), [], start)
        if kind not in CONTAINERS + SCALARS or self.version < SINCE.get(kind, self.version):
            raise Refusal("type", start)
        if code == ord(")") and self.number("<B") == 0:
            return self.node("(", EMPTY_TUPLE, [], start)
        if kind in CONTAINERS and level == MAX_LEVELS:
            raise Refusal("depth", start)
        self.pos = start + 1
        slot = len(self.flagged)
        self.flagged += [None] * flag
        found = self.container(kind, level, start) if kind in CONTAINERS else self.scalar(kind, start)
        if flag:
            self.flagged[slot] = found
        return found

    def scalar(self, kind: str, start: int) -> Node:
        """Read an object without items."""
        if kind in SIZES:
            return self.node(kind, kind.encode() + self.take(SIZES[kind]), [], start)
        if kind == "l":
            return self.node("i", self.long(start), [], start)
        if kind == "f":
            return self.node("g", b"g" + self.text_float(start), [], start)
        if kind == "x":
            return self.node("y", b"y" + self.text_float(start) + self.text_float(start), [], start)
        content = self.take(self.number("<B" if kind in "zZ" else "<I"))
        if kind == "s":
            return self.node("s", b"s" + u32(len(content)) + content, [], start)
        try:
            content.decode(*(("ascii",) if kind in "aAzZ" else ("utf-8", "surrogatepass")))
        except UnicodeDecodeError:
            raise Refusal("string", start) from None
        is_short = content.isascii() and len(content) < 256
        size = bytes([len(content)]) if is_short else u32(len(content))
        return self.node("u", (b"z" if is_short else b"a" if content.isascii() else b"u") + size + content, [], start)

    def long(self, start: int) -> bytes:
        """Read an integer in digits of 15 bits."""
        size = self.number("<i")
        digits = [self.number("<H") for _ in range(abs(size))]
        if any(digit >= 1 << 15 for digit in digits) or digits[-1:] == [0]:
            raise Refusal("integer", start)
        value = sum(digit << 15 * place for place, digit in enumerate(digits[:3])) * (-1 if size < 0 else 1)
        if len(digits) <= 3 and -(1 << 31) <= value < 1 << 31:
            return b"i" + struct.pack("<i", value)
        return b"l" + struct.pack(f"<i{len(digits)}H", size, *digits)

    def text_float(self, start: int) -> bytes:
        """Read a float in text form; return its 64 bits."""
        text = self.take(self.number("<B"))
        if not re.fullmatch(rb"-?(inf|nan|[0-9]+(\.[0-9]*)?(e[+-]?[0-9]+)?)", text):
            raise Refusal("float", start)
        return struct.pack("<d", float(text))

    def container(self, kind: str, level: int, start: int) -> Node:
        """Read an object with items."""
        head, size = kind.encode(), {"c": len(self.fields), ":": 3, "{": 0, "}": 0}.get(kind, -1)
        if kind == "c":
            head += self.take(4 * self.integers)
        elif size < 0:
            size = self.number("<B" if kind == ")" else "<I")
            if kind != ")" and size > len(self.data) - self.pos:
                raise Refusal("size", start)
            kind = kind.replace(")", "(")
            head = b")" + bytes([size]) if kind == "(" and size < 256 else kind.encode() + u32(size)
        self.count += size + 3
        if self.count > MAX_COUNT:
            raise Refusal("objects", start)
        fields = self.fields if kind == "c" else " " * size
        items = self.dict_items(level, start) if kind in "{}" else [self.read(level + 1, field) for field in fields]
        if kind == ">" and len(set(items)) < size:
            raise Refusal("duplicate", start)
        found = self.node(kind, head, items, start)
        self.sets += [found] * (found.start == start and kind in "<>")
        self.codes += [found] * (found.start == start and kind == "c")
        return found

    def dict_items(self, level: int, start: int) -> list[Node]:
        """Read the keys and values of a dict in turn, and its end."""
        items: list[Node] = []
        while not items or items[-1].kind != "0":
            self.in_open_dicts += 1
            if self.in_open_dicts > MAX_COUNT:
                raise Refusal("objects", start)
            is_end = self.number("<B") & 0x7F == ord("0")
            self.pos -= not is_end
            items.append(self.node("0", b"0", [], start) if is_end else self.read(level + 1))
        if len(items) % 2 == 0:
            raise Refusal("dict", start)
        self.in_open_dicts -= len(items)
        self.count += len(items)
        if self.count > MAX_COUNT:
            raise Refusal("objects", start)
        return items

    def intern(self) -> None:
        """Check the types of the fields of all code objects; mark the strings that are written as interned."""
        identifiers: set[Node] = set()
        for place, kind in enumerate(self.fields):
            for code in self.codes:
                field = code.items[place]
                names = field.items if kind == "n" else [field] if kind == "i" else []
                if field.kind != {"n": "(", "i": "u"}.get(kind, kind) or any(name.kind != "u" for name in names):
                    raise Refusal("field", code.start)
                identifiers.update(names)
        for node in self.values.values():
            if node.kind == "u" and (node in identifiers or re.fullmatch(rb"(?s:z.|a....)[A-Za-z0-9_]*", node.head)):
                node.head = {b"z": b"Z", b"a": b"A", b"u": b"t"}[node.head[:1]] + node.head[1:]

    def order_sets(self) -> None:
        """Sort the elements of every set, of which those inside another come first."""
        total = 0
        for node in self.sets:
            total += sum(item.size for item in node.items)
            if total > MAX_SETS:
                raise Refusal("sets", node.start)
            node.items.sort(key=standalone)


def standalone(node: Node) -> bytes:
    """Encode a value without flags and references. Not recursive: with references, nodes may nest to any depth."""
    written, waiting = [], [node]
    while waiting:
        node = waiting.pop()
        written.append(node.head)
        waiting += reversed(node.items)
    return b"".join(written)


def write(root: Node) -> bytes:
    """Write each value in full once, and then as a reference."""
    occurrences, seen, waiting = [], set(), [(root, 0)]
    while waiting:
        node, level = waiting.pop()
        occurrences.append(node)
        if node.kind in CONTAINERS and node.head != EMPTY_TUPLE and node not in seen:
            if level == MAX_LEVELS:
                raise Refusal("depth", node.start)
            seen.add(node)
            waiting += [(item, level + 1) for item in reversed(node.items)]
    times, numbers, written = Counter(occurrences), dict[Node, int](), list[bytes]()
    for node in occurrences:
        if node in numbers:
            written.append(b"r" + u32(numbers[node]))
        elif times[node] == 1 or node.kind in SINGLETONS + "L0" or node.head == EMPTY_TUPLE:
            written.append(node.head)
        else:
            numbers[node] = len(numbers)
            written.append(bytes([node.head[0] | 0x80]) + node.head[1:])
    return b"".join(written)


def canonicalize(payload: bytes, version: tuple[int, int]) -> bytes:
    """Return the canonical form of a payload of a version of CPython, e.g. ``(3, 12)``."""
    if not (3, 8) <= version <= (3, 15):
        raise Refusal("version", 0)
    sys.setrecursionlimit(10 * MAX_LEVELS)
    reader = Reader(payload, version)
    root = reader.read(0)
    if reader.pos < len(payload):
        raise Refusal("trailing", reader.pos)
    reader.intern()
    reader.order_sets()
    return write(root)


if __name__ == "__main__":
    major, _, minor = sys.argv[1].partition(".")
    try:
        sys.stdout.buffer.write(canonicalize(sys.stdin.buffer.read(), (int(major), int(minor))))
    except Refusal as error:
        sys.exit("{} at offset {}".format(*error.args))
