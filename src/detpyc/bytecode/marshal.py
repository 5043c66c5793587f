"""The marshal format: a payload read into nodes, and nodes written back.

The format is CPython's ``Python/marshal.c``; it has no other specification. The reader here never hands bytes to the
interpreter's own ``marshal.loads``, so it is safe on untrusted input, and it reads the payload of every supported
release from any Python.

Loaded by the worker under the target interpreter: standard library only, Python 3.8 syntax.
"""

from __future__ import annotations

import math
import re
import struct
from itertools import count
from struct import Struct

from detpyc.errors import BytecodeError

TYPE_CHECKING = False  # the typing module would slow the worker's start
if TYPE_CHECKING:
    from collections.abc import Iterator

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
_MUTABLE = frozenset({TYPE_LIST, TYPE_DICT, TYPE_SET})
_BINARY_FLOATS = {TYPE_BINARY_FLOAT: 8, TYPE_BINARY_COMPLEX: 16}
_LONG_ASCII = frozenset({TYPE_ASCII, TYPE_ASCII_INTERNED})
_LONG_UNICODE = frozenset({TYPE_UNICODE, TYPE_INTERNED})
_SINCE = {TYPE_SLICE: (3, 14), TYPE_FROZENDICT: (3, 15)}
# The type codes of interned texts, and of the same not interned.
INTERNED = {
    TYPE_INTERNED: TYPE_UNICODE,
    TYPE_ASCII_INTERNED: TYPE_ASCII,
    TYPE_SHORT_ASCII_INTERNED: TYPE_SHORT_ASCII,
}
_DIGITS_OF_INT = 3  # a 32-bit integer never has more 15-bit digits

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
        self.kinds = bytes([_KIND_OF_FIELD[name] for name in fields])
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


_NOT_ASCII = "a byte that is not ASCII in a text marked as ASCII"


class Nodes:
    """The objects of one payload, each value once: a graph in parallel lists.

    A node is an index. Two occurrences in the payload are one node exactly when they have the same type and value,
    however the writer had shared, flagged or interned them. What has no value to go by is told apart by identity, as
    the writer had it: lists, dicts and sets, which can change, and NaN, which is not equal to itself (``{nan, nan}``
    has two elements, and must keep them).

    Attributes:
        layout: how the code objects are laid out.
        kinds: the type code of each node; every text is TYPE_UNICODE, every tuple TYPE_TUPLE.
        pieces: how each node is written, unflagged: whole, or up to its children; of a text, the content alone.
        texts: the node of each text, by its content (UTF-8, lone surrogates passed).
        children: of every container, in writing order. Containers come after those they contain.
        offsets: where each node first starts in the payload; 0 for the singletons.
        identifiers: the texts that are names: of code objects, and in their tuples of names.
        sequence: the payload's nodes in writing order, from the root on; what a repeated node contains is not repeated.
        places: where in the sequence each node first stands; 0 for the singletons.

    """

    __slots__ = ("children", "identifiers", "kinds", "layout", "offsets", "pieces", "places", "sequence", "texts")

    def __init__(self, layout: CodeLayout) -> None:
        self.layout = layout
        self.kinds = bytearray(SINGLETONS)
        self.pieces: list[bytes] = [bytes([kind]) for kind in SINGLETONS]
        self.texts: dict[bytes, int] = {}
        self.children: dict[int, tuple[int, ...]] = {}
        self.offsets: list[int] = [0] * len(SINGLETONS)
        self.identifiers: set[int] = set()
        self.sequence: list[int] = []
        self.places: list[int] = [0] * len(SINGLETONS)

    def codes(self) -> list[int]:
        """Return the code objects."""
        return [node for node in self.children if self.kinds[node] == TYPE_CODE]


