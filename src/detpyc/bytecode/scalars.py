"""Read the objects that contain no others, of the kinds that are rare in payloads: long strings, integers, floats.

The frequent kinds are read by the loop in `detpyc.bytecode.reader`.

Loaded by the worker under the target interpreter: standard library only, Python 3.8 syntax.
"""

from __future__ import annotations

import math
from struct import Struct

from detpyc.bytecode.marshal_format import (
    BINARY_FLOATS,
    TYPE_ASCII,
    TYPE_ASCII_INTERNED,
    TYPE_BINARY_COMPLEX,
    TYPE_BINARY_FLOAT,
    TYPE_COMPLEX,
    TYPE_FLOAT,
    TYPE_INTERNED,
    TYPE_LONG,
    TYPE_UNICODE,
)
from detpyc.bytecode.nodes import string_node
from detpyc.errors import BytecodeError

TYPE_CHECKING = False  # the typing module would slow the worker's start
if TYPE_CHECKING:
    from detpyc.bytecode.nodes import Nodes

NOT_ASCII = "a byte that is not ASCII in a string marked as ASCII"

_ASCII = frozenset({TYPE_ASCII, TYPE_ASCII_INTERNED})
_UNICODE = frozenset({TYPE_UNICODE, TYPE_INTERNED})
_DIGITS_OF_INT = 3  # a 32-bit integer never has more 15-bit digits

_U32 = Struct("<I")
_I32 = Struct("<i")
_U16 = Struct("<H")
_F64 = Struct("<d")
_FLOATS = {TYPE_BINARY_FLOAT: _F64, TYPE_BINARY_COMPLEX: Struct("<dd")}


def truncated(data: bytes) -> BytecodeError:
    """Return the error for data that ends too early."""
    return BytecodeError("the data ends in the middle of an object", len(data), "truncated")


def read_scalar(data: bytes, kind: int, start: int, nodes: Nodes) -> tuple[bytes, int] | None:
    """Read an object of a rare kind.

    Args:
        data: the payload.
        kind: the object's type code, without the flag.
        start: the offset of the type code.
        nodes: the payload's, to which strings and NaNs are added.

    Returns:
        The object's node, and the offset behind the object; None if it is of another kind.

    Raises:
        BytecodeError: if the object is malformed.
        IndexError: if the data ends in it.
        struct.error: likewise.

    """
    if kind in _ASCII or kind in _UNICODE:
        return _read_string(data, kind, start, nodes)
    if kind == TYPE_LONG:
        return _read_long(data, start)
    if kind in BINARY_FLOATS:
        end = start + 1 + BINARY_FLOATS[kind]
        if end > len(data):
            raise truncated(data)
        return _float_node(kind, data[start + 1 : end], start, nodes), end
    if kind == TYPE_FLOAT:
        real, end = _read_text_float(data, start, start + 1)
        return _float_node(TYPE_BINARY_FLOAT, real, start, nodes), end
    if kind == TYPE_COMPLEX:
        real, middle = _read_text_float(data, start, start + 1)
        imaginary, end = _read_text_float(data, start, middle)
        return _float_node(TYPE_BINARY_COMPLEX, real + imaginary, start, nodes), end
    return None


def _read_string(data: bytes, kind: int, start: int, nodes: Nodes) -> tuple[bytes, int]:
    """Read a string that has a 32-bit size."""
    end: int = start + 5 + _U32.unpack_from(data, start + 1)[0]
    if end > len(data):
        raise truncated(data)
    content = data[start + 5 : end]
    if kind in _ASCII:
        if not content.isascii():
            raise BytecodeError(NOT_ASCII, start, "string")
    else:
        try:
            content.decode("utf-8", "surrogatepass")  # as marshal.c reads it
        except UnicodeDecodeError as error:
            raise BytecodeError("a string that is not UTF-8", start, "string") from error
    node = string_node(content)
    nodes.strings.add(node)
    return node, end


def _read_long(data: bytes, start: int) -> tuple[bytes, int]:
    """Read an integer written in 15-bit digits, its sign being that of their number."""
    (digit_count,) = _I32.unpack_from(data, start + 1)
    end = start + 5 + 2 * abs(digit_count)
    if end > len(data):
        raise truncated(data)
    digits = data[start + 5 : end]
    if not digits[1::2].isascii():  # a digit has 15 bits
        raise BytecodeError("an integer with a digit out of range", start, "integer")
    if digits[-2:] == b"\0\0":
        raise BytecodeError("an integer with a leading zero", start, "integer")
    if abs(digit_count) <= _DIGITS_OF_INT:
        magnitude = sum(digit << 15 * place for place, (digit,) in enumerate(_U16.iter_unpack(digits)))
        value = -magnitude if digit_count < 0 else magnitude
        if -(1 << 31) <= value < 1 << 31:
            return b"i" + _I32.pack(value), end
    return b"l" + data[start + 1 : end], end


def _read_text_float(data: bytes, start: int, pos: int) -> tuple[bytes, int]:
    """Read a float written as text, as marshal versions 0 and 1 do: its binary form, and the offset behind it."""
    end = pos + 1 + data[pos]
    if end > len(data):
        raise truncated(data)
    text = data[pos + 1 : end]
    digits = text[1:] if text[:1] == b"-" else text
    # float() also accepts spaces, underscores and other words, which CPython does not write.
    if digits in {b"inf", b"nan"} or (digits[:1].isdigit() and not digits.translate(None, b"0123456789.e+-")):
        try:
            return _F64.pack(float(text)), end
        except ValueError:
            pass
    raise BytecodeError("a float in text form that is not a number", start, "float")


def _float_node(kind: int, encoding: bytes, start: int, nodes: Nodes) -> bytes:
    """Return the node of a float or complex. NaN is not equal to itself, so each one is a node of its own."""
    whole = bytes([kind]) + encoding
    if any(map(math.isnan, _FLOATS[kind].unpack(encoding))):
        node = whole + _U32.pack(start)
        nodes.pieces[node] = whole
        return node
    return whole
