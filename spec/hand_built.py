"""The payloads of the vectors that are spelled out by hand: what no CPython would write, and every type code."""

import itertools
import struct
from collections.abc import Callable, Iterator

from payloads import (
    ELLIPSIS,
    FALSE,
    FIRST,
    LAST,
    NONE,
    STOP_ITERATION,
    TRUE,
    binary_float,
    byte_string,
    code,
    dict_of,
    fields_of,
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
    u32,
)

Version = tuple[int, int]
Payload = bytes | list[tuple[bytes, int]]  # or parts, and how often each is repeated
Case = tuple[str, str, Payload]  # the rule, the name, the payload

NAN = binary_float(float("nan"))
PAIR = small_tuple(text("a b"), integer(7))
EMPTY = small_tuple()
SINGLETONS = {"None": NONE, "True": TRUE, "False": FALSE, "Ellipsis": ELLIPSIS, "StopIteration": STOP_ITERATION}
BYTES_FIELDS = {"code", "localspluskinds", "linetable", "exceptiontable"}
STRING_FIELDS = {"filename", "name", "qualname"}
MAX_LEVELS, MAX_COUNT, MAX_SETS = 2000, 1 << 20, 1 << 24
LIST_OF_CLAIMS = 10_000


def complex_(real: float, imaginary: float) -> bytes:
    """Encode a complex."""
    return b"y" + struct.pack("<dd", real, imaginary)


def values(version: Version) -> dict[str, bytes]:
    """Return a value of every type that is compared by value."""
    found = {
        "int": integer(5),
        "long": long(1, 2, 3),
        "float": binary_float(-0.0),
        "complex": complex_(0.0, -0.0),
        "bytes": byte_string(b"ab"),
        "str": text("a b"),
        "interned str": interned("ab"),
        "str that is not ASCII": sized(b"u", "naïve".encode()),
        "tuple": PAIR,
        "frozenset": frozenset_of(integer(1), text("a b")),
        "code object": code(version, {"name": text("<f>")}),
    }
    if version >= (3, 14):
        found["slice"] = b":" + integer(1) + NONE + NONE
    if version >= (3, 15):
        found["frozendict"] = dict_of(text("a b"), integer(1), code=b"}")
    return found


def sharing(version: Version) -> Iterator[Case]:
    """Rules 1 to 3, and what is the same value."""
    for name, value in values(version).items():
        yield "sharing", f"{name} three times", small_tuple(value, value, value)
        yield "sharing", f"{name} once and two references", small_tuple(flagged(value), ref(0), ref(0))
        yield "flags", f"{name}, flagged, without references", flagged(small_tuple(flagged(value), integer(0)))
    yield (
        "sharing",
        "equal values in different encodings",
        small_tuple(
            *(
                integer(5),
                long(5),
                binary_float(1.5),
                b"f\x031.5",
                text("a b"),
                sized(b"t", b"a b"),
                sized(b"a", b"a b"),
            ),
            *(many(b"(", integer(5)), small_tuple(integer(5))),
        ),
    )
    yield (
        "flags",
        "slots are numbered as objects start",
        small_tuple(small_tuple(PAIR, text("a b")), small_tuple(PAIR, text("a b")), integer(7), PAIR),
    )
    yield (
        "flags",
        "a container takes its slot before its items",
        flagged(small_tuple(flagged(text("a b")), flagged(small_tuple(ref(1))), ref(2))),
    )
    for name, value in SINGLETONS.items():
        yield "singletons", f"{name}, flagged and not", small_tuple(flagged(value), value, flagged(text("a b")), ref(0))
    for name, value in {"short": EMPTY, "flagged": flagged(EMPTY), "long": many(b"(")}.items():
        yield "singletons", f"empty tuple, {name}", small_tuple(value, value, flagged(text("a b")), text("a b"))
    yield "singletons", "reference to an empty tuple", small_tuple(flagged(EMPTY), ref(0), flagged(text("-")), ref(1))
    yield "singletons", "end of a dict, flagged", list_of(b"{" + NONE + NONE + b"\xb0", b"{" + TRUE + NONE + b"0")
    yield (
        "values",
        "values that are not the same",
        small_tuple(
            *(
                integer(1),
                TRUE,
                binary_float(1.0),
                complex_(1.0, 0.0),
                long(1, 0, 0, 1),
                long(1, 0, 0, 1, negative=True),
            ),
            *(integer(0), FALSE, binary_float(0.0), binary_float(-0.0), complex_(0.0, -0.0), complex_(-0.0, 0.0)),
            *(
                interned("a"),
                byte_string(b"a"),
                EMPTY,
                frozenset_of(),
                list_of(),
                many(b"<"),
                dict_of(),
                byte_string(b""),
            ),
            *(small_tuple(NONE, NONE, NONE), small_tuple(TRUE), frozenset_of(TRUE), interned("")),
        ),
    )
    one, other = integer(1), integer(2)
    yield "values", "tuples in another order", list_of(small_tuple(one, other), small_tuple(other, one))
    if version >= (3, 14):
        yield "values", "slices in another order", list_of(b":" + one + other + NONE, b":" + other + one + NONE)
    two = [code(version), code(version, firstlineno=2), code(version, stacksize=2)]
    yield "values", "code objects that differ in an integer", small_tuple(*two)
    for name in fields_of(version):
        other = byte_string(b"x") if name in BYTES_FIELDS else text("x-")
        changed = other if name in BYTES_FIELDS | STRING_FIELDS else small_tuple(other)
        yield (
            "values",
            f"code objects that differ in {name}",
            small_tuple(code(version), code(version, {name: changed})),
        )


