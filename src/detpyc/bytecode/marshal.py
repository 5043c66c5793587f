"""The marshal format: a payload read into nodes, and nodes written back.

The format is CPython's ``Python/marshal.c``; it has no other specification. The reader here never hands bytes to the
interpreter's own ``marshal.loads``, so it is safe on untrusted input, and it reads the payload of every supported
release from any Python.

Loaded by the worker under the target interpreter: standard library only, Python 3.8 syntax.
"""

from __future__ import annotations

import re
from collections import Counter
from itertools import chain
from struct import Struct, error as StructError

from ..errors import BytecodeError

if False:  # type-checkers only; the typing module would slow the worker's start
    from collections.abc import Collection

FLAG_REF = 0x80
MAX_DEPTH = 2000  # MAX_MARSHAL_STACK_DEPTH: what CPython itself can write

# Type codes, by CPython's names.
TYPE_NULL = ord("0")
TYPE_NONE = ord("N")
TYPE_FALSE = ord("F")
TYPE_TRUE = ord("T")
TYPE_STOPITER = ord("S")
TYPE_ELLIPSIS = ord(".")
TYPE_INT = ord("i")
TYPE_LONG = ord("l")
TYPE_FLOAT = ord("f")
TYPE_BINARY_FLOAT = ord("g")
TYPE_COMPLEX = ord("x")
TYPE_BINARY_COMPLEX = ord("y")
TYPE_STRING = ord("s")
TYPE_INTERNED = ord("t")
TYPE_REF = ord("r")
TYPE_TUPLE = ord("(")
TYPE_SMALL_TUPLE = ord(")")
TYPE_LIST = ord("[")
TYPE_DICT = ord("{")
TYPE_FROZENDICT = ord("}")
TYPE_CODE = ord("c")
TYPE_UNICODE = ord("u")
TYPE_SET = ord("<")
TYPE_FROZENSET = ord(">")
TYPE_SLICE = ord(":")
TYPE_ASCII = ord("a")
TYPE_ASCII_INTERNED = ord("A")
TYPE_SHORT_ASCII = ord("z")
TYPE_SHORT_ASCII_INTERNED = ord("Z")

# A pseudo-kind for bytes that are no object but stand between objects: a code object's first line number (four bytes
# without a type code) and a dict's closing TYPE_NULL. As nodes of their own, they make every container a plain sequence
# of children.
RAW = 0

_DICTS = frozenset({TYPE_DICT, TYPE_FROZENDICT})
SETS = frozenset({TYPE_SET, TYPE_FROZENSET})
_SIZED = frozenset({TYPE_LIST, TYPE_TUPLE}) | SETS
_CONTAINERS = frozenset({TYPE_SMALL_TUPLE, TYPE_CODE, TYPE_SLICE}) | _DICTS | _SIZED
_LONG_ASCII = frozenset({TYPE_ASCII, TYPE_ASCII_INTERNED})
_LONG_UNICODE = frozenset({TYPE_UNICODE, TYPE_INTERNED})
_SINCE = {TYPE_SLICE: (3, 14), TYPE_FROZENDICT: (3, 15)}
_DIGITS_OF_INT = 3  # a 32-bit integer never has more 15-bit digits

LEAVES = frozenset({RAW, TYPE_INT, TYPE_LONG, TYPE_BINARY_FLOAT, TYPE_BINARY_COMPLEX, TYPE_STRING, TYPE_UNICODE})

# What is written in one byte is the same object everywhere, and never flagged nor referenced: r_object() and w_object()
# treat them apart.
SINGLETONS = (TYPE_NONE, TYPE_FALSE, TYPE_TRUE, TYPE_ELLIPSIS, TYPE_STOPITER)
_NEVER_SHARED = frozenset({RAW, *SINGLETONS})
_NODE_OF_SINGLETON = {kind: node for node, kind in enumerate(SINGLETONS)}

_COMMON = ("code", "consts", "names")
_BEFORE_311 = (*_COMMON, "varnames", "freevars", "cellvars", "filename", "name")
_SINCE_311 = (*_COMMON, "localsplusnames", "localspluskinds", "filename", "name", "qualname")


