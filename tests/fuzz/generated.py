"""Fuzz one target with hypothesis, by mutations of its seeds: ``generated.py TARGET SECONDS DIRECTORY``."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from detpyc.errors import DetpycError
from targets import TARGETS

SECONDS, MEGABYTES = 10, 1024  # for one input
ROUND = 1000  # examples between two looks at the clock


def mutated(seeds: list[bytes], words: tuple[bytes, ...]) -> st.SearchStrategy[bytes]:
    """Return a strategy for seeds in which some ranges are replaced."""
    some = [st.binary(max_size=8), st.binary(min_size=1, max_size=1)]
    if words:
        some.append(st.sampled_from(words))
    edits = st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 8), st.one_of(some)), max_size=6)

    def apply(data: bytes, changes: list[tuple[int, int, bytes]]) -> bytes:
        for place, size, replacement in changes:
            start = place % (len(data) + 1)
            data = data[:start] + replacement + data[start + size :]
        return data

    return st.builds(apply, st.sampled_from(seeds), edits)


def main(name: str, seconds: str, directory: str) -> None:
    """Fuzz until the time is over or an input fails, which is written to ``DIRECTORY/found-crash``."""
    if sys.platform == "win32":
        sys.exit("it cannot limit the time and memory of an input there")
    import resource  # noqa: PLC0415 - the tests import this module on Windows too

    target = TARGETS[name]
    executions = 0
    deadline = time.monotonic() + int(seconds)
    signal.signal(signal.SIGALRM, expire)
    resource.setrlimit(resource.RLIMIT_AS, (MEGABYTES << 20, MEGABYTES << 20))

    @settings(max_examples=ROUND, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(mutated(target.seeds(), target.words))
    def check(data: bytes) -> None:
        nonlocal executions
        executions += 1
        signal.alarm(SECONDS)
        try:
            target.check(data)
        except DetpycError:
            pass
        except BaseException:
            Path(directory, "found-crash").write_bytes(data)  # the last one is the smallest
            raise
        finally:
            signal.alarm(0)

    try:
        round_number = 0
        while time.monotonic() < deadline:
            seed(round_number)(check)()
            round_number += 1
    finally:
        print(f"stat::number_of_executed_units: {executions}")  # as libFuzzer does


def expire(*_: object) -> None:
    raise TimeoutError(f"still running after {SECONDS} seconds")


if __name__ == "__main__":
    main(*sys.argv[1:])
