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
from collections import Counter
from itertools import count
from struct import Struct

from detpyc.errors import BytecodeError

TYPE_CHECKING = False  # the typing module would slow the worker's start
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

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
_SHORT_TEXTS = frozenset({TYPE_SHORT_ASCII, TYPE_SHORT_ASCII_INTERNED, TYPE_FLOAT})
# How many bytes are written of what is neither a text nor a code object nor a long integer; of containers, those before
# their children.
_SIZES = {
    **dict.fromkeys((TYPE_NONE, TYPE_FALSE, TYPE_TRUE, TYPE_ELLIPSIS, TYPE_STOPITER, TYPE_NULL), 1),
    **dict.fromkeys((TYPE_SLICE, *_DICTS), 1),
    **dict.fromkeys(_SIZED, 5),
    TYPE_SMALL_TUPLE: 2,
    TYPE_INT: 5,
    TYPE_BINARY_FLOAT: 9,
    TYPE_BINARY_COMPLEX: 17,
}
# The type codes of the nodes that may stand where a code object has one of a kind.
_KINDS_OF_FIELD = {
    RAW: frozenset({RAW}),
    TYPE_STRING: frozenset({TYPE_STRING}),
    TYPE_TUPLE: frozenset({TYPE_TUPLE}),
    TYPE_UNICODE: frozenset(INTERNED),
}
_DIGITS_OF_INT = 3  # a 32-bit integer never has more 15-bit digits

# What is written in one byte is the same object everywhere, and never flagged nor referenced: r_object() and w_object()
# treat them apart.
SINGLETONS = (TYPE_NONE, TYPE_FALSE, TYPE_TRUE, TYPE_ELLIPSIS, TYPE_STOPITER)
_NEVER_SHARED = frozenset({RAW, TYPE_NULL, *SINGLETONS})
_SINGLETON_NODES = {kind: bytes([kind]) for kind in SINGLETONS}

_COMMON = ("code", "consts", "names")
_BEFORE_311 = (*_COMMON, "varnames", "freevars", "cellvars", "filename", "name")
_SINCE_311 = (*_COMMON, "localsplusnames", "localspluskinds", "filename", "name", "qualname")


