"""The instructions of code objects: where each begins, its whole argument, and what that refers to.

What the opcodes of a version are only an interpreter of that version knows; the table comes from there. Standard
library only, Python 3.8 syntax.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from detpyc.bytecode import code_objects
from detpyc.explain import describe

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from detpyc.bytecode.marshal import Nodes

    Opcodes = Mapping[int, "Opcode"]

UNIT = 2  # bytes: the opcode and its argument, or a cache entry
EXTENDED_ARG = "EXTENDED_ARG"

# What an argument is an index of.
CONSTANT = "constant"
NAME = "name"
LOCAL = "local"
TWO_LOCALS = "locals"
FREE = "free"  # a cell or free variable


class Opcode(NamedTuple):
    """What a version's interpreter says of one of its opcodes.

    Attributes:
        name: e.g. ``LOAD_CONST``.
        has_argument: whether its argument means anything.
        caches: how many inline cache entries follow it.
        refers: what its argument is an index of: one of the constants above, or empty.
        shift: how many of the argument's lowest bits are not part of the index.

    """

    name: str
    has_argument: bool = True
    caches: int = 0
    refers: str = ""
    shift: int = 0


class Instruction(NamedTuple):
    """An instruction.

    Attributes:
        offset: where it begins, with its EXTENDED_ARGs.
        opcode: its number.
        argument: the whole.
        encoding: its bytes, from the first EXTENDED_ARG to the last cache entry.

    """

    offset: int
    opcode: int
    argument: int
    encoding: bytes


def instructions(code: bytes, opcodes: Opcodes) -> Iterator[Instruction]:
    """Take bytecode apart; without a table of opcodes, into the units that it is made of."""
    offset = pos = argument = 0
    while pos < len(code):
        number = code[pos]
        argument = (argument << 8 | int.from_bytes(code[pos + 1 : pos + 2], "little")) & 0xFFFFFFFF
        pos += UNIT
        opcode = opcodes.get(number)
        if opcode is not None and opcode.name == EXTENDED_ARG and pos < len(code):
            continue
        pos += UNIT * opcode.caches if opcode is not None else 0
        yield Instruction(offset, number, argument, code[offset:pos])
        offset, argument = pos, 0


def show(instruction: Instruction, opcodes: Opcodes, nodes: Nodes, code: bytes) -> str:
    """Show an instruction of a code object: its name, argument, and what that refers to."""
    opcode = opcodes.get(instruction.opcode)
    if opcode is None:
        return f"opcode {instruction.opcode} {instruction.argument}"
    if not (opcode.has_argument or instruction.argument):
        return opcode.name
    referred = _referred(opcode, instruction.argument, nodes, code)
    return "{} {}{}".format(opcode.name, instruction.argument, f" ({referred})" if referred else "")


def _referred(opcode: Opcode, argument: int, nodes: Nodes, code: bytes) -> str:
    """Show what an argument refers to; empty if to nothing."""
    if opcode.refers == TWO_LOCALS:
        found = _variables(nodes, code, "varnames")
        return ", ".join(_item(nodes, found, index) for index in (argument >> 4, argument & 15))
    if opcode.refers == CONSTANT:
        found = code_objects.constants(nodes, code)
    elif opcode.refers == NAME:
        found = nodes.children[code_objects.field(nodes, code, "names")]
    elif opcode.refers == LOCAL:
        found = _variables(nodes, code, "varnames")
    elif opcode.refers == FREE:
        found = _variables(nodes, code, "cellvars", "freevars")
    else:
        return ""
    return _item(nodes, found, argument >> opcode.shift)


def _variables(nodes: Nodes, code: bytes, *fields: str) -> tuple[bytes, ...]:
    """Return the names of variables: of those kinds before 3.11, of all kinds in one tuple from then on."""
    if "localsplusnames" in nodes.layout.fields:
        fields = ("localsplusnames",)
    return tuple(node for name in fields for node in nodes.children[code_objects.field(nodes, code, name)])


def _item(nodes: Nodes, found: tuple[bytes, ...], index: int) -> str:
    return describe.value(nodes, found[index]) if index < len(found) else "which is not there"


class Handler(NamedTuple):
    """An entry of an exception table: bytecode offsets, as ``dis`` shows them.

    Attributes:
        start: of the instructions that are guarded.
        end: behind them.
        target: where the handler begins.
        depth: to which the stack is unwound.
        lasti: whether the offset of the instruction that raised is pushed.

    """

    start: int
    end: int
    target: int
    depth: int
    lasti: bool

    def __str__(self) -> str:
        """Say it as ``dis`` does."""
        shown = "{} to {} -> {} [{}]".format(*self[:4])
        return shown + " lasti" if self.lasti else shown


def handlers(table: bytes) -> Iterator[Handler]:
    """Decode an exception table (from 3.11 on), as far as it can be: ``InternalDocs/exception_handling.md``."""
    numbers = _numbers(table)
    for start, size, target, depth in zip(numbers, numbers, numbers, numbers):  # noqa: B905 - Python 3.8
        yield Handler(UNIT * start, UNIT * (start + size), UNIT * target, depth >> 1, bool(depth & 1))


def _numbers(table: bytes) -> Iterator[int]:
    """Give the numbers that a table holds in 6-bit digits, the highest first."""
    value = 0
    for byte in table:
        value = (value << 6 | byte & 63) & 0xFFFFFFFF
        if not byte & 64:
            yield value
            value = 0
