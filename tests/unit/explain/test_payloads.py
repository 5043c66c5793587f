"""The differences between two payloads: of which kind (path, code, encoding), and where."""

from __future__ import annotations

import marshal
import sys
from dataclasses import replace
from types import CodeType
from typing import TYPE_CHECKING, Any

import pytest

import payloads
from detpyc.bytecode.canonical import canonicalize
from detpyc.compilation import interpreters
from detpyc.explain import encoding
from detpyc.explain.difference import CODE, ENCODING, PATH, Difference
from detpyc.explain.instructions import Opcode
from detpyc.explain.payloads import compare_payloads
from payloads import (
    FIRST,
    LAST,
    NONE,
    byte_string,
    flagged,
    frozenset_of,
    integer,
    interned,
    many,
    ref,
    small_tuple,
    text,
    u32,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from detpyc.explain.instructions import Opcodes

HERE = (sys.version_info.major, sys.version_info.minor)
SOURCE = """
def f(x, y=1):
    return x.attribute + 1000

class C:
    def g(self):
        try:
            return [self, lambda: 0]
        except ValueError:
            return "g"
"""


def compiled(source: str, path: str = "demo/core.py") -> bytes:
    code = compile(source, path, "exec", dont_inherit=True)
    return canonicalize(marshal.dumps(code), HERE)


def edited(old: str, new: str) -> list[Difference]:
    """Explain the differences that an edit of the source makes to the code."""
    changed = SOURCE.replace(old, new)
    assert changed != SOURCE
    opcodes = interpreters.opcodes(interpreters.current())
    return [
        difference
        for difference in compare_payloads(compiled(SOURCE), compiled(changed), HERE, opcodes)
        if difference.kind == CODE
    ]


def of(fields: Mapping[str, bytes], version: tuple[int, int] = LAST, **numbers: int) -> bytes:
    return payloads.code(version, fields, **numbers)


def the_one(a: bytes, b: bytes, version: tuple[int, int] = LAST, opcodes: Opcodes | None = None) -> Difference:
    """Explain the only difference, what it means for sharing in the payload aside."""
    found = compare_payloads(a, b, version, opcodes)
    (difference,) = [difference for difference in found if difference.kind != ENCODING] or found
    return difference


def test_equal_payloads() -> None:
    assert compare_payloads(compiled(SOURCE), compiled(SOURCE), HERE) == []


def test_constant() -> None:
    (function,) = (code for code in functions(module()) if code.co_name == "f")
    index = str(function.co_consts.index(1000))
    assert edited("1000", "1001") == [Difference(CODE, "constant", "f", index, "1000", "1001")]


def module() -> CodeType:
    return compile(SOURCE, "demo/core.py", "exec", dont_inherit=True)


def test_name() -> None:
    assert edited("attribute", "Attribute") == [Difference(CODE, "names", "f", "0", "'attribute'", "'Attribute'")]


def test_default() -> None:
    (difference,) = edited("y=1", "y=2")
    assert (difference.aspect, difference.where) == ("constant", "<module>")
    assert ("1" in difference.a, "2" in difference.b) == (True, True)


def test_instruction() -> None:
    differences = edited(" + ", " - ")
    assert [(difference.aspect, difference.where) for difference in differences] == [("instruction", "f")]
    assert differences[0].what.startswith("at ")
    assert differences[0].a.startswith("BINARY_")
    assert differences[0].a != differences[0].b


# Since 3.13, the body of a class stores its first line: a constant, and from 3.14 on the argument of an instruction.
CLASS_LINE = {"instruction"} if HERE >= (3, 14) else {"constant"} if HERE >= (3, 13) else set()


def test_line() -> None:
    differences = edited("y=1):\n", "y=1):\n\n")
    assert {difference.aspect for difference in differences} == {"line", "firstlineno", *CLASS_LINE}
    (first,) = (difference for difference in differences if difference.where == "f")
    assert (first.aspect, first.a, first.b) == ("line", "3", "4")


@pytest.mark.skipif(HERE < (3, 11), reason="there are no columns before 3.11")
def test_columns() -> None:
    module, function = edited("return x.", "return  x.")
    assert (module.aspect, module.where) == ("columns", "<module>")
    assert (function.aspect, function.where) == ("columns", "f")
    assert function.a.startswith("columns 11 to")
    assert function.b.startswith("columns 12 to")


def test_lines_are_reported_last() -> None:
    aspects = [
        difference.aspect for difference in edited("y=1):\n    return x.attribute", "y=1):\n\n    return x.property")
    ]
    reported_last = [aspect in {"line", "columns", "firstlineno"} for aspect in aspects]
    assert aspects[0] == "names"
    assert any(reported_last)
    assert reported_last == sorted(reported_last)


def test_added_function() -> None:
    differences = edited('return "g"', 'return lambda: "g"')
    added = [difference for difference in differences if difference.aspect == "constant"]
    assert [(difference.where, difference.a, difference.b) for difference in added] == [
        ("C.g", "'g'", "<code <lambda>>")
    ]


def test_nested_function_is_named() -> None:
    assert {difference.where for difference in edited("lambda: 0", "lambda: 1")} == {"C.g.<locals>.<lambda>"}


@pytest.mark.skipif(HERE < (3, 11), reason="there is no exception table before 3.11")
def test_exception_table() -> None:
    payload = compiled(SOURCE)
    codes: list[Any] = [*functions(module())]
    (table,) = (code.co_exceptiontable for code in codes if code.co_name == "g")
    tampered = payload.replace(table, bytes([table[0] ^ 1]) + table[1:])
    (difference,) = compare_payloads(payload, tampered, HERE)
    assert (difference.aspect, difference.where, difference.what) == ("exception table", "C.g", "entry 0")
    assert "->" in difference.a


def functions(code: CodeType) -> list[CodeType]:
    return [code, *(code for inner in code.co_consts if isinstance(inner, CodeType) for code in functions(inner))]


def test_path_is_a_kind_of_its_own() -> None:
    (difference,) = compare_payloads(compiled(SOURCE), compiled(SOURCE, "/src/core.py"), HERE)
    assert difference == Difference(PATH, "recorded path", "", "", "'demo/core.py'", "'/src/core.py'")


def test_path_of_one_function_alone_is_code() -> None:
    inner = of({"filename": text("b.py"), "name": text("f"), "qualname": text("f")})
    a, b = (of({"consts": small_tuple(code)}) for code in (inner, inner.replace(text("b.py"), text("c.py"))))
    assert the_one(a, b) == Difference(CODE, "filename", "f", "", "'b.py'", "'c.py'")


@pytest.mark.parametrize("version", [FIRST, (3, 10), LAST], ids=str)
def test_numbers(version: tuple[int, int]) -> None:
    a, b = of({}, version, stacksize=1), of({}, version, stacksize=2)
    assert the_one(a, b, version) == Difference(CODE, "stacksize", "<module>", "", "1", "2")


def test_flags_by_name() -> None:
    flags, other = u32(1) + u32(64), u32(1) + u32(0x80000003)
    difference = the_one(of({}), of({}).replace(flags, other, 1))
    assert (difference.aspect, difference.a, difference.b) == ("flags", "NOFREE", "OPTIMIZED, NEWLOCALS, 0x80000000")


def test_line_that_is_none_and_table_that_ends() -> None:
    line, none = b"\xd8\x00\x00", b"\xf8"  # 11: a short entry would have columns; 15: no location
    a, b = of({"linetable": byte_string(line)}), of({"linetable": byte_string(none)})
    difference = the_one(a, b)
    assert (difference.aspect, difference.a, difference.b) == ("line", "2", "no line")
    assert the_one(a, of({"linetable": byte_string(b"")})).aspect == "line"


def test_line_table_written_otherwise() -> None:
    """One entry of two units, and two entries of one: the same lines in other bytes."""
    a, b = (of({"linetable": byte_string(table)}, (3, 10)) for table in (b"\x04\x00", b"\x02\x00\x02\x00"))
    difference = the_one(a, b, (3, 10))
    assert difference.kind == CODE
    assert difference.aspect in {"line table", "columns"}


def test_order_of_constants() -> None:
    a, b = (of({"consts": small_tuple(*items)}) for items in ((integer(1), NONE), (NONE, integer(1))))
    assert the_one(a, b) == Difference(CODE, "constant", "<module>", "0", "1", "None", 2)


def test_constants_added_and_removed() -> None:
    a = of({"consts": small_tuple(integer(1), integer(2), NONE)})
    b = of({"consts": small_tuple(NONE, integer(2))})
    assert the_one(a, b) == Difference(CODE, "constant", "<module>", "0", "1", "nothing")
    assert the_one(b, a) == Difference(CODE, "constant", "<module>", "0", "nothing", "1")


def test_code_objects_of_one_name_that_are_equal_are_not_confused() -> None:
    """A function put before another of its name: the old one is recognised, wherever it is now."""
    first, second = (of({"name": text("f"), "qualname": text("f")}, firstlineno=line) for line in (1, 2))
    a, b = of({"consts": small_tuple(second)}), of({"consts": small_tuple(first, second)})
    added = Difference(CODE, "constant", "<module>", "0", "nothing", "<code f>")
    assert [difference for difference in compare_payloads(a, b, LAST) if difference.kind == CODE] == [added]


TABLE = {1: Opcode("LOAD_CONST", refers="constant"), 2: Opcode("CALL", caches=1), 3: Opcode("NOP", has_argument=False)}


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        (b"\x01\x00", b"\x01\x01", "instruction at 0: LOAD_CONST 0 ('x') against LOAD_CONST 1 (out of range)"),
        (b"\x03\x00\x01\x00", b"\x03\x00", "instruction at 2: LOAD_CONST 0 ('x') against nothing"),
        (b"\x03\x00", b"\x03\x01", "instruction at 0: NOP against NOP 1"),
        (b"\x09\x05", b"\x03\x00", "instruction at 0: opcode 9 5 against NOP"),
        (b"\x02\x01\x00\x00", b"\x02\x01\x00\x07", "at 0: CALL 1, in bytes 02010000 against CALL 1, in bytes 02010007"),
    ],
)
def test_instructions(a: bytes, b: bytes, message: str) -> None:
    first, second = (
        of({"code": byte_string(instructions), "consts": small_tuple(text("x"))}) for instructions in (a, b)
    )
    assert str(the_one(first, second, opcodes=TABLE)).endswith(message)