def identity(version: Version) -> Iterator[Case]:
    """Return what is compared by identity."""
    mutable = {"list": list_of(integer(1)), "dict": dict_of(integer(1), NONE), "set": many(b"<", integer(1))}
    nans = {
        "NaN": NAN,
        "NaN with the sign": binary_float(-float("nan")),
        "NaN with a payload": b"g" + struct.pack("<Q", 0x7FF8000000000001),
        "NaN as text": b"f\x03nan",
        "-NaN as text": b"f\x04-nan",
        "complex with a real NaN": complex_(float("nan"), 0.0),
        "complex with an imaginary NaN": complex_(0.0, float("nan")),
    }
    for name, value in {**mutable, **nans}.items():
        yield "identity", f"{name} twice", small_tuple(value, value, small_tuple(value), small_tuple(value))
        yield (
            "identity",
            f"{name} and a reference",
            small_tuple(flagged(value), ref(0), small_tuple(ref(0)), small_tuple(ref(0))),
        )
    yield "identity", "frozenset with two NaNs", frozenset_of(NAN, integer(1), NAN)
    first, second = flagged(small_tuple(flagged(NAN), integer(1))), small_tuple(flagged(NAN), integer(1))
    yield (
        "identity",
        "order of elements with equal encodings",
        small_tuple(frozenset_of(first, second, integer(0)), ref(2), ref(1)),
    )
    yield (
        "identity",
        "frozensets of the same NaNs in another order",
        small_tuple(flagged(NAN), flagged(NAN), frozenset_of(ref(1), ref(0)), frozenset_of(ref(0), ref(1))),
    )
    yield "identity", "set with an element twice", many(b"<", integer(1), integer(1), text("-"), text("-"))
    yield "identity", "dict with a key twice", dict_of(integer(1), NONE, integer(1), TRUE)
    if version >= (3, 14):
        yield "identity", "slices of two lists", small_tuple(*[b":" + list_of() + NONE + NONE] * 2)


