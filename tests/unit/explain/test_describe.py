"""Values as Python shows them, within limits; qualified names in every version."""

from __future__ import annotations

import marshal
import sys
from typing import Any

import pytest

import payloads
from detpyc.bytecode.reader import read_payload
from detpyc.explain import describe
from payloads import (
    FIRST,
    LAST,
    binary_float,
    byte_string,
    dict_of,
    flagged,
    frozenset_of,
    integer,
    long,
    many,
    ref,
    sized,
    small_tuple,
    text,
)

HERE = (sys.version_info.major, sys.version_info.minor)


def shown(payload: bytes, version: tuple[int, int] = LAST) -> str:
    nodes = read_payload(payload, version)
    return describe.value(nodes, nodes.sequence[0])


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, False, ..., 0, -1, 2**31 - 1, 0.5, -0.0, 1e300, float("inf"), 2.5j, complex(-0.0, -1)),
        *("", "two words", 'quo"te', "it's", "naïve", "\n", "\ud800", b"", b"bytes\xff", (), (1,), (1, (2, "x"))),
        *([], [1], {"key": (1,), 2: {}}, frozenset(), frozenset({"x"}), frozenset({frozenset({1})})),
    ],
)
def test_as_python_shows_it(value: Any) -> None:
    expected = "..." if value is ... else repr(value)
    assert shown(marshal.dumps(value), HERE) in {expected, expected.replace("frozenset()", "frozenset({})")}


def test_what_repr_shows_otherwise() -> None:
    assert shown(b"S") == "StopIteration"
    assert shown(b":" + integer(1) + integer(2) + b"N") == "slice(1, 2, None)"
    assert shown(dict_of(text("a"), integer(1), code=b"}")) == "frozendict({'a': 1})"
    assert shown(many(b"<", integer(1))) == "{1}"
    assert shown(payloads.code(LAST, {"name": text("f")})) == "<code f>"
    assert shown(binary_float(float("nan"))) == "nan"


@pytest.mark.parametrize("number", [2**31, -(2**40), 10**40])
def test_large_integers_in_hexadecimal(number: int) -> None:
    assert shown(marshal.dumps(number), HERE) == hex(number)


def test_larger_integers_by_their_ends() -> None:
    assert shown(long(*range(1, 101))) == "0x320062c4003081...20003000080001, 1492 bits".replace(
        "0x320062c4003081...20003000080001", "{:#x}...{:x}".format(*ends(range(1, 101)))
    )
    assert shown(long(*range(1, 101), negative=True)).startswith("-0x")


def ends(digits: range) -> tuple[int, int]:
    number = sum(digit << 15 * place for place, digit in enumerate(digits))
    return number >> 15 * (len(digits) - 4), number & ((1 << 60) - 1)


def test_set_is_shown_alike_whatever_its_order() -> None:
    elements = [text("b c"), integer(3), text("a b"), small_tuple(), integer(1)]
    assert shown(frozenset_of(*elements)) == shown(frozenset_of(*elements[::-1]))


def test_long_values_are_cut() -> None:
    assert shown(text("x" * 60)) == "'" + "x" * 56 + "..."
    assert shown(sized(b"u", ("ï" * 1000).encode())).startswith(r"'\xef\xef")
    assert shown(byte_string(bytes(1000))).endswith("...")
    assert shown(small_tuple(*map(integer, range(20)))) == "(0, 1, 2, 3, 4, 5, 6, 7, and 12 more)"


def test_long_containers_are_cut() -> None:
    assert len(shown(small_tuple(*(text(letter * 100) for letter in "abcdefgh")))) < 400
    value = flagged(text("leaf"))
    for level in range(100):
        value = flagged(small_tuple(value, ref(100 - level)))
    assert "leaf" not in shown(value)
    assert len(shown(value)) < 400


def test_flags() -> None:
    assert describe.flags(0) == "none"
    assert describe.flags(0x43) == "OPTIMIZED, NEWLOCALS, NOFREE"
    assert describe.flags(0x3000003) == "OPTIMIZED, NEWLOCALS, 0x3000000"
    assert describe.flags(-1).endswith("0xf3fffc00")


SOURCE = """
class C:
    def f(self):
        def g():
            class D:
                h = lambda: [x for x in ()]
x = lambda: 0
"""


def test_qualified_names() -> None:
    nodes = read_payload(marshal.dumps(compile(SOURCE, "a.py", "exec", dont_inherit=True)), HERE)
    expected = {"<module>", "C", "C.f", "C.f.<locals>.g", "C.f.<locals>.g.<locals>.D", "<lambda>"}
    assert expected <= set(describe.qualified_names(nodes).values())


@pytest.mark.parametrize("version", [FIRST, (3, 10), LAST], ids=str)
def test_qualified_names_in_every_version(version: tuple[int, int]) -> None:
    def code(name: str, *constants: bytes, function: bool) -> bytes:
        fields = {"name": text(name.rpartition(".")[2]), "qualname": text(name), "consts": small_tuple(*constants)}
        encoded = payloads.code(version, fields, stacksize=7)
        return encoded.replace(b"\x07\0\0\0\x40\0\0\0", b"\x07\0\0\0\x03\0\0\0", 1) if function else encoded

    inner = code("C.f.<locals>.g", function=True)
    module = code("<module>", code("C", code("C.f", inner, function=True), function=False), function=False)
    nodes = read_payload(module, version)
    assert set(describe.qualified_names(nodes).values()) == {"<module>", "C", "C.f", "C.f.<locals>.g"}


@pytest.mark.parametrize(
    ("name", "expected"), [("f\x1b[2J", r"f\x1b[2J"), ("naïve", "naïve"), ("\ud800", r"\ud800"), ("x" * 999, None)]
)
def test_names_are_printable_and_short(name: str, expected: str | None) -> None:
    nodes = read_payload(sized(b"u", name.encode("utf-8", "surrogatepass")), LAST)
    assert describe.name(nodes.sequence[0]) == (expected or "x" * 200 + "...")
