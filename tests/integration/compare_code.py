"""Compare each pyc of this interpreter in a directory with what the interpreter itself compiles from the source.

Run as ``INTERPRETER -I -S -B compare_code.py DIRECTORY``. Prints how many pycs were the same for each optimization
level, and fails at the first that is not. Standard library only, Python 3.8 syntax.
"""

from __future__ import annotations

import json
import marshal
import struct
import sys
import warnings
from collections import Counter
from importlib.util import MAGIC_NUMBER, source_hash
from pathlib import Path
from types import CodeType
from typing import Any

CHECKED_HASH = 0b11
HEADER_SIZE = 16
# Of the line table there are several views; co_lines() is the one that does not warn.
NOT_COMPARED = {"co_lines", "co_positions", "co_branches", "co_lnotab"}
FIELDS = [name for name in dir(CodeType) if name.startswith("co_") and name not in NOT_COMPARED]


def by_value(value: Any) -> Any:
    """Return a value that is equal only for equal constants, including the signs of zeros."""
    if isinstance(value, CodeType):
        lines = list(value.co_lines()) if hasattr(value, "co_lines") else value.co_lnotab
        content: Any = ([(name, by_value(getattr(value, name))) for name in FIELDS], lines)
    elif isinstance(value, tuple):
        content = [by_value(item) for item in value]
    elif isinstance(value, frozenset):
        content = sorted((by_value(item) for item in value), key=repr)
    elif isinstance(value, slice):
        content = [by_value(item) for item in (value.start, value.stop, value.step)]
    elif isinstance(value, float):
        content = struct.pack("<d", value)
    elif isinstance(value, complex):
        content = struct.pack("<2d", value.real, value.imag)
    else:
        content = value
    return type(value).__name__, content


def compare(pyc: Path, root: Path) -> int:
    """Compare a pyc with its source, and return its optimization level."""
    module, _, rest = pyc.name.rpartition("." + str(sys.implementation.cache_tag))
    level = int(rest[len(".opt-")]) if rest.startswith(".opt-") else 0
    source = pyc.parent.parent / (module + ".py")
    path = source.relative_to(root).as_posix()
    content, data = source.read_bytes(), pyc.read_bytes()
    assert data[:HEADER_SIZE] == MAGIC_NUMBER + struct.pack("<L", CHECKED_HASH) + source_hash(content), pyc
    code = marshal.loads(data[HEADER_SIZE:])  # noqa: S302 - it was written by the test
    assert code.co_filename == path, pyc
    assert by_value(code) == by_value(compile(content, path, "exec", dont_inherit=True, optimize=level)), pyc
    return level


def main(root: Path) -> None:
    """Compare all pycs."""
    warnings.simplefilter("ignore")
    pycs = root.rglob(f"*.{sys.implementation.cache_tag}.*pyc")
    json.dump(Counter(compare(pyc, root) for pyc in pycs), sys.stdout)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
