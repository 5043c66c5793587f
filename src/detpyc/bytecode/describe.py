"""What is in a payload, in a reader's words: values as Python shows them, code objects by their qualified names.

Standard library only, Python 3.8 syntax.
"""

from __future__ import annotations

from struct import Struct

from detpyc.bytecode import marshal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from detpyc.bytecode.marshal import Nodes

_MAX_TEXT = 60  # characters of one value; a message is to be read
_MAX_DEPTH = 4
_MAX_ITEMS = 8

_CO_OPTIMIZED = 0x1  # of functions, not of classes and modules

_F64 = Struct("<d")
_I32 = Struct("<i")
_U16 = Struct("<H")

_SINGLETONS = {
    marshal.TYPE_NONE: "None",
    marshal.TYPE_FALSE: "False",
    marshal.TYPE_TRUE: "True",
    marshal.TYPE_ELLIPSIS: "...",
    marshal.TYPE_STOPITER: "StopIteration",
}
_BRACKETS = {
    marshal.TYPE_TUPLE: ("(", ")"),
    marshal.TYPE_LIST: ("[", "]"),
    marshal.TYPE_SET: ("{", "}"),
    marshal.TYPE_FROZENSET: ("frozenset({", "})"),
    marshal.TYPE_SLICE: ("slice(", ")"),
    marshal.TYPE_DICT: ("{", "}"),
    marshal.TYPE_FROZENDICT: ("frozendict({", "})"),
}


def text(nodes: Nodes, node: int) -> str:
    """Return a text's characters."""
    return nodes.pieces[node].decode("utf-8", "surrogatepass")


def field(nodes: Nodes, code: int, name: str) -> int:
    """Return the node of a code object's field.

    Raises:
        ValueError: if its release has no such field.

    """
    return nodes.children[code][nodes.layout.fields.index(name)]


def integers(nodes: Nodes, code: int) -> dict[str, int]:
    """Return a code object's integers by name, the first line number among them."""
    head = nodes.pieces[code][1:]
    values = dict(zip(nodes.layout.integers, (value for (value,) in _I32.iter_unpack(head))))  # noqa: B905 - Python 3.8
    (values["firstlineno"],) = _I32.unpack(nodes.pieces[field(nodes, code, "firstlineno")])
    return values


def byte_string(nodes: Nodes, node: int) -> bytes:
    """Return the content of a byte string."""
    return nodes.pieces[node][5:]


def value(nodes: Nodes, node: int, depth: int = 0) -> str:
    """Show a value as Python would, cut short where it is long."""
    kind = nodes.kinds[node]
    if kind in _SINGLETONS:
        return _SINGLETONS[kind]
    if kind in _BRACKETS:
        return _container(nodes, node, depth)
    return _shorten(_leaf(nodes, node, kind))


def _leaf(nodes: Nodes, node: int, kind: int) -> str:
    content = nodes.pieces[node]
    if kind == marshal.TYPE_UNICODE:
        return ascii(text(nodes, node)) if len(content) > 4 * _MAX_TEXT else repr(text(nodes, node))
    if kind == marshal.TYPE_STRING:
        return repr(content[5 : 5 + _MAX_TEXT]) + (" and more" if len(content) > 5 + _MAX_TEXT else "")
    if kind == marshal.TYPE_CODE:
        return "<code {}>".format(text(nodes, field(nodes, node, "name")))
    if kind == marshal.TYPE_INT:
        return str(_I32.unpack(content[1:])[0])
    if kind == marshal.TYPE_LONG:
        return _long(content)
    numbers = [number for (number,) in _F64.iter_unpack(content[1:])] if len(content) % 8 == 1 else []
    return repr(numbers[0] if len(numbers) == 1 else complex(*numbers)) if numbers else content.hex()


def _long(encoding: bytes) -> str:
    (count,) = _I32.unpack(encoding[1:5])
    magnitude = sum(digit << 15 * place for place, (digit,) in enumerate(_U16.iter_unpack(encoding[5:])))
    # In hexadecimal, as converting to decimal takes quadratic time.
    return hex(-magnitude if count < 0 else magnitude)


def _container(nodes: Nodes, node: int, depth: int) -> str:
    kind = nodes.kinds[node]
    opening, closing = _BRACKETS[kind]
    children = [child for child in nodes.children[node] if nodes.kinds[child] != marshal.RAW]
    if depth == _MAX_DEPTH:
        return opening + "..." + closing
    items = [value(nodes, child, depth + 1) for child in children[: 2 * _MAX_ITEMS]]
    if kind in (marshal.TYPE_DICT, marshal.TYPE_FROZENDICT):
        items = ["{}: {}".format(*pair) for pair in zip(items[::2], items[1::2])]  # noqa: B905 - Python 3.8
        children = children[::2]
    if kind in marshal.SETS:
        items.sort()  # so that one set is shown alike in two files
    shown = ", ".join(items[:_MAX_ITEMS])
    if len(children) > _MAX_ITEMS:
        shown += ", and {} more".format(len(children) - _MAX_ITEMS)
    elif kind == marshal.TYPE_TUPLE and len(children) == 1:
        shown += ","
    return opening + shown + closing


def _shorten(shown: str) -> str:
    return shown if len(shown) <= _MAX_TEXT else shown[: _MAX_TEXT - 3] + "..."


def names(nodes: Nodes) -> dict[int, str]:
    """Return the qualified name of every code object, e.g. ``C.method.<locals>.<lambda>``.

    From 3.11 on it is a field; before, it is made of the names of the code objects around it.
    """
    found: dict[int, str] = {}
    root = nodes.sequence[0]
    pending = [(root, "")] if nodes.kinds[root] == marshal.TYPE_CODE else []
    while pending:
        code, prefix = pending.pop()
        if code in found:
            continue
        name = text(nodes, field(nodes, code, "name"))
        if "qualname" in nodes.layout.fields:
            found[code] = text(nodes, field(nodes, code, "qualname"))
            inner = ""
        else:
            found[code] = prefix + name
            inner = "" if code == root else prefix + name + (".<locals>." if _is_function(nodes, code) else ".")
        pending += ((child, inner) for child in reversed(constants(nodes, code)) if is_code(nodes, child))
    return found


def _is_function(nodes: Nodes, code: int) -> bool:
    return bool(integers(nodes, code)["flags"] & _CO_OPTIMIZED)


def constants(nodes: Nodes, code: int) -> tuple[int, ...]:
    """Return the nodes of a code object's constants."""
    return nodes.children[field(nodes, code, "consts")]


def is_code(nodes: Nodes, node: int) -> bool:
    """Tell whether a node is a code object."""
    return nodes.kinds[node] == marshal.TYPE_CODE
