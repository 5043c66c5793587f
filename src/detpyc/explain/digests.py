"""Digests of the values in a payload: equal for equal values, in one payload and between two."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from detpyc.bytecode import code_objects
from detpyc.bytecode.marshal_format import SETS, TYPE_CODE

if TYPE_CHECKING:
    from detpyc.bytecode.nodes import Nodes

_SIZE = 16  # bytes


def digests(nodes: Nodes, *, paths: bool = True) -> dict[bytes, bytes]:
    """Return a digest of the value of each node.

    Args:
        nodes: of one payload.
        paths: whether the path counts that the code objects record. The path of a code object that records another
            than the outermost one does always counts.

    """
    own_path = b""
    if not paths and code_objects.is_code(nodes.sequence[0]):
        own_path = code_objects.field(nodes, nodes.sequence[0], "filename")
    at = nodes.layout.fields.index("filename")
    found = {node: _digest(nodes, node, []) for node in set(nodes.sequence).difference(nodes.children)}
    for node, children in nodes.children.items():  # a container comes after those it contains
        parts = [found[child] for child in children]
        if node[0] in SETS:
            parts.sort()
        elif node[0] == TYPE_CODE and children[at] == own_path:
            parts[at] = b""
        found[node] = _digest(nodes, node, parts)
    return found


def _digest(nodes: Nodes, node: bytes, parts: list[bytes]) -> bytes:
    content = node[:1] + nodes.pieces.get(node, node) + b"".join(parts)
    return hashlib.blake2b(content, digest_size=_SIZE).digest()