def test_instructions_without_an_interpreter() -> None:
    first, second = (of({"code": byte_string(instructions)}) for instructions in (b"\x01\x02", b"\x01\x03"))
    assert str(the_one(first, second)) == "in <module>: instruction at 0: opcode 1 2 against opcode 1 3"


def test_no_code_at_all() -> None:
    assert the_one(integer(1), integer(2)) == Difference(CODE, "payload", "", "", "1", "2")
    assert the_one(integer(1), of({})).aspect == "payload"


PAIR = small_tuple(text("a b"), integer(7))


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (
            small_tuple(flagged(text("a b")), NONE),
            small_tuple(text("a b"), NONE),
            Difference(
                ENCODING,
                encoding.UNUSED_FLAGS,
                "<module>",
                "'a b'",
                "flagged and never referenced",
                "not flagged, or referenced",
            ),
        ),
        (
            small_tuple(flagged(PAIR), ref(0)),
            small_tuple(PAIR, PAIR),
            Difference(
                ENCODING, encoding.SHARING, "<module>", "('a b', 7)", "written once and shared", "written 2 times", 3
            ),
        ),
        (
            small_tuple(frozenset_of(text("a b"), text("c d"))),
            small_tuple(frozenset_of(text("c d"), text("a b"))),
            Difference(
                ENCODING,
                encoding.SET_ORDER,
                "<module>",
                "frozenset({'a b', 'c d'})",
                "'a b', 'c d'",
                "'c d', 'a b'",
            ),
        ),
        (
            small_tuple(interned("a b")),
            small_tuple(text("a b")),
            Difference(ENCODING, encoding.INTERNING, "<module>", "'a b'", "interned", "not interned"),
        ),
        (
            many(b"(", integer(7)),
            small_tuple(integer(7)),
            Difference(ENCODING, encoding.TYPE_CODES, "<module>", "(7,)", "'('", "')'"),
        ),
    ],
    ids=["flags", "sharing", "set order", "interning", "type codes"],
)
def test_encoding(a: bytes, b: bytes, expected: Difference) -> None:
    first, second = of({"consts": a}), of({"consts": b})
    assert compare_payloads(first, second, LAST) == [expected]
    assert compare_payloads(second, first, LAST) == [replace(expected, a=expected.b, b=expected.a)]


