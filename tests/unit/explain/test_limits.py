"""Payloads that are small for what they refer to: the work is limited, and no kind of difference is hidden."""

from __future__ import annotations

import tracemalloc

import pytest

from detpyc.bytecode.reader import read_payload
from detpyc.explain import describe, payloads, tables
from detpyc.explain.difference import CODE, ENCODING
from detpyc.explain.payloads import compare_payloads
from payloads import LAST, byte_string, code, flagged, integer, ref, sized, small_tuple, text

SIZE = 1 << 20


def function(name: str, number: int, **fields: bytes) -> bytes:
    return code(LAST, {"name": text(name), "qualname": text(name), **fields}, stacksize=number)


def module(*constants: bytes) -> bytes:
    return code(LAST, {"consts": small_tuple(*constants)})


def aspects(a: bytes, b: bytes) -> list[str]:
    return [difference.aspect for difference in compare_payloads(a, b, LAST) if difference.kind == CODE]


@pytest.mark.parametrize("payload", [sized(b"a", b"x" * SIZE), byte_string(b"x" * SIZE)])
def test_long_values_are_not_copied(payload: bytes) -> None:
    nodes = read_payload(payload, LAST)
    tracemalloc.start()
    try:
        describe.value(nodes, nodes.sequence[0])
        if payload[:1] == b"a":
            describe.name(nodes.sequence[0])
        assert tracemalloc.get_traced_memory()[1] < SIZE // 16
    finally:
        tracemalloc.stop()


def test_large_payloads_are_compared_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payloads, "MAX_OBJECTS", 10)
    pair = small_tuple(text("a b"), integer(1))
    a, same, other = module(flagged(pair), ref(0)), module(pair, pair), module(pair, integer(2))
    for pairs, kind in (((a, same), ENCODING), ((a, other), CODE), ((other, a), CODE)):
        (found,) = compare_payloads(*pairs, LAST)
        assert (found.kind, found.aspect) == (kind, "payload")


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Collect the sizes of the tables that are decoded."""
    sizes: list[int] = []

    def counted(name: str) -> None:
        decode = getattr(tables, name)

        def decode_and_count(a: bytes, b: bytes, *arguments: object) -> object:
            sizes.append(len(a) + len(b))
            return decode(a, b, *arguments)

        monkeypatch.setattr(payloads, name, decode_and_count)

    for name in ("first_instructions", "first_exceptions", "first_lines", "first_columns"):
        counted(name)
    return sizes


@pytest.mark.parametrize(
    ("field", "aspect"), [("code", "instruction"), ("exceptiontable", "exception table"), ("linetable", "line table")]
)
def test_tables_in_all_pairs(field: str, aspect: str, decoded: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten large tables and ten others, each compared with each: a hundred pairs."""
    monkeypatch.setattr(payloads, "MAX_STEPS", 50_000)

    def with_tables(last: int) -> bytes:
        shared = (flagged(byte_string(bytes(10_000) + bytes([last, number]))) for number in range(10))
        order = [divmod(number, 10)[number % 2 ^ (last & 1)] for number in range(100)]
        functions = (function(f"f{number}", 2, **{field: ref(order[number])}) for number in range(100))
        return module(*shared, *functions)

    found = aspects(with_tables(2), with_tables(3))

    assert sum(decoded) <= 50_000
    assert found.count(aspect) > 50
    assert {"constant", aspect} <= set(found) <= {"constant", "line", "columns", aspect}


@pytest.mark.parametrize(("field", "aspect"), [("consts", "constant"), ("names", "names")])
def test_many_items(field: str, aspect: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payloads, "MAX_STEPS", 100)
    items = [text(f"n{number}") for number in range(200)]
    a, b = (code(LAST, {field: small_tuple(*items, text(last))}) for last in ("a", "b"))
    assert aspects(a, b) == [aspect]


def test_many_code_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payloads, "MAX_STEPS", 500)
    a, b = (module(*(function(f"f{number}", number + extra) for number in range(50))) for extra in (0, 100))
    found = aspects(a, b)
    assert 5 < len(found) < 50
    assert found[-1] == "payload"
    assert set(found) == {"stacksize", "payload"}


def test_many_differences_of_one_aspect_do_not_hide_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payloads, "MAX_OF_ASPECT", 3)

    def changed(instruction: bytes, last: bytes) -> bytes:
        functions = (function(f"f{number}", number, code=byte_string(instruction)) for number in range(20))
        return module(*functions, function("last", 1, names=small_tuple(last)))

    found = aspects(changed(b"\x09\x00", text("a")), changed(b"\x09\x01", text("b")))
    assert found == ["instruction"] * 3 + ["names"]


def test_one_code_object_in_place_of_two() -> None:
    """The second occurrence is compared as well: it may differ in something else."""
    one = function("f", 1, code=byte_string(b"\x09\x00"))
    first = function("f", 1, code=byte_string(b"\x09\x01"))
    second = function("f", 1, code=byte_string(b"\x09\x00"), consts=small_tuple(integer(1)))

    found = aspects(module(flagged(one), small_tuple(), ref(0)), module(first, small_tuple(), second))

    assert {"instruction", "constant"} <= set(found)
