"""Write nodes as a marshalled payload.

Loaded by the worker under the target interpreter: standard library only, Python 3.8 syntax.
"""

from __future__ import annotations

from _collections import _count_elements  # type: ignore[import-not-found]
from itertools import count, repeat

from detpyc.bytecode.marshal_format import FLAG_REF, INTERNED, MAX_DEPTH, RAW, SINGLETONS, TYPE_NULL, TYPE_REF
from detpyc.bytecode.nodes import EMPTY_TUPLE, offset, sized_head
from detpyc.errors import BytecodeError

TYPE_CHECKING = False  # the typing module would slow the worker's start
if TYPE_CHECKING:
    from collections.abc import Iterable

    from detpyc.bytecode.nodes import Nodes

_NEVER_SHARED = frozenset({RAW, TYPE_NULL, *SINGLETONS})
# The first byte of an encoding, by what it becomes: flagged, or not interned.
_FLAGGED = [bytes([kind | FLAG_REF]) for kind in range(256)]
_PLAIN = {interned: bytes([plain]) for interned, plain in INTERNED.items()}


def arrange(nodes: Nodes) -> None:
    """Rebuild the sequence, after children have been reordered.

    Raises:
        BytecodeError: if in this order they would nest deeper than CPython allows.

    """
    sequence: list[bytes] = []
    seen = {EMPTY_TUPLE}
    stack = [(nodes.sequence[0], 0)]
    while stack:
        node, depth = stack.pop()
        if node in nodes.children and node not in seen:
            seen.add(node)
            if depth == MAX_DEPTH:
                message = f"nested more than {MAX_DEPTH} levels deep once sets are in order"
                raise BytecodeError(message, offset(node), "depth")
            stack += [(child, depth + 1) for child in reversed(nodes.children[node])]
        sequence.append(node)
    nodes.sequence = sequence


def pieces(nodes: Nodes, plain: Iterable[bytes]) -> dict[bytes, bytes]:
    """Return how the nodes are written, unflagged, that are not written as they are.

    Args:
        nodes: of one payload.
        plain: the strings that must not be marked as interned.

    """
    return {**nodes.pieces, **{node: _PLAIN[node[0]] + node[1:] for node in plain}}


def write_payload(nodes: Nodes, plain: Iterable[bytes]) -> bytes:
    """Write nodes as a payload, each value once and each in its shortest form.

    An object is written in full where it first occurs, flagged only if it occurs again, and referenced from then on.

    Args:
        nodes: what to write, in the order of their sequence.
        plain: the strings that must not be marked as interned.

    Returns:
        The payload.

    """
    written = pieces(nodes, plain)
    sequence = nodes.sequence
    # As collections.Counter counts, which takes as long to import as all of `bytecode`. It keeps the order of first
    # occurrence, in which references are numbered.
    counts: dict[bytes, int] = {}
    _count_elements(counts, sequence)
    counts.pop(EMPTY_TUPLE, None)
    repeated = [node for node, times in counts.items() if times > 1 and node[0] not in _NEVER_SHARED]
    written_as, find, flagged = written.get, sequence.index, _FLAGGED
    in_full = list(map(written_as, repeated, repeated))  # a node that is not there is written as it is
    written.update(zip(repeated, map(sized_head, repeat(TYPE_REF), count())))  # noqa: B905 - Python 3.8
    parts = list(map(written_as, sequence, sequence))
    place = -1
    for node, piece in zip(repeated, in_full):  # noqa: B905 - Python 3.8
        place = find(node, place + 1)
        parts[place] = flagged[piece[0]] + piece[1:]
    return b"".join(parts)