class CodeLayout:
    """How a release writes a code object: w_complex_object() and r_object() in ``Python/marshal.c``.

    Attributes:
        integers: the names of the 32-bit integers that come first.
        fields: the names of the children in their order; ``firstlineno`` is the raw one.
        head_size: how many bytes are written before the children: the type code and the integers.
        lineno: which of the children ``firstlineno`` is.
        kinds: the type code that each child must have; of texts, that of any.
        names: which of the children are identifiers.
        tuples_of_names: which of the children are tuples of identifiers.

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

# What is written before the content of an object. Of what has a size of one byte there are few, made once for all.
_SHORT = 256
_SIZED_HEAD = Struct("<BI").pack
_SHORT_HEADS = [bytes([TYPE_SHORT_ASCII_INTERNED, size]) for size in range(_SHORT)]
_SMALL_TUPLE_HEADS = [bytes([TYPE_SMALL_TUPLE, size]) for size in range(_SHORT)]
_RANGES = [range(size) for size in range(_SHORT)]
# The first byte of an encoding, by what it becomes: flagged, or not interned.
_FLAGGED = [bytes([kind | FLAG_REF]) for kind in range(_SHORT)]
_PLAIN = {interned: bytes([plain]) for interned, plain in INTERNED.items()}
_END_OF_DICT = bytes([TYPE_NULL])

_NOT_ASCII = "a byte that is not ASCII in a text marked as ASCII"


class Nodes:
    """The objects of one payload, each value once: a graph whose nodes are byte strings.

    A node's first byte is its type code. The node of a number, a byte string or a text is its own shortest encoding,
    texts written as if interned; that of a container is its type code and the offset where it first starts. So two
    occurrences in the payload are one node exactly when they have the same type and value, however the writer had
    shared, flagged or interned them. What has no value to go by is told apart by identity, as the writer had it: lists,
    dicts and sets, which can change, and NaN, which is not equal to itself (``{nan, nan}`` has two elements, and must
    keep them).

    Attributes:
        layout: how the code objects are laid out.
        pieces: how the nodes are written that are not their own encoding: containers up to their children, and NaN.
        children: of every container, in writing order. Containers come after those they contain.
        texts: those that are texts.
        identifiers: the texts that are names: of code objects, and in their tuples of names.
        sets: those that are sets.
        sequence: the payload's nodes in writing order, from the root on; what a repeated node contains is not repeated.

    """

    __slots__ = ("children", "identifiers", "layout", "pieces", "sequence", "sets", "texts")

    def __init__(self, layout: CodeLayout) -> None:
        self.layout = layout
        self.pieces: dict[bytes, bytes] = {}
        self.children: dict[bytes, tuple[bytes, ...]] = {}
        self.texts: set[bytes] = set()
        self.identifiers: set[bytes] = set()
        self.sets: list[bytes] = []
        self.sequence: list[bytes] = []


def _text_node(content: bytes) -> bytes:
    """Return the node of a text, by its content (UTF-8, lone surrogates passed)."""
    size = len(content)
    if content.isascii():
        return _SHORT_HEADS[size] + content if size < _SHORT else _SIZED_HEAD(TYPE_ASCII_INTERNED, size) + content
    return _SIZED_HEAD(TYPE_INTERNED, size) + content


def _head_of(container: int, size: int) -> bytes:
    """Return what is written of a container before its children, by its kind and their number; of no code object."""
    if container == TYPE_TUPLE and size < _SHORT:
        return _SMALL_TUPLE_HEADS[size]
    return _SIZED_HEAD(container, size) if container in _SIZED else bytes([container])


def content(node: bytes) -> bytes:
    """Return what a text or a byte string holds; texts in UTF-8, lone surrogates passed."""
    return node[2:] if node[0] == TYPE_SHORT_ASCII_INTERNED else node[5:]


def text(node: bytes) -> str:
    """Return the characters of a text."""
    return content(node).decode("utf-8", "surrogatepass")


def offset(container: bytes) -> int:
    """Return where a container first starts in the payload."""
    start: int = _U32.unpack_from(container, 1)[0]
    return start


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
    """Read a marshalled payload, sharing no containers but those that its writer had shared.

    Args:
        payload: as for `read`.
        version: as for `read`.

    Returns:
        The payload's nodes, one for each container that is written in full: nothing that is written is left out of the
        sequence.

    Raises:
        BytecodeError: as from `read`.

    """
    reader = _Reader(payload, version)
    reader.tuples = _NothingIsEqual()
    reader.codes = _NothingIsEqual()
    reader.frozen = _NothingIsEqual()
    return reader.read()


def placed(payload: bytes, nodes: Nodes) -> Iterator[tuple[int, bytes, int]]:
    """Say where in a payload everything stands.

    Args:
        payload: what was read.
        nodes: what it was read into by `read_as_written`.

    Returns:
        For each item of the sequence its offset, its node, and the offset where the object is written in full, which is
        another one if it is a reference.

    """
    slots: list[int] = []
    pos = 0
    for node in nodes.sequence:
        code = payload[pos]
        if node[0] == RAW:
            yield pos, node, pos
            pos += 4
        elif code == TYPE_REF:
            yield pos, node, slots[_U32.unpack_from(payload, pos + 1)[0]]
            pos += 5
        else:
            if code & FLAG_REF:
                slots.append(pos)
            yield pos, node, pos
            pos += _size(payload, pos, nodes.layout)


def _size(payload: bytes, pos: int, layout: CodeLayout) -> int:
    """Return the size of what is written at an offset, of containers up to their children."""
    kind = payload[pos] & ~FLAG_REF
    if kind in _SIZES:
        return _SIZES[kind]
    if kind == TYPE_CODE:
        return layout.head_size
    if kind in _SHORT_TEXTS:
        return 2 + payload[pos + 1]
    if kind == TYPE_COMPLEX:
        real = 1 + payload[pos + 1]
        return 1 + real + 1 + payload[pos + 1 + real]
    size: int = _I32.unpack_from(payload, pos + 1)[0]
    return 5 + (2 * abs(size) if kind == TYPE_LONG else size)


class _NothingIsEqual(dict):  # type: ignore[type-arg] # Python 3.8 has no dict[object, bytes] here
    """An index from values to nodes that finds none."""

    def get(self, _key: object, _default: object = None) -> None:
        return None


class _Reader:
    """One reading of one payload."""

    def __init__(self, payload: bytes, version: tuple[int, int]) -> None:
        self.data = payload
        self.version = version
        self.nodes = Nodes(LAYOUTS[version])
        # From what makes a container's value to its node: of tuples the children, of code objects also what is written
        # before them, and of the rest besides the type code.
        self.tuples: dict[tuple[bytes, ...], bytes] = {}
        self.codes: dict[tuple[bytes, tuple[bytes, ...]], bytes] = {}
        self.frozen: dict[tuple[int, object], bytes] = {}

    def read(self) -> Nodes:  # noqa: C901, PLR0912, PLR0915 - one loop; the comment says why
        # One loop over everything, with the open containers on a stack of our own: the payload is untrusted and may
        # nest as deep as MAX_DEPTH. A call for each object would double the time, so what is frequent is written out
        # here, in the order of how often real payloads have it, and what it needs of the module is in locals. Slices
        # are not checked for being too short: whatever reads past the end leaves `pos` there, which the next read or
        # the last check finds.
        data = self.data
        size = len(data)
        nodes, layout = self.nodes, self.nodes.layout
        pieces, children_of, sequence = nodes.pieces, nodes.children, nodes.sequence
        tuples, codes = self.tuples, self.codes
        line_at, field_count, head_size = layout.lineno, len(layout.kinds), layout.head_size
        reference, byte_string = TYPE_REF, TYPE_STRING
        short_interned, short = TYPE_SHORT_ASCII_INTERNED, TYPE_SHORT_ASCII
        small_tuple, containers, singletons = TYPE_SMALL_TUPLE, _CONTAINERS, _SINGLETON_NODES
        ranges, tuple_heads = _RANGES, _SMALL_TUPLE_HEADS
        texts = nodes.texts
        u32, numbered = _U32.unpack_from, _SIZED_HEAD
        slots: list[bytes] = []  # the flagged objects; empty until they are complete
        stack: list[tuple[int, int, int, int, list[bytes], Iterator[int]]] = []
        # The container that is being read: its kind, offset, slot (-1 for none), place in the sequence, children so
        # far, and an iterator that ends when they are all there. The outermost one stands for the whole.
        container, opened, slot, place, coming = TYPE_NULL, 0, -1, 0, iter(range(1))
        children: list[bytes] = []
        pos = start = 0
        try:
            while True:
                for _ in coming:
                    code = data[pos]
                    if code == reference:
                        node = slots[u32(data, pos + 1)[0]]
                        if not node:
                            raise BytecodeError("reference to an object that is not complete", pos)
                        pos += 5
                        children.append(node)
                        sequence.append(node)
                        continue
                    start = pos
                    kind = code & 0x7F
                    if kind == short_interned or kind == short:  # noqa: PLR1714, SIM109 - a set is slower
                        pos += 2 + data[pos + 1]
                        node = b"Z" + data[start + 1 : pos]
                        # The length is no part of the text, but mostly below 128.
                        if not (node.isascii() or node[2:].isascii()):
                            raise BytecodeError(_NOT_ASCII, start)
                        texts.add(node)
                    elif kind == byte_string:
                        pos += 5 + u32(data, pos + 1)[0]
                        node = b"s" + data[start + 1 : pos]
                    elif kind == small_tuple or kind in containers:
                        if len(stack) == MAX_DEPTH:
                            raise BytecodeError(f"nested more than {MAX_DEPTH} levels deep", start)
                        stack.append((container, opened, slot, place, children, coming))
                        opened, place, children = start, len(sequence), []
                        if code == kind:
                            slot = -1
                        else:
                            slot = len(slots)
                            slots.append(b"")
                        sequence.append(b"")
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
                        sequence.append(node)
                        continue
                    elif kind == TYPE_INT:
                        pos += 5
                        node = b"i" + data[start + 1 : pos]
                    elif kind == TYPE_NULL and container in _DICTS:
                        pos += 1
                        coming = iter(())
                        break
                    else:
                        node, pos = self.rare(kind, start)
                    if code != kind:
                        slots.append(node)
                    children.append(node)
                    sequence.append(node)
                else:
                    if not stack:
                        break
                    value = tuple(children)
                    if container == TYPE_TUPLE:
                        found = tuples.get(value)
                        if found is None:
                            node = tuples[value] = numbered(TYPE_TUPLE, opened)
                            pieces[node] = (
                                tuple_heads[len(value)] if len(value) < _SHORT else numbered(TYPE_TUPLE, len(value))
                            )
                            children_of[node] = value
                    elif container != TYPE_CODE:
                        node, found = self.close_rare(container, value, opened)
                    elif len(value) == line_at:
                        start, pos = pos, pos + 4
                        node = b"\0" + data[start:pos]
                        pieces[node] = data[start:pos]
                        children.append(node)
                        sequence.append(node)
                        coming = iter(range(field_count - line_at - 1))
                        continue
                    else:
                        head = b"c" + data[opened + 1 : opened + head_size]
                        found = codes.get((head, value))
                        if found is None:
                            node = codes[head, value] = numbered(TYPE_CODE, opened)
                            pieces[node] = head
                            children_of[node] = value
                    if found is None:
                        sequence[place] = node
                    else:
                        node = found
                        del sequence[place:]
                        sequence.append(node)
                    if slot >= 0:
                        slots[slot] = node
                    container, opened, slot, place, children, coming = stack.pop()
                    children.append(node)
        except (IndexError, struct.error):
            if data[pos : pos + 1] == b"r" and pos + 5 <= size:
                raise BytecodeError("reference to an object that does not exist", pos) from None
            raise self.truncated() from None
        if pos > size:
            raise self.truncated()
        if pos < size:
            raise BytecodeError(f"{size - pos} bytes too many behind the end of the payload", pos)
        self.check_codes()
        return nodes

    def truncated(self) -> BytecodeError:
        return BytecodeError("the data end in the middle of an object", len(self.data))

    def text(self, content: bytes) -> bytes:
        """Return the node of a text that is written in another than the most frequent way."""
        node = _text_node(content)
        self.nodes.texts.add(node)
        return node

    def ascii(self, content: bytes, start: int) -> bytes:
        """Return the node of a text that is written as ASCII."""
        if not content.isascii():
            raise BytecodeError(_NOT_ASCII, start)
        return self.text(content)

    def unicode(self, content: bytes, start: int) -> bytes:
        """Return the node of a text that is written as UTF-8, lone surrogates passed as marshal.c passes them."""
        try:
            content.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError as error:
            raise BytecodeError("a text that is not UTF-8", start) from error
        return self.text(content)

    def sized(self, start: int) -> tuple[bytes, int]:
        """Read a 32-bit size and as many bytes: the content, and the offset behind it."""
        end = start + 5 + self.u32(start + 1)
        if end > len(self.data):
            raise self.truncated()
        return self.data[start + 5 : end], end

    def u32(self, pos: int) -> int:
        value: int = _U32.unpack_from(self.data, pos)[0]
        return value

    def rare(self, kind: int, start: int) -> tuple[bytes, int]:
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

    def long(self, start: int) -> tuple[bytes, int]:
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
                return b"i" + _I32.pack(value), end
        return b"l" + self.data[start + 1 : end], end

    def text_float(self, start: int, pos: int) -> tuple[bytes, int]:
        """Read a float written as text, as marshal versions 0 and 1 do: its binary form, and the offset behind it."""
        end = pos + 1 + self.data[pos]
        text = self.data[pos + 1 : end]
        if not _TEXT_FLOAT.match(text):
            raise BytecodeError("a float that is not a number", start)
        return _F64.pack(float(text)), end

    def floats(self, kind: int, encoding: bytes, start: int) -> bytes:
        """Return the node of a float or complex. NaN is not equal to itself, so each one is a node of its own."""
        if len(encoding) != _BINARY_FLOATS[kind]:
            raise self.truncated()
        whole = bytes([kind]) + encoding
        if any(math.isnan(value) for (value,) in _F64.iter_unpack(encoding)):
            node = whole + _U32.pack(start)
            self.nodes.pieces[node] = whole
            return node
        return whole

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

    def close_rare(self, kind: int, children: tuple[bytes, ...], start: int) -> tuple[bytes, bytes | None]:
        """Make the node of a container of the less frequent kinds: itself, and what it is equal to if it is not new."""
        node = _SIZED_HEAD(kind, start)
        key: object = children
        if kind in _DICTS:
            if len(children) % 2:
                raise BytecodeError("a dict with a key that has no value", start)
            children += (_END_OF_DICT,)
            self.nodes.sequence.append(_END_OF_DICT)
        elif kind == TYPE_FROZENSET:
            key = frozenset(children)
            if len(key) != len(children):
                raise BytecodeError("a frozenset that holds an element twice", start)
        if kind not in _MUTABLE:
            found = self.frozen.get((kind, key))
            if found is not None:
                return node, found
            self.frozen[kind, key] = node
        self.nodes.pieces[node] = _head_of(kind, len(children))
        self.nodes.children[node] = children
        if kind in SETS:
            self.nodes.sets.append(node)
        return node, None

    def check_codes(self) -> None:
        """Refuse code objects whose fields are not of the types that their constructor takes; note identifiers."""
        nodes, layout = self.nodes, self.nodes.layout
        # Field by field over all code objects at once, which is many times faster than code object by code object.
        for at, column in enumerate(zip(*[fields for _, fields in self.codes])):  # noqa: B905 - Python 3.8
            right = _KINDS_OF_FIELD[layout.kinds[at]]
            if not right.issuperset([node[0] for node in column]):
                raise self.wrong_field(at, next(node for node in column if node[0] not in right))
            if at in layout.names:
                nodes.identifiers.update(column)
            elif at in layout.tuples_of_names:
                names = set().union(*[nodes.children[node] for node in set(column)])
                if not nodes.texts.issuperset(names):
                    wrong = next(node for node in column if not nodes.texts.issuperset(nodes.children[node]))
                    raise self.wrong_field(at, wrong)
                nodes.identifiers |= names

    def wrong_field(self, at: int, wrong: bytes) -> BytecodeError:
        """Say which code object has a field that is not right."""
        code = next(node for (_, fields), node in self.codes.items() if fields[at] == wrong)
        return BytecodeError(f"a code object whose {self.nodes.layout.fields[at]} is of a wrong type", offset(code))


def _dotted(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))


def arrange(nodes: Nodes) -> None:
    """Make the sequence anew, after children have been given another order.

    Raises:
        BytecodeError: if, written so, they would nest deeper than CPython allows.

    """
    sequence: list[bytes] = []
    seen = set()
    stack = [(nodes.sequence[0], 0)]
    while stack:
        node, depth = stack.pop()
        if node in nodes.children and node not in seen:
            seen.add(node)
            if depth == MAX_DEPTH:
                message = f"nested more than {MAX_DEPTH} levels deep once sets are in order"
                raise BytecodeError(message, offset(node))
            stack += [(child, depth + 1) for child in reversed(nodes.children[node])]
        sequence.append(node)
    nodes.sequence = sequence


def pieces(nodes: Nodes, plain: Iterable[bytes]) -> dict[bytes, bytes]:
    """Return how the nodes are written, unflagged, that are not written as they are.

    Args:
        nodes: of one payload.
        plain: the texts that are not to be marked as interned.

    """
    return {**nodes.pieces, **{node: _PLAIN[node[0]] + node[1:] for node in plain}}


def write(nodes: Nodes, plain: Iterable[bytes]) -> bytes:
    """Write nodes as a payload, each value once and each in its shortest form.

    An object is written in full where it first occurs, flagged only if it occurs again, and referenced from then on.

    Args:
        nodes: what to write, in the order of their sequence.
        plain: the texts that are not to be marked as interned.

    Returns:
        The payload.

    """
    written = pieces(nodes, plain)
    sequence = nodes.sequence
    # A Counter keeps the order of first occurrence, which is the order in which references are numbered.
    repeated = [node for node, times in Counter(sequence).items() if times > 1 and node[0] not in _NEVER_SHARED]
    first = []
    place = -1
    find, written_as, flagged, reference = sequence.index, written.get, _FLAGGED, _SIZED_HEAD
    for index, node in enumerate(repeated):
        place = find(node, place + 1)
        piece = written_as(node, node)
        written[node] = reference(TYPE_REF, index)
        first.append((place, flagged[piece[0]] + piece[1:]))
    parts = list(map(written_as, sequence, sequence))  # a node that is not there is written as it is
    for place, piece in first:
        parts[place] = piece
    return b"".join(parts)
