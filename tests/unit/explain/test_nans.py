"""NaNs: shown with their sign, which is no difference in the code."""

from __future__ import annotations

import struct

import pytest

import payloads
from detpyc.bytecode.canonical import canonicalize
from detpyc.bytecode.reader import read_payload
from detpyc.explain import describe, encoding
from detpyc.explain.difference import CODE, ENCODING, Difference
from detpyc.explain.payloads import compare_payloads
from payloads import LAST, binary_float, flagged, frozenset_of, ref, small_tuple

ON_ARM, ON_X86 = 0x7FF8000000000000, 0xFFF8000000000000  # what 1e400 - 1e400 folds to


def nan(bits: int) -> bytes:
    return b"g" + struct.pack("<Q", bits)


def complex_of(real: int, imaginary: int) -> bytes:
    return b"y" + struct.pack("<QQ", real, imaginary)


ONE = struct.unpack("<Q", struct.pack("<d", 1.0))[0]
MINUS_ONE = struct.unpack("<Q", struct.pack("<d", -1.0))[0]


def of(*constants: bytes) -> bytes:
    return payloads.code(LAST, {"consts": small_tuple(*constants)})


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (nan(ON_ARM), "nan"),
        (nan(ON_X86), "-nan"),
        (nan(0x7FF8000000000001), "nan(0x8000000000001)"),
        (nan(0xFFF0000000000001), "-nan(0x1)"),
        (complex_of(ON_X86, ONE), "complex(-nan, 1.0)"),
        (complex_of(ONE, ON_ARM), "complex(1.0, nan)"),
        (binary_float(float("-inf")), "-inf"),
        (complex_of(ONE, MINUS_ONE), "(1-1j)"),
    ],
)
def test_shown(payload: bytes, expected: str) -> None:
    nodes = read_payload(payload, LAST)
    assert describe.value(nodes, nodes.sequence[0]) == expected


@pytest.mark.parametrize(
    ("a", "b", "shown"),
    [
        (nan(ON_ARM), nan(ON_X86), ("nan", "-nan")),
        (complex_of(ON_ARM, ONE), complex_of(ON_X86, ONE), ("complex(nan, 1.0)", "complex(-nan, 1.0)")),
        (nan(0x7FF8000000000001), nan(0xFFF8000000000001), ("nan(0x8000000000001)", "-nan(0x8000000000001)")),
    ],
)
@pytest.mark.parametrize("wrap", [lambda value: value, lambda value: small_tuple(value, value), frozenset_of])
def test_sign(a: bytes, b: bytes, shown: tuple[str, str], wrap: object) -> None:
    assert callable(wrap)
    found = compare_payloads(of(wrap(a)), of(wrap(b)), LAST)
    assert found == [Difference(ENCODING, encoding.NAN_SIGN, "<module>", shown[0], *shown)]
    assert canonicalize(of(a), LAST) != canonicalize(of(b), LAST)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (nan(ON_ARM), nan(ON_ARM + 1)),
        (nan(ON_ARM), nan(ON_ARM - 1)),
        (nan(ON_ARM), binary_float(float("inf"))),
        (complex_of(ON_ARM, ONE), complex_of(ON_ARM, MINUS_ONE)),
        (complex_of(ON_ARM, ONE), complex_of(ONE, ON_ARM)),
        (binary_float(0.0), binary_float(-0.0)),
    ],
)
def test_other_bits_are_code(a: bytes, b: bytes) -> None:
    (found,) = (difference for difference in compare_payloads(of(a), of(b), LAST) if difference.kind == CODE)
    assert found.a != found.b


def test_signs_that_change_places() -> None:
    first, second = nan(ON_ARM), nan(ON_X86)
    (found,) = compare_payloads(of(first, second), of(second, first), LAST)
    assert (found.kind, found.a, found.b) == (ENCODING, "nan, -nan", "-nan, nan")


def test_another_number_of_nans() -> None:
    one, two = of(nan(ON_ARM)), of(nan(ON_ARM), nan(ON_ARM))
    assert {difference.kind for difference in compare_payloads(one, two, LAST)} == {CODE}


def test_identity_is_compared_across_signs() -> None:
    found = compare_payloads(of(flagged(nan(ON_ARM)), ref(0)), of(nan(ON_X86), nan(ON_X86)), LAST)
    assert [difference.aspect for difference in found if difference.kind == CODE] == ["identity"]
