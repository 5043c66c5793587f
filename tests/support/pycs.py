"""Pycs as the CPython that runs the tests writes them."""

from __future__ import annotations

import marshal
from types import CodeType

from detpyc.bytecode.header import HEADER_SIZE, InvalidationMode, PycHeader, source_hash
from detpyc.compilation import interpreters

HERE = interpreters.current()
TAG = HERE.cache_tag
PYC = f"__pycache__/core.{TAG}.pyc"  # where `pyc` belongs
SOURCE = b"def f():\n    return 1000\n"


def forged(source: bytes = SOURCE, code: bytes = b"print('evil')\n", path: str = "core.py", **options: int) -> bytes:
    """Write the pyc of some code, whose header says that it is of a source and need not be checked."""
    header = PycHeader(HERE.magic_number, InvalidationMode.UNCHECKED_HASH)
    header.source_hash = source_hash(source, HERE.magic_number)
    return header.to_bytes() + pyc(code, path, **options)[HEADER_SIZE:]


def with_other_instruction(data: bytes, of: bytes = SOURCE) -> bytes:
    """Change one instruction of ``f``, of all that ``of`` compiles to: the argument of the last but one."""
    f = next(item for item in compile(of, "core.py", "exec").co_consts if isinstance(item, CodeType))
    assert data.count(f.co_code) == 1
    changed = bytearray(f.co_code)
    changed[-3] ^= 1
    return data.replace(f.co_code, bytes(changed))


def pyc(
    source: bytes = SOURCE,
    path: str = "core.py",
    *,
    optimize: int = 0,
    mtime: int | None = None,
    size: int | None = None,
) -> bytes:
    """Compile and write a pyc as CPython does: checked by its hash, or by its mtime."""
    if mtime is None:
        digest = source_hash(source, HERE.magic_number)
        header = PycHeader(HERE.magic_number, InvalidationMode.CHECKED_HASH, source_hash=digest)
    else:
        size = len(source) if size is None else size
        header = PycHeader(HERE.magic_number, InvalidationMode.TIMESTAMP, mtime=mtime, source_size=size)
    return header.to_bytes() + marshal.dumps(compile(source, path, "exec", dont_inherit=True, optimize=optimize))