class CodeLayout:
    """How a release writes a code object: w_complex_object() and r_object() in ``Python/marshal.c``.

    Attributes:
        integers: the names of the 32-bit integers that come first.
        fields: the names of the children in their order; ``firstlineno`` is the raw one.

    """

    def __init__(self, integers: tuple[str, ...], fields: tuple[str, ...], identifiers: tuple[str, ...]) -> None:
        self.integers = integers
        self.fields = fields
        self.head_size = 1 + 4 * len(integers)
        self.lineno = fields.index("firstlineno")
        self.field_kinds = tuple(_KIND_OF_FIELD[name] for name in fields)
        self.names = tuple(fields.index(name) for name in identifiers if _KIND_OF_FIELD[name] == TYPE_UNICODE)
        self.tuples_of_names = tuple(fields.index(name) for name in identifiers if _KIND_OF_FIELD[name] == TYPE_TUPLE)


_KIND_OF_FIELD = {
    **dict.fromkeys(("code", "localspluskinds", "lnotab", "linetable", "exceptiontable"), TYPE_STRING),
    **dict.fromkeys(("consts", "names", "varnames", "freevars", "cellvars", "localsplusnames"), TYPE_TUPLE),
    **dict.fromkeys(("filename", "name", "qualname"), TYPE_UNICODE),
    "firstlineno": RAW,
}


def _layout_before_311(table: str) -> CodeLayout:
    return CodeLayout(
        ("argcount", "posonlyargcount", "kwonlyargcount", "nlocals", "stacksize", "flags"),
        (*_BEFORE_311, "firstlineno", table),
        ("names", "varnames", "freevars", "cellvars", "name"),
    )


_LAYOUT_SINCE_311 = CodeLayout(
    ("argcount", "posonlyargcount", "kwonlyargcount", "stacksize", "flags"),
    (*_SINCE_311, "firstlineno", "linetable", "exceptiontable"),
    ("names", "localsplusnames", "name", "qualname"),
)

LAYOUTS = {
    (3, 8): _layout_before_311("lnotab"),
    (3, 9): _layout_before_311("lnotab"),
    (3, 10): _layout_before_311("linetable"),
    **{(3, minor): _LAYOUT_SINCE_311 for minor in range(11, 16)},
}

_U32 = Struct("<I")
_I32 = Struct("<i")
_U16 = Struct("<H")
_F64 = Struct("<d")
_TEXT_FLOAT = re.compile(rb"-?(?:inf|nan|[0-9]+(?:\.[0-9]*)?(?:e[+-]?[0-9]+)?)\Z")


class Nodes:
    """The objects of one payload, each value once: a graph in two parallel lists.

    A node is an index. Two occurrences in the payload are one node exactly when they have the same type and value, however
    the writer had shared, flagged or interned them. What has no value to go by is told apart by identity, as the writer
    had it: lists, dicts and sets, which can change, and NaN, which is not equal to itself (``{nan, nan}`` has two
    elements, and must keep them).

    Attributes:
        kinds: the type code of each node; every text is TYPE_UNICODE, every tuple TYPE_TUPLE.
        values: of numbers, their whole encoding; of bytes and texts, the content (UTF-8, surrogates passed); of code
            objects, tuples, sets and dicts, the children in writing order.
        containers: the nodes that have children, children before their parents, with the offset where each first
            starts.
        heads: of each code object, its type code and leading integers.
        root: the node of the payload itself.
        layout: how the code objects are laid out.

    """

    __slots__ = ("containers", "heads", "kinds", "layout", "root", "values")

    def __init__(self, layout: CodeLayout) -> None:
        self.kinds: list[int] = list(SINGLETONS)
        self.values: list[bytes | tuple[int, ...]] = [bytes([kind]) for kind in SINGLETONS]
        self.containers: dict[int, int] = {}
        self.heads: dict[int, bytes] = {}
        self.layout = layout
        self.root = -1


