"""Convert every vector with ``detpyc.bytecode``: ``INTERPRETER -I -S -B vectors.py ROOT``, the root of the project.

Prints how many there are and how many fail, and exits with 1 if one does. Nothing is installed in the interpreter.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(sys.argv[1])
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "spec")]

from conformance import VECTORS, Vector, read  # noqa: E402 - the path comes first
from detpyc.bytecode.canonical import canonicalize  # noqa: E402
from detpyc.errors import BytecodeError  # noqa: E402


def outcome(vector: Vector) -> bytes | tuple[str, int]:
    major, minor = map(int, vector.version.split("."))
    try:
        return canonicalize(vector.payload, (major, minor))
    except BytecodeError as error:
        return error.kind, error.offset


if __name__ == "__main__":
    passed = [outcome(vector) == vector.expected for path in sorted(VECTORS.glob("*.jsonl")) for vector in read(path)]
    print(f"{passed.count(True)} of {len(passed)} passed, {sys.byteorder}-endian, {sys.maxsize.bit_length() + 1} bits")
    sys.exit(not all(passed))
