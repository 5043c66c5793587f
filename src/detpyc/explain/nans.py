"""NaNs among a payload's nodes: their sign depends on the machine that folded them, their identity on the code."""

from __future__ import annotations

import math
from struct import Struct
from typing import TYPE_CHECKING

from detpyc.bytecode.marshal_format import BINARY_FLOATS

if TYPE_CHECKING:
    from detpyc.bytecode.nodes import Nodes

_F64 = Struct("<d")
_U64 = Struct("<Q")
_SIGN = 1 << 63
_MANTISSA = (1 << 52) - 1
_USUAL = 1 << 51  # the mantissa of the NaN that arithmetic results in


def is_nan(nodes: Nodes, node: bytes) -> bool:
    """Return whether a node is a float that is NaN, or a complex with a NaN in either part."""
    return node[0] in BINARY_FLOATS and node in nodes.pieces  # other floats are their own encoding


def without_sign(piece: bytes) -> bytes:
    """Return the encoding of a NaN with its sign cleared; of a complex, the signs of all its NaNs."""
    parts = (_U64.pack(bits & ~_SIGN) if _is_nan(bits) else _U64.pack(bits) for (bits,) in _U64.iter_unpack(piece[1:]))
    return piece[:1] + b"".join(parts)


def show_float(encoding: bytes) -> str:
    """Show the eight bytes of a float as Python would, but a NaN with its sign, and with its mantissa if unusual."""
    bits: int = _U64.unpack(encoding)[0]
    if not _is_nan(bits):
        return repr(_F64.unpack(encoding)[0])
    mantissa = bits & _MANTISSA
    return ("-" if bits & _SIGN else "") + "nan" + (f"({mantissa:#x})" if mantissa != _USUAL else "")


def show_complex(encoding: bytes) -> str:
    """Show the sixteen bytes of a complex as Python would, but with a NaN in it as two floats."""
    real, imaginary = encoding[:8], encoding[8:]
    values = _F64.unpack(real)[0], _F64.unpack(imaginary)[0]
    if any(map(math.isnan, values)):
        return f"complex({show_float(real)}, {show_float(imaginary)})"
    return repr(complex(*values))


def _is_nan(bits: int) -> bool:
    return bits & (_SIGN - 1) > _SIGN - 1 - _MANTISSA
