"""Canonical form on what each CPython really writes, in process states that change its raw bytes."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
from base64 import b64decode, b64encode
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import states
import trees
import wheels
from detpyc.byte_compile.tree import TreeOptions, byte_compile_tree
from detpyc.byte_compile.wheel import WheelOptions, byte_compile_wheel
from detpyc.bytecode.canonical import canonicalize
from detpyc.compilation.pool import Pool, Source, byte_compile
from detpyc.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from detpyc.compilation.interpreters import Interpreter

PAGE = Path(__file__).parents[2] / "spec" / "canonical-form.md"
NOT_SAMPLED = {"test", "tests", "idle_test", "site-packages", "dist-packages", "lib2to3", "__pycache__"}

# CPython issue 129724: the constant set is one object in both places, unless "zebra" had been interned before.
MEMBERSHIP = "x in {'zebra', 2, 3}\n\n\ndef f():\n    return x in {'zebra', 2, 3}\n"
INPUTS = {
    "membership.py": MEMBERSHIP,
    "importer.py": "import zebra\n",
    "classes.py": "class A:\n    class B:\n        def f(self):\n            return lambda: [0.5, -0.0, 10**30]\n",
    "characters.py": "x = ['-', ' ', '.', '\\n']\n\n\ndef f(y='-'):\n    return y.join(x).split(' ')\n",
    "sets.py": "def f(x):\n    return x in {'one', 'two', 'three', 'four', None, b'six', ('a-b', 1.5)} or 'a-b', 1.5\n",
}


def run(interpreter: Interpreter, *command: str, request: object = None, hash_seed: int = 0) -> Any:
    """Send a request to states.py. Not isolated by ``-I``, which would ignore the hash seed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    completed = subprocess.run(
        [interpreter.path, "-s", "-S", "-B", states.__file__, *command],
        input=json.dumps(request).encode(),
        stdout=subprocess.PIPE,
        env={**environment, "PYTHONHASHSEED": str(hash_seed)},
        check=True,
    )
    return json.loads(completed.stdout)


def marshalled(
    interpreter: Interpreter, sources: Mapping[str, bytes], state: str = "in-order", hash_seed: int = 0
) -> dict[str, bytes]:
    """Return the raw payload of each source, compiled in their order and in a state of the process."""
    request = [(name, b64encode(source).decode()) for name, source in sources.items()]
    answer = run(interpreter, "compile", state, request=request, hash_seed=hash_seed)
    return {name: b64decode(payload) for name, payload in zip(sources, answer, strict=True)}


def canonical(interpreter: Interpreter, payloads: Mapping[str, bytes]) -> dict[str, bytes]:
    return {name: canonicalize(payload, interpreter.version) for name, payload in payloads.items()}


def library(interpreter: Interpreter, step: int) -> dict[str, bytes]:
    """Return a sample of the interpreter's standard library: one module in every ``step``."""
    root = run(interpreter, "library")
    modules = []
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name not in NOT_SAMPLED]
        modules += [path for name in files if name.endswith(".py") and (path := Path(folder, name)).is_file()]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(modules)[::step]}


@pytest.fixture
def sources(interpreter: Interpreter) -> dict[str, bytes]:
    """Inputs that are sensitive to the state of the process, then real modules."""
    return {name: source.encode() for name, source in INPUTS.items()} | library(interpreter, 50)


ALWAYS = (3, 15)


@pytest.mark.parametrize(
    ("state", "sensitive", "last"),
    [
        ("held", "classes.py", ALWAYS),
        ("repeated", "membership.py", ALWAYS),
        ("threads", "membership.py", ALWAYS),
        # One-character strings are always interned from 3.13 on.
        ("characters", "characters.py", (3, 12)),
    ],
)
def test_state_of_the_process(
    interpreter: Interpreter, sources: dict[str, bytes], state: str, sensitive: str, last: tuple[int, int]
) -> None:
    raw, other = (marshalled(interpreter, sources, one) for one in ("in-order", state))

    assert (raw[sensitive] != other[sensitive]) == (interpreter.version <= last)
    assert canonical(interpreter, raw) == canonical(interpreter, other)


def test_hash_seed(interpreter: Interpreter, sources: dict[str, bytes]) -> None:
    raw, other = (marshalled(interpreter, sources, hash_seed=seed) for seed in (0, 1))

    # From 3.11 on, marshal sorts sets.
    assert (raw["sets.py"] != other["sets.py"]) == (interpreter.version <= (3, 10))
    assert canonical(interpreter, raw) == canonical(interpreter, other)


@pytest.mark.parametrize("order", ["reversed", "shuffled"])
def test_order_of_compilation(interpreter: Interpreter, sources: dict[str, bytes], order: str) -> None:
    names = [*reversed(sources)] if order == "reversed" else random.Random(1).sample([*sources], len(sources))  # noqa: S311
    assert names.index("importer.py") < names.index("membership.py"), "else this order makes no difference"
    raw, other = (marshalled(interpreter, {name: sources[name] for name in order}) for order in (sources, names))

    assert raw["membership.py"] != other["membership.py"]
    assert canonical(interpreter, raw) == canonical(interpreter, other)