def sets(version: Version) -> Iterator[Case]:
    """Rule 4."""
    elements = [
        *(text("-"), text("a b"), integer(3), integer(256), binary_float(2.0), interned("aa"), interned("b")),
        *(TRUE, NONE, frozenset_of(integer(2)), small_tuple(integer(1)), byte_string(b"a"), long(0, 0, 0, 1), EMPTY),
        *(sized(b"u", "é".encode()), ELLIPSIS, complex_(0.0, 1.0), text("-" * 200)),
    ]
    for name, type_code in {"set": b"<", "frozenset": b">"}.items():
        yield "sets", f"{name} of many types", many(type_code, *elements)
        yield "sets", f"{name} of many types, reversed", many(type_code, *elements[::-1])
    first, second = small_tuple(text("a b")), small_tuple(text("c d"))
    for number, order in enumerate(itertools.permutations([first, second])):
        yield "sets", f"flags do not matter, {number}", small_tuple(text("c d"), frozenset_of(*order))
    yield (
        "sets",
        "flags do not matter, shared",
        small_tuple(flagged(text("c d")), frozenset_of(small_tuple(ref(0)), first)),
    )
    inner = [integer(1), text("a b"), frozenset_of(integer(3), integer(2))]
    yield (
        "sets",
        "frozensets in another order are one",
        small_tuple(frozenset_of(*inner), frozenset_of(frozenset_of(integer(2), integer(3)), text("a b"), integer(1))),
    )
    yield (
        "sets",
        "sets inside are sorted first",
        frozenset_of(
            frozenset_of(integer(4), integer(1)),
            frozenset_of(integer(3), integer(2)),
            many(b"(", frozenset_of(TRUE, NONE)),
        ),
    )
    yield (
        "sets",
        "a mutable set inside a frozenset",
        frozenset_of(many(b"<", TRUE, NONE), list_of(integer(1)), dict_of()),
    )
    yield "sets", "code objects as elements", frozenset_of(code(version, firstlineno=2), code(version))
    yield (
        "sets",
        "dicts and tuples keep their order",
        small_tuple(dict_of(text("b-"), NONE, text("a-"), NONE), TRUE, NONE),
    )
    if version >= (3, 15):
        items = [text("b-"), NONE, text("a-"), TRUE]
        yield (
            "sets",
            "frozendicts keep their order",
            small_tuple(dict_of(*items, code=b"}"), dict_of(*items[2:], *items[:2], code=b"}")),
        )
    names = {"names": small_tuple(text("c-d")), "consts": small_tuple(frozenset_of(interned("c-d"), text("a-b")))}
    yield "sets", "interning takes part in the order", code(version, names)


def interning(version: Version) -> Iterator[Case]:
    """Rules 5 and 6, for strings."""
    strings = ["", "Name_09", "0", "_", "-", "two words", "a.b", "line\n", "a\0", "x" * 255, "x" * 256, "-" * 255]
    strings += [
        "-" * 256,
        "é",
        "naïve",
        "٣",
        "\uff41",
        "\U0001f40d",
        "\ud800",
        "\udc80\ud800",
        "`",
        "{",
        "@",
        "[",
        "/",
        ":",
    ]
    for content in strings:
        encoded = content.encode("utf-8", "surrogatepass")
        written = [sized(b"u", encoded), sized(b"t", encoded)]
        if encoded.isascii():
            written += [sized(b"a", encoded), sized(b"A", encoded)]
        if encoded.isascii() and len(encoded) < 256:
            written += [text(content), interned(content)]
        yield "interning", f"{content[:9]!a}, {len(content)} characters", list_of(*written)
    for name in fields_of(version):
        for written_as in (text, interned):
            value = written_as("<a-b>")
            if name not in BYTES_FIELDS:
                field = value if name in STRING_FIELDS else small_tuple(text("c-"), value)
                yield "interning", f"{name}, written {written_as.__name__}", code(version, {name: field})
    inner = code(version, {"names": small_tuple(text("a-b"))})
    consts = small_tuple(small_tuple(text("a-b")), inner)
    yield "interning", "an identifier of an inner code object", code(version, {"consts": consts})
    long_name = {"name": sized(b"a", b"-" * 300), "names": small_tuple(sized(b"u", "é".encode()))}
    yield "interning", "identifiers that are long or not ASCII", code(version, long_name)
    if version >= (3, 11):
        for content in ("A.f", "A_f"):
            yield "interning", f"qualname {content}", code(version, {"qualname": interned(content)})
        both = {"qualname": text("A.f"), "names": small_tuple(text("A.f"))}
        yield "interning", "a qualname that is also a name", code(version, both)


