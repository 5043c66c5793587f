"""Refused payloads: every error is a BytecodeError that names the offset, raised within time and memory limits."""

from __future__ import annotations

import itertools
import marshal
import re
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import payloads
from bounds import bounded
from detpyc.bytecode.canonical import canonicalize, canonicalize_pyc
from detpyc.bytecode.header import MAGIC_NUMBERS
from detpyc.errors import BytecodeError
from payloads import (
    LAST,
    NONE,
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
    u32,
)

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = (sys.version_info.major, sys.version_info.minor)
VERSIONS = sorted(MAGIC_NUMBERS.values())
SOURCE = """
import os

class A:
    x: int = 2**40, -1.5, 3j, b"bytes", "two words", "naïve", (1, (2, "two words")), ...

    def f(self, *, y=None):
        return y in {"one", "two words", 3} or (lambda: self.x[1:2] or 0.5)
"""
REAL = marshal.dumps(compile(SOURCE, "package/module.py", "exec", dont_inherit=True))


def refused(payload: bytes, version: tuple[int, int] = LAST) -> BytecodeError:
    with pytest.raises(BytecodeError) as caught:
        canonicalize(payload, version)
    error = caught.value
    assert 0 <= error.offset <= len(payload)
    assert str(error.offset) in str(error)
    assert error.reason in str(error)
    assert error.kind
    assert error.shifted(16).kind == error.kind
    return error


def result_or_refusal(payload: bytes, version: tuple[int, int] = LAST) -> None:
    """Check the invariants of a payload that may be valid."""
    try:
        canonical = canonicalize(payload, version)
    except BytecodeError as error:
        assert 0 <= error.offset <= len(payload)  # noqa: PT017 - either outcome is right
    else:
        assert canonicalize(canonical, version) == canonical


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_unknown_type_codes(version: tuple[int, int]) -> None:
    known = set(b"NFTS.ilfgxystr()[{cu<>aAzZ")
    known |= {code for code, since in ((ord(":"), (3, 14)), (ord("}"), (3, 15))) if version >= since}
    for code in range(256):
        if code & 0x7F in known and code != ord("r") | 0x80:
            continue
        error = refused(small_tuple(integer(1), bytes([code]) + bytes(16)), version)
        assert error.offset == len(small_tuple(integer(1)))
        assert "type code" in error.reason


@pytest.mark.parametrize(
    ("payload", "reason", "offset"),
    [
        (ref(0), "does not exist", 0),
        (small_tuple(integer(1), ref(0)), "does not exist", 7),
        (small_tuple(flagged(integer(1)), ref(1)), "does not exist", 7),
        (small_tuple(flagged(integer(1)), ref(2**31)), "does not exist", 7),
        (small_tuple(flagged(integer(1)), ref(2**32 - 1)), "does not exist", 7),
        (small_tuple(flagged(NONE), ref(0)), "does not exist", 3),  # a singleton takes no slot, flagged or not
        (flagged(small_tuple(ref(0))), "not complete", 2),
        (flagged(list_of(ref(0))), "not complete", 5),
        (flagged(many(b"(", small_tuple(NONE), ref(0))), "not complete", 8),
        (flagged(frozenset_of(ref(0))), "not complete", 5),
        (flagged(dict_of(integer(1), ref(0))), "not complete", 6),
        (flagged(payloads.code(LAST, {"consts": small_tuple(ref(0))})), "not complete", 28),
        (sized(b"a", "é".encode()), "not ASCII", 0),
        (b"z\x01\xff", "not ASCII", 0),
        (small_tuple(b"Z\x01\x80"), "not ASCII", 2),
        (sized(b"u", b"\xff"), "not UTF-8", 0),
        (sized(b"t", b"a\xc3"), "not UTF-8", 0),
        (sized(b"u", b"\xc0\x80"), "not UTF-8", 0),
        (long(1, 0), "leading zero", 0),
        (long(0), "leading zero", 0),
        (long(1, 0, 0, negative=True), "leading zero", 0),
        (long(0x8000, 1), "out of range", 0),
        (long(1, 0xFFFF), "out of range", 0),
        (b"f\x03abc", "float", 0),
        (b"f\x00", "float", 0),
        (b"f\x031_0", "float", 0),
        (b"f\x03 10", "float", 0),
        (b"x\x031.5\x03abc", "float", 0),
        (frozenset_of(integer(1), integer(1)), "twice", 0),
        (frozenset_of(frozenset_of(integer(1), NONE), frozenset_of(NONE, integer(1))), "twice", 0),
        (b"{" + integer(1) + b"0", "without a value", 0),
        (b"0", "type code", 0),
        (small_tuple(b"0"), "type code", 2),
        (list_of(integer(1)) + b"N", "after the end", 10),
        (integer(1) * 2, "after the end", 5),
        (b"z\x05\xff", "ends", 3),  # before its content is checked
        (b"f\x051.5e", "ends", 6),
        (frozenset_of(integer(1), integer(1), b"i\1\0"), "ends", 18),  # before the set is complete
    ],
)
def test_malformed(payload: bytes, reason: str, offset: int) -> None:
    error = refused(payload)

    assert re.search(reason, error.reason)
    assert error.offset == offset


