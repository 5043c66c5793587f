"""Print the opcodes of the interpreter that runs this file: one line each, number and name.

Run as ``INTERPRETER -I -S -B opcodes.py``. Standard library only, Python 3.8 syntax.
"""

from __future__ import annotations

import opcode
import sys

LARGEST = 255

if __name__ == "__main__":
    for name, number in opcode.opmap.items():
        if number <= LARGEST:  # above are those that only the compiler sees
            sys.stdout.write(f"{number} {name}\n")
