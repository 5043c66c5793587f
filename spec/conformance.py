"""Test an implementation of canonical form with the vectors: ``python conformance.py [OPTION]... COMMAND...``.

For each vector, COMMAND runs once, with the version (such as 3.12) as its last argument and the payload on standard
input. It must write the canonical form to standard output and exit with 0, or, if it refuses the payload, print ``KIND
at offset N`` on standard error, within a line of any other words, and exit with another status. The exit status of this
program is 0 if every vector passes, 1 if one fails, 2 if COMMAND cannot be run.

A process for each vector keeps the protocol simple. Several run at the same time.
"""

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

VECTORS = Path(__file__).with_name("vectors")
MAX_SHOWN = 20
REFUSAL = re.compile(r"\b([a-z]+) at offset ([0-9]+)\b")


@dataclass(frozen=True)
class Vector:
    """A payload, and what an implementation must make of it.

    Attributes:
        name: for people; unique in a version and a rule.
        rule: that it is for.
        version: of the CPython, such as 3.12.
        payload: what is passed to the implementation.
        expected: the canonical form; or the kind and the offset of the refusal.

    """

    name: str
    rule: str
    version: str
    payload: bytes
    expected: bytes | tuple[str, int]


def read(path: Path) -> Iterator[Vector]:
    """Yield the vectors in a file."""
    for line in path.read_text("utf-8").splitlines()[1:]:  # the first line is about the file
        entry = json.loads(line)
        refused = "kind" in entry
        expected = (entry["kind"], entry["offset"]) if refused else decoded(entry["canonical"])
        yield Vector(entry["name"], entry["rule"], entry["version"], decoded(entry["payload"]), expected)


def decoded(written: str | list[tuple[str, int]]) -> bytes:
    """Return bytes that are written in hexadecimal, or as parts in hexadecimal and how often each is repeated."""
    if isinstance(written, str):
        return bytes.fromhex(written)
    return b"".join(bytes.fromhex(part) * times for part, times in written)


def problem(vector: Vector, command: Sequence[str], timeout: float) -> str | None:
    """Run a command on a vector; return what is wrong, or None."""
    try:
        completed = subprocess.run(
            [*command, vector.version], input=vector.payload, capture_output=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired:
        return f"still running after {timeout:g} seconds"
    errors = completed.stderr.decode("utf-8", "replace")
    if completed.returncode == 0:
        found: object = completed.stdout
    else:
        match = REFUSAL.search(errors)
        if match is None:
            return f"exit status {completed.returncode}, without KIND at offset N: {errors.strip()[-200:]!r}"
        found = match[1], int(match[2])
    return None if found == vector.expected else f"expected {shown(vector.expected)}, got {shown(found)}"


def shown(outcome: object) -> str:
    """Return an outcome for people."""
    if isinstance(outcome, bytes):
        text = outcome.hex()
        return text if len(text) <= 200 else f"{text[:200]}... ({len(outcome)} bytes)"
    kind, offset = outcome if isinstance(outcome, tuple) else ("", "")
    return f"{kind} at offset {offset}"


def main() -> int:
    """Run the command on the vectors, and report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("-j", "--jobs", type=int, default=os.cpu_count() or 1, help="processes at the same time")
    parser.add_argument("--timeout", type=float, default=60, help="seconds for a vector (default: %(default)s)")
    parser.add_argument("--only", metavar="FILE", help="a file of the vectors, such as 3.12")
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="COMMAND...", help="what to test")
    options = parser.parse_args()
    paths = sorted(VECTORS.glob(f"{options.only or '*'}.jsonl"))
    if not options.command or not paths:
        parser.error("there are no such vectors" if options.command else "no COMMAND to test")
    vectors = [vector for path in paths for vector in read(path)]
    try:
        with ThreadPoolExecutor(options.jobs) as pool:
            problems = list(pool.map(lambda vector: problem(vector, options.command, options.timeout), vectors))
    except OSError as error:
        print(f"{options.command[0]}: {error.strerror}", file=sys.stderr)
        return 2
    failed = [(vector, found) for vector, found in zip(vectors, problems, strict=True) if found is not None]
    for vector, found in failed[:MAX_SHOWN]:
        print(f"{vector.version}, {vector.rule}, {vector.name}: {found}")
    if len(failed) > MAX_SHOWN:
        print(f"and {len(failed) - MAX_SHOWN} more")
    print(f"{len(vectors) - len(failed)} of {len(vectors)} vectors passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
