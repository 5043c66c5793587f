"""A payload as it is written: the offset of everything, and where the object of a reference is written in full."""

from __future__ import annotations

import pytest

import payloads
from detpyc.explain.as_written import locate, read_as_written
from payloads import (
    FALSE,
    LAST,
    NONE,
    binary_float,
    byte_string,
    dict_of,
    flagged,
    frozenset_of,
    integer,
    list_of,
    long,
    many,
    ref,
    sized,
    small_tuple,
    text,
)

OBJECTS = [
    *(NONE, flagged(FALSE), integer(7), long(1, 2, 3, negative=True), binary_float(1.5), b"f\x031.5", b"x\x011\x031.5"),
    *(byte_string(b"ab"), text("a b"), sized(b"a", b"a b"), sized(b"u", "ï".encode()), small_tuple(), many(b"(")),
    *(small_tuple(integer(1)), list_of(NONE), frozenset_of(integer(1)), dict_of(NONE, NONE), b":" + NONE * 3),
    dict_of(NONE, NONE, code=b"}"),
    payloads.code(),
]


@pytest.mark.parametrize("written", OBJECTS, ids=lambda written: f"{chr(written[0] & 0x7F)}{len(written)}")
def test_offsets(written: bytes) -> None:
    """What follows an object is at its offset, whatever the size of the object."""
    payload = small_tuple(written, integer(99))
    *_, (offset, node, start) = locate(payload, read_as_written(payload, LAST))
    assert (offset, node, start) == (2 + len(written), integer(99), 2 + len(written))


@pytest.mark.parametrize("uncounted", [flagged(NONE), b"{\xb0"], ids=["singleton", "end of a dict"])
def test_references(uncounted: bytes) -> None:
    """A singleton and the end of a dict are not counted, even if flagged, as CPython reads them."""
    first, second = flagged(text("a b")), flagged(small_tuple(integer(1)))
    payload = small_tuple(first, uncounted, second, ref(0), ref(1))
    found = [(offset, start) for offset, _, start in locate(payload, read_as_written(payload, LAST))]
    references = [start for offset, start in found if offset != start]
    assert [payload[start:][: len(first)] for start in references] == [first, second[: len(first)]]


def test_equal_containers_are_nodes_of_their_own() -> None:
    pair = small_tuple(integer(1), NONE)
    apart, shared = small_tuple(pair, pair), small_tuple(flagged(pair), ref(0))
    assert len(read_as_written(apart, LAST).sequence) == 7
    assert len(read_as_written(shared, LAST).sequence) == 5