@pytest.mark.parametrize("version", [(2, 7), (3, 7), (3, 16), (4, 0)])
def test_unsupported_version(version: tuple[int, int]) -> None:
    assert "3.8" in refused(NONE, version).reason


def test_truncated_anywhere() -> None:
    assert canonicalize(REAL, HERE)
    for size in range(len(REAL)):
        refused(REAL[:size], HERE)


@pytest.mark.parametrize("rest", [b"\0", b"N", REAL])
def test_trailing_bytes(rest: bytes) -> None:
    assert refused(REAL + rest, HERE).offset == len(REAL)


@bounded()
@pytest.mark.parametrize("nest", [small_tuple, list_of, frozenset_of, lambda inner: dict_of(integer(1), inner)])
@pytest.mark.parametrize("levels", [2001, 100_000])
def test_nested_too_deep(nest: Callable[[bytes], bytes], levels: int) -> None:
    before, after = nest(b"?").split(b"?")

    error = refused(before * levels + NONE + after * levels)

    assert "nested" in error.reason
    assert error.offset <= len(before) * 2001


@bounded()
def test_nested_as_deep_as_marshal_writes() -> None:
    value: Any = ()
    for levels in itertools.count():
        try:
            deepest = marshal.dumps(value)
        except ValueError:
            break
        value = (value,)
        written = levels

    assert written > 1000
    assert canonicalize(deepest, HERE) == b")\x01" * written + b")\0"
    assert canonicalize(b")\x01" * 1999 + NONE, LAST) == b")\x01" * 1999 + NONE


@bounded()
@pytest.mark.parametrize("code", [bytes([code]) for code in b"([<>sutaAl"])
@pytest.mark.parametrize("size", [10**9, 2**31 - 1, 2**31, 2**32 - 1])
def test_claims_more_than_there_is(code: bytes, size: int) -> None:
    for rest in (b"", NONE, bytes(100)):
        refused(code + u32(size) + rest)


@bounded()
def test_sizes_add_up_to_more_than_there_is() -> None:
    """Each claim is within what is left, but not all of them together."""
    refused(b"".join(b"(" + u32(90_000 - 5 * level) for level in range(1500)) + bytes(90_000))


def unfolding(levels: int, leaf: bytes) -> bytes:
    """Encode a tuple that contains a smaller one twice, and so on: two to the power of its levels leaves."""
    value = flagged(leaf)
    for level in range(levels):
        value = flagged(small_tuple(value, ref(levels - level)))
    return value


@bounded()
@pytest.mark.parametrize("levels", [30, 60, 1500])
def test_unfolding_outside_a_set_does_no_harm(levels: int) -> None:
    canonical = canonicalize(unfolding(levels, text("a b")), LAST)

    assert len(canonical) == len(unfolding(levels, text("a b")))


