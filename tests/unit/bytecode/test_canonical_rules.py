"""The rules of canonical form 1, each on a payload spelled out by hand."""

from __future__ import annotations

import itertools
import struct
import sys
from typing import TYPE_CHECKING

import pytest

import payloads
from detpyc.bytecode.canonical import canonicalize, canonicalize_pyc
from detpyc.bytecode.header import MAGIC_NUMBERS, InvalidationMode, PycHeader
from detpyc.errors import BytecodeError
from payloads import (
    ELLIPSIS,
    FALSE,
    NONE,
    STOP_ITERATION,
    TRUE,
    binary_float,
    byte_string,
    dict_of,
    flagged,
    frozenset_of,
    integer,
    interned,
    list_of,
    long,
    many,
    ref,
    sized,
    small_tuple,
    text,
)

if TYPE_CHECKING:
    from collections.abc import Callable

LAST = payloads.LAST
VERSIONS = [(3, minor) for minor in range(8, 16)]
NAN = float("nan")
OTHER_NAN = struct.unpack("<d", struct.pack("<Q", 0x7FF8000000000001))[0]
PAIR = small_tuple(text("a b"), integer(7))


def slice_of(*parts: bytes) -> bytes:
    return b":" + b"".join(parts)


def frozendict_of(*items: bytes) -> bytes:
    return dict_of(*items, code=b"}")


# Sharing by value and reference flags


@pytest.mark.parametrize(
    "value",
    [
        integer(5),
        long(1, 2, 3),
        binary_float(-0.0),
        b"y" + struct.pack("<dd", 0.0, -0.0),
        byte_string(b"ab"),
        text("a b"),
        interned("ab"),
        sized(b"t", "naïve".encode()),
        PAIR,
        frozenset_of(integer(1), text("a b")),
        slice_of(integer(1), NONE, NONE),
        frozendict_of(text("a b"), integer(1)),
        payloads.code(LAST, {"name": text("<f>")}),
    ],
    ids=lambda value: chr(value[0]),
)
def test_equal_values_become_one(value: bytes) -> None:
    separate = canonicalize(small_tuple(value, value, value), LAST)

    assert separate == canonicalize(small_tuple(flagged(value), ref(0), ref(0)), LAST)
    assert separate.endswith(ref(0) * 2)
    assert len(separate) == len(small_tuple(canonicalize(value, LAST), ref(0), ref(0)))


def test_flag_only_on_what_occurs_again() -> None:
    written = flagged(small_tuple(flagged(text("a b")), flagged(PAIR), flagged(integer(7)), flagged(NONE)))

    assert canonicalize(written, LAST) == small_tuple(
        flagged(text("a b")), small_tuple(ref(0), flagged(integer(7))), ref(1), NONE
    )


def test_references_count_flagged_objects_as_they_start() -> None:
    written = small_tuple(small_tuple(PAIR, text("a b")), small_tuple(PAIR, text("a b")), integer(7), PAIR)
    inner = flagged(small_tuple(flagged(text("a b")), flagged(integer(7))))

    assert canonicalize(written, LAST) == small_tuple(flagged(small_tuple(inner, ref(2))), ref(0), ref(3), ref(1))


def test_singletons_are_neither_flagged_nor_referenced() -> None:
    singletons = (NONE, TRUE, FALSE, ELLIPSIS, STOP_ITERATION)

    assert canonicalize(small_tuple(*map(flagged, singletons), *singletons), LAST) == small_tuple(*singletons * 2)


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_empty_tuple_is_a_singleton(version: tuple[int, int]) -> None:
    """However it is written, shared or flagged, it is written in full and not counted."""
    empty, other = small_tuple(), flagged(text("a b"))
    canonical = small_tuple(empty, other, empty, empty, ref(0))

    for written in (empty, many(b"(")):
        assert canonicalize(small_tuple(written, other, written, written, ref(0)), version) == canonical
        assert canonicalize(small_tuple(flagged(written), other, ref(0), ref(0), ref(1)), version) == canonical
    assert canonicalize(flagged(empty), version) == canonicalize(flagged(many(b"(")), version) == empty


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_empty_tuples_in_a_code_object(version: tuple[int, int]) -> None:
    tuples = {"consts", "names", "varnames", "freevars", "cellvars", "localsplusnames"}
    fields = [name for name in payloads.fields_of(version) if name in tuples]
    shared = payloads.code(version, {fields[0]: flagged(small_tuple()), **dict.fromkeys(fields[1:], ref(0))})

    canonical = canonicalize(shared, version)

    assert canonical == canonicalize(payloads.code(version), version)
    assert canonical.count(small_tuple()) == len(fields)


