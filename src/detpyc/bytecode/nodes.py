"""The objects of a payload as a graph: one node for each value.

Loaded by the worker under the target interpreter: standard library only, Python 3.8 syntax.
"""

from __future__ import annotations

from struct import Struct

from detpyc.bytecode.marshal_format import (
    TYPE_ASCII_INTERNED,
    TYPE_INTERNED,
    TYPE_NULL,
    TYPE_SHORT_ASCII_INTERNED,
    TYPE_SMALL_TUPLE,
    TYPE_TUPLE,
)

TYPE_CHECKING = False  # the typing module would slow the worker's start
if TYPE_CHECKING:
    from detpyc.bytecode.marshal_format import CodeLayout

# The empty tuple is a singleton in CPython, as None is: one node in every payload.
EMPTY_TUPLE = bytes([TYPE_TUPLE])
# A dict's closing TYPE_NULL is a node of its own, so that a dict is a plain sequence of children.
END_OF_DICT = bytes([TYPE_NULL])

# What is written before the content of an object. The sizes of one byte are few, so their heads are made once.
SHORT = 256
sized_head = Struct("<BI").pack
SMALL_TUPLE_HEADS = [bytes([TYPE_SMALL_TUPLE, size]) for size in range(SHORT)]
_SHORT_HEADS = [bytes([TYPE_SHORT_ASCII_INTERNED, size]) for size in range(SHORT)]
_U32 = Struct("<I")


class Nodes:
    """The objects of one payload, each value once: a graph whose nodes are byte strings.

    A node's first byte is its type code. The node of a number, a bytes object or a string is its own shortest encoding,
    strings written as if interned; that of a container is its type code and the offset where it first starts, but for
    `EMPTY_TUPLE`. So two occurrences in the payload are one node exactly when they have the same type and value,
    however the writer had shared, flagged or interned them. Objects that have no value to compare are distinguished by
    identity, as the writer had it: lists, dicts and sets, which can change, and NaN, which is not equal to itself
    (``{nan, nan}`` has two elements, and must keep them).

    Attributes:
        layout: how the code objects are laid out.
        pieces: how the nodes are written that are not their own encoding: containers up to their children, and NaN.
        children: of every container, in writing order. Containers come after those they contain.
        strings: the nodes that are strings.
        identifiers: the strings that are names: of code objects, and in their tuples of names.
        sets: the nodes that are sets.
        sequence: the payload's nodes in writing order, from the root on; what a repeated node contains is not repeated.
        objects: how many objects and references the payload has, counting a container CONTAINER_WEIGHT times.

    """

    __slots__ = ("children", "identifiers", "layout", "objects", "pieces", "sequence", "sets", "strings")

    def __init__(self, layout: CodeLayout) -> None:
        self.layout = layout
        self.pieces: dict[bytes, bytes] = {EMPTY_TUPLE: SMALL_TUPLE_HEADS[0]}
        self.children: dict[bytes, tuple[bytes, ...]] = {EMPTY_TUPLE: ()}
        self.strings: set[bytes] = set()
        self.identifiers: set[bytes] = set()
        self.sets: list[bytes] = []
        self.sequence: list[bytes] = []
        self.objects = 0


def string_node(content: bytes) -> bytes:
    """Return the node of a string, by its content (UTF-8, with lone surrogates)."""
    size = len(content)
    if content.isascii():
        return _SHORT_HEADS[size] + content if size < SHORT else sized_head(TYPE_ASCII_INTERNED, size) + content
    return sized_head(TYPE_INTERNED, size) + content


def content(node: bytes) -> bytes:
    """Return the content of a string or bytes object; strings in UTF-8, with lone surrogates."""
    return node[2:] if node[0] == TYPE_SHORT_ASCII_INTERNED else node[5:]


def content_size(node: bytes) -> int:
    """Return the size of the content of a string or bytes object."""
    return len(node) - (2 if node[0] == TYPE_SHORT_ASCII_INTERNED else 5)


def string(node: bytes) -> str:
    """Return the characters of a string."""
    return content(node).decode("utf-8", "surrogatepass")


def offset(container: bytes) -> int:
    """Return where a container, other than the empty tuple, first starts in the payload."""
    start: int = _U32.unpack_from(container, 1)[0]
    return start
