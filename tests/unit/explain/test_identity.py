"""Objects whose identity code can observe: one in one payload and two in the other is a difference in the code."""

from __future__ import annotations

import struct
import subprocess
from typing import TYPE_CHECKING

import pytest

import payloads
from detpyc.bytecode.code_objects import constants
from detpyc.bytecode.reader import read_payload
from detpyc.bytecode.writer import arrange, write_payload
from detpyc.compilation.pool import Compiled, Source, byte_compile
from detpyc.explain.difference import CODE, ENCODING, Difference
from detpyc.explain.encoding import SET_ORDER, SHARING
from detpyc.explain.nans import is_nan
from detpyc.explain.payloads import compare_payloads
from payloads import (
    LAST,
    binary_float,
    byte_string,
    dict_of,
    flagged,
    frozenset_of,
    integer,
    list_of,
    many,
    ref,
    small_tuple,
    text,
)

if TYPE_CHECKING:
    from detpyc.compilation.interpreters import Interpreter

NAN = binary_float(float("nan"))
COMPLEX = b"y" + struct.pack("<dd", 1.0, float("nan"))


def of(*constants: bytes) -> bytes:
    return payloads.code(LAST, {"consts": small_tuple(*constants)})


def compared(a: bytes, b: bytes) -> list[Difference]:
    """Compare two payloads both ways, which must find the same."""
    found, reverse = compare_payloads(a, b, LAST), compare_payloads(b, a, LAST)
    assert [(difference.kind, difference.aspect) for difference in found] == [
        (difference.kind, difference.aspect) for difference in reverse
    ]
    return found


def in_code(a: bytes, b: bytes) -> list[str]:
    return [str(difference) for difference in compared(a, b) if difference.kind == CODE]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (NAN, "nan"),
        (COMPLEX, "complex(1.0, nan)"),
        (list_of(), "[]"),
        (dict_of(), "{}"),
        (many(b"<", integer(1)), "{1}"),
        (list_of(NAN), "[nan]"),
    ],
)
def test_one_object_or_two(value: bytes, shown: str) -> None:
    one, two = of(flagged(value), ref(0)), of(value, value)
    assert in_code(one, two) == [f"in <module>: identity of {shown}: one object against two objects"]
    assert str(compare_payloads(two, one, LAST)[0]).endswith("two objects against one object")


@pytest.mark.parametrize("value", [integer(7), binary_float(1.5), text("a b"), small_tuple(text("a b"))])
def test_other_objects_are_interchangeable(value: bytes) -> None:
    found = compared(of(flagged(value), ref(0)), of(value, value))
    assert {(difference.kind, difference.aspect) for difference in found} == {(ENCODING, SHARING)}


def test_containers_of_one_object_or_two() -> None:
    """Tuples of equal value, whose NaNs are not the same; a program sees it in ``a == b``."""
    same = of(small_tuple(flagged(NAN)), small_tuple(ref(0)))
    shared = of(flagged(small_tuple(NAN)), ref(0))
    different = of(small_tuple(NAN), small_tuple(NAN))
    assert in_code(same, shared) == []
    assert len(in_code(same, different)) == len(in_code(shared, different)) == 1


def test_another_of_two_objects() -> None:
    first, second = (of(flagged(NAN), flagged(NAN), ref(index)) for index in (0, 1))
    assert len(in_code(first, second)) == 1


def test_in_functions() -> None:
    def function(constant: bytes) -> bytes:
        fields = {"name": text("f"), "qualname": text("f"), "consts": small_tuple(constant)}
        return payloads.code(LAST, fields, stacksize=3)

    shared, apart = (of(flagged(NAN), function(constant)) for constant in (ref(0), NAN))
    assert in_code(shared, apart) == ["in f: identity of nan: one object against two objects"]


def test_in_sets() -> None:
    """The elements of a set correspond by value, in whichever order they are written."""
    elements = [NAN, binary_float(1.5), text("a b")]
    a, b = (of(frozenset_of(*ordered)) for ordered in (elements, elements[::-1]))
    assert [(difference.kind, difference.aspect) for difference in compared(a, b)] == [(ENCODING, SET_ORDER)]
    assert in_code(of(frozenset_of(NAN, NAN)), of(frozenset_of(flagged(NAN), NAN))) == []
    outside, inside = (of(flagged(NAN), frozenset_of(element)) for element in (NAN, ref(0)))
    assert len(in_code(outside, inside)) == 1


def test_outside_of_code() -> None:
    one, two = small_tuple(flagged(NAN), ref(0)), small_tuple(NAN, NAN)
    assert in_code(one, two) == ["identity of nan: one object against two objects"]


def test_beside_other_differences() -> None:
    """A difference that a patch release explains, such as one in instructions, must not hide another identity."""
    code = {"code": byte_string(b"\x09\x00")}
    shared = payloads.code(LAST, {"consts": small_tuple(flagged(NAN), ref(0))})
    apart = payloads.code(LAST, {**code, "consts": small_tuple(NAN, NAN)})
    assert in_code(shared, apart) == [
        "in <module>: instruction at 0: nothing against opcode 9 0",
        "in <module>: identity of nan: one object against two objects",
    ]


def test_another_number_of_constants() -> None:
    assert len(in_code(of(NAN, NAN), of(NAN, integer(1), NAN))) == 1


SOURCE = b"A = 1e999 - 1e999\nB = 1e999 - 1e999\nprint(A in [B])\n"


def test_every_interpreter(interpreter: Interpreter) -> None:
    """A pyc in which B is A: the values are equal, and the program prints something else."""
    (outcome,) = byte_compile(interpreter, [Source("m.py", SOURCE)], [0], lambda _, outcome: outcome)
    assert isinstance(outcome, Compiled)
    (payload,) = outcome.payloads
    nodes = read_payload(payload, interpreter.version)
    first, second = (node for node in constants(nodes, nodes.sequence[0]) if is_nan(nodes, node))
    for container, children in nodes.children.items():
        nodes.children[container] = tuple(first if child == second else child for child in children)
    arrange(nodes)
    tampered = write_payload(nodes, [])

    assert [run(interpreter, code) for code in (payload, tampered)] == ["False", "True"]
    found = [str(found) for found in compare_payloads(tampered, payload, interpreter.version) if found.kind == CODE]
    assert len(found) == 1
    assert found[0].endswith("nan: one object against two objects")


def run(interpreter: Interpreter, payload: bytes) -> str:
    command = [interpreter.path, "-I", "-S", "-c", "import marshal, sys; exec(marshal.load(sys.stdin.buffer))"]
    return subprocess.run(command, input=payload, capture_output=True, check=True).stdout.decode().strip()