def test_empty_tuple_in_a_set() -> None:
    elements = [small_tuple(), small_tuple(small_tuple(), integer(1)), NONE]

    assert canonicalize(frozenset_of(*elements[::-1]), LAST) == frozenset_of(*elements)


def test_values_of_different_types_or_bits_stay_apart() -> None:
    apart = small_tuple(
        *(integer(1), TRUE, binary_float(1.0), b"y" + struct.pack("<dd", 1.0, 0.0)),
        *(integer(0), FALSE, binary_float(0.0), binary_float(-0.0)),
        *(b"y" + struct.pack("<dd", *parts) for parts in itertools.product((0.0, -0.0), repeat=2)),
        *(interned("a"), byte_string(b"a"), integer(ord("a"))),
        *(
            small_tuple(),
            frozenset_of(),
            list_of(),
            many(b"<"),
            dict_of(),
            frozendict_of(),
            interned(""),
            byte_string(b""),
        ),
        *(small_tuple(NONE, NONE, NONE), slice_of(NONE, NONE, NONE)),
        *(small_tuple(TRUE), frozenset_of(TRUE)),
    )

    assert canonicalize(apart, LAST) == apart


@pytest.mark.parametrize(
    "changed",
    [
        payloads.code(firstlineno=2),
        payloads.code(stacksize=2),
        *(payloads.code(LAST, {name: byte_string(b"x")}) for name in ("code", "linetable", "exceptiontable")),
        *(payloads.code(LAST, {name: text("x-")}) for name in ("filename", "name", "qualname")),
        *(payloads.code(LAST, {name: small_tuple(text("x-"))}) for name in ("consts", "names", "localsplusnames")),
    ],
)
def test_code_objects_that_differ_in_one_field_stay_apart(changed: bytes) -> None:
    written = small_tuple(payloads.code(), changed)

    canonical = canonicalize(written, LAST)

    assert canonical.count(b"c") - canonical.count(b"\xe3") == 2


@pytest.mark.parametrize("mutable", [list_of(), dict_of(), many(b"<"), list_of(integer(1))])
def test_mutable_objects_are_distinguished_by_identity(mutable: bytes) -> None:
    two = small_tuple(mutable, mutable)
    one = small_tuple(flagged(mutable), ref(0))

    assert canonicalize(two, LAST).count(mutable[:5]) == 2
    assert canonicalize(one, LAST) == one


@pytest.mark.parametrize(
    "nan", [binary_float(NAN), b"y" + struct.pack("<dd", NAN, 0.0), b"y" + struct.pack("<dd", 0.0, NAN)]
)
def test_nan_is_distinguished_by_identity(nan: bytes) -> None:
    one = small_tuple(flagged(nan), ref(0))

    assert canonicalize(frozenset_of(nan, nan), LAST) == frozenset_of(nan, nan)
    assert canonicalize(small_tuple(nan, nan), LAST) == small_tuple(nan, nan)
    assert canonicalize(one, LAST) == one


def test_nan_keeps_its_bits() -> None:
    written = small_tuple(binary_float(NAN), binary_float(OTHER_NAN), binary_float(-NAN))

    assert canonicalize(written, LAST) == written


# Order of sets


@pytest.mark.parametrize("code", [b"<", b">"])
def test_sets_are_ordered_by_the_encodings_of_their_elements(code: bytes) -> None:
    # By their bytes: ")", ">", "N", "T", "Z", "g", "i" (little endian), "s", "z".
    ordered = [
        *(small_tuple(integer(1)), frozenset_of(integer(2)), NONE, TRUE),
        *(interned("b"), interned("aa"), binary_float(2.0), integer(256), integer(3)),
        *(byte_string(b"a"), text("-"), text("a b")),
    ]

    for elements in (ordered, ordered[::-1], ordered[5:] + ordered[:5]):
        assert canonicalize(many(code, *elements), LAST) == many(code, *ordered)


def test_order_of_a_set_does_not_see_references() -> None:
    first, second = small_tuple(text("a b")), small_tuple(text("c d"))
    canonical = small_tuple(flagged(text("c d")), frozenset_of(small_tuple(text("a b")), small_tuple(ref(0))))

    for elements in itertools.permutations([first, second]):
        assert canonicalize(small_tuple(text("c d"), frozenset_of(*elements)), LAST) == canonical
    shared = small_tuple(flagged(text("c d")), frozenset_of(small_tuple(ref(0)), first))
    assert canonicalize(shared, LAST) == canonical


