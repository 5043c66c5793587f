"""The specification of canonical form, compared with the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from detpyc.bytecode.canonical import _MAX_SETS, canonicalize
from detpyc.bytecode.marshal_format import CONTAINER_WEIGHT, LAYOUTS, MAX_DEPTH, MAX_OBJECTS
from payloads import LAST, flagged, frozenset_of, integer, ref, small_tuple, text

PAGE = (Path(__file__).parents[3] / "spec" / "canonical-form.md").read_text("utf-8")
EMPTY = small_tuple()
ONE, OTHER = (frozenset_of(*elements) for elements in ([integer(3), integer(1), text("foo")],) * 2)


def example() -> bytes:
    """Read the bytes of the worked example: those at the start of each line, before two spaces and an explanation."""
    (block,) = re.findall(r"^## An example\n.*?```\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE)
    lines = [re.match(r"\s*((?:[0-9a-f]{2} )+) +\S", line) for line in block.splitlines()]
    assert all(lines)
    return bytes.fromhex("".join(line[1] for line in lines if line))


@pytest.mark.parametrize(
    "written",
    [
        small_tuple(ONE, OTHER, EMPTY, EMPTY, text("A.f")),
        small_tuple(flagged(ONE), ref(0), flagged(EMPTY), ref(1), flagged(text("A.f"))),
        flagged(
            small_tuple(frozenset_of(text("foo"), integer(1), integer(3)), OTHER, flagged(EMPTY), ref(1), text("A.f"))
        ),
    ],
    ids=["written twice", "shared", "another order"],
)
def test_example(written: bytes) -> None:
    assert example() == canonicalize(written, LAST)


def test_fields_of_code_objects() -> None:
    """Each release's integers and objects are in the table in their order."""
    section = PAGE.partition("\n## Code objects\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| 3\.(\d+) to 3\.(\d+) \| (.*?) \| (.*?) \|$", section, re.MULTILINE)
    documented = {
        (3, minor): (re.findall(r"`(\w+)`", integers), re.findall(r"(?:(?<=`)|(?<=\*))\w+(?=[`*])", objects))
        for first, last, integers, objects in rows
        for minor in range(int(first), int(last) + 1)
    }
    assert documented.keys() == LAYOUTS.keys()
    for version, layout in LAYOUTS.items():
        integers, objects = documented[version]
        if version < (3, 11):
            objects.remove("lnotab" if version == (3, 10) else "linetable")
        assert (tuple(integers), tuple(objects)) == (layout.integers, layout.fields)


def test_identifiers() -> None:
    """The fields that the rule of interning names are those that the reader takes identifiers from."""
    (rule,) = re.findall(
        r"^5\. \*\*Interning\.\*\*.*?- is an identifier.*?: (.*?)(?:;|\.\n)", PAGE, re.DOTALL | re.MULTILINE
    )
    documented = set(re.findall(r"`(\w+)`", rule))
    assert documented == {
        layout.fields[at] for layout in LAYOUTS.values() for at in (*layout.names, *layout.tuples_of_names)
    }


def test_limits() -> None:
    assert f"| `depth` | more than {MAX_DEPTH:,} levels |" in PAGE
    assert f"the level is {MAX_DEPTH:,}, refuse `depth`" in PAGE
    assert f"| `objects` | more than {MAX_OBJECTS:,} objects and references, where a container counts as four |" in PAGE
    assert PAGE.count(f"larger than {MAX_OBJECTS:,}, refuse `objects`") == 2
    assert CONTAINER_WEIGHT == 4
    assert f"larger than {_MAX_SETS:,} bytes, refuse" in PAGE
