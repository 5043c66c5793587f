"""Find the first difference between two tables of code objects: instructions, exceptions, lines, columns."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING

from detpyc.explain.instructions import exception_entries, instructions
from detpyc.explain.lines import lines, positions

if TYPE_CHECKING:
    from detpyc.explain.instructions import ExceptionEntry, Instruction, Opcodes

_CHUNK = 1 << 16


def first_instructions(a: bytes, b: bytes, opcodes: Opcodes) -> tuple[Instruction | None, Instruction | None]:
    """Return the first instructions that differ; None for one that is missing."""
    pairs = zip_longest(instructions(a, opcodes), instructions(b, opcodes))
    return next(((first, second) for first, second in pairs if first != second), (None, None))


def first_exceptions(a: bytes, b: bytes) -> tuple[int, ExceptionEntry | None, ExceptionEntry | None] | None:
    """Return the index of the first entries that differ, and both; None if all are equal."""
    pairs = enumerate(zip_longest(exception_entries(a), exception_entries(b)))
    return next(((index, first, second) for index, (first, second) in pairs if first != second), None)


def first_lines(a: bytes, b: bytes, version: tuple[int, int]) -> tuple[int, int | None, int | None] | None:
    """Return the first offset whose lines differ, and both lines, relative to the first one; None if equal."""
    line_a: int | None = None
    line_b: int | None = None
    for first, second in zip_longest(lines(a, 0, version), lines(b, 0, version)):
        if first != second:
            offset = min(entry[0] for entry in (first, second) if entry)
            if first and first[0] == offset:
                line_a = first[1]
            if second and second[0] == offset:
                line_b = second[1]
            return offset, line_a, line_b
        line_a = line_b = first[1]
    return None


def first_columns(a: bytes, b: bytes, version: tuple[int, int]) -> tuple[int, str, str] | None:
    """Return the first offset whose columns differ, and both, in tables with equal lines; None if all are equal."""
    for first, second in zip_longest(positions(a, 0, version), positions(b, 0, version)):
        if first != second:
            offset = min(entry[0] for entry in (first, second) if entry)
            shown_a, shown_b = (entry[1].columns() if entry else "nothing" for entry in (first, second))
            return offset, shown_a, shown_b
    return None


def first_byte(a: bytes, b: bytes) -> int:
    """Return the offset of the first byte that differs."""
    at = 0
    while a[at : at + _CHUNK] == b[at : at + _CHUNK]:
        at += _CHUNK
    pairs = enumerate(zip_longest(a[at : at + _CHUNK], b[at : at + _CHUNK]))
    return at + next(index for index, (first, second) in pairs if first != second)
