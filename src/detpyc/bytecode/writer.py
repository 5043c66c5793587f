"""Write nodes as a marshalled payload.

Loaded by the worker under the target interpreter: standard library only, Python 3.8 syntax.
"""

from __future__ import annotations

from collections import Counter

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
    # A Counter keeps the order of first occurrence, which is the order in which references are numbered.
    counts = Counter(sequence)
    del counts[EMPTY_TUPLE]
    repeated = [node for node, times in counts.items() if times > 1 and node[0] not in _NEVER_SHARED]
    first = []
    place = -1
    find, written_as, flagged, reference = sequence.index, written.get, _FLAGGED, sized_head
    for index, node in enumerate(repeated):
        place = find(node, place + 1)
        piece = written_as(node, node)
        written[node] = reference(TYPE_REF, index)
        first.append((place, flagged[piece[0]] + piece[1:]))
    parts = list(map(written_as, sequence, sequence))  # a node that is not there is written as it is
    for place, piece in first:
        parts[place] = piece
    return b"".join(parts)
