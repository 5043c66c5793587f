"""Payloads spelled out by hand, so that tests can write what no CPython would.

Each function encodes one object from the encodings of its parts, as ``Python/marshal.c`` does.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

NONE, TRUE, FALSE, ELLIPSIS, STOP_ITERATION = b"N", b"T", b"F", b".", b"S"
FIRST, LAST = (3, 8), (3, 15)

FIELDS_BEFORE_311 = ("code", "consts", "names", "varnames", "freevars", "cellvars", "filename", "name")
FIELDS = ("code", "consts", "names", "localsplusnames", "localspluskinds", "filename", "name", "qualname")


def u32(number: int) -> bytes:
    return struct.pack("<I", number)


def flagged(encoding: bytes) -> bytes:
    return bytes([encoding[0] | 0x80]) + encoding[1:]


def ref(index: int) -> bytes:
    return b"r" + u32(index)


def integer(value: int) -> bytes:
    return b"i" + struct.pack("<i", value)


def long(*digits: int, negative: bool = False) -> bytes:
    return b"l" + struct.pack(f"<i{len(digits)}H", -len(digits) if negative else len(digits), *digits)


def binary_float(value: float) -> bytes:
    return b"g" + struct.pack("<d", value)


def byte_string(content: bytes) -> bytes:
    return sized(b"s", content)


def text(content: str) -> bytes:
    return short(b"z", content)


def interned(content: str) -> bytes:
    return short(b"Z", content)


def short(code: bytes, content: str) -> bytes:
    return code + bytes([len(content)]) + content.encode("ascii")


def sized(code: bytes, content: bytes) -> bytes:
    return code + u32(len(content)) + content


def small_tuple(*items: bytes) -> bytes:
    return b")" + bytes([len(items)]) + b"".join(items)


def many(code: bytes, *items: bytes) -> bytes:
    return code + u32(len(items)) + b"".join(items)


def frozenset_of(*items: bytes) -> bytes:
    return many(b">", *items)


def list_of(*items: bytes) -> bytes:
    return many(b"[", *items)


def dict_of(*items: bytes, code: bytes = b"{") -> bytes:
    return code + b"".join(items) + b"0"


def fields_of(version: tuple[int, int]) -> tuple[str, ...]:
    """Name the fields of a code object that are objects, in their order."""
    if version < (3, 11):
        return (*FIELDS_BEFORE_311, "linetable")
    return (*FIELDS, "linetable", "exceptiontable")


def code(
    version: tuple[int, int] = LAST,
    fields: Mapping[str, bytes] | None = None,
    *,
    firstlineno: int = 1,
    stacksize: int = 1,
) -> bytes:
    """Encode a code object; the fields that are not given are empty."""
    given = {
        **dict.fromkeys(("consts", "names", "varnames", "freevars", "cellvars", "localsplusnames"), small_tuple()),
        **dict.fromkeys(("code", "localspluskinds", "linetable", "exceptiontable"), byte_string(b"")),
        "filename": text("a.py"),
        "name": text("<module>"),
        "qualname": text("<module>"),
        **(fields or {}),
    }
    parts = [b"c", u32(0) * (4 if version < (3, 11) else 3), u32(stacksize), u32(64)]
    for name in fields_of(version):
        if name == "linetable":
            parts.append(u32(firstlineno))
        parts.append(given[name])
    return b"".join(parts)