def read(payload: bytes, version: tuple[int, int]) -> Nodes:
    """Read a marshalled payload, sharing by value.

    Args:
        payload: what follows the header in a pyc.
        version: of the CPython that wrote it, e.g. ``(3, 12)``.

    Returns:
        The payload's nodes.

    Raises:
        BytecodeError: for anything that the CPython of that version would not have written; it names the offset.

    """
    if version not in LAYOUTS:
        raise BytecodeError(f"the bytecode of CPython {_dotted(version)} cannot be read, only 3.8's to 3.15's", 0)
    return _Reader(payload, version).read()


def read_as_written(payload: bytes, version: tuple[int, int]) -> Nodes:
    """Read a marshalled payload, sharing only what its writer had shared.

    Args:
        payload: as for `read`.
        version: as for `read`.

    Returns:
        One node for each object that is written in full, at its offset; wherever it stands again in the sequence, there
        is a reference. Singletons are one node each all the same.

    Raises:
        BytecodeError: as from `read`.

    """
    reader = _Reader(payload, version)
    reader.nodes.texts = _NothingIsEqual()
    reader.leaves = _NothingIsEqual()
    reader.tuples = _NothingIsEqual()
    reader.containers = _NothingIsEqual()
    return reader.read()


class _NothingIsEqual(dict):  # type: ignore[type-arg] # Python 3.8 has no dict[object, int] here
    """An index from values to nodes that finds none."""

    def get(self, _key: object, _default: object = None) -> None:
        return None


