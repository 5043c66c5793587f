"""Make the vectors: ``python spec/generate.py [--check] [PYTHON...]``, with tests/support in PYTHONPATH.

What each vector expects is derived with the reference implementation. The payloads of most are spelled out in
hand_built.py. The others are what real compilers write, in process states that change it. These need the interpreters,
so the files are their store: the payloads of an interpreter's version are made again if it is among PYTHON, and kept
otherwise.
"""

import argparse
import json
import subprocess
import sys
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import hand_built
import reference
import states
from conformance import VECTORS, decoded

VERSIONS = [(3, minor) for minor in range(8, 16)]
OF_LIMITS = (3, 12)
HEADER = {
    "about": "Test vectors of canonical form 1 of CPython bytecode; README.md describes the keys",
    "license": "CC0-1.0: to the extent possible under law, the authors have waived all rights to this file",
}
SOURCES = {
    "membership": "x in {'zebra', 2, 3}\n\n\ndef f():\n    return x in {'zebra', 2, 3}\n",
    "importer": "import zebra\n",
    "classes": "class A:\n    class B:\n        def f(self):\n            return lambda: [0.5, -0.0, 10**30]\n",
    "characters": "x = ['-', ' ', '.']\n\n\ndef f(y='-'):\n    return y.join(x).split(' ')\n",
    "sets": "def f(x):\n    return x in {'one', 'two', 'three', None, b'six', ('a-b', 1.5)} or 'a-b', 1.5\n",
    "names": "def f(a, *b, c=(), **d):\n    def g():\n        return a, c, Ellipsis\n    return g, d['two words']\n",
}
STATES = ("in-order", "held", "repeated", "characters")


def compiled(python: str) -> Iterator[dict[str, Any]]:
    """Yield vectors, as yet without what they expect, of what an interpreter writes; each payload once."""
    described = subprocess.run(
        [python, "-I", "-S", "-c", "import platform; print(platform.python_version())"], capture_output=True, check=True
    )
    release = described.stdout.decode().strip()
    major, minor = release.split(".")[:2]
    seen = set()
    for state in STATES:
        for seed in (0, 1):
            for name, payload in zip(SOURCES, marshalled(python, state, seed), strict=True):
                if payload not in seen:
                    seen.add(payload)
                    yield {
                        "name": f"{name}, {state}, hash seed {seed}",
                        "rule": "compiled",
                        "version": f"{major}.{minor}",
                        "release": release,
                        "payload": payload,
                    }


def marshalled(python: str, state: str, seed: int) -> list[bytes]:
    """Return what an interpreter writes for the sources, in a state of its process."""
    request = [(f"{name}.py", b64encode(source.encode()).decode()) for name, source in SOURCES.items()]
    completed = subprocess.run(
        [python, "-s", "-S", "-B", states.__file__, "compile", state],
        input=json.dumps(request).encode(),
        stdout=subprocess.PIPE,
        env={"PYTHONHASHSEED": str(seed)},
        check=True,
    )
    return [b64decode(payload) for payload in json.loads(completed.stdout)]


def stored(version: str) -> Iterator[dict[str, Any]]:
    """Yield the vectors of compiled payloads in the file of a version."""
    path = VECTORS / f"{version}.jsonl"
    for line in path.read_text("utf-8").splitlines()[1:] if path.exists() else ():
        entry = json.loads(line)
        if "release" in entry:
            yield {
                key: decoded(value) if key == "payload" else value for key, value in entry.items() if key != "canonical"
            }


def hand_made(version: tuple[int, int], cases: Iterator[hand_built.Case]) -> Iterator[dict[str, Any]]:
    """Yield vectors, as yet without what they expect, of payloads that are spelled out."""
    for rule, name, payload in cases:
        yield {"name": name, "rule": rule, "version": "{}.{}".format(*version), "payload": payload}


def complete(entry: dict[str, Any]) -> dict[str, Any]:
    """Add to a vector what it expects, and encode its bytes."""
    payload = entry["payload"]
    data = payload if isinstance(payload, bytes) else b"".join(part * times for part, times in payload)
    major, _, minor = entry["version"].partition(".")
    written: dict[str, Any] = {**entry, "payload": encoded(payload)}
    try:
        canonical = reference.canonicalize(data, (int(major), int(minor)))
    except reference.Refusal as refusal:
        kind, offset = refusal.args
        return {**written, "kind": kind, "offset": offset}
    return {**written, "canonical": written["payload"] if canonical == data else encoded(canonical)}


def encoded(payload: hand_built.Payload) -> str | list[tuple[str, int]]:
    """Write bytes in hexadecimal."""
    if isinstance(payload, bytes):
        return payload.hex()
    return [(part.hex(), times) for part, times in payload]


def files(pythons: Sequence[str]) -> Iterator[tuple[Path, str]]:
    """Yield each file and its content."""
    made = [entry for python in pythons for entry in compiled(python)]
    for version in VERSIONS:
        dotted = "{}.{}".format(*version)
        new = [entry for entry in made if entry["version"] == dotted]
        entries = [*hand_made(version, hand_built.cases(version)), *(new or stored(dotted))]
        yield VECTORS / f"{dotted}.jsonl", lines(entries)
    unsupported = ("2.7", "3.7", "3.16", "4.0")
    refused = [{"name": name, "rule": "refusals", "version": name, "payload": b"N"} for name in unsupported]
    yield VECTORS / "limits.jsonl", lines([*hand_made(OF_LIMITS, hand_built.limits()), *refused])


def lines(entries: Sequence[dict[str, Any]]) -> str:
    """Return the content of a file of vectors."""
    return "".join(json.dumps(entry) + "\n" for entry in [HEADER, *map(complete, entries)])


def main() -> int:
    """Write the files, or compare them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="change nothing; exit with 1 if a file would change")
    parser.add_argument("pythons", nargs="*", metavar="PYTHON", help="an interpreter whose payloads are made again")
    options = parser.parse_args()
    status = 0
    for path, content in files(options.pythons):
        if not path.exists() or path.read_bytes() != content.encode():
            status = 1
            print(path.name)
            if not options.check:
                path.write_bytes(content.encode())
    return status if options.check else 0


if __name__ == "__main__":
    sys.exit(main())
