"""Show the contents of a payload: values as Python shows them, code objects by their qualified names."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from detpyc.bytecode import code_objects
from detpyc.bytecode.marshal_format import (
    DICTS,
    INTERNED,
    SETS,
    TYPE_BINARY_FLOAT,
    TYPE_CODE,
    TYPE_DICT,
    TYPE_ELLIPSIS,
    TYPE_FALSE,
    TYPE_FROZENDICT,
    TYPE_FROZENSET,
    TYPE_INT,
    TYPE_LIST,
    TYPE_LONG,
    TYPE_NONE,
    TYPE_SET,
    TYPE_SLICE,
    TYPE_STOPITER,
    TYPE_STRING,
    TYPE_TRUE,
    TYPE_TUPLE,
)
from detpyc.bytecode.nodes import content, content_size, string
from detpyc.explain.nans import show_complex, show_float

if TYPE_CHECKING:
    from detpyc.bytecode.nodes import Nodes

_MAX_VALUE = 60  # characters of one value; a message is for people
_MAX_CONTAINER = 240  # characters of a container with its items
_MAX_NAME = 200  # characters of an identifier or a qualified name
_MAX_DEPTH = 4
_MAX_ITEMS = 8
_MAX_SORTED = 64  # elements of a set that is shown in order
_MAX_DIGITS = 64  # 15-bit digits of an integer
_MAX_HEAD = 5  # bytes of a node before the content
_ENDS = 4  # digits at either end of a longer one

_CO_OPTIMIZED = 0x1  # of functions, not of classes and modules
# Include/cpython/code.h; the __future__ flags depend on the version and are shown as numbers.
_FLAGS = {
    0x1: "OPTIMIZED",
    0x2: "NEWLOCALS",
    0x4: "VARARGS",
    0x8: "VARKEYWORDS",
    0x10: "NESTED",
    0x20: "GENERATOR",
    0x40: "NOFREE",
    0x80: "COROUTINE",
    0x100: "ITERABLE_COROUTINE",
    0x200: "ASYNC_GENERATOR",
    0x4000000: "HAS_DOCSTRING",
    0x8000000: "METHOD",
}

_I32 = Struct("<i")
_U16 = Struct("<H")

_SINGLETONS = {
    TYPE_NONE: "None",
    TYPE_FALSE: "False",
    TYPE_TRUE: "True",
    TYPE_ELLIPSIS: "...",
    TYPE_STOPITER: "StopIteration",
}
_BRACKETS = {
    TYPE_TUPLE: ("(", ")"),
    TYPE_LIST: ("[", "]"),
    TYPE_SET: ("{", "}"),
    TYPE_FROZENSET: ("frozenset({", "})"),
    TYPE_SLICE: ("slice(", ")"),
    TYPE_DICT: ("{", "}"),
    TYPE_FROZENDICT: ("frozendict({", "})"),
}


def flags(number: int) -> str:
    """Show the flags of a code object by name, and the rest as a number."""
    known = [name for bit, name in _FLAGS.items() if number & bit]
    rest = number & ~sum(_FLAGS) & 0xFFFFFFFF
    return ", ".join(known + [hex(rest)] * bool(rest)) or "none"


def name(node: bytes) -> str:
    """Show an identifier: cut short if it is very long, escaped if it is not printable."""
    if content_size(node) > _MAX_NAME:
        return _printable(_beginning(node, _MAX_NAME)) + "..."
    return _printable(string(node))


def _printable(shown: str) -> str:
    return shown if shown.isprintable() else repr(shown)[1:-1]


def _beginning(node: bytes, size: int) -> str:
    """Decode the beginning of a long string, which may be cut in the middle of a character."""
    return content(node[: _MAX_HEAD + size])[:size].decode("utf-8", "ignore")


def value(nodes: Nodes, node: bytes) -> str:
    """Show a value as Python would, cut short where it is long.

    The time it takes and the length of the result are limited, even if references make the value very large.
    """
    return _value(nodes, node, _MAX_CONTAINER, 0)


def _value(nodes: Nodes, node: bytes, room: int, depth: int) -> str:
    kind = node[0]
    if kind in _SINGLETONS:
        return _SINGLETONS[kind]
    if kind in _BRACKETS:
        return _container(nodes, node, room, depth)
    if kind == TYPE_CODE:
        return _shorten(f"<code {name(code_objects.field(nodes, node, 'name'))}>")
    return _shorten(_leaf(node, kind))


def _leaf(node: bytes, kind: int) -> str:
    if kind in INTERNED:
        return ascii(_beginning(node, 4 * _MAX_VALUE)) if content_size(node) > 4 * _MAX_VALUE else repr(string(node))
    if kind == TYPE_STRING:
        return repr(content(node[: _MAX_HEAD + _MAX_VALUE]))
    if kind == TYPE_INT:
        return str(_I32.unpack(node[1:])[0])
    if kind == TYPE_LONG:
        return _long(node)
    if kind == TYPE_BINARY_FLOAT:
        return show_float(node[1:9])
    return show_complex(node[1:17])


def _long(encoding: bytes) -> str:
    (count,) = _I32.unpack(encoding[1:5])
    count, sign = abs(count), "-" if count < 0 else ""
    # In hexadecimal, because converting to decimal takes quadratic time.
    if count <= _MAX_DIGITS:
        return sign + hex(_magnitude(encoding[5:]))
    first, last = _magnitude(encoding[-2 * _ENDS :]), _magnitude(encoding[5 : 5 + 2 * _ENDS])
    return f"{sign}{first:#x}...{last:x}, {15 * (count - _ENDS) + first.bit_length()} bits"


def _magnitude(digits: bytes) -> int:
    """Return the number with these 15-bit digits."""
    return sum(digit << 15 * place for place, (digit,) in enumerate(_U16.iter_unpack(digits)))


def _container(nodes: Nodes, node: bytes, room: int, depth: int) -> str:
    kind = node[0]
    opening, closing = _BRACKETS[kind]
    children = nodes.children[node]
    step = 1
    if kind in DICTS:
        children, step = children[:-1], 2
    elif kind in SETS and len(children) <= _MAX_SORTED:
        # Show equal sets of two files alike.
        children = tuple(sorted(children, key=lambda child: nodes.pieces.get(child, child)))
    if children and (depth == _MAX_DEPTH or room <= 0):
        return opening + "..." + closing
    items: list[str] = []
    for at in range(0, min(len(children), step * _MAX_ITEMS), step):
        if room <= 0:
            break
        items.append(": ".join([_value(nodes, child, room, depth + 1) for child in children[at : at + step]]))
        room -= len(items[-1]) + 2
    shown = ", ".join(items)
    hidden = len(children) // step - len(items)
    if hidden:
        shown += f", and {hidden} more"
    elif kind == TYPE_TUPLE and len(children) == 1:
        shown += ","
    return opening + shown + closing


def _shorten(shown: str) -> str:
    return shown if len(shown) <= _MAX_VALUE else shown[: _MAX_VALUE - 3] + "..."


def qualified_names(nodes: Nodes) -> dict[bytes, str]:
    """Return the qualified name of every code object, e.g. ``C.method.<locals>.<lambda>``, as `name` shows it.

    From 3.11 on it is a field; before, it is composed of the names of the enclosing code objects.
    """
    found: dict[bytes, str] = {}
    qualified = "qualname" in nodes.layout.fields
    expanded: set[bytes] = set()  # tuples of constants, which many code objects may share
    root = nodes.sequence[0]
    pending = [(root, "")] if code_objects.is_code(root) else []
    while pending:
        code, prefix = pending.pop()
        if code in found:
            continue
        if qualified:
            found[code] = name(code_objects.field(nodes, code, "qualname"))
        else:
            found[code] = _end(prefix + name(code_objects.field(nodes, code, "name")))
        inner = "" if code == root else found[code] + (".<locals>." if _is_function(nodes, code) else ".")
        if code_objects.field(nodes, code, "consts") not in expanded:
            expanded.add(code_objects.field(nodes, code, "consts"))
            pending += (
                (child, inner) for child in reversed(code_objects.constants(nodes, code)) if code_objects.is_code(child)
            )
    return found


def _end(qualified: str) -> str:
    return qualified if len(qualified) <= 2 * _MAX_NAME else "..." + qualified[-_MAX_NAME:]


def _is_function(nodes: Nodes, code: bytes) -> bool:
    return bool(code_objects.integers(nodes, code)["flags"] & _CO_OPTIMIZED)