@bounded()
@pytest.mark.parametrize("levels", [30, 60, 1500])
def test_set_element_that_unfolds(levels: int) -> None:
    assert "unfold" in refused(frozenset_of(integer(1), unfolding(levels, text("a b")))).reason


@bounded()
def test_set_of_many_elements_that_unfold() -> None:
    """No element is much by itself, but a thousand of them are."""
    large = unfolding(20, text("a b"))

    refused(frozenset_of(large, *(small_tuple(ref(0), integer(number)) for number in range(1000))))


@bounded()
def test_many_sets_of_an_element_that_unfolds() -> None:
    large = unfolding(20, text("a b"))
    sets = [frozenset_of(small_tuple(ref(0), integer(number)), integer(number)) for number in range(3000)]

    refused(list_of(large, *sets))


@bounded()
def test_sets_in_sets_that_unfold() -> None:
    value = unfolding(20, text("a b"))
    for number in range(1900):
        value = frozenset_of(value, integer(number))

    refused(value)


def chain(levels: int, *, twice: bool = False) -> list[bytes]:
    """Encode a string, a tuple of it, a tuple of that tuple, and so on: flat, as each is a reference."""
    return [flagged(text("a b")), *(flagged(small_tuple(*[ref(level)] * (1 + twice))) for level in range(levels))]


def test_order_of_a_set_nests_nothing_past_the_limit() -> None:
    """In canonical order the last element comes first, written in full: 3,000 levels deep where there were two."""
    assert len(canonicalize(frozenset_of(*chain(1500)), LAST)) == len(frozenset_of(*chain(1500)))
    assert "nested" in refused(frozenset_of(*chain(3000))).reason


@bounded()
def test_unfolding_beyond_measure_beside_a_set() -> None:
    """Not only the unfolded values would fill the memory, but even the integers that count them."""
    result_or_refusal(list_of(*chain(200_000, twice=True), frozenset_of(integer(1), NONE)))


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_code_fields_of_a_wrong_type(version: tuple[int, int]) -> None:
    wrong = [integer(1), NONE, list_of(), frozenset_of()]
    right = {
        **dict.fromkeys(("code", "localspluskinds", "linetable", "exceptiontable"), byte_string(b"")),
        **dict.fromkeys(("filename", "name", "qualname"), text("a")),
    }
    for name in payloads.fields_of(version):
        kind = right.get(name, small_tuple())
        for value in [*wrong, *({byte_string(b""), text("a"), small_tuple()} - {kind})]:
            error = refused(small_tuple(NONE, payloads.code(version, {name: value})), version)
            assert error.offset == 3
            assert "code object" in error.reason


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_names_that_are_not_strings(version: tuple[int, int]) -> None:
    for name in {"names", "varnames", "freevars", "cellvars", "localsplusnames"}.intersection(
        payloads.fields_of(version)
    ):
        for item in (integer(1), NONE, byte_string(b"a"), small_tuple()):
            refused(payloads.code(version, {name: small_tuple(text("a"), item)}), version)


def test_offset_in_a_pyc_counts_from_its_start() -> None:
    header = (3531).to_bytes(2, "little") + b"\r\n" + bytes(12)

    with pytest.raises(BytecodeError) as caught:
        canonicalize_pyc(header + small_tuple(NONE, b"?"))

    assert caught.value.offset == 16 + 3


@bounded()
@pytest.mark.parametrize("mask", [0x01, 0x04, 0x20, 0x80, 0xFF])
def test_any_byte_changed(mask: int) -> None:
    """A changed byte results in another canonical payload or a BytecodeError, never another exception."""
    for offset in range(len(REAL)):
        changed = bytearray(REAL)
        changed[offset] ^= mask
        result_or_refusal(bytes(changed), HERE)


@given(st.binary(max_size=200), st.sampled_from(VERSIONS))
def test_any_bytes(data: bytes, version: tuple[int, int]) -> None:
    result_or_refusal(data, version)
