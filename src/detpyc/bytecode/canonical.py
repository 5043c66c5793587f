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

from detpyc.bytecode import marshal
from detpyc.bytecode.describe import field, is_code, text
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
        raise error.behind(HEADER_SIZE) from error


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
        return is_code(nodes, root) and text(nodes, field(nodes, root, "filename")) == path and _write(nodes) == payload
    except BytecodeError:
        return False


def _write(nodes: marshal.Nodes) -> bytes:
    interned = interned_texts(nodes)
    order_sets(nodes, interned)
    return marshal.write(nodes, interned)


def interned_texts(nodes: marshal.Nodes) -> set[int]:
    """Return the nodes of the texts to be marked as interned.

    CPython interns identifiers and the constants that look like one (``intern_strings`` and ``intern_constants`` in
    ``Objects/codeobject.c``), but whether a given string object happens to be interned depends on what ran before.
    """
    identifiers = nodes.identifiers
    return identifiers.union(
        [
            node
            for content, node in nodes.texts.items()
            if node not in identifiers and not content.translate(None, _NAME_CHARACTERS)
        ]
    )


def order_sets(nodes: marshal.Nodes, interned: set[int]) -> None:
    """Put the elements of every set in the order of their standalone encodings, written without references."""
    if marshal.SETS.isdisjoint(nodes.kinds):
        return
    pieces = marshal.encode(nodes, interned)
    sizes = [len(piece) for piece in pieces]
    total = 0
    # A set in a set is ordered before the one around it, as the children come first.
    for node, children in nodes.children.items():
        sizes[node] = min(sizes[node] + sum([sizes[child] for child in children]), _MAX_SETS + 1)
        if nodes.kinds[node] in marshal.SETS:
            total += sizes[node]
            if total > _MAX_SETS:
                raise BytecodeError(f"sets that unfold to more than {_MAX_SETS} bytes", nodes.offsets[node])
            nodes.children[node] = tuple(sorted(children, key=lambda child: _standalone(nodes, pieces, child)))
    marshal.arrange(nodes)


def _standalone(nodes: marshal.Nodes, pieces: list[bytes], node: int) -> bytes:
    """Encode a node and all below it, without references."""
    encoding = []
    stack = [node]
    while stack:
        node = stack.pop()
        encoding.append(pieces[node])
        stack += reversed(nodes.children.get(node, ()))
    return b"".join(encoding)
