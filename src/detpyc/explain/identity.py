"""Compare which objects of two payloads are one and which are two, where code can observe that.

Code can distinguish two NaNs, because ``in`` and the comparison of containers compare identity before equality, and two
lists, dicts or sets, because they can change. Other objects are interchangeable if they have the same value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from detpyc.bytecode.marshal_format import MUTABLE, SETS
from detpyc.explain import describe
from detpyc.explain.difference import CODE, Difference
from detpyc.explain.nans import is_nan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from detpyc.bytecode.nodes import Nodes

__all__ = ["identity_difference"]

_ONE, _TWO, _MANY = "one object", "two objects", "too many objects to compare"


def has_identity(nodes: Nodes, node: bytes) -> bool:
    """Return whether code can distinguish an object from another one with the same value."""
    return node[0] in MUTABLE or is_nan(nodes, node)


def identity_difference(
    a: Nodes, b: Nodes, digests_a: Mapping[bytes, bytes], digests_b: Mapping[bytes, bytes]
) -> Difference | None:
    """Find the first object that is one in one payload and two in the other.

    Args:
        a: the nodes of a payload.
        b: those of another one. Where the values differ, they are compared as far as they have the same structure.
        digests_a: of the values of the nodes.
        digests_b: likewise.

    Returns:
        The difference; None if there is none: then the identities correspond one to one.

    """
    if not any(has_identity(nodes, node) for nodes in (a, b) for node in nodes.pieces):
        return None
    names = describe.qualified_names(a)
    in_a: dict[bytes, bytes] = {}
    in_b: dict[bytes, bytes] = {}
    # Walked in parallel, a container always meets the same one in the other payload if their values are equal. If they
    # are not, it could meet very many.
    seen: set[tuple[bytes, bytes]] = set()
    most = 4 * (len(a.children) + len(b.children))
    pending = [(a.sequence[0], b.sequence[0], "")]
    while pending:
        node_a, node_b, where = pending.pop()
        if has_identity(a, node_a) and has_identity(b, node_b):
            if in_b.setdefault(node_a, node_b) != node_b:
                return _difference(a, node_a, where, _ONE, _TWO)
            if in_a.setdefault(node_b, node_a) != node_a:
                return _difference(a, node_a, where, _TWO, _ONE)
        if node_a not in a.children or node_b not in b.children or (node_a, node_b) in seen:
            continue
        seen.add((node_a, node_b))
        if len(seen) > most:
            return _difference(a, node_a, where, *(_MANY,) * 2)
        children_a, children_b = _children(a, node_a, digests_a), _children(b, node_b, digests_b)
        if len(children_a) == len(children_b):
            where = names.get(node_a, where)
            pairs = zip(children_a, children_b, strict=True)
            pending += reversed([(child_a, child_b, where) for child_a, child_b in pairs])
    return None


def _difference(nodes: Nodes, node: bytes, where: str, a: str, b: str) -> Difference:
    return Difference(CODE, "identity", where, f"of {describe.value(nodes, node)}", a, b)


def _children(nodes: Nodes, node: bytes, digests: Mapping[bytes, bytes]) -> Sequence[bytes]:
    """Return the children of a container, those of a set in an order that depends on their values only."""
    children = nodes.children[node]
    return sorted(children, key=digests.__getitem__) if node[0] in SETS else children
