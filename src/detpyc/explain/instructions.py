"""The instructions of code objects: the offset of each, its whole argument, and what the argument refers to.

Only an interpreter of a version knows its opcodes; the table comes from there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from detpyc.bytecode import code_objects
from detpyc.explain import describe

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from detpyc.bytecode.nodes import Nodes

    Opcodes = Mapping[int, "Opcode"]

UNIT = 2  # bytes: the opcode and its argument, or a cache entry
EXTENDED_ARG = "EXTENDED_ARG"

# What an argument is an index into.
CONSTANT = "constant"
NAME = "name"
LOCAL = "local"
TWO_LOCALS = "locals"
FREE = "free"  # a cell or free variable


_LOCALS = ("varnames",)
_CELLS = ("cellvars", "freevars")
_FIELDS = {CONSTANT: ("consts",), NAME: ("names",), LOCAL: _LOCALS, FREE: _CELLS}


class Opcode(NamedTuple):
    """An opcode of a version, as its interpreter describes it.

    Attributes:
        name: e.g. ``LOAD_CONST``.
        has_argument: whether it uses its argument.
        caches: how many inline cache entries follow it.
        refers: what its argument is an index into: one of the constants above, or empty.
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
        offset: of its first EXTENDED_ARG, or else of itself.
        opcode: its number.
        argument: the whole argument, including the EXTENDED_ARGs.
        encoding: its bytes, from the first EXTENDED_ARG to the last cache entry.

    """

    offset: int
    opcode: int
    argument: int
    encoding: bytes


def instructions(code: bytes, opcodes: Opcodes) -> Iterator[Instruction]:
    """Yield the instructions of bytecode; without a table of opcodes, its two-byte units."""
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


def show_instruction(instruction: Instruction, opcodes: Opcodes, nodes: Nodes, code: bytes) -> str:
    """Show an instruction of a code object: its name, argument, and what the argument refers to."""
    opcode = opcodes.get(instruction.opcode)
    if opcode is None:
        return f"opcode {instruction.opcode} {instruction.argument}"
    if not (opcode.has_argument or instruction.argument):
        return opcode.name
    referred = _referred(opcode, instruction.argument, nodes, code)
    return f"{opcode.name} {instruction.argument}" + (f" ({referred})" if referred else "")


def _referred(opcode: Opcode, argument: int, nodes: Nodes, code: bytes) -> str:
    """Show what an argument refers to; empty for nothing."""
    if opcode.refers == TWO_LOCALS:
        return ", ".join(_item(nodes, code, _LOCALS, index) for index in (argument >> 4, argument & 15))
    fields = _FIELDS.get(opcode.refers)
    return "" if fields is None else _item(nodes, code, fields, argument >> opcode.shift)


def _item(nodes: Nodes, code: bytes, fields: tuple[str, ...], index: int) -> str:
    """Show an item of a code object's fields, counted through all of them."""
    if "localsplusnames" in nodes.layout.fields and fields in (_LOCALS, _CELLS):
        fields = ("localsplusnames",)  # since 3.11, variables of all kinds are in one tuple
    for name in fields:
        items = nodes.children[code_objects.field(nodes, code, name)]
        if index < len(items):
            return describe.value(nodes, items[index])
        index -= len(items)
    return "out of range"


class ExceptionEntry(NamedTuple):
    """An entry of an exception table, in bytecode offsets, as ``dis`` shows them.

    Attributes:
        start: of the protected instructions.
        end: of the protected instructions, exclusive.
        target: of the handler.
        depth: to which the stack is unwound.
        lasti: whether the offset of the instruction that raised is pushed.

    """

    start: int
    end: int
    target: int
    depth: int
    lasti: bool

    def __str__(self) -> str:
        """Show it as ``dis`` does."""
        return f"{self.start} to {self.end} -> {self.target} [{self.depth}]" + (" lasti" if self.lasti else "")


def exception_entries(table: bytes) -> Iterator[ExceptionEntry]:
    """Decode an exception table (from 3.11 on): ``InternalDocs/exception_handling.md``. A malformed one ends early."""
    numbers = _numbers(table)
    for start, size, target, depth in zip(numbers, numbers, numbers, numbers, strict=False):
        yield ExceptionEntry(UNIT * start, UNIT * (start + size), UNIT * target, depth >> 1, bool(depth & 1))


def _numbers(table: bytes) -> Iterator[int]:
    """Yield the numbers in a table, in 6-bit digits, the highest first."""
    value = 0
    for byte in table:
        value = (value << 6 | byte & 63) & 0xFFFFFFFF
        if not byte & 64:
            yield value
            value = 0
