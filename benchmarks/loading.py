"""Print the time of loading the pycs in one directory, relative to loading those in another one.

Run as ``loading.py DIRECTORY OTHER``, under the CPython that the pycs in both are for, from 3.8 on. The figure is the
median of the ratios of interleaved rounds, each of which loads all pycs with ``marshal.loads``.
"""

from __future__ import annotations

import gc
import marshal
import statistics
import sys
import time
from pathlib import Path

ROUNDS = 25
HEADER_SIZE = 16  # bytes, since CPython 3.7


def payloads(directory: str) -> list[bytes]:
    """Return the code objects of all pycs in a directory and below, marshalled."""
    return [pyc.read_bytes()[HEADER_SIZE:] for pyc in sorted(Path(directory).rglob("*.pyc"))]


def timed(marshalled: list[bytes]) -> float:
    """Load some code objects and return the duration in seconds."""
    start = time.perf_counter()
    loaded = [marshal.loads(payload) for payload in marshalled]  # noqa: S302 - made by the benchmark
    end = time.perf_counter()
    del loaded  # its time does not count, and the next run interns all strings again
    return end - start


if __name__ == "__main__":
    both = [payloads(directory) for directory in sys.argv[1:]]
    if len(both[0]) != len(both[1]):
        sys.exit(f"{len(both[0])} pycs cannot be compared with {len(both[1])}")
    gc.disable()  # it would run in one or the other
    ratios = []
    for number in range(ROUNDS):
        order = (0, 1) if number % 2 else (1, 0)
        times = {index: timed(both[index]) for index in order}
        ratios.append(times[0] / times[1])
    print(statistics.median(ratios))
