"""Compare detpyc with the reference implementation of canonical form, on packages and on mutants.

Run by ``nox -s differential``, with ``spec``, ``tests/support`` and ``tests/fuzz`` in PYTHONPATH. Each CPython that is
found, or that DETPYC_TEST_PYTHONS names, marshals its standard library and the modules of the wheels that are named, in
two states of the process. Then the fuzzer's mutants of small payloads, and of real ones, are compared for some time.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import time
import zipfile
from base64 import b64decode, b64encode
from pathlib import Path
from typing import TYPE_CHECKING

import conftest
import implementations
import states
import targets
from conformance import VECTORS, read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from detpyc.compilation.interpreters import Interpreter

SKIPPED = {"test", "tests", "idle_test", "site-packages", "dist-packages", "lib2to3"}
STATES = ("in-order", "held")
CHUNK = 200  # sources of one request


def agree(payload: bytes, version: tuple[int, int]) -> bool:
    """Return whether the payload is accepted; end the program if the two do not agree."""
    fast, plain = implementations.fast(payload, version), implementations.plain(payload, version)
    if fast != plain:
        sys.exit(f"{version}: {payload.hex()}: detpyc {fast!r}, reference {plain!r}")
    return isinstance(fast, bytes)


def run(python: str, *command: str, request: object = None) -> object:
    """Send a request to states.py."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    completed = subprocess.run(
        [python, "-s", "-S", "-B", states.__file__, *command],
        input=json.dumps(request).encode(),
        stdout=subprocess.PIPE,
        env=environment,
        check=True,
    )
    return json.loads(completed.stdout)


def library(interpreter: Interpreter) -> dict[str, bytes]:
    """Return the modules of an interpreter's standard library."""
    root = Path(str(run(interpreter.path, "library")))
    paths = [path for path in sorted(root.rglob("*.py")) if not SKIPPED.intersection(path.relative_to(root).parts)]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in paths if path.is_file()}


def compilable(interpreter: Interpreter, sources: dict[str, bytes]) -> dict[str, bytes]:
    """Return the sources that the interpreter compiles."""
    command = "import sys, json, base64, warnings\nwarnings.simplefilter('ignore')\nfound = []\n"
    command += "for name, source in json.load(sys.stdin):\n try: compile(base64.b64decode(source), name, 'exec')\n"
    command += " except (SyntaxError, ValueError): continue\n found.append(name)\njson.dump(found, sys.stdout)"
    request = json.dumps([(name, b64encode(source).decode()) for name, source in sources.items()])
    completed = subprocess.run(
        [interpreter.path, "-I", "-S", "-c", command], input=request.encode(), stdout=subprocess.PIPE, check=True
    )
    return {name: sources[name] for name in json.loads(completed.stdout)}


def marshalled(interpreter: Interpreter, sources: dict[str, bytes], state: str) -> Iterator[bytes]:
    """Yield what the interpreter writes for the sources."""
    pairs = [(name, b64encode(source).decode()) for name, source in sources.items()]
    for start in range(0, len(pairs), CHUNK):
        answer = run(interpreter.path, "compile", state, request=pairs[start : start + CHUNK])
        assert isinstance(answer, list)
        yield from map(b64decode, answer)


def mutant(seed: bytes, source: random.Random) -> bytes:
    """Return a payload in which some ranges are replaced."""
    data = bytearray(seed)
    for _ in range(source.randint(1, 4)):
        place = source.randrange(len(data) + 1)
        replacement = source.choice([b"", source.randbytes(1), source.randbytes(source.randrange(6)), *targets.OBJECTS])
        data[place : place + source.randrange(4)] = replacement
    return bytes(data)


def compare_packages(wheels: list[Path], step: int) -> None:
    """Compare on real modules."""
    for interpreter in {python.path: python for python in conftest.all_pythons()}.values():
        sources = library(interpreter)
        for wheel in wheels:
            with zipfile.ZipFile(wheel) as archive:
                sources |= {name: archive.read(name) for name in archive.namelist() if name.endswith(".py")}
        sources = compilable(interpreter, dict([*sources.items()][::step]))
        payloads = {payload for state in STATES for payload in marshalled(interpreter, sources, state)}
        refused = [payload for payload in payloads if not agree(payload, interpreter.version)]
        if refused:
            sys.exit(f"{interpreter.release}: {len(refused)} real payloads are refused")
        print(f"{interpreter.release}: {len(sources)} modules, {len(payloads)} payloads: the same bytes", flush=True)


def compare_mutants(seconds: float, seed: int) -> None:
    """Compare on mutants, of the fuzzer's seeds and of the vectors."""
    seeds = list(targets.compiled())
    for path in VECTORS.glob("3.*.jsonl"):
        for vector in read(path):
            if vector.rule != "limits":
                major, minor = map(int, vector.version.split("."))
                seeds.append(((major, minor), vector.payload))
    source = random.Random(seed)  # noqa: S311 - not for security
    end = time.monotonic() + seconds
    number = accepted = 0
    while time.monotonic() < end:
        version, payload = source.choice(seeds)
        accepted += agree(mutant(payload, source), version)
        number += 1
    print(f"{number} mutants, of which {accepted} are accepted: the same bytes or the same refusal", flush=True)


def main() -> None:
    """Compare, and stop at the first difference."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("wheels", nargs="*", type=Path, metavar="WHEEL")
    parser.add_argument("--step", type=int, default=1, help="compare one module in so many (default: all)")
    parser.add_argument("--seconds", type=float, default=600, help="for mutants (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the mutants")
    options = parser.parse_args()
    compare_mutants(options.seconds, options.seed)
    compare_packages(options.wheels, options.step)


if __name__ == "__main__":
    main()
