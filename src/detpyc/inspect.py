"""Inspect a pyc: its header, how it differs from canonical form, and the code objects in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from detpyc.bytecode import code_objects
from detpyc.bytecode.canonical import canonicalize
from detpyc.bytecode.header import HEADER_SIZE, PycHeader
from detpyc.bytecode.nodes import content_size
from detpyc.bytecode.reader import read_payload
from detpyc.errors import BytecodeError
from detpyc.explain import describe
from detpyc.explain.payloads import compare_payloads

if TYPE_CHECKING:
    from detpyc.bytecode.nodes import Nodes
    from detpyc.explain.difference import Difference

__all__ = ["Code", "Inspection", "inspect_pyc"]

_MAX_REPEATED = 100  # items of a tuple that another code object also has


@dataclass(frozen=True, slots=True)
class Code:
    """A code object.

    Attributes:
        name: its qualified name.
        depth: how many others contain it; 0 for the module's.
        path: the path that it records.
        integers: its numbers, including ``firstlineno``.
        flags: the names of its flags.
        size: of its instructions, in bytes.
        names: its identifiers, by field.
        constants: as Python shows them.

    """

    name: str
    depth: int
    path: str
    integers: dict[str, int]
    flags: str
    size: int
    names: dict[str, tuple[str, ...]]
    constants: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Inspection:
    """The contents of a pyc.

    Attributes:
        header: its header.
        size: of the file, in bytes.
        canonical_size: of the file in canonical form.
        differences: from canonical form; empty if it is canonical.
        codes: the code objects, the module's first, each before those in it. One that several others contain is listed
            once, because an untrusted file can refer to one from very many places.

    """

    header: PycHeader
    size: int
    canonical_size: int
    differences: tuple[Difference, ...]
    codes: tuple[Code, ...]


def inspect_pyc(data: bytes) -> Inspection:
    """Inspect a pyc.

    Args:
        data: the file's bytes; they are not unmarshalled by the interpreter.

    Returns:
        Its contents. Very long values and names are cut short.

    Raises:
        BytecodeError: if it is not understood.

    """
    header = PycHeader.parse(data)
    payload = data[HEADER_SIZE:]
    try:
        canonical = canonicalize(payload, header.version)
        differences = compare_payloads(payload, canonical, header.version)
        nodes = read_payload(canonical, header.version)
        if not code_objects.is_code(nodes.sequence[0]):
            raise BytecodeError("the payload is not a code object", 0)
    except BytecodeError as error:
        raise error.shifted(HEADER_SIZE) from error
    return Inspection(header, len(data), HEADER_SIZE + len(canonical), tuple(differences), tuple(_codes(nodes)))


def _codes(nodes: Nodes) -> list[Code]:
    """Describe the code objects, each before those in it."""
    descriptions = _Descriptions(nodes)
    found: dict[bytes, Code] = {}
    expanded: set[bytes] = set()  # tuples of constants, which many code objects may share
    pending = [(nodes.sequence[0], 0)]
    while pending:
        node, depth = pending.pop()
        if node in found:
            continue
        found[node] = descriptions.code(node, depth)
        if code_objects.field(nodes, node, "consts") not in expanded:
            expanded.add(code_objects.field(nodes, node, "consts"))
            inner = filter(code_objects.is_code, reversed(code_objects.constants(nodes, node)))
            pending += ((code, depth + 1) for code in inner)
    return list(found.values())


class _Descriptions:
    """The descriptions of a payload's code objects.

    Each tuple of names or constants is shown in full once, and cut short where other code objects have the same.
    """

    def __init__(self, nodes: Nodes) -> None:
        self.nodes = nodes
        self.qualified = describe.qualified_names(nodes)
        self.repeated: dict[tuple[bool, bytes], tuple[str, ...]] = {}

    def code(self, node: bytes, depth: int) -> Code:
        nodes = self.nodes
        integers = code_objects.integers(nodes, node)
        fields = [nodes.layout.fields[at] for at in nodes.layout.tuples_of_names]
        return Code(
            name=self.qualified[node],
            depth=depth,
            path=describe.name(code_objects.field(nodes, node, "filename")),
            integers=integers,
            flags=describe.flags(integers["flags"]),
            size=content_size(code_objects.field(nodes, node, "code")),
            names={field: self.items(field, code_objects.field(nodes, node, field)) for field in fields},
            constants=self.items("consts", code_objects.field(nodes, node, "consts")),
        )

    def items(self, field: str, node: bytes) -> tuple[str, ...]:
        key = (field == "consts", node)
        if key in self.repeated:
            return self.repeated[key]
        children = self.nodes.children[node]
        if field == "consts":
            items = tuple(describe.value(self.nodes, item) for item in children)
        else:
            items = tuple(describe.name(item) for item in children)
        rest = len(items) - _MAX_REPEATED
        self.repeated[key] = (*items[:_MAX_REPEATED], f"and {rest} more") if rest > 0 else items
        return items
