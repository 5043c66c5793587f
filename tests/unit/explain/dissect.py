"""Compile a source and print what this interpreter's own ``dis`` shows.

Run as ``INTERPRETER -I -S -B dissect.py`` with the source on standard input: standard library only, Python 3.8 syntax.
The answer is JSON on standard output: the marshalled payload in base64, and of each code object, from the module's on
and each before those in it:

    lines          [offset, line] where another line begins
    positions      [offset, line, end line, column, end column] of each instruction; none before 3.11
    instructions   [name, argument, what it refers to: shown, or null if to nothing simple]
    handlers       [start, end, target, depth, lasti] of each entry of the exception table; none before 3.11
"""

from __future__ import annotations

import dis
import json
import marshal
import opcode
import sys
from base64 import b64encode
from types import CodeType
from typing import Any

REFERRING = {*opcode.hasconst, *opcode.hasname, *opcode.haslocal, *opcode.hasfree}
LONGEST = 50


def lines(code: CodeType) -> list[tuple[int, int | None]]:
    if hasattr(code, "co_lines"):
        entries = [(start, line) for start, end, line in code.co_lines() if start < end]
    else:
        entries = list(dis.findlinestarts(code))
    return [entry for index, entry in enumerate(entries) if not index or entry[1] != entries[index - 1][1]]


def positions(code: CodeType) -> list[tuple[int | None, ...]]:
    entries: list[tuple[int | None, ...]] = []
    if sys.version_info >= (3, 11):
        entries += code.co_positions()
    return [(2 * index, *position) for index, position in enumerate(entries)]


def instructions(code: CodeType) -> list[tuple[str, int, str | None]]:
    return [
        (instruction.opname, instruction.arg or 0, referred(instruction))
        for instruction in dis.get_instructions(code)
        if instruction.opname != "EXTENDED_ARG"
    ]


def referred(instruction: dis.Instruction) -> str | None:
    if instruction.opcode not in REFERRING:
        return None
    values = instruction.argval if instruction.opname.count("_FAST") > 1 else (instruction.argval,)
    simple = all(value is None or isinstance(value, (str, int, float)) for value in values)
    # An integer of more than 32 bits is shown in hexadecimal.
    small = all(not isinstance(value, int) or abs(value) < 1 << 31 for value in values)
    shown = ", ".join(map(repr, values))
    return shown if simple and small and len(shown) < LONGEST else None


def handlers(code: CodeType) -> list[tuple[int, int, int, int, bool]]:
    bytecode: Any = dis.Bytecode(code)
    entries = bytecode.exception_entries if sys.version_info >= (3, 11) else ()
    return [(entry.start, entry.end, entry.target, entry.depth, entry.lasti) for entry in entries]


def dissected(code: CodeType) -> list[dict[str, object]]:
    found = {
        "lines": lines(code),
        "positions": positions(code),
        "instructions": instructions(code),
        "handlers": handlers(code),
    }
    inner = [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    return [found, *(code for constant in inner for code in dissected(constant))]


if __name__ == "__main__":
    module = compile(sys.stdin.buffer.read(), "module.py", "exec", dont_inherit=True)
    answer = {"payload": b64encode(marshal.dumps(module)).decode(), "codes": dissected(module)}
    json.dump(answer, sys.stdout)
