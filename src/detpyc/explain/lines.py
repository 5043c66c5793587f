"""The line tables of code objects, which map bytecode offsets to positions in the source.

The formats are described in CPython's ``Objects/lnotab_notes.txt`` (up to 3.10) and ``InternalDocs/code_objects.md``
(from 3.11 on).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_NO_LINE_310 = -128

# The kinds of entries from 3.11 on: PyCodeLocationInfoKind in Include/internal/pycore_code.h. Those below are short.
_ONE_LINE = (10, 11, 12)
_NO_COLUMNS = 13
_LONG = 14
_NONE = 15
_MAX_SHIFT = 30  # a number has 32 bits


class Position(NamedTuple):
    """A position in the source, as ``code.co_positions()`` has it; None for what is not recorded."""

    line: int | None = None
    end_line: int | None = None
    column: int | None = None
    end_column: int | None = None

    def columns(self) -> str:
        """Describe the columns."""
        if self.line is None or self.column is None or self.end_column is None:
            return "no columns"
        if self.end_line == self.line:
            return f"columns {self.column} to {self.end_column}"
        return f"column {self.column} to column {self.end_column} of {(self.end_line or 0) - self.line} lines below"


def positions(table: bytes, first_line: int, version: tuple[int, int]) -> Iterator[tuple[int, Position]]:
    """Decode a line table.

    Args:
        table: ``co_lnotab`` before 3.10, ``co_linetable`` from then on.
        first_line: ``co_firstlineno``.
        version: of the CPython that wrote it.

    Returns:
        The bytecode offset where each entry starts, and its position; before 3.11, only the line. A table may be any
        bytes; a malformed one ends early.

    """
    if version >= (3, 11):
        return _since_311(table, first_line)
    numbers = _in_310(table, first_line) if version >= (3, 10) else _before_310(table, first_line)
    return ((offset, Position(line, line)) for offset, line in numbers)


def lines(table: bytes, first_line: int, version: tuple[int, int]) -> Iterator[tuple[int, int | None]]:
    """Decode a line table as `positions` does, and yield only the offsets where another line begins."""
    before: object = ()
    for offset, position in positions(table, first_line, version):
        if position.line != before:
            yield offset, position.line
            before = position.line


def _before_310(table: bytes, first_line: int) -> Iterator[tuple[int, int | None]]:
    offset, line = 0, first_line
    for delta, change in zip(table[::2], table[1::2], strict=False):
        if delta:
            yield offset, line
            offset += delta
        line += _signed(change)
    yield offset, line


def _in_310(table: bytes, first_line: int) -> Iterator[tuple[int, int | None]]:
    offset, line = 0, first_line
    for delta, change in zip(table[::2], table[1::2], strict=False):
        has_line = _signed(change) != _NO_LINE_310
        if has_line:
            line += _signed(change)
        if delta:
            yield offset, line if has_line else None
            offset += delta


def _signed(byte: int) -> int:
    return byte - 256 if byte >= 128 else byte  # noqa: PLR2004 - two's complement


def _since_311(table: bytes, first_line: int) -> Iterator[tuple[int, Position]]:
    offset, line, pos = 0, first_line, 0
    while pos < len(table):
        kind, units = table[pos] >> 3 & 15, (table[pos] & 7) + 1
        pos += 1
        try:
            position, line, pos = _entry(table, kind, line, pos)
        except IndexError:
            return
        yield offset, position
        offset += 2 * units


def _entry(table: bytes, kind: int, line: int, pos: int) -> tuple[Position, int, int]:
    """Decode the rest of an entry after its first byte: the position, the next entry's base line, the end offset."""
    if kind == _NONE:
        return Position(), line, pos
    if kind == _NO_COLUMNS:
        change, pos = _signed_varint(table, pos)
        return Position(line + change, line + change), line + change, pos
    if kind == _LONG:
        change, pos = _signed_varint(table, pos)
        line += change
        extent, pos = _varint(table, pos)
        column, pos = _varint(table, pos)
        end_column, pos = _varint(table, pos)
        return Position(line, line + extent, _one_less(column), _one_less(end_column)), line, pos
    if kind in _ONE_LINE:
        line += kind - _ONE_LINE[0]
        return Position(line, line, table[pos], table[pos + 1]), line, pos + 2
    column = kind << 3 | table[pos] >> 4 & 7
    return Position(line, line, column, column + (table[pos] & 15)), line, pos + 1


def _one_less(column: int) -> int | None:
    """Return a column that is stored plus one, 0 being none."""
    return column - 1 if column else None


def _varint(table: bytes, pos: int) -> tuple[int, int]:
    """Read a number in 6-bit digits, the lowest first: the number, and its end offset.

    Raises:
        IndexError: if the table ends in it, or it is longer than a number can be.

    """
    value = shift = 0
    while True:
        digit = table[pos]
        pos += 1
        value |= (digit & 63) << shift
        shift += 6
        if not digit & 64:
            return value, pos
        if shift > _MAX_SHIFT:
            raise IndexError


def _signed_varint(table: bytes, pos: int) -> tuple[int, int]:
    """Read a number whose lowest bit is its sign."""
    value, pos = _varint(table, pos)
    return (-(value >> 1) if value & 1 else value >> 1), pos
