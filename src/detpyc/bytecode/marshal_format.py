"""The marshal format: type codes, sizes, and the layout of code objects in each release.

The format is CPython's ``Python/marshal.c``; it has no other specification.

Loaded by the worker under the target interpreter: standard library only, Python 3.8 syntax.
"""

from __future__ import annotations

FLAG_REF = 0x80
MAX_DEPTH = 2000  # MAX_MARSHAL_STACK_DEPTH: what CPython itself can write
MAX_OBJECTS = 1 << 20  # objects and references in a payload; the largest real modules have 32,000
CONTAINER_WEIGHT = 4  # a container counts as so many objects, as it takes so much more time and memory

# Type codes, by CPython's names.
TYPE_NULL = ord("0")
TYPE_NONE = ord("N")
TYPE_FALSE = ord("F")
TYPE_TRUE = ord("T")
TYPE_STOPITER = ord("S")
TYPE_ELLIPSIS = ord(".")
TYPE_INT = ord("i")
TYPE_LONG = ord("l")
TYPE_FLOAT = ord("f")
TYPE_BINARY_FLOAT = ord("g")
TYPE_COMPLEX = ord("x")
TYPE_BINARY_COMPLEX = ord("y")
TYPE_STRING = ord("s")  # bytes
TYPE_INTERNED = ord("t")
TYPE_REF = ord("r")
TYPE_TUPLE = ord("(")
TYPE_SMALL_TUPLE = ord(")")
TYPE_LIST = ord("[")
TYPE_DICT = ord("{")
TYPE_FROZENDICT = ord("}")
TYPE_CODE = ord("c")
TYPE_UNICODE = ord("u")
TYPE_SET = ord("<")
TYPE_FROZENSET = ord(">")
TYPE_SLICE = ord(":")
TYPE_ASCII = ord("a")
TYPE_ASCII_INTERNED = ord("A")
TYPE_SHORT_ASCII = ord("z")
TYPE_SHORT_ASCII_INTERNED = ord("Z")

# A pseudo-kind for bytes that are not an object but occur between objects: a code object's first line number (four
# bytes without a type code). As a node of its own, it makes a code object a plain sequence of children.
RAW = 0

# Always one byte, neither flagged nor referenced: r_object() and w_object() treat them apart.
SINGLETONS = (TYPE_NONE, TYPE_FALSE, TYPE_TRUE, TYPE_ELLIPSIS, TYPE_STOPITER)
DICTS = frozenset({TYPE_DICT, TYPE_FROZENDICT})
SETS = frozenset({TYPE_SET, TYPE_FROZENSET})
SIZED = frozenset({TYPE_LIST, TYPE_TUPLE}) | SETS  # containers that begin with the number of their items in 32 bits
CONTAINERS = frozenset({TYPE_SMALL_TUPLE, TYPE_CODE, TYPE_SLICE}) | DICTS | SIZED
MUTABLE = frozenset({TYPE_LIST, TYPE_DICT, TYPE_SET})
BINARY_FLOATS = {TYPE_BINARY_FLOAT: 8, TYPE_BINARY_COMPLEX: 16}  # and their sizes
# The type codes of interned strings, and of the same not interned.
INTERNED = {
    TYPE_INTERNED: TYPE_UNICODE,
    TYPE_ASCII_INTERNED: TYPE_ASCII,
    TYPE_SHORT_ASCII_INTERNED: TYPE_SHORT_ASCII,
}
SINCE = {TYPE_SLICE: (3, 14), TYPE_FROZENDICT: (3, 15)}


class CodeLayout:
    """How a release writes a code object: w_complex_object() and r_object() in ``Python/marshal.c``.

    Attributes:
        integers: the names of the 32-bit integers that come first.
        fields: the names of the children in their order; ``firstlineno`` is the raw one.
        head_size: how many bytes are written before the children: the type code and the integers.
        lineno: the index of ``firstlineno`` among the children.
        kinds: the type code that each child must have; of strings, TYPE_UNICODE.
        names: the indexes of the children that are identifiers.
        tuples_of_names: the indexes of the children that are tuples of identifiers.

    """

    def __init__(self, integers: tuple[str, ...], fields: tuple[str, ...], identifiers: tuple[str, ...]) -> None:
        self.integers = integers
        self.fields = fields
        self.head_size = 1 + 4 * len(integers)
        self.lineno = fields.index("firstlineno")
        self.kinds = bytes([_KIND_OF_FIELD[name] for name in fields])
        self.names = tuple(fields.index(name) for name in identifiers if _KIND_OF_FIELD[name] == TYPE_UNICODE)
        self.tuples_of_names = tuple(fields.index(name) for name in identifiers if _KIND_OF_FIELD[name] == TYPE_TUPLE)


_KIND_OF_FIELD = {
    **dict.fromkeys(("code", "localspluskinds", "lnotab", "linetable", "exceptiontable"), TYPE_STRING),
    **dict.fromkeys(("consts", "names", "varnames", "freevars", "cellvars", "localsplusnames"), TYPE_TUPLE),
    **dict.fromkeys(("filename", "name", "qualname"), TYPE_UNICODE),
    "firstlineno": RAW,
}
_COMMON = ("code", "consts", "names")
_BEFORE_311 = (*_COMMON, "varnames", "freevars", "cellvars", "filename", "name")
_SINCE_311 = (*_COMMON, "localsplusnames", "localspluskinds", "filename", "name", "qualname")


def _layout_before_311(table: str) -> CodeLayout:
    return CodeLayout(
        ("argcount", "posonlyargcount", "kwonlyargcount", "nlocals", "stacksize", "flags"),
        (*_BEFORE_311, "firstlineno", table),
        ("names", "varnames", "freevars", "cellvars", "name"),
    )


# A qualname such as A.f is not an identifier: no compiler up to 3.12 interns it, and to intern it takes time and, on
# 3.12, makes it immortal. From 3.13 on, the constructor of code objects interns it, whatever a pyc says.
_LAYOUT_SINCE_311 = CodeLayout(
    ("argcount", "posonlyargcount", "kwonlyargcount", "stacksize", "flags"),
    (*_SINCE_311, "firstlineno", "linetable", "exceptiontable"),
    ("names", "localsplusnames", "name"),
)

LAYOUTS = {
    (3, 8): _layout_before_311("lnotab"),
    (3, 9): _layout_before_311("lnotab"),
    (3, 10): _layout_before_311("linetable"),
    **{(3, minor): _LAYOUT_SINCE_311 for minor in range(11, 16)},
}
