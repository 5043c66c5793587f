"""Canonical form, version 1: one encoding for each code object, whatever state its writer was in.

The rules:

1. Objects of the same type and value are one object. The first occurrence is written in full, and flagged only if the
   object occurs again; every later one is a reference. (`read_payload` finds them, `write_payload` writes them.)
2. ``None``, ``True``, ``False``, ``...``, ``StopIteration`` and the empty tuple are singletons in CPython: they are
   never flagged nor referenced. (`write_payload`)
3. The elements of a set are ordered by their standalone encoding. (`order_sets`)
4. A string is marked as interned if it is an identifier anywhere in the payload, or consists of ``[A-Za-z0-9_]`` only.
   (`plain_strings`)
5. Every object takes its shortest type code. (`read_payload`)
6. Anything not understood is an error. (`read_payload`)

Loaded by the worker under the target interpreter: standard library only, Python 3.8 syntax.
"""

from __future__ import annotations

from detpyc.bytecode.code_objects import recorded_path
from detpyc.bytecode.header import HEADER_SIZE, PycHeader
from detpyc.bytecode.marshal_format import TYPE_SHORT_ASCII_INTERNED
from detpyc.bytecode.nodes import offset
from detpyc.bytecode.reader import read_payload
from detpyc.bytecode.writer import arrange, pieces, write_payload
from detpyc.errors import BytecodeError

TYPE_CHECKING = False  # the typing module would slow the worker's start
if TYPE_CHECKING:
    from detpyc.bytecode.nodes import Nodes

__all__ = ["canonicalize", "canonicalize_pyc", "is_canonical"]

_NAME_CHARACTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"
_MAX_SETS = 1 << 24  # bytes; with references, a small payload can contain sets that unfold to any size


def canonicalize_pyc(data: bytes) -> bytes:
    """Bring a whole pyc into canonical form; its header stays as it is.

    Args:
        data: the pyc, of any CPython from 3.8 to 3.15.

    Returns:
        The pyc with the same header and the canonical payload.

    Raises:
        BytecodeError: if the header or the payload is not understood; its offset counts from the start of ``data``.

    """
    header = PycHeader.parse(data)
    try:
        return data[:HEADER_SIZE] + canonicalize(data[HEADER_SIZE:], header.version)
    except BytecodeError as error:
        raise error.shifted(HEADER_SIZE) from error


def canonicalize(payload: bytes, version: tuple[int, int]) -> bytes:
    """Bring a marshalled payload into canonical form.

    Args:
        payload: what ``marshal.dumps`` makes, in any version of its format, of a code object or of what one is made of.
        version: of the CPython that wrote it, e.g. ``(3, 12)``.

    Returns:
        The canonical payload: it loads as an equal object, and is the same for all payloads that do.

    Raises:
        BytecodeError: if the payload is not understood; it names the offset.

    """
    return _write(read_payload(payload, version))


def is_canonical(payload: bytes, version: tuple[int, int], path: str) -> bool:
    """Return whether a payload is a module in canonical form that records a path.

    Args:
        payload: as for `canonicalize`.
        version: as for `canonicalize`.
        path: the path that its code object must record.

    """
    try:
        nodes = read_payload(payload, version)
        return recorded_path(nodes) == path and _write(nodes) == payload
    except BytecodeError:
        return False


def _write(nodes: Nodes) -> bytes:
    plain = plain_strings(nodes)
    order_sets(nodes, plain)
    return write_payload(nodes, plain)


def plain_strings(nodes: Nodes) -> list[bytes]:
    """Return the strings that must not be marked as interned.

    CPython interns identifiers and the constants that look like one (``intern_strings`` and ``intern_constants`` in
    ``Objects/codeobject.c``), but whether a given string object happens to be interned depends on what ran before.
    """
    # `content`, inlined: a call for each string would take time, and so would a copy of the content.
    return [
        string
        for string in nodes.strings - nodes.identifiers
        if len(string.rstrip(_NAME_CHARACTERS)) > (2 if string[0] == TYPE_SHORT_ASCII_INTERNED else 5)
    ]


def order_sets(nodes: Nodes, plain: list[bytes]) -> None:
    """Put the elements of every set in the order of their standalone encodings, written without references."""
    if not nodes.sets:
        return
    written = pieces(nodes, plain)
    room = _MAX_SETS
    for node in nodes.sets:  # a set in another comes before it
        encodings = {}
        for child in nodes.children[node]:
            encoding = (
                _standalone(nodes, written, child, room) if child in nodes.children else written.get(child, child)
            )
            encodings[child] = encoding
            room -= len(encoding)
            if room < 0:
                raise BytecodeError(f"sets that unfold to more than {_MAX_SETS} bytes", offset(node), "sets")
        nodes.children[node] = tuple(sorted(nodes.children[node], key=encodings.__getitem__))
    arrange(nodes)


def _standalone(nodes: Nodes, written: dict[bytes, bytes], node: bytes, room: int) -> bytes:
    """Encode a node and all below it, without references; only the beginning if there is no room for all."""
    parts = []
    stack = [node]
    while stack and room >= 0:
        node = stack.pop()
        parts.append(written.get(node, node))
        room -= len(parts[-1])
        stack += reversed(nodes.children.get(node, ()))
    return b"".join(parts)