def type_codes(version: Version) -> Iterator[Case]:
    """Rule 6, and type codes that the release may not have."""
    integers = {
        "0": long(),
        "5": long(5),
        "-5": long(5, negative=True),
        "2**31 - 1": long(0x7FFF, 0x7FFF, 1),
        "-2**31": long(0, 0, 2, negative=True),
        "2**31": long(0, 0, 2),
        "-2**31 - 1": long(1, 0, 2, negative=True),
        "2**45": long(0, 0, 0, 1),
        "2**60": long(0, 0, 0, 0, 1),
        "-2**45": long(0, 0, 0, 1, negative=True),
    }
    for name, value in integers.items():
        yield "type codes", f"integer {name} in digits", value
    for number in (0, -1, 2**31 - 1, -(2**31)):
        yield "type codes", f"integer {number}", integer(number)
    for number_text in (
        "1.5",
        "-0",
        "1e-07",
        "1.7976931348623157e+308",
        "5e-324",
        "-inf",
        "inf",
        "1e400",
        "1.",
        "0017",
    ):
        yield "type codes", f"float as text {number_text}", b"f" + bytes([len(number_text)]) + number_text.encode()
    yield "type codes", "complex as text", b"x\x02-0\x032.5"
    yield (
        "type codes",
        "tuples",
        list_of(
            many(b"(", integer(1)),
            many(b"("),
            many(b"(", *[NONE] * 255),
            small_tuple(*[NONE] * 255),
            many(b"(", *[NONE] * 256),
        ),
    )
    for type_code in b"uaAtzZ":
        value = text("a b") if type_code in b"zZ" else sized(b"a", b"a b")
        yield "type codes", f"string {chr(type_code)}", bytes([type_code]) + value[1:]
    yield "type codes", "long tuple", many(b"(", *[NONE] * 256)
    for name in ("bytes", "float", "complex", "tuple", "frozenset", "code object"):
        yield "type codes", name, values(version)[name]
    for name, value in SINGLETONS.items():
        yield "type codes", name, value
    for name, value in {"list": list_of(NONE), "dict": dict_of(NONE, TRUE), "set": many(b"<", NONE)}.items():
        yield "type codes", name, value
    yield "type codes", "slice", b":" + NONE + integer(1) + NONE
    yield "type codes", "frozendict", dict_of(NONE, integer(1), code=b"}")


def unknown_type_codes(_: Version) -> Iterator[Case]:
    """Return every byte that is not a type code of any version."""
    for byte in range(256):
        if byte & 0x7F not in b"NFTS.ilfgxystur()[{}:<>caAzZ" or byte == ord("r") | 0x80:
            yield "refusals", f"type code 0x{byte:02x}", small_tuple(integer(1), bytes([byte]) + bytes(8))


