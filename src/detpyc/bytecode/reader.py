"""Read a marshalled payload into nodes.

The reader never passes bytes to the interpreter's own ``marshal.loads``, so it is safe on untrusted input, and it reads
the payload of every supported release from any Python.

Loaded by the worker under the target interpreter: standard library only, Python 3.8 syntax.
"""

from __future__ import annotations

import struct
from itertools import count
from struct import Struct

from detpyc.bytecode.code_objects import check_fields
from detpyc.bytecode.marshal_format import (
    CONTAINER_WEIGHT,
    CONTAINERS,
    DICTS,
    LAYOUTS,
    MAX_DEPTH,
    MAX_OBJECTS,
    MUTABLE,
    SETS,
    SINCE,
    SINGLETONS,
    SIZED,
    TYPE_CODE,
    TYPE_FROZENSET,
    TYPE_INT,
    TYPE_NULL,
    TYPE_REF,
    TYPE_SHORT_ASCII,
    TYPE_SHORT_ASCII_INTERNED,
    TYPE_SLICE,
    TYPE_SMALL_TUPLE,
    TYPE_STRING,
    TYPE_TUPLE,
)
from detpyc.bytecode.nodes import EMPTY_TUPLE, END_OF_DICT, SHORT, SMALL_TUPLE_HEADS, Nodes, sized_head
from detpyc.bytecode.scalars import NOT_ASCII, read_scalar, truncated
from detpyc.errors import BytecodeError

TYPE_CHECKING = False  # the typing module would slow the worker's start
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Dict, Type  # Python 3.8

__all__ = ["Reader", "read_payload"]

_SINGLETON_NODES = {kind: bytes([kind]) for kind in SINGLETONS}
_RANGES = [range(size) for size in range(SHORT)]

_U32 = Struct("<I")


def read_payload(payload: bytes, version: tuple[int, int]) -> Nodes:
    """Read a marshalled payload, sharing by value.

    Args:
        payload: what follows the header in a pyc.
        version: of the CPython that wrote it, e.g. ``(3, 12)``.

    Returns:
        The payload's nodes.

    Raises:
        BytecodeError: for anything that the CPython of that version would not have written; it names the offset.

    """
    return Reader(payload, version).read()