def read(payload: bytes, version: tuple[int, int]) -> Nodes:
    """Read a marshalled payload, sharing by value.

    Args:
        payload: what follows the header in a pyc.
        version: of the CPython that wrote it, e.g. ``(3, 12)``; a key of `LAYOUTS`.

    Returns:
        The payload's nodes.

    Raises:
        BytecodeError: for anything that the CPython of that version would not have written; it names the offset.

    """
    if version not in LAYOUTS:
        raise BytecodeError(f"the bytecode of CPython {_dotted(version)} cannot be read, only 3.8's to 3.15's", 0)
    return _Reader(payload, version).read()


class _Reader:
    """One reading of one payload."""

    def __init__(self, payload: bytes, version: tuple[int, int]) -> None:
        self.data = payload
        self.version = version
        self.nodes = Nodes(LAYOUTS[version])
        # From a value to its node. Kept apart by type; numbers carry their type code, so they can share one index.
        self.numbers: dict[bytes, int] = {}
        self.byte_strings: dict[bytes, int] = {}
        self.texts: dict[bytes, int] = {}
        self.containers: dict[object, int] = {}

    def read(self) -> Nodes:
        # One loop over everything, with the open containers on a stack of our own: the payload is untrusted and may nest
        # as deep as MAX_DEPTH. A call for each object would double the time; the branches stand in the order of how
        # often real payloads take them.
        data = self.data
        size = len(data)
        kinds, values, layout = self.nodes.kinds, self.nodes.values, self.nodes.layout
        numbers, byte_strings, texts = self.numbers, self.byte_strings, self.texts
        u32 = _U32.unpack_from
        slots: list[int] = []
        stack: list[tuple[_Container, list[int], int]] = []
        container = _Container(TYPE_NULL, 0, -1, b"")  # holds the payload's own object
        children: list[int] = []
        remaining = 1
        pos = start = 0
        try:
            while True:
                while remaining:
                    remaining -= 1
                    start = pos
                    code = data[pos]
                    if code == TYPE_REF:
                        pos += 5
                        node = slots[u32(data, start + 1)[0]]
                        if node < 0:
                            raise BytecodeError("reference to an object that is not complete", start)
                        children.append(node)
                        continue
                    kind = code & ~FLAG_REF
                    if kind == TYPE_SHORT_ASCII_INTERNED or kind == TYPE_SHORT_ASCII:  # noqa: PLR1714 - a third faster
                        pos += 2 + data[start + 1]
                        content = data[start + 2 : pos]
                        found = texts.get(content)
                        node = self.ascii(content, start) if found is None else found
                    elif kind == TYPE_STRING:
                        pos += 5 + u32(data, start + 1)[0]
                        content = data[start + 5 : pos]
                        found = byte_strings.get(content)
                        node = self.add(TYPE_STRING, content, byte_strings) if found is None else found
                    elif kind in _NODE_OF_SINGLETON:
                        pos += 1
                        children.append(_NODE_OF_SINGLETON[kind])
                        continue
                    elif kind == TYPE_INT:
                        pos += 5
                        content = b"i" + data[start + 1 : pos]
                        found = numbers.get(content)
                        node = self.add(TYPE_INT, content, numbers) if found is None else found
                    elif kind in _CONTAINERS:
                        if len(stack) == MAX_DEPTH:
                            raise BytecodeError(f"nested more than {MAX_DEPTH} levels deep", start)
                        slot = -1
                        if code & FLAG_REF:
                            slot = len(slots)
                            slots.append(-1)
                        stack.append((container, children, remaining))
                        children = []
                        if kind == TYPE_SMALL_TUPLE:
                            remaining = data[start + 1]
                            pos += 2
                            container = _Container(TYPE_TUPLE, start, slot, b"")
                        elif kind == TYPE_CODE:
                            remaining = layout.lineno
                            pos += layout.head_size
                            container = _Container(TYPE_CODE, start, slot, b"c" + data[start + 1 : pos])
                        else:
                            remaining, pos = self.open(kind, start)
                            container = _Container(kind, start, slot, b"")
                        continue
                    elif kind == TYPE_NULL and container.kind in _DICTS:
                        pos += 1
                        remaining = 0
                        continue
                    else:
                        node, pos = self.rare(kind, start)
                    if code & FLAG_REF:
                        slots.append(node)
                    children.append(node)

                if not stack:
                    break
                if container.kind == TYPE_CODE and len(children) == layout.lineno:
                    start, pos = pos, pos + 4
                    children.append(self.number(RAW, data[start:pos]))
                    remaining = len(layout.fields) - len(children)
                    continue
                node = self.close(container, children)
                if container.slot >= 0:
                    slots[container.slot] = node
                container, children, remaining = stack.pop()
                children.append(node)
        except (IndexError, StructError):
            if data[start : start + 1] == b"r" and start + 5 <= size:
                raise BytecodeError("reference to an object that does not exist", start) from None
            raise self.truncated() from None
        if pos > size:
            raise self.truncated()
        if pos < size:
            raise BytecodeError(f"{size - pos} bytes too many behind the end of the payload", pos)
        (self.nodes.root,) = children
        return self.nodes

    def truncated(self) -> BytecodeError:
        return BytecodeError("the data end in the middle of an object", len(self.data))

    def add(self, kind: int, value: bytes | tuple[int, ...], index: dict[bytes, int] | None) -> int:
        """Make a node; enter it in the index of its type if it is shared by value."""
        nodes = self.nodes
        node = len(nodes.kinds)
        nodes.kinds.append(kind)
        nodes.values.append(value)
        if index is not None:
            index[value] = node
        return node

    def number(self, kind: int, encoding: bytes) -> int:
        found = self.numbers.get(encoding)
        return self.add(kind, encoding, self.numbers) if found is None else found

    def ascii(self, content: bytes, start: int) -> int:
        """Return the node of a text that is written as ASCII."""
        if not content.isascii():
            raise BytecodeError("a byte that is not ASCII in a text marked as ASCII", start)
        found = self.texts.get(content)
        return self.add(TYPE_UNICODE, content, self.texts) if found is None else found

    def unicode(self, content: bytes, start: int) -> int:
        """Return the node of a text that is written as UTF-8, lone surrogates passed as marshal.c passes them."""
        try:
            content.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError as error:
            raise BytecodeError("a text that is not UTF-8", start) from error
        found = self.texts.get(content)
        return self.add(TYPE_UNICODE, content, self.texts) if found is None else found

    def sized(self, start: int) -> tuple[bytes, int]:
        """Read a 32-bit size and as many bytes: the content, and the offset behind it."""
        end = start + 5 + self.u32(start + 1)
        if end > len(self.data):
            raise self.truncated()
        return self.data[start + 5 : end], end

    def u32(self, pos: int) -> int:
        value: int = _U32.unpack_from(self.data, pos)[0]
        return value

    def rare(self, kind: int, start: int) -> tuple[int, int]:
        """Read an object of the less frequent kinds: its node, and the offset behind it."""
        if kind in _LONG_ASCII:
            content, end = self.sized(start)
            return self.ascii(content, start), end
        if kind in _LONG_UNICODE:
            content, end = self.sized(start)
            return self.unicode(content, start), end
        if kind == TYPE_LONG:
            return self.long(start)
        if kind == TYPE_BINARY_FLOAT:
            end = start + 9
            return self.floats(TYPE_BINARY_FLOAT, self.data[start + 1 : end]), end
        if kind == TYPE_BINARY_COMPLEX:
            end = start + 17
            return self.floats(TYPE_BINARY_COMPLEX, self.data[start + 1 : end]), end
        if kind == TYPE_FLOAT:
            real, end = self.text_float(start, start + 1)
            return self.floats(TYPE_BINARY_FLOAT, real), end
        if kind == TYPE_COMPLEX:
            real, middle = self.text_float(start, start + 1)
            imaginary, end = self.text_float(start, middle)
            return self.floats(TYPE_BINARY_COMPLEX, real + imaginary), end
        raise BytecodeError(f"type code {bytes([kind])!r} is not one that CPython {_dotted(self.version)} writes", start)

    def long(self, start: int) -> tuple[int, int]:
        """Read an integer written in 15-bit digits, its sign being that of their number."""
        (count,) = _I32.unpack_from(self.data, start + 1)
        end = start + 5 + 2 * abs(count)
        if end > len(self.data):
            raise self.truncated()
        digits = self.data[start + 5 : end]
        if any(high & 0x80 for high in digits[1::2]):
            raise BytecodeError("an integer with a digit out of range", start)
        if digits[-2:] == b"\0\0":
            raise BytecodeError("an integer with a leading zero", start)
        if abs(count) <= _DIGITS_OF_INT:
            magnitude = sum(digit << 15 * place for place, (digit,) in enumerate(_U16.iter_unpack(digits)))
            value = -magnitude if count < 0 else magnitude
            if -(1 << 31) <= value < 1 << 31:
                return self.number(TYPE_INT, b"i" + _I32.pack(value)), end
        return self.number(TYPE_LONG, b"l" + self.data[start + 1 : end]), end

    def text_float(self, start: int, pos: int) -> tuple[bytes, int]:
        """Read a float written as text, as marshal versions 0 and 1 do: its binary form, and the offset behind it."""
        end = pos + 1 + self.data[pos]
        text = self.data[pos + 1 : end]
        if not _TEXT_FLOAT.match(text):
            raise BytecodeError("a float that is not a number", start)
        return _F64.pack(float(text)), end

    def floats(self, kind: int, encoding: bytes) -> int:
        """Return the node of a float or complex. NaN is not equal to itself, so each one is a node of its own."""
        if len(encoding) % 8:
            raise self.truncated()
        if any(value != value for (value,) in _F64.iter_unpack(encoding)):  # noqa: PLR0124
            return self.add(kind, bytes([kind]) + encoding, None)
        return self.number(kind, bytes([kind]) + encoding)

    def open(self, kind: int, start: int) -> tuple[int, int]:
        """Read how many children a container of the less frequent kinds has: their number, and the offset behind it."""
        if self.version < _SINCE.get(kind, self.version):
            return self.rare(kind, start)  # refuses it
        if kind in _DICTS:
            return -1, start + 1  # up to a TYPE_NULL
        if kind == TYPE_SLICE:
            return 3, start + 1
        count = self.u32(start + 1)
        if count > len(self.data) - start - 5:
            raise BytecodeError(f"{count} items claimed, more than there are bytes", start)
        return count, start + 5

    def close(self, container: _Container, children: list[int]) -> int:
        """Return the node of a container whose children are all read."""
        kind = container.kind
        value = tuple(children)
        if kind == TYPE_TUPLE:
            key: object = value
        elif kind == TYPE_CODE:
            self.check_fields(container, value)
            key = (container.head, value)
        elif kind == TYPE_FROZENSET:
            key = frozenset(value)
            if len(key) != len(value):
                raise BytecodeError("a frozenset that holds an element twice", container.start)
        elif kind == TYPE_SLICE:
            key = (kind, value)
        elif kind in _DICTS:
            if len(value) % 2:
                raise BytecodeError("a dict with a key that has no value", container.start)
            value += (self.number(RAW, bytes([TYPE_NULL])),)
            key = (kind, value) if kind == TYPE_FROZENDICT else None
        else:
            key = None  # a list or a set: told apart by identity
        found = None if key is None else self.containers.get(key)
        if found is not None:
            return found
        node = self.add(kind, value, None)
        self.nodes.containers[node] = container.start
        if key is not None:
            self.containers[key] = node
        if kind == TYPE_CODE:
            self.nodes.heads[node] = container.head
        return node

    def check_fields(self, container: _Container, children: tuple[int, ...]) -> None:
        """Refuse a code object whose fields are not of the types that its constructor takes."""
        nodes, layout = self.nodes, self.nodes.layout
        for name, kind, child in zip(layout.fields, layout.field_kinds, children):
            if nodes.kinds[child] != kind:
                raise BytecodeError(f"a code object whose {name} is of a wrong type", container.start)
        for field in layout.tuples_of_names:
            for child in nodes.values[children[field]]:
                if nodes.kinds[child] != TYPE_UNICODE:
                    name = layout.fields[field]
                    raise BytecodeError(f"a code object whose {name} hold something else than texts", container.start)


