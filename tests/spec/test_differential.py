"""detpyc and the reference implementation agree: the same bytes, or the same refusal."""

from __future__ import annotations

import json
import marshal
import subprocess
import sys
from base64 import b64decode
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

import implementations
import states
import targets
from detpyc.bytecode.header import MAGIC_NUMBERS
from generated import mutated
from payloads import (
    binary_float,
    byte_string,
    code,
    dict_of,
    fields_of,
    flagged,
    integer,
    interned,
    long,
    many,
    ref,
    sized,
    small_tuple,
    text,
)

if TYPE_CHECKING:
    from detpyc.compilation.interpreters import Interpreter

HERE = (sys.version_info.major, sys.version_info.minor)
VERSIONS = sorted(MAGIC_NUMBERS.values())

characters = st.sampled_from(["", "a", "b", "-", "a b", "é", "\ud800", "x" * 256])
encoded = characters.map(lambda content: content.encode("utf-8", "surrogatepass"))
scalars = (
    st.sampled_from([b"N", b"T", b"F", b".", b"S", b")\0", b"f\x031.5", b"f\x04-nan", b"x\x03inf\x030.0"])
    | st.integers(-2, 2).map(integer)
    | st.builds(long, st.integers(0, 0x8000), st.integers(0, 2), negative=st.booleans())
    | st.sampled_from([0.0, -0.0, 1.0, float("nan")]).map(binary_float)
    | st.sampled_from([b"", b"a"]).map(byte_string)
    | encoded.map(lambda content: sized(b"u", content))
    | encoded.map(lambda content: sized(b"A", content))
    | st.sampled_from([text("a"), text("a b"), interned("a"), interned("a b")])
    | st.integers(0, 6).map(ref)
)


def containers_of(items: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Containers of any kind, code objects too, and anything flagged: references may find something."""
    lists = st.lists(items, max_size=4)
    names = st.sampled_from([small_tuple(text("a b")), small_tuple(ref(0)), small_tuple(interned("-"))])
    codes = st.builds(
        lambda version, name, consts: code(version, {"names": name, fields_of(version)[1]: small_tuple(*consts)}),
        st.sampled_from(VERSIONS),
        names,
        lists,
    )
    made = (
        lists.map(lambda parts: small_tuple(*parts))
        | st.builds(lambda kind, parts: many(kind, *parts), st.sampled_from([b"(", b"[", b"<", b">"]), lists)
        | st.builds(lambda kind, parts: dict_of(*parts, code=kind), st.sampled_from([b"{", b"}"]), lists)
        | st.builds(lambda *parts: b":" + b"".join(parts), items, items, items)
        | codes
    )
    return made | made.map(flagged) | items.map(flagged)


anything = st.recursive(scalars, containers_of, max_leaves=25)


def agree(payload: bytes, version: tuple[int, int]) -> implementations.Outcome:
    outcome = implementations.fast(payload, version)
    assert outcome == implementations.plain(payload, version)
    return outcome


@given(anything, st.sampled_from(VERSIONS))
def test_made_payloads(payload: bytes, version: tuple[int, int]) -> None:
    outcome = agree(payload, version)
    if isinstance(outcome, bytes):
        assert agree(outcome, version) == outcome


@given(st.data())
def test_mutants_of_the_fuzzer(data: Any) -> None:
    version, seed = data.draw(st.sampled_from(targets.compiled()))
    agree(data.draw(mutated([seed], targets.OBJECTS)), version)


@given(st.binary(max_size=100), st.sampled_from(VERSIONS))
def test_any_bytes(payload: bytes, version: tuple[int, int]) -> None:
    agree(payload, version)


def test_payload_that_ends_anywhere() -> None:
    for version, seed in targets.compiled():
        for size in range(len(seed)):
            kind, offset = agree(seed[:size], version)
            assert (kind, offset) == ("truncated", size) or kind == "size"


def test_values_of_the_running_interpreter() -> None:
    for value in states.values():
        assert isinstance(agree(marshal.dumps(value), HERE), bytes)


def test_values_in_every_format_of_marshal(interpreter: Interpreter) -> None:
    """What each release writes, in all versions of the format."""
    command = [interpreter.path, "-s", "-S", "-B", states.__file__, "values"]
    written = json.loads(subprocess.check_output(command))
    assert len(written) > 40
    for payloads in written:
        for payload in payloads:
            assert isinstance(agree(b64decode(payload), interpreter.version), bytes)