class Reader:
    """One reading of one payload.

    Args:
        payload: as for `read_payload`.
        version: as for `read_payload`.
        index: the class of the dicts that find the node of an equal container. One that finds nothing makes a node of
            each container that is written in full.

    """

    def __init__(self, payload: bytes, version: tuple[int, int], index: Type[Dict[Any, bytes]] = dict) -> None:
        if version not in LAYOUTS:
            message = f"cannot read the bytecode of CPython {_dotted(version)}, only of 3.8 to 3.15"
            raise BytecodeError(message, 0, "version")
        self.data = payload
        self.version = version
        self.nodes = Nodes(LAYOUTS[version])
        # From what makes a container's value to its node: of tuples the children, of code objects also what is written
        # before them, and of the rest besides the type code.
        self.tuples: dict[tuple[bytes, ...], bytes] = index()
        self.tuples[()] = EMPTY_TUPLE
        self.codes: dict[tuple[bytes, tuple[bytes, ...]], bytes] = index()
        self.frozen: dict[tuple[int, object], bytes] = index()
        self.waiting = 0  # how many children and ends of dicts were read that are not counted, since these are open

    def read(self) -> Nodes:  # noqa: C901, PLR0912, PLR0915 - one loop; the comment says why
        """Read the payload."""
        # One loop over everything, with an explicit stack of the open containers: the payload is untrusted and may nest
        # as deep as MAX_DEPTH. A call for each object would double the time, so the frequent kinds are inlined here,
        # the most frequent first, and the module's names that they need are locals. Slices are not checked for being
        # too short: whatever reads past the end leaves `pos` there, and the next read or the last check detects that.
        data = self.data
        size = len(data)
        nodes, layout = self.nodes, self.nodes.layout
        pieces, children_of, sequence = nodes.pieces, nodes.children, nodes.sequence
        tuples, codes = self.tuples, self.codes
        line_at, field_count, head_size = layout.lineno, len(layout.kinds), layout.head_size
        reference, byte_string, integer = TYPE_REF, TYPE_STRING, TYPE_INT
        short_interned, short = TYPE_SHORT_ASCII_INTERNED, TYPE_SHORT_ASCII
        long_tuple, code_object = TYPE_TUPLE, TYPE_CODE
        small_tuple, containers, singletons = TYPE_SMALL_TUPLE, CONTAINERS, _SINGLETON_NODES
        ranges, tuple_heads, empty_tuple = _RANGES, SMALL_TUPLE_HEADS, EMPTY_TUPLE
        strings = nodes.strings
        room, extra = MAX_OBJECTS - 1, CONTAINER_WEIGHT - 1  # for the objects in containers, and for each container
        u32, numbered = _U32.unpack_from, sized_head
        slots: list[bytes] = []  # the flagged objects; empty until they are complete
        stack: list[tuple[int, int, int, int, list[bytes], Iterator[int]]] = []
        # The container that is being read: its kind, offset, slot (-1 for none), place in the sequence, children so
        # far, and an iterator that ends when all are read. The outermost one represents the payload.
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
                            raise BytecodeError("reference to an object that is not complete", pos, "reference")
                        pos += 5
                        children.append(node)
                        sequence.append(node)
                        continue
                    start = pos
                    kind = code & 0x7F
                    if kind == short_interned or kind == short:  # noqa: PLR1714, SIM109 - a set is slower
                        pos += 2 + data[pos + 1]
                        node = b"Z" + data[start + 1 : pos]
                        # The length, mostly below 128, is not part of the string.
                        if not (node.isascii() or node[2:].isascii()):
                            raise BytecodeError(NOT_ASCII, start, "string")
                        strings.add(node)
                    elif kind == byte_string:
                        pos += 5 + u32(data, pos + 1)[0]
                        node = data[start:pos] if code == kind else b"s" + data[start + 1 : pos]
                    elif kind == small_tuple or kind in containers:
                        if code == small_tuple and not data[start + 1]:
                            pos += 2
                            children.append(empty_tuple)
                            sequence.append(empty_tuple)
                            continue
                        if len(stack) == MAX_DEPTH:
                            raise self.too_deep(kind, start)
                        stack.append((container, opened, slot, place, children, coming))
                        opened, place, children = start, len(sequence), []
                        if code == kind:
                            slot = -1
                        else:
                            slot = len(slots)
                            slots.append(b"")
                        sequence.append(b"")
                        if kind == small_tuple:
                            container = long_tuple
                            number = data[start + 1]
                            coming = iter(ranges[number])
                            pos += 2
                        elif kind == code_object:
                            container = code_object
                            number = field_count
                            coming = iter(range(line_at))
                            pos += head_size
                        else:
                            container = kind
                            number, coming, pos = self.open(kind, start)
                        room -= number + extra
                        if room < 0:
                            raise _too_many_objects(start)
                        break
                    elif kind in singletons:
                        pos += 1
                        node = singletons[kind]
                        children.append(node)
                        sequence.append(node)
                        continue
                    elif kind == integer:
                        pos += 5
                        node = b"i" + data[start + 1 : pos]
                    elif kind == TYPE_NULL and container in DICTS:
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
                    if container == long_tuple:
                        found = tuples.get(value)
                        if found is None:
                            node = tuples[value] = numbered(container, opened)
                            number = len(value)
                            pieces[node] = tuple_heads[number] if number < SHORT else numbered(container, number)
                            children_of[node] = value
                    elif container != code_object:
                        node, found = self.close_rare(container, value, opened)
                        if container in DICTS:  # their number was not known before
                            room -= len(value) + 1
                            if room < 0:
                                raise _too_many_objects(opened)
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
                raise BytecodeError("reference to an object that does not exist", pos, "reference") from None
            raise truncated(data) from None
        except BytecodeError:
            if pos > size:  # not detected yet
                raise truncated(data) from None
            raise
        if pos > size:
            raise truncated(data)
        if pos < size:
            raise BytecodeError(f"{size - pos} bytes after the end of the payload", pos, "trailing")
        nodes.objects = MAX_OBJECTS - room
        check_fields(nodes, self.codes)
        return nodes

    def rare(self, kind: int, start: int) -> tuple[bytes, int]:
        """Read an object of a rare kind that is not a container: its node, and the offset behind it."""
        found = read_scalar(self.data, kind, start, self.nodes)
        if found is None:
            raise self.unknown(kind, start)
        return found

    def unknown(self, kind: int, start: int) -> BytecodeError:
        """Return the error for a type code that the release does not have."""
        return BytecodeError(
            f"type code {bytes([kind])!r} is not one that CPython {_dotted(self.version)} writes", start, "type"
        )

    def too_deep(self, kind: int, start: int) -> BytecodeError:
        """Return the error for a container that nests too deep, or that the release does not have."""
        if self.version < SINCE.get(kind, self.version):
            return self.unknown(kind, start)
        return BytecodeError(f"nested more than {MAX_DEPTH} levels deep", start, "depth")

    def open(self, kind: int, start: int) -> tuple[int, Iterator[int], int]:
        """Read how many children a container of the less frequent kinds has.

        Returns:
            The number (0 if it is not known), an iterator that ends when all are read, and the offset of the first.

        """
        if self.version < SINCE.get(kind, self.version):
            raise self.unknown(kind, start)
        if kind in DICTS:
            return 0, self.until_null(start), start + 1
        if kind == TYPE_SLICE:
            return 3, iter(range(3)), start + 1
        (number,) = _U32.unpack_from(self.data, start + 1)
        if number > len(self.data) - start - 5:
            raise BytecodeError(f"{number} items claimed, more than the bytes that remain", start, "size")
        return number, iter(range(number)), start + 5

    def until_null(self, start: int) -> Iterator[int]:
        """Count the children of a dict, which ends with a TYPE_NULL."""
        for number in count():
            self.waiting += 1
            if self.waiting > MAX_OBJECTS:
                raise _too_many_objects(start)
            yield number

    def close_rare(self, kind: int, children: tuple[bytes, ...], start: int) -> tuple[bytes, bytes | None]:
        """Return the node of a container of the less frequent kinds, and the node that it equals if it is not new."""
        node = sized_head(kind, start)
        key: object = children
        if kind in DICTS:
            if len(children) % 2:
                raise BytecodeError("a dict with a key without a value", start, "dict")
            children += (END_OF_DICT,)
            self.waiting -= len(children)
            self.nodes.sequence.append(END_OF_DICT)
        elif kind == TYPE_FROZENSET:
            key = frozenset(children)
            if len(key) != len(children):
                raise BytecodeError("a frozenset that contains an element twice", start, "duplicate")
        if kind not in MUTABLE:
            found = self.frozen.get((kind, key))
            if found is not None:
                return node, found
            self.frozen[kind, key] = node
        self.nodes.pieces[node] = sized_head(kind, len(children)) if kind in SIZED else bytes([kind])
        self.nodes.children[node] = children
        if kind in SETS:
            self.nodes.sets.append(node)
        return node, None


def _too_many_objects(start: int) -> BytecodeError:
    """Return the error for a payload with too many objects."""
    return BytecodeError(f"more than {MAX_OBJECTS} objects", start, "objects")


def _dotted(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))