def code_objects(version: Version) -> Iterator[Case]:
    """Return code objects whose fields are all different, and with fields of wrong types."""
    fields: dict[str, bytes] = {}
    for number, name in enumerate(fields_of(version)):
        if name in BYTES_FIELDS:
            fields[name] = byte_string(bytes([number]))
        else:
            fields[name] = interned(name) if name in STRING_FIELDS else small_tuple(interned(f"of_{name}"))
    yield "code objects", "fields that are all different", code(version, fields, firstlineno=0x65656565)
    wrong = {
        "int": integer(1),
        "None": NONE,
        "list": list_of(),
        "bytes": byte_string(b""),
        "str": text("a"),
        "tuple": EMPTY,
    }
    for name in fields_of(version):
        right = "bytes" if name in BYTES_FIELDS else "str" if name in STRING_FIELDS else "tuple"
        for kind, value in wrong.items():
            if kind != right:
                yield "refusals", f"{name} of type {kind}", small_tuple(NONE, code(version, {name: value}))
        if name not in BYTES_FIELDS | STRING_FIELDS:
            for kind in ("int", "bytes"):
                items = small_tuple(text("a"), wrong[kind])
                yield "refusals", f"{name} with an item of type {kind}", code(version, {name: items})
    inner = code(version, {"name": NONE})
    yield (
        "refusals",
        "the first wrong field",
        small_tuple(code(version, {"name": NONE, "consts": small_tuple(inner)}), code(version, {"code": NONE})),
    )
    yield "refusals", "the first code object to end", code(version, {"name": NONE, "consts": small_tuple(inner)})
    yield "refusals", "a wrong field and a byte too much", code(version, {"name": NONE}) + NONE
    yield "refusals", "a wrong field before sets", small_tuple(too_large_sets(1), code(version, {"name": NONE}))


def references(version: Version) -> Iterator[Case]:
    """Return references to nothing, and to what has not ended."""
    one = flagged(integer(1))
    payloads = {
        "to nothing": ref(0),
        "one too far": small_tuple(one, ref(1)),
        "2**31": small_tuple(one, ref(1 << 31)),
        "2**32 - 1": small_tuple(one, ref((1 << 32) - 1)),
        "to what comes later": small_tuple(ref(0), one),
        "to a flagged singleton": small_tuple(flagged(NONE), ref(0)),
        "from a tuple to itself": flagged(small_tuple(ref(0))),
        "from a list to itself": flagged(list_of(ref(0))),
        "from a frozenset to itself": flagged(frozenset_of(ref(0))),
        "from a dict to itself": flagged(dict_of(integer(1), ref(0))),
        "from a tuple's inside": flagged(many(b"(", small_tuple(NONE), small_tuple(ref(0)))),
        "from a code object to itself": flagged(code(version, {"consts": small_tuple(ref(0))})),
        "truncated": small_tuple(one, b"r\0\0\0"),
    }
    for name, payload in payloads.items():
        yield "refusals", f"reference {name}", payload


