"""Digests of the values in a payload: equal for equal values, in one payload and between two.

They ignore identity, which `detpyc.explain.identity` compares, and the sign of a NaN, which depends on the machine that
folded the constant.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from detpyc.bytecode import code_objects
from detpyc.bytecode.marshal_format import SETS, TYPE_CODE
from detpyc.explain.nans import is_nan, without_sign

if TYPE_CHECKING:
    from collections.abc import Collection

    from detpyc.bytecode.nodes import Nodes

_SIZE = 16  # bytes


def digests(nodes: Nodes, *, paths: bool = True, ignored: Collection[str] = ()) -> dict[bytes, bytes]:
    """Return a digest of the value of each node.

    Args:
        nodes: of one payload.
        paths: whether the path counts that the code objects record. The path of a code object that records another
            than the outermost one does always counts.
        ignored: the fields of code objects that do not count.

    """
    own_path = b""
    if not paths and code_objects.is_code(nodes.sequence[0]):
        own_path = code_objects.field(nodes, nodes.sequence[0], "filename")
    at = nodes.layout.fields.index("filename")
    blank = [index for index, name in enumerate(nodes.layout.fields) if name in ignored]
    found = {node: _digest(node, _piece(nodes, node), []) for node in set(nodes.sequence).difference(nodes.children)}
    for node, children in nodes.children.items():  # a container comes after those it contains
        parts = [found[child] for child in children]
        if node[0] in SETS:
            parts.sort()
        elif node[0] == TYPE_CODE:
            for index in (*blank, *[at] * (children[at] == own_path)):
                parts[index] = b""
        found[node] = _digest(node, nodes.pieces[node], parts)
    return found


def _piece(nodes: Nodes, node: bytes) -> bytes:
    piece = nodes.pieces.get(node, node)
    return without_sign(piece) if is_nan(nodes, node) else piece


def _digest(node: bytes, piece: bytes, parts: list[bytes]) -> bytes:
    digest = hashlib.blake2b(node[:1], digest_size=_SIZE)
    digest.update(piece)
    digest.update(b"".join(parts))
    return digest.digest()