class _Reader:
    """One reading of one payload."""

    def __init__(self, payload: bytes, version: tuple[int, int]) -> None:
        self.data = payload
        self.version = version
        self.nodes = Nodes(LAYOUTS[version])
        # From a value to its node; texts have theirs in the nodes. Numbers and byte strings go by their encoding, with
        # its type code; tuples by their children, and other containers by what they are written with as well.
        self.leaves: dict[bytes, int] = {}
        self.tuples: dict[tuple[int, ...], int] = {}
        self.containers: dict[tuple[bytes, object], int] = {}

    def read(self) -> Nodes:  # noqa: C901, PLR0912, PLR0915 - one loop; the comment says why
        # One loop over everything, with the open containers on a stack of our own: the payload is untrusted and may
        # nest as deep as MAX_DEPTH. A call for each object would double the time, so what is frequent is written out
        # here, in the order of how often real payloads have it, and what it needs of the module is in locals. Slices
        # are not checked for being too short: whatever reads past the end leaves `pos` there, which the next read or
        # the last check finds.
        data = self.data
        size = len(data)
        nodes, layout = self.nodes, self.nodes.layout
        kinds, pieces, texts, sequence = nodes.kinds, nodes.pieces, nodes.texts, nodes.sequence
        offsets, places = nodes.offsets, nodes.places
        children_of, leaves, tuples, codes = nodes.children, self.leaves, self.tuples, self.containers
        line_at, field_count, head_size = layout.lineno, len(layout.kinds), layout.head_size
        reference, byte_string = TYPE_REF, TYPE_STRING
        short_interned, short = TYPE_SHORT_ASCII_INTERNED, TYPE_SHORT_ASCII
        unicode, small_tuple, containers, singletons = TYPE_UNICODE, TYPE_SMALL_TUPLE, _CONTAINERS, _NODE_OF_SINGLETON
        ranges, tuple_heads = _RANGES, _SMALL_TUPLE_HEADS
        emit = sequence.append
        u32 = _U32.unpack_from
        slots: list[int] = []  # the flagged objects; -1 until they are complete
        stack: list[tuple[int, int, int, int, list[int], Iterator[int]]] = []
        # The container that is being read: its kind, offset, slot (-1 for none), place in the sequence, children so
        # far, and an iterator that ends when they are all there. The outermost one stands for the whole.
        container, opened, slot, place, coming = TYPE_NULL, 0, -1, 0, iter(range(1))
        children: list[int] = []
        pos = start = 0
        try:
            while True:
                for _ in coming:
                    start = pos
                    code = data[pos]
                    if code == reference:
                        pos += 5
                        node = slots[u32(data, start + 1)[0]]
                        if node < 0:
                            raise BytecodeError("reference to an object that is not complete", start)
                        children.append(node)
                        emit(node)
                        continue
                    kind = code & 0x7F
                    if kind == short_interned or kind == short:  # noqa: PLR1714, SIM109 - a set is slower
                        pos += 2 + data[start + 1]
                        content = data[start + 2 : pos]
                        found = texts.get(content)
                        if found is None:
                            if not content.isascii():
                                raise BytecodeError(_NOT_ASCII, start)
                            node = texts[content] = len(pieces)
                            kinds.append(unicode)
                            pieces.append(content)
                            offsets.append(start)
                            places.append(len(sequence))
                        else:
                            node = found
                    elif kind == byte_string:
                        pos += 5 + u32(data, start + 1)[0]
                        content = b"s" + data[start + 1 : pos]
                        found = leaves.get(content)
                        if found is None:
                            node = leaves[content] = len(pieces)
                            kinds.append(byte_string)
                            pieces.append(content)
                            offsets.append(start)
                            places.append(len(sequence))
                        else:
                            node = found
                    elif kind == small_tuple or kind in containers:
                        if len(stack) == MAX_DEPTH:
                            raise BytecodeError(f"nested more than {MAX_DEPTH} levels deep", start)
                        stack.append((container, opened, slot, place, children, coming))
                        opened, place, children = start, len(sequence), []
                        if code == kind:
                            slot = -1
                        else:
                            slot = len(slots)
                            slots.append(-1)
                        emit(-1)
                        if kind == small_tuple:
                            container = TYPE_TUPLE
                            coming = iter(ranges[data[start + 1]])
                            pos += 2
                        elif kind == TYPE_CODE:
                            container = TYPE_CODE
                            coming = iter(range(line_at))
                            pos += head_size
                        else:
                            container = kind
                            coming, pos = self.open(kind, start)
                        break
                    elif kind in singletons:
                        pos += 1
                        node = singletons[kind]
                        children.append(node)
                        emit(node)
                        continue
                    elif kind == TYPE_INT:
                        pos += 5
                        content = b"i" + data[start + 1 : pos]
                        found = leaves.get(content)
                        node = self.add(TYPE_INT, content, start) if found is None else found
                    elif kind == TYPE_NULL and container in _DICTS:
                        pos += 1
                        coming = iter(())
                        break
                    else:
                        node, pos = self.rare(kind, start)
                    if code != kind:
                        slots.append(node)
                    children.append(node)
                    emit(node)
                else:
                    if not stack:
                        break
                    known = len(pieces)
                    value = tuple(children)
                    if container == TYPE_TUPLE:
                        found = tuples.get(value)
                        if found is None:
                            node = tuples[value] = known
                            kinds.append(TYPE_TUPLE)
                            pieces.append(
                                tuple_heads[len(value)] if len(value) < _SHORT else _SIZED_HEAD(TYPE_TUPLE, len(value))
                            )
                            offsets.append(opened)
                            places.append(place)
                            children_of[node] = value
                        else:
                            node = found
                    elif container != TYPE_CODE:
                        node = self.close_rare(container, value, opened, place)
                    elif len(value) == line_at:
                        start, pos = pos, pos + 4
                        content = data[start:pos]
                        found = leaves.get(content)
                        if found is None:
                            node = leaves[content] = known
                            kinds.append(RAW)
                            pieces.append(content)
                            offsets.append(start)
                            places.append(len(sequence))
                        else:
                            node = found
                        children.append(node)
                        emit(node)
                        coming = iter(range(field_count - line_at - 1))
                        continue
                    else:
                        head = b"c" + data[opened + 1 : opened + head_size]
                        found = codes.get((head, value))
                        if found is None:
                            node = codes[head, value] = known
                            kinds.append(TYPE_CODE)
                            pieces.append(head)
                            offsets.append(opened)
                            places.append(place)
                            children_of[node] = value
                        else:
                            node = found
                    if node < known:
                        del sequence[place:]
                        emit(node)
                    else:
                        sequence[place] = node
                    if slot >= 0:
                        slots[slot] = node
                    container, opened, slot, place, children, coming = stack.pop()
                    children.append(node)
        except (IndexError, struct.error):
            if data[start : start + 1] == b"r" and start + 5 <= size:
                raise BytecodeError("reference to an object that does not exist", start) from None
            raise self.truncated() from None
        if pos > size:
            raise self.truncated()
        if pos < size:
            raise BytecodeError(f"{size - pos} bytes too many behind the end of the payload", pos)
        self.check_codes()
        return nodes

    def truncated(self) -> BytecodeError:
        return BytecodeError("the data end in the middle of an object", len(self.data))

    def add(self, kind: int, encoding: bytes, start: int) -> int:
        """Make the node of a number or a byte string that is new."""
        node = self.leaves[encoding] = len(self.nodes.kinds)
        self.nodes.kinds.append(kind)
        self.nodes.pieces.append(encoding)
        self.nodes.offsets.append(start)
        self.nodes.places.append(len(self.nodes.sequence))
        return node

    def leaf(self, kind: int, encoding: bytes, start: int) -> int:
        found = self.leaves.get(encoding)
        return self.add(kind, encoding, start) if found is None else found

    def text(self, content: bytes, start: int) -> int:
        found = self.nodes.texts.get(content)
        if found is not None:
            return found
        node = self.nodes.texts[content] = len(self.nodes.kinds)
        self.nodes.kinds.append(TYPE_UNICODE)
        self.nodes.pieces.append(content)
        self.nodes.offsets.append(start)
        self.nodes.places.append(len(self.nodes.sequence))
        return node

    def ascii(self, content: bytes, start: int) -> int:
        """Return the node of a text that is written as ASCII."""
        if not content.isascii():
            raise BytecodeError(_NOT_ASCII, start)
        return self.text(content, start)

    def unicode(self, content: bytes, start: int) -> int:
        """Return the node of a text that is written as UTF-8, lone surrogates passed as marshal.c passes them."""
        try:
            content.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError as error:
            raise BytecodeError("a text that is not UTF-8", start) from error
        return self.text(content, start)

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
        if kind in _BINARY_FLOATS:
            end = start + 1 + _BINARY_FLOATS[kind]
            return self.floats(kind, self.data[start + 1 : end], start), end
        if kind == TYPE_FLOAT:
            real, end = self.text_float(start, start + 1)
            return self.floats(TYPE_BINARY_FLOAT, real, start), end
        if kind == TYPE_COMPLEX:
            real, middle = self.text_float(start, start + 1)
            imaginary, end = self.text_float(start, middle)
            return self.floats(TYPE_BINARY_COMPLEX, real + imaginary, start), end
        raise self.unknown(kind, start)

    def unknown(self, kind: int, start: int) -> BytecodeError:
        return BytecodeError(
            f"type code {bytes([kind])!r} is not one that CPython {_dotted(self.version)} writes", start
        )

    def long(self, start: int) -> tuple[int, int]:
        """Read an integer written in 15-bit digits, its sign being that of their number."""
        (digit_count,) = _I32.unpack_from(self.data, start + 1)
        end = start + 5 + 2 * abs(digit_count)
        if end > len(self.data):
            raise self.truncated()
        digits = self.data[start + 5 : end]
        if any(high & 0x80 for high in digits[1::2]):
            raise BytecodeError("an integer with a digit out of range", start)
        if digits[-2:] == b"\0\0":
            raise BytecodeError("an integer with a leading zero", start)
        if abs(digit_count) <= _DIGITS_OF_INT:
            magnitude = sum(digit << 15 * place for place, (digit,) in enumerate(_U16.iter_unpack(digits)))
            value = -magnitude if digit_count < 0 else magnitude
            if -(1 << 31) <= value < 1 << 31:
                return self.leaf(TYPE_INT, b"i" + _I32.pack(value), start), end
        return self.leaf(TYPE_LONG, b"l" + self.data[start + 1 : end], start), end

    def text_float(self, start: int, pos: int) -> tuple[bytes, int]:
        """Read a float written as text, as marshal versions 0 and 1 do: its binary form, and the offset behind it."""
        end = pos + 1 + self.data[pos]
        text = self.data[pos + 1 : end]
        if not _TEXT_FLOAT.match(text):
            raise BytecodeError("a float that is not a number", start)
        return _F64.pack(float(text)), end

    def floats(self, kind: int, encoding: bytes, start: int) -> int:
        """Return the node of a float or complex. NaN is not equal to itself, so each one is a node of its own."""
        if len(encoding) != _BINARY_FLOATS[kind]:
            raise self.truncated()
        whole = bytes([kind]) + encoding
        if any(math.isnan(value) for (value,) in _F64.iter_unpack(encoding)):
            return self.add(kind, whole, start)
        return self.leaf(kind, whole, start)

    def open(self, kind: int, start: int) -> tuple[Iterator[int], int]:
        """Read how many children a container of the less frequent kinds has: an iterator, and the offset behind it."""
        if self.version < _SINCE.get(kind, self.version):
            raise self.unknown(kind, start)
        if kind in _DICTS:
            return count(), start + 1  # up to a TYPE_NULL
        if kind == TYPE_SLICE:
            return iter(range(3)), start + 1
        number = self.u32(start + 1)
        if number > len(self.data) - start - 5:
            raise BytecodeError(f"{number} items claimed, more than there are bytes", start)
        return iter(range(number)), start + 5

    def close(
        self, kind: int, head: bytes, children: tuple[int, ...], start: int, place: int, key: object = None
    ) -> int:
        """Return the node of a container whose children are all read; it goes by them, unless a key is given."""
        identity = (head, children if key is None else key)
        found = self.containers.get(identity)
        if found is not None:
            return found
        node = self.containers[identity] = len(self.nodes.pieces)
        self.nodes.kinds.append(kind)
        self.nodes.pieces.append(head)
        self.nodes.offsets.append(start)
        self.nodes.places.append(place)
        self.nodes.children[node] = children
        return node

    def close_rare(self, kind: int, children: tuple[int, ...], start: int, place: int) -> int:
        """Return the node of a container of the less frequent kinds whose children are all read."""
        if kind in _DICTS:
            if len(children) % 2:
                raise BytecodeError("a dict with a key that has no value", start)
            node = self.leaf(RAW, bytes([TYPE_NULL]), start)
            self.nodes.sequence.append(node)
            children += (node,)
        head = _SIZED_HEAD(kind, len(children)) if kind in _SIZED else bytes([kind])
        if kind == TYPE_FROZENSET:
            elements = frozenset(children)
            if len(elements) != len(children):
                raise BytecodeError("a frozenset that holds an element twice", start)
            return self.close(kind, head, children, start, place, elements)
        if kind in _MUTABLE:
            return self.close(kind, head, children, start, place, object())  # which equals nothing else
        return self.close(kind, head, children, start, place)

    def check_codes(self) -> None:
        """Refuse code objects whose fields are not of the types that their constructor takes; note identifiers."""
        nodes, layout = self.nodes, self.nodes.layout
        codes = nodes.codes()
        # Field by field over all code objects at once, which is many times faster than code object by code object.
        for at, column in enumerate(zip(*[nodes.children[code] for code in codes])):  # noqa: B905 - Python 3.8
            if bytes(map(nodes.kinds.__getitem__, column)) != layout.kinds[at : at + 1] * len(codes):
                wrong = next(code for code, node in zip(codes, column) if nodes.kinds[node] != layout.kinds[at])  # noqa: B905
                raise self.wrong_field(wrong, layout.fields[at])
            if at in layout.names:
                nodes.identifiers.update(column)
            elif at in layout.tuples_of_names:
                names = set().union(*[nodes.children[node] for node in set(column)])
                if any(nodes.kinds[name] != TYPE_UNICODE for name in names):
                    wrong = next(
                        code
                        for code, node in zip(codes, column)  # noqa: B905
                        if any(nodes.kinds[name] != TYPE_UNICODE for name in nodes.children[node])
                    )
                    raise self.wrong_field(wrong, layout.fields[at])
                nodes.identifiers |= names

    def wrong_field(self, code: int, field: str) -> BytecodeError:
        return BytecodeError(f"a code object whose {field} is of a wrong type", self.nodes.offsets[code])