class _Container:
    """A container that is being read."""

    __slots__ = ("head", "kind", "slot", "start")

    def __init__(self, kind: int, start: int, slot: int, head: bytes) -> None:
        self.kind = kind
        self.start = start
        self.slot = slot  # among the objects that can be referenced; -1 if it carries no FLAG_REF
        self.head = head


def _dotted(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))


def write(nodes: Nodes, interned: set[int]) -> bytes:
    """Write nodes as a payload, each value once and each in its shortest form.

    An object is written in full where it first occurs, flagged only if it occurs again, and referenced from then on.

    Args:
        nodes: what to write, from their root on.
        interned: the nodes of the texts that are to be marked as interned.

    Returns:
        The payload.

    """
    kinds, values = nodes.kinds, nodes.values
    occurrences = Counter(chain.from_iterable([values[node] for node in nodes.containers]))
    shared = {node for node, count in occurrences.items() if count > 1 and kinds[node] not in _NEVER_SHARED}
    return emit(nodes, encode_leaves(nodes, interned), nodes.root, shared)


def emit(nodes: Nodes, leaves: list[bytes | None], root: int, shared: Collection[int] = ()) -> bytes:
    """Write one node and all below it, given the encoded leaves; only what is in ``shared`` is flagged and referenced."""
    values = nodes.values
    # What to put for a node that needs no further thought: what occurs once and, from their second time on, references.
    pieces = leaves.copy() if shared else leaves
    for node in shared:
        pieces[node] = None
    flagged = 0
    output: list[bytes] = []
    stack = []
    children = iter((root,))
    while True:
        for node in children:
            piece = pieces[node]
            if piece is None:
                piece = leaves[node]
                container = piece is None
                if container:
                    piece = opening(nodes, node)
                if node in shared:
                    piece = _FLAGGED[piece[0]] + piece[1:]
                    pieces[node] = _REFERENCE(TYPE_REF, flagged)
                    flagged += 1
                if container:
                    output.append(piece)
                    stack.append(children)
                    children = iter(values[node])
                    break
            output.append(piece)
        else:
            if not stack:
                return b"".join(output)
            children = stack.pop()


