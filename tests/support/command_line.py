"""The command line, run as a user runs it."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COMMAND = (sys.executable, "-m", "detpyc")


def detpyc(*arguments: object, prefix: tuple[str, ...] = (), **options: object) -> subprocess.CompletedProcess[str]:
    """Run detpyc to its end; ``prefix`` is a command that runs it."""
    command = [*prefix, *COMMAND, *arguments]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False, **options)


def done(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    """Run detpyc, which has nothing to complain of."""
    completed = detpyc(*arguments, **options)
    assert (completed.returncode, completed.stderr) == (0, "")
    return completed


def snapshot(directory: Path) -> dict[str, tuple[bytes, int, int]]:
    """Return the content, the mtime and the mode of every file in a directory and below."""
    files = (path for path in directory.rglob("*") if path.is_file())
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_mode) for path in files}


@contextmanager
def unchanged(directory: Path) -> Iterator[None]:
    """Hold that no file in a directory is changed, made or removed."""
    before = snapshot(directory)
    yield
    assert snapshot(directory) == before