def malformed(version: Version) -> Iterator[Case]:
    """Return faults inside objects, and which of two faults is reported."""
    payloads = {
        "empty payload": b"",
        "string not ASCII, a": sized(b"a", "é".encode()),
        "string not ASCII, A": sized(b"A", b"\x80"),
        "string not ASCII, z": b"z\x01\xff",
        "string not ASCII, Z, in a tuple": small_tuple(b"Z\x01\x80"),
        "string not UTF-8": sized(b"u", b"\xff"),
        "string not UTF-8, cut": sized(b"t", b"a\xc3"),
        "string not UTF-8, overlong": sized(b"u", b"\xc0\x80"),
        "string not UTF-8, beyond U+10FFFF": sized(b"u", b"\xf4\x90\x80\x80"),
        "string of a surrogate pair": sized(b"u", b"\xed\xa0\xbd\xed\xb0\x8d"),
        "leading zero": long(1, 0),
        "zero as a digit": long(0),
        "leading zero, negative": long(1, 0, 0, negative=True),
        "digit out of range": long(0x8000, 1),
        "last digit out of range": long(1, 0xFFFF),
        "element twice": frozenset_of(integer(1), integer(1)),
        "element twice, in two encodings": frozenset_of(integer(1), long(1)),
        "element twice, a reference": frozenset_of(flagged(NAN), ref(0)),
        "element twice, frozensets": frozenset_of(frozenset_of(integer(1), NONE), frozenset_of(NONE, integer(1))),
        "key without a value": b"{" + integer(1) + b"0",
        "end of a dict outside": b"0",
        "end of a dict in a tuple in a dict": b"{" + small_tuple(b"0"),
        "end of a dict in a tuple": small_tuple(b"0"),
        "byte too much": integer(1) + NONE,
        "object too much": integer(1) * 2,
        "truncated before its content is checked, z": b"z\x05\xff",
        "truncated before its content is checked, u": b"u" + u32(5) + b"\xff",
        "truncated before its content is checked, l": b"l" + u32(3) + b"\xff\xff",
        "truncated before its content is checked, f": b"f\x051.5e",
        "truncated before an element twice": frozenset_of(integer(1), integer(1), b"i\1\0"),
        "truncated before an element twice, z": frozenset_of(integer(1), integer(1), b"z\2-"),
        "truncated instead of a dict's end": b"{" + NONE + NONE,
        "truncated code object": code(version)[:-1],
        "truncated integers of a code object": b"c" + bytes(11),
        "a complex's first text before its second": b"x\x01-\x05",
        "an unknown type code before a wrong field": small_tuple(code(version, {"name": NONE}), b"?"),
    }
    for number_text in (
        "",
        "abc",
        "1_0",
        " 10",
        "10 ",
        "+1",
        ".5",
        "1e",
        "1.5.2",
        "0x1",
        "Inf",
        "infinity",
        "--inf",
        "1E5",
    ):
        payloads[f"float as text {number_text!r}"] = b"f" + bytes([len(number_text)]) + number_text.encode()
    for name, payload in payloads.items():
        yield "refusals", name, payload
    one_of_each = [*values(version).values(), list_of(NONE), many(b"<", NONE), dict_of(NONE, NONE), b"x\x011\x012"]
    for value in one_of_each:
        for size in range(1, min(len(value), 8)):
            yield "refusals", f"{chr(value[0])} truncated after {size} bytes", value[:size]
    for type_code in b"([<>sutaAl":
        for number in (2, (1 << 31) - 1, 1 << 31, (1 << 32) - 1):
            yield "refusals", f"{chr(type_code)} of {number}", bytes([type_code]) + u32(number) + NONE


def unfolding(levels: int, leaf: bytes) -> bytes:
    """Encode a tuple that contains a smaller one twice, and so on."""
    value = flagged(leaf)
    for level in range(levels):
        value = flagged(small_tuple(value, ref(levels - level)))
    return value


def too_large_sets(excess: int) -> bytes:
    """Encode a frozenset whose standalone encodings take so many bytes more than the limit, at most 3."""
    rest = [NONE, TRUE, FALSE, ELLIPSIS, STOP_ITERATION][: 2 + excess]
    return frozenset_of(unfolding(20, text("twelve bytes")), *rest)


def chain(levels: int) -> list[bytes]:
    """Encode a string, a tuple of it, a tuple of that tuple, and so on: flat, as each is a reference."""
    return [flagged(text("a b")), *(flagged(small_tuple(ref(level))) for level in range(levels))]


def depth() -> Iterator[Case]:
    """Return payloads at the limit of levels, and past it."""
    nests: dict[str, Callable[[bytes], bytes]] = {
        "tuple": small_tuple,
        "list": list_of,
        "frozenset": frozenset_of,
        "dict": lambda item: dict_of(NONE, item),
    }
    for name, nest in nests.items():
        before, after = nest(b"?").split(b"?")
        for levels in (MAX_LEVELS, MAX_LEVELS + 1):
            yield "limits", f"{levels} levels of {name}", [(before, levels), (NONE, 1), (after, levels)]
    inner = {
        "empty tuple": EMPTY,
        "flagged empty tuple": flagged(EMPTY),
        "long empty tuple": many(b"("),
        "truncated tuple": b")",
        "truncated flagged tuple": b"\xa9",
        "truncated list": b"[",
        "type code unknown to the release": b"}0",
    }
    for name, value in inner.items():
        yield "limits", f"{name} in {MAX_LEVELS} levels", [(b")\x01", MAX_LEVELS), (value, 1)]
    for levels in (MAX_LEVELS - 1, MAX_LEVELS):
        yield "limits", f"a set whose order nests {levels} tuples", frozenset_of(*chain(levels))
    yield (
        "limits",
        "values that nest 2500 tuples, and a set of them",
        list_of(*chain(2500), frozenset_of(ref(2500), NONE)),
    )