def encode_leaves(nodes: Nodes, interned: set[int]) -> list[bytes | None]:
    """Encode every node that has no children, unflagged; None stands for the others."""
    leaves: list[bytes | None] = []
    for kind, value in zip(nodes.kinds, nodes.values):
        if kind == TYPE_UNICODE:
            leaves.append(_encode_text(value, len(leaves) in interned))
        elif kind == TYPE_STRING:
            leaves.append(_SIZED_HEAD(TYPE_STRING, len(value)) + value)
        elif kind in _CONTAINERS:
            leaves.append(None)
        else:
            leaves.append(value)
    return leaves


def _encode_text(content: bytes, interned: bool) -> bytes:
    size = len(content)
    if not content.isascii():
        return _SIZED_HEAD(TYPE_INTERNED if interned else TYPE_UNICODE, size) + content
    if size < _SHORT:
        return (_SHORT_INTERNED_HEADS if interned else _SHORT_HEADS)[size] + content
    return _SIZED_HEAD(TYPE_ASCII_INTERNED if interned else TYPE_ASCII, size) + content


def opening(nodes: Nodes, node: int) -> bytes:
    """Encode what stands before the children of a container, unflagged."""
    kind, size = nodes.kinds[node], len(nodes.values[node])
    if kind == TYPE_TUPLE and size < _SHORT:
        return _SMALL_TUPLE_HEADS[size]
    if kind == TYPE_CODE:
        return nodes.heads[node]
    if kind in _SIZED:
        return _SIZED_HEAD(kind, size)
    return bytes([kind])


_SHORT = 256
_SHORT_HEADS = [bytes([TYPE_SHORT_ASCII, size]) for size in range(_SHORT)]
_SHORT_INTERNED_HEADS = [bytes([TYPE_SHORT_ASCII_INTERNED, size]) for size in range(_SHORT)]
_SMALL_TUPLE_HEADS = [bytes([TYPE_SMALL_TUPLE, size]) for size in range(_SHORT)]
_FLAGGED = [bytes([kind | FLAG_REF]) for kind in range(_SHORT)]
_SIZED_HEAD = _REFERENCE = Struct("<BI").pack
