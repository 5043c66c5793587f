"""Canonical form, version 1: one encoding for each code object, whatever state its writer was in.

The rules, which the functions here and `marshal.write` carry out together:

1. Objects of the same type and value are one object. The first occurrence is written in full, and flagged only if the
   object occurs again; every later one is a reference. (`marshal.read` finds them, `marshal.write` writes them.)
2. ``None``, ``True``, ``False``, ``...`` and ``StopIteration`` are never flagged nor referenced.
3. The elements of a set are ordered by their standalone encoding. (`order_sets`)
4. A text is marked as interned if it is an identifier anywhere in the payload, or consists of ``[A-Za-z0-9_]`` alone.
   (`interned_texts`)
5. Every object takes its shortest type code. (`marshal.write`)
6. Whatever is not understood is an error. (`marshal.read`)

Loaded by the worker under the target interpreter: standard library only, Python 3.8 syntax.
"""

from __future__ import annotations

from detpyc.bytecode import code_objects, marshal
from detpyc.bytecode.header import HEADER_SIZE, PycHeader
from detpyc.errors import BytecodeError

FORM = 1

_NAME_CHARACTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"
_MAX_SETS = 1 << 24  # bytes; with references, a small payload can hold sets that unfold to any size


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
    return _write(marshal.read(payload, version))


def is_canonical(payload: bytes, version: tuple[int, int], path: str) -> bool:
    """Tell whether a payload is a module's in canonical form, compiled under a path.

    Args:
        payload: as for `canonicalize`.
        version: as for `canonicalize`.
        path: what its code object is to record.

    """
    try:
        nodes = marshal.read(payload, version)
        root = nodes.sequence[0]
        if not code_objects.is_code(root) or marshal.text(code_objects.field(nodes, root, "filename")) != path:
            return False
        return _write(nodes) == payload
    except BytecodeError:
        return False


def _write(nodes: marshal.Nodes) -> bytes:
    plain = plain_texts(nodes)
    order_sets(nodes, plain)
    return marshal.write(nodes, plain)


def plain_texts(nodes: marshal.Nodes) -> list[bytes]:
    """Return the texts that are not to be marked as interned.

    CPython interns identifiers and the constants that look like one (``intern_strings`` and ``intern_constants`` in
    ``Objects/code_objects.c``), but whether a given string object happens to be interned depends on what ran before.
    """
    content = marshal.content
    return [text for text in nodes.texts - nodes.identifiers if content(text).translate(None, _NAME_CHARACTERS)]


def order_sets(nodes: marshal.Nodes, plain: list[bytes]) -> None:
    """Put the elements of every set in the order of their standalone encodings, written without references."""
    if not nodes.sets:
        return
    pieces = marshal.pieces(nodes, plain)
    room = _MAX_SETS
    for node in nodes.sets:  # one that stands in another comes before it
        encodings = {}
        for child in nodes.children[node]:
            encodings[child] = _standalone(nodes, pieces, child, room)
            room -= len(encodings[child])
            if room < 0:
                raise BytecodeError(f"sets that unfold to more than {_MAX_SETS} bytes", marshal.offset(node))
        nodes.children[node] = tuple(sorted(nodes.children[node], key=encodings.__getitem__))
    marshal.arrange(nodes)


def _standalone(nodes: marshal.Nodes, pieces: dict[bytes, bytes], node: bytes, room: int) -> bytes:
    """Encode a node and all below it, without references; only the beginning if there is no room for all."""
    parts = []
    stack = [node]
    while stack and room >= 0:
        node = stack.pop()
        parts.append(pieces.get(node, node))
        room -= len(parts[-1])
        stack += reversed(nodes.children.get(node, ()))
    return b"".join(parts)
