"""Measure what each rule of canonical form changes in what CPython writes: ``marshal_rules.py WHEEL PYTHON...``.

For each interpreter: over the modules of a wheel and of its standard library, in how many payloads each property of the
encoding differs from canonical form, and between two states of the process. Run with ``tests/support`` in PYTHONPATH.
The figures are in ``spec/cpython.md``.
"""

from __future__ import annotations

import json
import marshal
import os
import subprocess
import sys
import zipfile
from base64 import b64decode, b64encode
from collections import Counter
from pathlib import Path

import states
from detpyc.bytecode.canonical import canonicalize
from detpyc.compilation import interpreters
from detpyc.explain.payloads import compare_payloads

STATES = ("in-order", "repeated", "held")
SKIPPED = {"test", "tests", "idle_test", "site-packages", "dist-packages", "lib2to3"}
LOADING = """
import marshal, sys, time
lists = marshal.load(sys.stdin.buffer)
rounds = [[] for _ in lists]
for _ in range(25):
    for payloads, times in zip(lists, rounds):
        start = time.process_time()
        for payload in payloads:
            marshal.loads(payload)
        times.append(time.process_time() - start)
print(*[min(times) for times in rounds])
"""


def run(python: str, *command: str, data: bytes = b"") -> bytes:
    """Run a Python without any variable of Python's but a fixed hash seed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(
        [python, "-s", "-S", "-B", *command],
        input=data,
        stdout=subprocess.PIPE,
        env={**environment, "PYTHONHASHSEED": "0"},
        check=True,
    ).stdout


def library(python: str) -> dict[str, bytes]:
    """Return the modules of the standard library."""
    root = Path(json.loads(run(python, states.__file__, "library")))
    paths = [path for path in sorted(root.rglob("*.py")) if not SKIPPED.intersection(path.relative_to(root).parts)]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in paths if path.is_file()}


def wheel(path: str) -> dict[str, bytes]:
    """Return the modules of a wheel."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist() if name.endswith(".py")}


def marshalled(python: str, sources: dict[str, bytes], state: str) -> list[bytes]:
    """Return what the interpreter writes in a state of its process."""
    request = json.dumps([(name, b64encode(source).decode()) for name, source in sources.items()]).encode()
    return [b64decode(payload) for payload in json.loads(run(python, states.__file__, "compile", state, data=request))]


def aspects(pairs: list[tuple[bytes, bytes]], version: tuple[int, int]) -> str:
    """Count in how many pairs each property of the encoding differs, and how often."""
    payloads: Counter[str] = Counter()
    places: Counter[str] = Counter()
    for first, second in pairs:
        for difference in compare_payloads(first, second, version):
            payloads[difference.aspect] += 1
            places[difference.aspect] += difference.total
    return ", ".join(f"{aspect}: {number} ({places[aspect]})" for aspect, number in payloads.most_common())


def measure(name: str, python: str, sources: dict[str, bytes]) -> None:
    """Print the figures of an interpreter and a package."""
    interpreter = interpreters.describe(python)
    raw = {state: marshalled(python, sources, state) for state in STATES}
    first = raw["in-order"]
    canonical = [canonicalize(payload, interpreter.version) for payload in first]
    print(f"{interpreter.release}, {name}: {len(first)} payloads, {sum(map(len, first))} bytes", flush=True)
    print(f"    canonical: {sum(map(len, canonical))} bytes")
    print(f"    against canonical form: {aspects(list(zip(first, canonical, strict=True)), interpreter.version)}")
    for state in STATES[1:]:
        pairs = [pair for pair in zip(first, raw[state], strict=True) if pair[0] != pair[1]]
        print(f"    {state}: {len(pairs)} payloads differ; {aspects(pairs, interpreter.version)}", flush=True)
        again = [canonicalize(payload, interpreter.version) for payload in raw[state]]
        print(f"        in canonical form: {sum(a != b for a, b in zip(canonical, again, strict=True))}")
    theirs, ours = map(float, run(python, "-c", LOADING, data=marshal.dumps([first, canonical], 2)).split())
    print(f"    marshal.loads: {theirs * 1000:.1f} ms, canonical {ours * 1000:.1f} ms", flush=True)


if __name__ == "__main__":
    for executable in sys.argv[2:]:
        measure(Path(sys.argv[1]).name.partition("-")[0], executable, wheel(sys.argv[1]))
        measure("standard library", executable, library(executable))
