"""Limit the time and memory of a test."""

from __future__ import annotations

import signal
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

with suppress(ImportError):
    import resource  # not on Windows

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS = 30  # generous: without the limit, a failing test takes minutes, or never ends
MEGABYTES = 512


@contextmanager
def bounded() -> Iterator[None]:
    """Fail what takes too long or too much memory; a context manager or a decorator."""
    if sys.platform == "win32":
        yield
        return

    def expire(*_: object) -> None:
        pytest.fail(f"still running after {SECONDS} seconds")

    limits = resource.getrlimit(resource.RLIMIT_AS)
    with suppress(OSError, ValueError):  # not Linux, or already limited: only the time is bounded
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + (MEGABYTES << 20), limits[1]))
    previous = signal.signal(signal.SIGALRM, expire)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)
        resource.setrlimit(resource.RLIMIT_AS, limits)
