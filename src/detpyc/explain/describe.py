"""What is in a payload, in a reader's words: values as Python shows them, code objects by their qualified names.

Standard library only, Python 3.8 syntax.
"""

from __future__ import annotations

from struct import Struct

from detpyc.bytecode import code_objects, marshal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from detpyc.bytecode.marshal import Nodes

_MAX_TEXT = 60  # characters of one value; a message is to be read
_MAX_SHOWN = 240  # of a container with all that is in it
_MAX_NAME = 200  # of an identifier or a qualified name
_MAX_DEPTH = 4
_MAX_ITEMS = 8
_MAX_SORTED = 64  # elements of a set that are put in order for the reader
_MAX_DIGITS = 64  # 15-bit digits of an integer
_ENDS = 4  # digits at either end of a longer one

_CO_OPTIMIZED = 0x1  # of functions, not of classes and modules
# Include/cpython/code.h; what depends on the version (the __future__ flags) is shown as a number.
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

_F64 = Struct("<d")
_COMPLEX = Struct("<dd")
_I32 = Struct("<i")
_U16 = Struct("<H")

_SINGLETONS = {
    marshal.TYPE_NONE: "None",
    marshal.TYPE_FALSE: "False",
    marshal.TYPE_TRUE: "True",
    marshal.TYPE_ELLIPSIS: "...",
    marshal.TYPE_STOPITER: "StopIteration",
}
_DICTS = (marshal.TYPE_DICT, marshal.TYPE_FROZENDICT)
_BRACKETS = {
    marshal.TYPE_TUPLE: ("(", ")"),
    marshal.TYPE_LIST: ("[", "]"),
    marshal.TYPE_SET: ("{", "}"),
    marshal.TYPE_FROZENSET: ("frozenset({", "})"),
    marshal.TYPE_SLICE: ("slice(", ")"),
    marshal.TYPE_DICT: ("{", "}"),
    marshal.TYPE_FROZENDICT: ("frozendict({", "})"),
}


def flags(number: int) -> str:
    """Show the flags of a code object by their names, those without one as a number."""
    known = [name for bit, name in _FLAGS.items() if number & bit]
    rest = number & ~sum(_FLAGS) & 0xFFFFFFFF
    return ", ".join(known + [hex(rest)] * bool(rest)) or "none"


def name(node: bytes) -> str:
    """Show an identifier: cut short if it is very long, escaped if it is not printable."""
    content = marshal.content(node)
    if len(content) > _MAX_NAME:
        return _printable(_beginning(content, _MAX_NAME)) + "..."
    return _printable(marshal.text(node))


def _printable(shown: str) -> str:
    return shown if shown.isprintable() else repr(shown)[1:-1]


def _beginning(content: bytes, size: int) -> str:
    """Decode the beginning of a long text, which may be cut in the middle of a character."""
    return content[:size].decode("utf-8", "ignore")


def value(nodes: Nodes, node: bytes) -> str:
    """Show a value as Python would, cut short where it is long.

    It takes time and gives text within limits, whatever a payload's references make of its size.
    """
    return _value(nodes, node, _MAX_SHOWN, 0)


def _value(nodes: Nodes, node: bytes, room: int, depth: int) -> str:
    kind = node[0]
    if kind in _SINGLETONS:
        return _SINGLETONS[kind]
    if kind in _BRACKETS:
        return _container(nodes, node, room, depth)
    if kind == marshal.TYPE_CODE:
        return _shorten("<code {}>".format(name(code_objects.field(nodes, node, "name"))))
    return _shorten(_leaf(node, kind))


def _leaf(node: bytes, kind: int) -> str:
    if kind in marshal.INTERNED:
        content = marshal.content(node)
        return ascii(_beginning(content, 4 * _MAX_TEXT)) if len(content) > 4 * _MAX_TEXT else repr(marshal.text(node))
    if kind == marshal.TYPE_STRING:
        return repr(marshal.content(node)[:_MAX_TEXT])
    if kind == marshal.TYPE_INT:
        return str(_I32.unpack(node[1:])[0])
    if kind == marshal.TYPE_LONG:
        return _long(node)
    if kind == marshal.TYPE_BINARY_FLOAT:
        return repr(_F64.unpack_from(node, 1)[0])
    return repr(complex(*_COMPLEX.unpack_from(node, 1)))


def _long(encoding: bytes) -> str:
    (count,) = _I32.unpack(encoding[1:5])
    count, sign = abs(count), "-" if count < 0 else ""
    # In hexadecimal, as converting to decimal takes quadratic time.
    if count <= _MAX_DIGITS:
        return sign + hex(_magnitude(encoding[5:]))
    first, last = _magnitude(encoding[-2 * _ENDS :]), _magnitude(encoding[5 : 5 + 2 * _ENDS])
    return f"{sign}{first:#x}...{last:x}, {15 * (count - _ENDS) + first.bit_length()} bits"


def _magnitude(digits: bytes) -> int:
    """Return the number that 15-bit digits make."""
    return sum(digit << 15 * place for place, (digit,) in enumerate(_U16.iter_unpack(digits)))


def _container(nodes: Nodes, node: bytes, room: int, depth: int) -> str:
    kind = node[0]
    opening, closing = _BRACKETS[kind]
    children = nodes.children[node]
    step = 1
    if kind in _DICTS:
        children, step = children[:-1], 2
    elif kind in marshal.SETS and len(children) <= _MAX_SORTED:
        # One set is to be shown alike in two files.
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
    elif kind == marshal.TYPE_TUPLE and len(children) == 1:
        shown += ","
    return opening + shown + closing


def _shorten(shown: str) -> str:
    return shown if len(shown) <= _MAX_TEXT else shown[: _MAX_TEXT - 3] + "..."


def names(nodes: Nodes) -> dict[bytes, str]:
    """Return the qualified name of every code object, e.g. ``C.method.<locals>.<lambda>``, as `name` shows it.

    From 3.11 on it is a field; before, it is made of the names of the code objects around it.
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
