"""The line tables of code objects: which bytecode offset stands for which source line.

Standard library only, Python 3.8 syntax.
"""

from __future__ import annotations

_NO_LINE_310 = -128
_CODE_NO_LOCATION, _CODE_LONG, _CODE_NO_COLUMNS, _CODE_ONE_LINE = 15, 14, 13, 10


def lines(table: bytes, first_line: int, version: tuple[int, int]) -> list[tuple[int, int | None]]:
    """Decode a line table.

    Args:
        table: ``co_lnotab`` before 3.10, ``co_linetable`` from then on.
        first_line: ``co_firstlineno``.
        version: of the CPython that wrote it.

    Returns:
        For each entry, the bytecode offset where it starts and its line; None where there is none. As much as could be
        decoded: a table is any bytes, and a malformed one ends early. The formats are described in
        ``Objects/lnotab_notes.txt`` (up to 3.10) and ``InternalDocs/code_objects.md``.

    """
    if version >= (3, 11):
        return _since_311(table, first_line)
    found: list[tuple[int, int | None]] = []
    offset, line = 0, first_line
    for delta, change in zip(table[::2], table[1::2]):  # noqa: B905 - Python 3.8
        signed = change - 256 if change >= 128 else change  # noqa: PLR2004 - a signed byte
        if version >= (3, 10):
            if signed != _NO_LINE_310:
                line += signed
            found.append((offset, None if signed == _NO_LINE_310 else line))
            offset += delta
        else:
            offset += delta
            line += signed
            found.append((offset, line))
    return found


def _since_311(table: bytes, first_line: int) -> list[tuple[int, int | None]]:
    found: list[tuple[int, int | None]] = []
    offset, line, pos = 0, first_line, 0
    while pos < len(table):
        entry, start = table[pos], offset
        offset += 2 * ((entry & 7) + 1)
        code = entry >> 3 & 15
        pos += 1
        if code in (_CODE_LONG, _CODE_NO_COLUMNS):
            delta, pos = _signed_varint(table, pos)
            line += delta
        elif code in (_CODE_ONE_LINE, _CODE_ONE_LINE + 1, _CODE_ONE_LINE + 2):
            line += code - _CODE_ONE_LINE
        found.append((start, None if code == _CODE_NO_LOCATION else line))
        # What is left of the entry are columns; the next one is the next byte with the highest bit set.
        while pos < len(table) and not table[pos] & 0x80:
            pos += 1
    return found


def _signed_varint(table: bytes, pos: int) -> tuple[int, int]:
    """Read a number in 6-bit digits, the lowest bit being its sign: the number, and the offset behind it."""
    value = shift = 0
    while pos < len(table):
        digit = table[pos]
        pos += 1
        value |= (digit & 63) << shift
        shift += 6
        if not digit & 64:
            break
    return (-(value >> 1) if value & 1 else value >> 1), pos
