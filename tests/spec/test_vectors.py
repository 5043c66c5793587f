"""The vectors, their generator, and both implementations agree."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import generate
import implementations
from conformance import VECTORS, Vector, read
from detpyc.bytecode.canonical import canonicalize
from detpyc.bytecode.header import MAGIC_NUMBERS

if TYPE_CHECKING:
    from detpyc.compilation.interpreters import Interpreter

SPECIFICATION = (Path(__file__).parents[2] / "spec" / "canonical-form.md").read_text("utf-8")
FILES = sorted(VECTORS.glob("*.jsonl"))
MAX_SIZE = 2_000_000  # bytes of all files
VERSIONS = sorted(MAGIC_NUMBERS.values())
NEWER = {":": (3, 14), "}": (3, 15)}  # type codes that not every release has


@pytest.fixture(scope="module")
def vectors() -> list[Vector]:
    return [vector for path in FILES for vector in read(path)]


def number(version: str) -> tuple[int, int]:
    major, minor = map(int, version.split("."))
    return major, minor


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_implementation(path: Path) -> None:
    wrong = [
        vector.name
        for vector in read(path)
        if implementations.fast(vector.payload, number(vector.version)) != vector.expected
    ]
    assert wrong == []


def test_generator_makes_the_files() -> None:
    """What the vectors expect is derived with the reference implementation: it agrees too."""
    limit = sys.getrecursionlimit()
    made = dict(generate.files([]))
    sys.setrecursionlimit(limit)  # the reference implementation raises it
    assert sorted(made) == FILES
    assert [path.name for path, content in made.items() if path.read_bytes() != content.encode()] == []


def test_compiled_payloads_are_made_again(interpreter: Interpreter) -> None:
    """Byte for byte by the release that made them, and to the same canonical form by any build of it."""
    dotted = "{}.{}".format(*interpreter.version)
    kept = list(generate.stored(dotted))
    if {entry["release"] for entry in kept} != {interpreter.release}:
        pytest.skip(f"the vectors of {dotted} are by another release than {interpreter.release}")
    assert list(generate.compiled(interpreter.path)) == kept


def test_compiled_payloads_are_of_several_states() -> None:
    """Each source has more payloads than canonical forms, of one interpreter at least."""
    for name in generate.SOURCES.keys() - {"importer"}:
        counts = []
        for path in FILES:
            made = [vector for vector in read(path) if vector.name.startswith(f"{name},") and vector.rule == "compiled"]
            if made:
                assert len({vector.expected for vector in made}) == 1
                counts.append(len({vector.payload for vector in made}))
        assert len(counts) == len(VERSIONS)
        assert max(counts) > 1


def test_names_are_unique(vectors: list[Vector]) -> None:
    assert len({(vector.version, vector.rule, vector.name) for vector in vectors}) == len(vectors)


def test_every_version_rule_and_refusal_has_vectors(vectors: list[Vector]) -> None:
    kinds = re.findall(
        r"^\| `(\w+)` \|", SPECIFICATION.partition("\n## Refusals\n")[2].partition("\n## ")[0], re.MULTILINE
    )
    refused = {vector.expected[0] for vector in vectors if isinstance(vector.expected, tuple)}
    assert refused == set(kinds)
    rules = {"sharing", "flags", "singletons", "sets", "interning", "type codes", "identity", "values", "code objects"}
    for version in VERSIONS:
        found = {vector.rule for vector in vectors if number(vector.version) == version}
        assert found >= {*rules, "refusals", "compiled"}


def test_every_type_code_of_a_version_has_a_vector(vectors: list[Vector]) -> None:
    """Of an object that is the whole payload; those that the version does not have are refused."""
    for version in VERSIONS:
        of_version = [vector for vector in vectors if number(vector.version) == version and vector.rule == "type codes"]
        read_codes = {chr(vector.payload[0]) for vector in of_version if isinstance(vector.expected, bytes)}
        refused = {chr(vector.payload[0]) for vector in of_version if vector.expected == ("type", 0)}
        assert read_codes == set("NFTS.ilfgxysut()[{<>caAzZ") | {code for code in NEWER if version >= NEWER[code]}
        assert refused == {code for code in NEWER if version < NEWER[code]}


def test_canonical_form_is_canonical(vectors: list[Vector]) -> None:
    for vector in vectors:
        if isinstance(vector.expected, bytes) and vector.rule != "limits":
            assert canonicalize(vector.expected, number(vector.version)) == vector.expected


def test_files_are_small_and_in_the_public_domain() -> None:
    assert sum(path.stat().st_size for path in FILES) <= MAX_SIZE
    for path in FILES:
        with path.open(encoding="utf-8") as stream:
            assert json.loads(next(stream))["license"].startswith("CC0-1.0")