def test_sets_that_differ_in_order_alone_are_one() -> None:
    elements = [integer(1), text("a b"), frozenset_of(integer(2), integer(3))]
    turned = [frozenset_of(integer(3), integer(2)), text("a b"), integer(1)]

    canonical = canonicalize(small_tuple(frozenset_of(*elements), frozenset_of(*turned)), LAST)

    assert canonical.endswith(ref(0))
    assert canonical == canonicalize(small_tuple(frozenset_of(*turned), frozenset_of(*elements)), LAST)


def test_order_of_a_set_in_a_set_is_settled_first() -> None:
    inner = [frozenset_of(integer(1), integer(2)), frozenset_of(integer(3), integer(4))]
    turned = [frozenset_of(integer(4), integer(3)), frozenset_of(integer(2), integer(1))]

    assert canonicalize(frozenset_of(*turned), LAST) == frozenset_of(*inner)


@pytest.mark.parametrize("code", [b"{", b"}"])
def test_dicts_keep_their_order(code: bytes) -> None:
    written = dict_of(text("b-"), integer(1), text("a-"), integer(2), code=code)

    assert canonicalize(written, LAST) == written


# Interning


@pytest.mark.parametrize(
    ("content", "canonical"),
    [
        ("", b"Z\0"),
        ("Name_09", b"Z\x07Name_09"),
        ("0", b"Z\x010"),
        ("-", b"z\x01-"),
        ("two words", b"z\x09two words"),
        ("a.b", b"z\x03a.b"),
        ("line\n", b"z\x05line\n"),
        ("x" * 255, b"Z\xff" + b"x" * 255),
        ("x" * 256, b"A\0\x01\0\0" + b"x" * 256),
        ("-" * 255, b"z\xff" + b"-" * 255),
        ("-" * 256, b"a\0\x01\0\0" + b"-" * 256),
        ("é", b"u\x02\0\0\0\xc3\xa9"),
        ("٣", b"u\x02\0\0\0\xd9\xa3"),  # a digit, but not of [0-9]
        ("\ud800", b"u\x03\0\0\0\xed\xa0\x80"),
    ],
)
def test_type_code_of_a_string_follows_from_its_content(content: str, canonical: bytes) -> None:
    encoded = content.encode("utf-8", "surrogatepass")
    written = [sized(b"u", encoded), sized(b"t", encoded)]
    if encoded.isascii():
        written += [sized(b"a", encoded), sized(b"A", encoded)]
    if encoded.isascii() and len(encoded) < 256:
        written += [text(content), interned(content)]

    assert {canonicalize(payload, LAST) for payload in written} == {canonical}


def fields_of_names(version: tuple[int, int]) -> list[str]:
    if version < (3, 11):
        return ["names", "varnames", "freevars", "cellvars", "name"]
    return ["names", "localsplusnames", "name"]


@pytest.mark.parametrize(
    ("version", "field"), [(version, field) for version in VERSIONS for field in fields_of_names(version)], ids=str
)
@pytest.mark.parametrize("written", [text, interned])
def test_identifiers_are_interned(version: tuple[int, int], field: str, written: Callable[[str], bytes]) -> None:
    identifier = written("<a-b>")
    value = identifier if field == "name" else small_tuple(text("c-"), identifier)

    canonical = canonicalize(payloads.code(version, {field: value}), version)

    assert interned("<a-b>") in canonical


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_other_strings_of_a_code_object_are_not_interned(version: tuple[int, int]) -> None:
    written = payloads.code(
        version, {"filename": interned("a/b.py"), "consts": small_tuple(interned("a-b"), interned("c-d"))}
    )

    canonical = canonicalize(written, version)

    assert all(text(content) in canonical for content in ("a/b.py", "a-b", "c-d"))


@pytest.mark.parametrize("version", [version for version in VERSIONS if version >= (3, 11)], ids=str)
@pytest.mark.parametrize("written", [text, interned])
def test_qualified_name_is_not_an_identifier(version: tuple[int, int], written: Callable[[str], bytes]) -> None:
    """Unless it is also a name, or consists of the characters of one."""
    qualified, plain = written("A.f"), written("A_f")

    assert text("A.f") in canonicalize(payloads.code(version, {"qualname": qualified}), version)
    assert interned("A_f") in canonicalize(payloads.code(version, {"qualname": plain}), version)
    both = payloads.code(version, {"qualname": qualified, "names": small_tuple(qualified)})
    assert flagged(interned("A.f")) in canonicalize(both, version)


