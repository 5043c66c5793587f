"""The code objects among a payload's nodes: their integers, fields and constants, by the names that CPython gives them.

Loaded by the worker under the target interpreter: standard library only, Python 3.8 syntax.
"""

from __future__ import annotations

from operator import itemgetter
from struct import Struct

from detpyc.bytecode.marshal_format import INTERNED, RAW, TYPE_CODE, TYPE_STRING, TYPE_TUPLE, TYPE_UNICODE
from detpyc.bytecode.nodes import offset, string
from detpyc.errors import BytecodeError

TYPE_CHECKING = False  # the typing module would slow the worker's start
if TYPE_CHECKING:
    from detpyc.bytecode.nodes import Nodes

# The type codes of the nodes that a code object may have in a field of a kind.
_KINDS_OF_FIELD = {
    RAW: frozenset({RAW}),
    TYPE_STRING: frozenset({TYPE_STRING}),
    TYPE_TUPLE: frozenset({TYPE_TUPLE}),
    TYPE_UNICODE: frozenset(INTERNED),
}
_I32 = Struct("<i")
_type_code = itemgetter(0)


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


def check_fields(nodes: Nodes, codes: dict[tuple[bytes, tuple[bytes, ...]], bytes]) -> None:
    """Check the types of the fields of code objects, and add their names to the identifiers.

    Args:
        nodes: of one payload.
        codes: its code objects, by the integers and the fields of each.

    Raises:
        BytecodeError: if a field does not have the type that the constructor of code objects takes.

    """
    layout = nodes.layout
    # Field by field over all code objects at once, which is many times faster than code object by code object.
    for at, column in enumerate(zip(*[fields for _, fields in codes])):  # noqa: B905 - Python 3.8
        right = _KINDS_OF_FIELD[layout.kinds[at]]
        if not right.issuperset(map(_type_code, column)):
            raise _wrong_field(nodes, codes, at, next(node for node in column if node[0] not in right))
        if at in layout.names:
            nodes.identifiers.update(column)
        elif at in layout.tuples_of_names:
            names = set().union(*[nodes.children[node] for node in set(column)])
            if not nodes.strings.issuperset(names):
                wrong = next(node for node in column if not nodes.strings.issuperset(nodes.children[node]))
                raise _wrong_field(nodes, codes, at, wrong)
            nodes.identifiers |= names


def _wrong_field(
    nodes: Nodes, codes: dict[tuple[bytes, tuple[bytes, ...]], bytes], at: int, wrong: bytes
) -> BytecodeError:
    """Return the error for a field of a wrong type, which names the code object."""
    code = next(node for (_, fields), node in codes.items() if fields[at] == wrong)
    return BytecodeError(f"a code object whose {nodes.layout.fields[at]} has a wrong type", offset(code), "field")
