"""The limit on the number of objects, whatever contains them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from detpyc.bytecode import reader
from detpyc.bytecode.reader import read_payload
from detpyc.errors import BytecodeError
from payloads import (
    FIRST,
    LAST,
    NONE,
    code,
    dict_of,
    flagged,
    frozenset_of,
    integer,
    list_of,
    many,
    ref,
    small_tuple,
)

if TYPE_CHECKING:
    from collections.abc import Callable

LIMIT = 80


def frozendicts(number: int) -> bytes:
    """Encode equal dicts, which become one node."""
    return list_of(*[dict_of(NONE, NONE, code=b"}")] * number)


# What encodes a number of objects, and the largest number that is within the limit.
PAYLOADS: list[tuple[Callable[[int], bytes], int]] = [
    (lambda number: small_tuple(*[NONE] * number), 76),
    (lambda number: list_of(*[integer(1)] * number), 76),
    (lambda number: list_of(*[small_tuple()] * number), 76),
    (lambda number: many(b"(", *[many(b"(")] * number), 19),
    (lambda number: frozenset_of(*map(integer, range(number))), 76),
    (lambda number: small_tuple(flagged(integer(1)), *[ref(0)] * number), 75),
    (lambda number: small_tuple(*[small_tuple(*[NONE] * 9)] * number), 5),
    (lambda number: b")\x01" * number + NONE, 19),
    (lambda number: dict_of(*[NONE] * 2 * number), 37),
    (lambda number: list_of(*[dict_of()] * number), 15),
    (lambda number: b"{N" * number + NONE + b"0" * number, 13),
    (frozendicts, 10),
    (lambda number: small_tuple(*[code()] * number), 5),
]


@pytest.mark.parametrize("index", range(len(PAYLOADS)))
def test_number_of_objects(index: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MAX_OBJECTS", LIMIT)
    encode, most = PAYLOADS[index]

    assert LIMIT - 17 < read_payload(encode(most), LAST).objects <= LIMIT
    with pytest.raises(BytecodeError, match=f"more than {LIMIT} objects") as caught:
        read_payload(encode(most + 1), LAST)
    assert 0 <= caught.value.offset < len(encode(most + 1))


@pytest.mark.parametrize("entry", [NONE, dict_of()])
def test_dict_is_not_read_to_its_end(entry: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dict does not begin with its size: it is refused before it takes memory."""
    monkeypatch.setattr(reader, "MAX_OBJECTS", LIMIT)
    read = reader.Reader(b"{" + entry * 10_000 + b"0", FIRST)
    with pytest.raises(BytecodeError, match="more than"):
        read.read()
    assert len(read.nodes.sequence) <= 2 * LIMIT