def _dotted(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))


def arrange(nodes: Nodes) -> None:
    """Make the sequence anew, after children have been given another order.

    Raises:
        BytecodeError: if, written so, they would nest deeper than CPython allows.

    """
    sequence: list[int] = []
    seen = set(range(len(SINGLETONS)))
    stack = [(nodes.sequence[0], 0)]
    while stack:
        node, depth = stack.pop()
        if node not in seen:
            seen.add(node)
            nodes.places[node] = len(sequence)
            if node in nodes.children:
                if depth == MAX_DEPTH:
                    message = f"nested more than {MAX_DEPTH} levels deep once sets are in order"
                    raise BytecodeError(message, nodes.offsets[node])
                stack += [(child, depth + 1) for child in reversed(nodes.children[node])]
        sequence.append(node)
    nodes.sequence = sequence


def write(nodes: Nodes, interned: set[int]) -> bytes:
    """Write nodes as a payload, each value once and each in its shortest form.

    An object is written in full where it first occurs, flagged only if it occurs again, and referenced from then on.

    Args:
        nodes: what to write, in the order of their sequence.
        interned: the nodes of the texts that are to be marked as interned.

    Returns:
        The payload.

    """
    pieces = encode(nodes, interned)
    sequence = nodes.sequence.copy()
    kinds, places = nodes.kinds, nodes.places
    # What is left when each node is taken out where it first stands occurs again.
    repeated = sequence.copy()
    for place in places:
        repeated[place] = 0
    shared = [node for node in set(repeated) if kinds[node] not in _NEVER_SHARED]
    flagged, reference = _FLAGGED, _SIZED_HEAD
    for index, place in enumerate(sorted([places[node] for node in shared])):
        node = sequence[place]
        piece = pieces[node]
        sequence[place] = len(pieces)
        pieces.append(flagged[piece[0]] + piece[1:])
        pieces[node] = reference(TYPE_REF, index)
    return b"".join([pieces[node] for node in sequence])


