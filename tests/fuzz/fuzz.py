"""Fuzz the parsers of untrusted bytes, each in its own process, for a bounded time.

Run by ``nox -s fuzz``, with ``tests/support`` in PYTHONPATH. With atheris, coverage guides the fuzzing; without it,
hypothesis mutates the seeds. One input may take ten seconds and a gigabyte. A failing input is printed in hexadecimal,
to become a test case.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from targets import TARGETS

HERE = Path(__file__).parent
ENGINES = {"atheris": HERE / "guided.py", "hypothesis": HERE / "generated.py"}
NOISE = ("#", "stat::", "INFO:", "WARNING:", "Dictionary:")  # of libFuzzer
EXECUTIONS = "stat::number_of_executed_units:"
GRACE = 60  # seconds that a process may take beyond its time, to start and to shrink what it found


def fuzz(target: str, engine: str, seconds: int) -> bool:
    """Fuzz one target, print the outcome, and return whether it passed."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="detpyc-fuzz-") as name:
        directory = Path(name)
        command = [sys.executable, str(ENGINES[engine]), target, str(seconds), name]
        with (directory / "log").open("w+b") as log:
            try:
                status = subprocess.run(
                    command,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    timeout=seconds + GRACE,
                    check=False,
                ).returncode
            except subprocess.TimeoutExpired:
                status = -1
            log.seek(0)
            output = log.read().decode(errors="replace")
        executions = re.search(rf"{EXECUTIONS} *(\d+)", output)
        count = executions[1] if executions else "unknown"
        verdict = "passed" if status == 0 else "FAILED"
        print(f"{target}: {verdict}, {count} executions in {time.monotonic() - start:.0f} s ({engine})", flush=True)
        if status:
            print("\n".join(line for line in output.splitlines() if not line.startswith(NOISE)))
            for crash in sorted(directory.glob("found-*")):
                print(f"{crash.name.partition('-')[2]}: {crash.read_bytes().hex()}", flush=True)
    return status == 0


def main() -> None:
    """Fuzz the targets that are named, or all."""
    found = "atheris" if importlib.util.find_spec("atheris") else "hypothesis"
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="target", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=int, default=60, help="per target (default: %(default)s)")
    parser.add_argument("--engine", choices=ENGINES, default=found, help="default: atheris if it is installed")
    options = parser.parse_args()
    unknown = set(options.targets) - TARGETS.keys()
    if unknown:
        parser.error(f"unknown target: {', '.join(sorted(unknown))}")
    outcomes = [fuzz(target, options.engine, options.seconds) for target in options.targets or TARGETS]
    sys.exit(not all(outcomes))


if __name__ == "__main__":
    main()