def test_set_order_is_shown_from_the_first_difference() -> None:
    numbers = [integer(number) for number in range(20)]
    swapped = [*numbers[:10], numbers[11], numbers[10], *numbers[12:]]
    a, b = (of({"consts": small_tuple(frozenset_of(*elements))}) for elements in (numbers, swapped))
    assert the_one(a, b).a == "..., 10, 11, 12, 13, 14, 15, 16, 17, ..."
    assert the_one(a, b).b == "..., 11, 10, 12, 13, 14, 15, 16, 17, ..."


def test_references_to_another_occurrence() -> None:
    """Each written twice and one of them referenced: the first, or the second."""
    a, b = (small_tuple(flagged(text("x")), flagged(text("x")), ref(number), ref(1 - number)) for number in (0, 1))
    difference = the_one(of({"consts": a}), of({"consts": b}))
    assert (difference.kind, difference.aspect) == (ENCODING, encoding.REFERENCES)


def test_encoding_does_not_hide_code() -> None:
    a = of({"consts": small_tuple(flagged(text("a b")), integer(1))})
    b = of({"consts": small_tuple(text("a b"), integer(2))})
    assert [difference.kind for difference in compare_payloads(a, b, LAST)] == [CODE, ENCODING]


@pytest.mark.parametrize(
    ("difference", "message"),
    [
        (Difference(CODE, "constant", "C.f", "3", "1", "2"), "in C.f: constant 3: 1 against 2"),
        (Difference(CODE, "names", "f", "0", "'a'", "'b'", 4), "in f: names 0 (the first of 4): 'a' against 'b'"),
        (Difference(PATH, "recorded path", "", "", "'a'", "'b'"), "recorded path: 'a' against 'b'"),
        (Difference(ENCODING, "sharing", "f", "()", "x", "y", 2), "in f: sharing (2, first ()): x against y"),
    ],
)
def test_one_line(difference: Difference, message: str) -> None:
    assert str(difference) == message
