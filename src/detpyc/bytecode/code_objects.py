"""The code objects among a payload's nodes: their integers, fields and constants, by the names that CPython gives them.

Loaded by the worker under the target interpreter: standard library only, Python 3.8 syntax.
"""

from __future__ import annotations

from struct import Struct

from detpyc.bytecode.marshal_format import TYPE_CODE
from detpyc.bytecode.nodes import string

TYPE_CHECKING = False  # the typing module would slow the worker's start
if TYPE_CHECKING:
    from detpyc.bytecode.nodes import Nodes

_I32 = Struct("<i")


def is_code(node: bytes) -> bool:
    """Return whether a node is a code object."""
    return node[0] == TYPE_CODE


def recorded_path(nodes: Nodes) -> str | None:
    """Return the path that a payload's outermost code object records; None if it is not a code object."""
    root = nodes.sequence[0]
    return string(field(nodes, root, "filename")) if is_code(root) else None


def field(nodes: Nodes, code: bytes, name: str) -> bytes:
    """Return the node of a code object's field.

    Raises:
        ValueError: if the release has no such field.

    """
    return nodes.children[code][nodes.layout.fields.index(name)]


def integers(nodes: Nodes, code: bytes) -> dict[str, int]:
    """Return a code object's integers by name, including the first line number."""
    head = nodes.pieces[code][1:]
    values = dict(zip(nodes.layout.integers, (value for (value,) in _I32.iter_unpack(head))))  # noqa: B905 - Python 3.8
    (values["firstlineno"],) = _I32.unpack(field(nodes, code, "firstlineno")[1:])
    return values


def constants(nodes: Nodes, code: bytes) -> tuple[bytes, ...]:
    """Return the nodes of a code object's constants."""
    return nodes.children[field(nodes, code, "consts")]