def test_set_shared_or_not(interpreter: Interpreter) -> None:
    """The two files of CPython issue 129724: dropping unused flags does not make these equal."""
    name = "membership.py"
    alone = marshalled(interpreter, {name: MEMBERSHIP.encode()})[name]
    after = marshalled(interpreter, {"importer.py": b"import zebra\n", name: MEMBERSHIP.encode()})[name]

    assert len(alone) < len(after), "the set is written once or twice"
    assert canonicalize(alone, interpreter.version) == canonicalize(after, interpreter.version)


def documented_order(column: str, interpreter: Interpreter) -> list[int]:
    """Read from the page of canonical form in which order a set is iterated."""
    heading, _, *rows = re.findall(r"^\| .*`\[x for x in .*(?:\n\|.*)+", PAGE.read_text("utf-8"), re.MULTILINE)[
        0
    ].split("\n")
    at = [cell.strip() for cell in heading.split("|")].index(column)
    for cells in (row.split("|") for row in rows):
        first, last = re.findall(r"3\.(\d+)", cells[1])
        if int(first) <= interpreter.version[1] <= int(last):
            return json.loads(f"[{cells[at]}]")  # type: ignore[no-any-return]
    raise AssertionError(interpreter.version)


def test_iteration_over_a_set(interpreter: Interpreter) -> None:
    source = "print([x for x in {16, 8, 0}])"
    payload = marshalled(interpreter, {"a.py": source.encode()})["a.py"]

    def printed(command: str, payload: bytes = b"") -> object:
        return json.loads(subprocess.check_output([interpreter.path, "-I", "-S", "-c", command], input=payload))

    execute = "import marshal, sys; exec(marshal.load(sys.stdin.buffer))"
    assert printed(source) == documented_order("without a pyc", interpreter)
    assert printed(execute, payload) == documented_order("CPython's own pyc", interpreter)
    in_canonical_form = canonicalize(payload, interpreter.version)
    assert printed(execute, in_canonical_form) == documented_order("canonical form", interpreter)


def test_release_and_debug_build(release_and_debug: tuple[Interpreter, Interpreter]) -> None:
    release, debug = release_and_debug
    sources = {name: source.encode() for name, source in INPUTS.items()} | library(release, 20)
    raw = marshalled(release, sources)
    in_debug, held_in_debug = (marshalled(debug, sources, state) for state in ("in-order", "held"))

    assert raw == in_debug, "the flavour of the build alone makes no difference"
    assert raw["classes.py"] != held_in_debug["classes.py"]
    assert canonical(release, raw) == canonical(debug, in_debug) == canonical(debug, held_in_debug)


def test_cache_changes_no_byte(
    interpreter: Interpreter, sources: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of trees and wheels: without a cache, while it is filled, and from it, which needs no worker."""
    results = []
    for name, cached in (("without", False), ("cold", True), ("warm", True)):
        if name == "warm":
            monkeypatch.setattr(Pool, "acquire", None)
        settings = Settings(interpreters=(interpreter.path,), optimize=(0, 2), cache=cached)
        tree = trees.write(tmp_path / name, sources)
        report = byte_compile_tree(tree, settings, TreeOptions(jobs=1, cache=cached))
        assert report.failed == report.skipped == {}
        pycs = {path.relative_to(tree): path.read_bytes() for path in tree.rglob("*.pyc")}
        wheel = wheels.build(tree, sources)
        byte_compile_wheel(wheel, settings, WheelOptions(jobs=1))
        results.append((pycs, wheel.read_bytes()))
    assert len(results[0][0]) == 2 * len(sources)
    assert results[0] == results[1] == results[2]


def test_standard_library(interpreter: Interpreter) -> None:
    sources = library(interpreter, 10)
    assert len(sources) > 20
    raw = marshalled(interpreter, sources)
    payloads = canonical(interpreter, raw)

    outcomes = byte_compile(
        interpreter, [Source(name, source) for name, source in sources.items()], [0], lambda _, outcome: outcome
    )
    triples = [(name, b64encode(sources[name]).decode(), b64encode(payloads[name]).decode()) for name in sources]

    assert [getattr(outcome, "payloads", outcome) for outcome in outcomes] == [
        (payload,) for payload in payloads.values()
    ]
    assert run(interpreter, "compare", request=triples) == []
    assert canonical(interpreter, payloads) == payloads
    # Not "less": 3.10 shares nearly as much by itself.
    assert sum(map(len, payloads.values())) <= sum(map(len, raw.values()))


def test_comparison_sees_a_difference(interpreter: Interpreter) -> None:
    """The comparison of the test above, on the payload of a source that differs in one line number."""
    payload = marshalled(interpreter, {"a.py": b"\nx = 1\n"})["a.py"]
    triples = [("a.py", b64encode(b"x = 1\n").decode(), b64encode(payload).decode())]

    assert run(interpreter, "compare", request=triples) == ["a.py"]


def test_values_in_every_format_of_marshal(interpreter: Interpreter) -> None:
    written = [[b64decode(payload) for payload in payloads] for payloads in run(interpreter, "values")]
    canonical = [{canonicalize(payload, interpreter.version) for payload in payloads} for payloads in written]

    assert any(len(set(payloads)) > 3 for payloads in written)
    assert [len(payloads) for payloads in canonical] == [1] * len(written)
    encoded = [b64encode(payload).decode() for payloads in canonical for payload in payloads]
    assert run(interpreter, "compare-values", request=encoded) == []
