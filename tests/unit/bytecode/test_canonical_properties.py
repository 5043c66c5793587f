"""Properties of canonical form, on whatever the running interpreter can marshal."""

from __future__ import annotations

import marshal
import sys
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from detpyc.bytecode.canonical import canonicalize
from states import fingerprint, in_every_format

HERE = (sys.version_info.major, sys.version_info.minor)

texts = st.text(st.characters(exclude_categories=())) | st.from_regex(r"[A-Za-z0-9_]*", fullmatch=True)
constants = (
    st.sampled_from([None, True, False, ..., StopIteration])
    | st.integers()
    | st.integers(-3, 3)
    | st.floats(allow_nan=False)
    | st.complex_numbers(allow_nan=False)
    | st.binary()
    | texts
)


def containers_of(items: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Tuples and frozensets, which may contain one object in many places."""
    tuples = st.lists(items, max_size=5).map(tuple)
    return tuples | st.frozensets(items, max_size=5) | items.map(lambda item: (item, (item, item)))


hashable = st.recursive(constants, containers_of, max_leaves=30)
anything = st.recursive(
    hashable,
    lambda items: st.lists(items, max_size=5) | st.dictionaries(hashable, items, max_size=5) | st.sets(hashable),
    max_leaves=10,
)
if sys.version_info >= (3, 14):
    anything |= st.builds(slice, hashable, hashable, hashable)


def canonical_of(value: Any) -> bytes:
    return canonicalize(marshal.dumps(value), HERE)


@given(anything)
def test_idempotent(value: object) -> None:
    canonical = canonical_of(value)

    assert canonicalize(canonical, HERE) == canonical


@given(anything)
def test_loads_as_the_same_value(value: object) -> None:
    canonical = canonical_of(value)

    assert fingerprint(marshal.loads(canonical)) == fingerprint(value)  # noqa: S302 - written here


@given(anything)
def test_survives_a_round_trip_through_the_interpreter(value: object) -> None:
    """What is loaded from canonical form and written again, with other references and interning, is the same again."""
    canonical = canonical_of(value)

    assert canonical_of(marshal.loads(canonical)) == canonical  # noqa: S302 - written here


@given(hashable)
def test_every_version_of_the_marshal_format_has_one_result(value: object) -> None:
    """Of values without identity, as versions 0 to 2 write shared objects anew each time."""
    assert len({canonicalize(payload, HERE) for payload in in_every_format(value)}) == 1


@given(hashable)
def test_holding_the_parts_of_a_value_makes_no_difference(value: object) -> None:
    """Reference counts, and with them reference flags, differ between a value and the one loaded from it."""
    loaded = marshal.loads(in_every_format(value)[2])  # noqa: S302 - written here

    assert canonical_of(loaded) == canonical_of(value)
