"""A payload as its writer wrote it: which objects are written in full, and which are references to those."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from detpyc.bytecode.marshal_format import (
    BINARY_FLOATS,
    DICTS,
    FLAG_REF,
    RAW,
    SINGLETONS,
    SIZED,
    TYPE_CODE,
    TYPE_COMPLEX,
    TYPE_FLOAT,
    TYPE_INT,
    TYPE_LONG,
    TYPE_NULL,
    TYPE_REF,
    TYPE_SHORT_ASCII,
    TYPE_SHORT_ASCII_INTERNED,
    TYPE_SLICE,
    TYPE_SMALL_TUPLE,
)
from detpyc.bytecode.reader import Reader

if TYPE_CHECKING:
    from collections.abc import Iterator

    from detpyc.bytecode.marshal_format import CodeLayout
    from detpyc.bytecode.nodes import Nodes

_I32 = Struct("<i")
_U32 = Struct("<I")
# The sizes in bytes of objects that are neither strings, bytes, code objects nor long integers; of containers, of what
# precedes the children.
_SIZES = {
    **dict.fromkeys((*SINGLETONS, TYPE_NULL, TYPE_SLICE, *DICTS), 1),
    **dict.fromkeys(SIZED, 5),
    **{kind: 1 + size for kind, size in BINARY_FLOATS.items()},
    TYPE_SMALL_TUPLE: 2,
    TYPE_INT: 5,
}
_WITHOUT_SLOT = frozenset({*SINGLETONS, TYPE_NULL})  # even if flagged
_SHORT = frozenset({TYPE_SHORT_ASCII, TYPE_SHORT_ASCII_INTERNED, TYPE_FLOAT})


def read_as_written(payload: bytes, version: tuple[int, int]) -> Nodes:
    """Read a marshalled payload, sharing only the containers that its writer had shared.

    Args:
        payload: what follows the header in a pyc.
        version: of the CPython that wrote it, e.g. ``(3, 12)``.

    Returns:
        The payload's nodes, one for each container that is written in full. The sequence has a node for everything
        that is written.

    Raises:
        BytecodeError: if the payload is not understood; it names the offset.

    """
    return Reader(payload, version, _NothingIsEqual).read()


class _NothingIsEqual(dict[object, bytes]):
    """An index from values to nodes that finds none."""

    def get(self, _key: object, _default: object = None) -> None:  # type: ignore[override]
        return None


def locate(payload: bytes, nodes: Nodes) -> Iterator[tuple[int, bytes, int]]:
    """Yield the position of everything in a payload.

    Args:
        payload: the bytes that were read.
        nodes: the result of `read_as_written`.

    Yields:
        For each item of the sequence its offset, its node, and the offset where the object is written in full, which
        differs from the first if it is a reference.

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
            if code & FLAG_REF and code & ~FLAG_REF not in _WITHOUT_SLOT:
                slots.append(pos)
            yield pos, node, pos
            pos += _size(payload, pos, nodes.layout)


def _size(payload: bytes, pos: int, layout: CodeLayout) -> int:
    """Return the size of the object at an offset; of containers, of what precedes the children."""
    kind = payload[pos] & ~FLAG_REF
    if kind in _SIZES:
        return _SIZES[kind]
    if kind == TYPE_CODE:
        return layout.head_size
    if kind in _SHORT:
        return 2 + payload[pos + 1]
    if kind == TYPE_COMPLEX:
        real = 1 + payload[pos + 1]
        return 1 + real + 1 + payload[pos + 1 + real]
    size: int = _I32.unpack_from(payload, pos + 1)[0]
    return 5 + (2 * abs(size) if kind == TYPE_LONG else size)