def count() -> Iterator[Case]:
    """Return payloads at the limit of objects, and past it."""
    # The root counts one, a container three more, and its items one each; so does the end of a dict.
    for number in (MAX_COUNT - 4, MAX_COUNT - 3):
        yield "limits", f"list of {number} items", [(b"[" + u32(number), 1), (NONE, number)]
    pairs = MAX_COUNT // 2 - 2
    yield "limits", f"dict of {pairs} items", [(b"{", 1), (NONE, 2 * pairs), (b"0", 1)]
    claims = b"".join(b"[" + u32(10_000 - 5 * level) for level in range(200))
    yield "limits", "lists that claim all that remains", [(claims, 1), (b"\0", 9000)]
    half = (NONE, MAX_COUNT // 2)
    yield "limits", "open dict after a closed one", [(b"[" + u32(2) + b"{", 1), half, (b"0{", 1), half, (b"?", 1)]
    yield "limits", "open dicts", [(b"{", 1), (NONE, MAX_COUNT // 2 + 1), (b"{", 1), (NONE, MAX_COUNT // 2), (b"?", 1)]


def unfolded() -> Iterator[Case]:
    """Return sets at the limit of their standalone encodings, and past it."""
    for excess in (0, 1):
        yield "limits", f"sets that unfold to {MAX_SETS + excess} bytes", too_large_sets(excess)
    yield (
        "limits",
        "a frozenset that occurs again is not counted again",
        small_tuple(too_large_sets(0), too_large_sets(0)),
    )
    large = unfolding(19, text("twelve bytes"))
    sets_ = [frozenset_of(ref(0), integer(number)) for number in range(3)]
    yield "limits", "three sets that unfold", list_of(large, *sets_)
    yield "limits", "beyond measure", list_of(frozenset_of(integer(1), unfolding(1500, text("a b"))))
    yield (
        "limits",
        "beyond measure outside a set",
        list_of(unfolding(1500, text("a b")), frozenset_of(integer(1), NONE)),
    )


def weights(version: Version) -> Iterator[Case]:
    """Return containers that are one object too many, and that are not: after lists that claim most of the limit."""
    containers = {
        "short tuple": (b")\x02", 2),
        "long tuple": (b"(" + u32(2), 2),
        "empty tuple, flagged": (b"\xa9\0", 0),
        "list": (b"[" + u32(2), 2),
        "set": (b"<" + u32(2), 2),
        "frozenset": (b">" + u32(2), 2),
        "dict": (b"{", 0),
        "code object": (code(version)[:25], 11 if version >= (3, 11) else 10),
    }
    if version >= (3, 14):
        containers["slice"] = (b":", 3)
    if version >= (3, 15):
        containers["frozendict"] = (b"}", 0)
    for name, (start, items) in containers.items():
        for excess in (0, 1):
            full, rest = divmod(MAX_COUNT - 1 - 3 - items + excess, LIST_OF_CLAIMS + 3)
            claims = (b"[" + u32(LIST_OF_CLAIMS)) * full + b"[" + u32(rest - 3)
            yield "limits", f"{name}, {MAX_COUNT + excess} objects", [(claims + start, 1), (b"?", LIST_OF_CLAIMS)]


def cases(version: Version) -> Iterator[Case]:
    """Yield the cases of a version. Faults that any version has are for the first and the last one only."""
    of_all = (sharing, identity, sets, interning, type_codes, code_objects, weights)
    of_two = (references, malformed, unknown_type_codes) if version in {FIRST, LAST} else ()
    for group in (*of_all, *of_two):
        yield from group(version)


def limits() -> Iterator[Case]:
    """Yield the cases that take long; a version is enough, as these do not depend on it."""
    yield from depth()
    yield from count()
    yield from unfolded()
