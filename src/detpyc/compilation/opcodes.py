"""Print the opcodes of the interpreter that runs this file, one per line: the fields of `Opcode`, with spaces between.

Run as ``INTERPRETER -I -S -B opcodes.py``. Standard library only, Python 3.8 syntax.
"""

from __future__ import annotations

import opcode
import sys

LARGEST = 255  # larger ones exist only inside the compiler

# In no table: dis has these in its code, in the callers of _get_name_info and get_instructions.
NAME_SHIFTS = {
    "LOAD_GLOBAL": ((3, 11), 1),
    "LOAD_ATTR": ((3, 12), 1),
    "LOAD_SUPER_ATTR": ((3, 12), 2),
    "IMPORT_NAME": ((3, 15), 2),
}
REFERS = (("constant", opcode.hasconst), ("name", opcode.hasname), ("local", opcode.haslocal), ("free", opcode.hasfree))


def has_argument(number: int) -> bool:
    """Return whether an opcode takes an argument."""
    taking = getattr(opcode, "hasarg", None)  # since 3.12
    return number >= opcode.HAVE_ARGUMENT if taking is None else number in taking


def caches(name: str, number: int) -> int:
    """Return how many inline cache entries follow an opcode."""
    entries = getattr(opcode, "_inline_cache_entries", None)  # a list before 3.13, and not there before 3.11
    if entries is None:
        return 0
    found: int = entries[number] if isinstance(entries, list) else entries.get(name, 0)
    return found


def refers(name: str, number: int) -> str:
    """Return what an opcode's argument is an index into."""
    if name.count("_FAST") > 1:
        return "locals"
    return next((kind for kind, numbers in REFERS if number in numbers), "-")


def shift(name: str) -> int:
    """Return how many of the lowest bits of the argument are not part of the index."""
    since, bits = NAME_SHIFTS.get(name, ((), 0))
    return bits if sys.version_info >= since else 0


if __name__ == "__main__":
    for name, number in opcode.opmap.items():
        if number <= LARGEST:
            fields = (number, name, int(has_argument(number)), caches(name, number), refers(name, number), shift(name))
            sys.stdout.write(" ".join(map(str, fields)) + "\n")