def encode(nodes: Nodes, interned: set[int]) -> list[bytes]:
    """Return how each node is written, unflagged: whole, or up to its children."""
    pieces = nodes.pieces.copy()
    for content, node in nodes.texts.items():
        size = len(content)
        if size < _SHORT and content.isascii():
            pieces[node] = (_SHORT_INTERNED_HEADS if node in interned else _SHORT_HEADS)[size] + content
        elif content.isascii():
            pieces[node] = _SIZED_HEAD(TYPE_ASCII_INTERNED if node in interned else TYPE_ASCII, size) + content
        else:
            pieces[node] = _SIZED_HEAD(TYPE_INTERNED if node in interned else TYPE_UNICODE, size) + content
    return pieces


_SHORT = 256
_SHORT_HEADS = [bytes([TYPE_SHORT_ASCII, size]) for size in range(_SHORT)]
_SHORT_INTERNED_HEADS = [bytes([TYPE_SHORT_ASCII_INTERNED, size]) for size in range(_SHORT)]
_SMALL_TUPLE_HEADS = [bytes([TYPE_SMALL_TUPLE, size]) for size in range(_SHORT)]
_FLAGGED = [bytes([kind | FLAG_REF]) for kind in range(_SHORT)]
_SIZED_HEAD = Struct("<BI").pack
_RANGES = [range(size) for size in range(_SHORT)]
