"""Digests of what is in a payload: equal for equal values, in one payload and between two.

Standard library only, Python 3.8 syntax.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from detpyc.bytecode import describe, marshal

if TYPE_CHECKING:
    from detpyc.bytecode.marshal import Nodes

_SIZE = 16  # bytes


def digests(nodes: Nodes, *, paths: bool = True) -> list[bytes]:
    """Return a digest of the value of each node.

    Args:
        nodes: of one payload.
        paths: whether the path counts that the code objects record. A code object that records another than the
            outermost does counts in any case.

    """
    own_path = -1
    if not paths and describe.is_code(nodes, nodes.sequence[0]):
        own_path = describe.field(nodes, nodes.sequence[0], "filename")
    at = nodes.layout.fields.index("filename")
    found: list[bytes] = []
    for node, piece in enumerate(nodes.pieces):  # a node comes after those it contains
        kind = nodes.kinds[node]
        parts = [found[child] for child in nodes.children.get(node, ())]
        if kind in marshal.SETS:
            parts.sort()
        elif kind == marshal.TYPE_CODE and nodes.children[node][at] == own_path:
            parts[at] = b""
        found.append(hashlib.blake2b(bytes([kind]) + piece + b"".join(parts), digest_size=_SIZE).digest())
    return found
