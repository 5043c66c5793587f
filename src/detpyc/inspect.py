"""Inspect a pyc: its header, whether it is canonical and why not, and the code objects in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from detpyc.bytecode import describe, marshal
from detpyc.bytecode.canonical import canonicalize
from detpyc.bytecode.explain import explain
from detpyc.bytecode.header import HEADER_SIZE, PycHeader
from detpyc.errors import BytecodeError

if TYPE_CHECKING:
    from detpyc.bytecode.explain import Difference


@dataclass(frozen=True, slots=True)
class Code:
    """A code object.

    Attributes:
        name: its qualified name.
        path: the path that it records.
        integers: its numbers, ``firstlineno`` among them.
        size: of its instructions, in bytes.
        names: of its identifiers, by the field that holds them.
        constants: as Python shows them.
        codes: the code objects among the constants.

    """

    name: str
    path: str
    integers: dict[str, int]
    size: int
    names: dict[str, tuple[str, ...]]
    constants: tuple[str, ...]
    codes: tuple[Code, ...]


@dataclass(frozen=True, slots=True)
class Inspection:
    """What is in a pyc.

    Attributes:
        header: its header.
        size: of the file, in bytes.
        canonical_size: of the file in canonical form.
        differences: from canonical form; empty if it is canonical.
        code: the module's code object.

    """

    header: PycHeader
    size: int
    canonical_size: int
    differences: tuple[Difference, ...]
    code: Code


def inspect(data: bytes) -> Inspection:
    """Inspect a pyc.

    Args:
        data: the file's bytes; they are not unmarshalled by the interpreter.

    Returns:
        What is in it.

    Raises:
        BytecodeError: if it is not understood.

    """
    header = PycHeader.parse(data)
    payload = data[HEADER_SIZE:]
    try:
        canonical = canonicalize(payload, header.version)
        differences = explain(payload, canonical, header.version)
        nodes = marshal.read(canonical, header.version)
        root = nodes.sequence[0]
        if not describe.is_code(nodes, root):
            raise BytecodeError("the payload is no code object", 0)
    except BytecodeError as error:
        raise error.behind(HEADER_SIZE) from error
    # Children come before their parents, so that what a code object contains is described before it.
    names = describe.names(nodes)
    codes: dict[int, Code] = {}
    for node in nodes.codes():
        codes[node] = _code(nodes, node, names, codes)
    return Inspection(header, len(data), HEADER_SIZE + len(canonical), tuple(differences), codes[root])


def _code(nodes: marshal.Nodes, node: int, names: dict[int, str], codes: dict[int, Code]) -> Code:
    constants = describe.constants(nodes, node)
    identifiers = {
        nodes.layout.fields[at]: tuple(describe.text(nodes, name) for name in nodes.children[nodes.children[node][at]])
        for at in nodes.layout.tuples_of_names
    }
    return Code(
        name=names.get(node, describe.text(nodes, describe.field(nodes, node, "name"))),
        path=describe.text(nodes, describe.field(nodes, node, "filename")),
        integers=describe.integers(nodes, node),
        size=len(describe.byte_string(nodes, describe.field(nodes, node, "code"))),
        names=identifiers,
        constants=tuple(describe.value(nodes, constant) for constant in constants),
        codes=tuple(codes[constant] for constant in constants if describe.is_code(nodes, constant)),
    )