def test_identifier_is_interned_wherever_it_occurs() -> None:
    """Also where it is first written: in a constant that comes before, and in a code object further down."""
    inner = payloads.code(LAST, {"names": small_tuple(text("a-b"))})
    written = payloads.code(LAST, {"consts": small_tuple(small_tuple(text("a-b")), inner)})

    canonical = canonicalize(written, LAST)

    assert flagged(small_tuple(interned("a-b"))) in canonical
    assert canonical.count(b"a-b") == 1


def test_interning_takes_part_in_the_order_of_sets() -> None:
    elements = [interned("c-d"), text("a-b")]
    alone = canonicalize(frozenset_of(*elements), LAST)
    beside_a_name = canonicalize(
        payloads.code(LAST, {"names": small_tuple(text("c-d")), "consts": small_tuple(frozenset_of(*elements))}), LAST
    )

    assert alone == frozenset_of(text("a-b"), text("c-d"))
    assert frozenset_of(flagged(interned("c-d")), text("a-b")) in beside_a_name


# Shortest type codes


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        (long(), integer(0)),
        (long(5), integer(5)),
        (long(5, negative=True), integer(-5)),
        (long(0x7FFF, 0x7FFF, 1), integer(2**31 - 1)),
        (long(0, 0, 2, negative=True), integer(-(2**31))),
        (long(0, 0, 2), long(0, 0, 2)),
        (long(1, 0, 2, negative=True), long(1, 0, 2, negative=True)),
        (long(0, 0, 0, 1), long(0, 0, 0, 1)),
        (b"f\x031.5", binary_float(1.5)),
        (b"f\x02-0", binary_float(-0.0)),
        (b"f\x051e-07", binary_float(1e-07)),
        (b"f\x171.7976931348623157e+308", binary_float(sys.float_info.max)),
        (b"f\x04-inf", binary_float(float("-inf"))),
        (b"x\x02-0\x032.5", b"y" + struct.pack("<dd", -0.0, 2.5)),
        (many(b"(", integer(1)), small_tuple(integer(1))),
        (many(b"("), small_tuple()),
        (many(b"(", *[NONE] * 255), small_tuple(*[NONE] * 255)),
        (many(b"(", *[NONE] * 256), many(b"(", *[NONE] * 256)),
    ],
)
def test_shortest_type_code(written: bytes, canonical: bytes) -> None:
    assert canonicalize(written, LAST) == canonical


def test_equal_values_in_different_encodings_become_one() -> None:
    assert canonicalize(
        small_tuple(integer(5), long(5), binary_float(1.5), b"f\x031.5", text("a b"), sized(b"t", b"a b")), LAST
    ) == small_tuple(flagged(integer(5)), ref(0), flagged(binary_float(1.5)), ref(1), flagged(text("a b")), ref(2))


# Releases


@pytest.mark.parametrize(
    ("written", "since"), [(slice_of(NONE, integer(1), NONE), (3, 14)), (frozendict_of(NONE, integer(1)), (3, 15))]
)
def test_types_of_later_releases(written: bytes, since: tuple[int, int]) -> None:
    for version in VERSIONS:
        if version >= since:
            assert canonicalize(written, version) == written
        else:
            with pytest.raises(BytecodeError, match="type code"):
                canonicalize(written, version)


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_code_object_of_every_release(version: tuple[int, int]) -> None:
    """A code object whose fields are all different needs no change, so every field is in its place."""
    fields: dict[str, bytes] = {}
    for number, name in enumerate(payloads.fields_of(version)):
        if name in {"code", "localspluskinds", "linetable", "exceptiontable"}:
            fields[name] = byte_string(bytes([number]))
        elif name in {"filename", "name", "qualname"}:
            fields[name] = interned(name)
        else:
            fields[name] = small_tuple(interned(f"of_{name}"))
    written = payloads.code(version, fields, firstlineno=0x65656565)

    assert canonicalize(written, version) == written


@pytest.mark.parametrize("magic_number", sorted(MAGIC_NUMBERS))
def test_pyc_keeps_its_header(magic_number: int) -> None:
    header = PycHeader(magic_number, InvalidationMode.TIMESTAMP, mtime=7, source_size=9).to_bytes()
    payload = payloads.code(MAGIC_NUMBERS[magic_number])

    assert canonicalize_pyc(header + payload) == header + canonicalize(payload, MAGIC_NUMBERS[magic_number])
