"""The command line, run as a user runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import printed
from detpyc.cli import COMMANDS

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator
    from pathlib import Path

COMMAND = (sys.executable, "-m", "detpyc")


def detpyc(
    *arguments: str | os.PathLike[str],
    prefix: tuple[str, ...] = (),
    **options: Any,
) -> subprocess.CompletedProcess[str]:
    """Run detpyc to its end; ``prefix`` is a command that runs it. Check what it prints with ``--json``."""
    command = [*prefix, *COMMAND, *arguments]
    completed: subprocess.CompletedProcess[str] = subprocess.run(
        command, capture_output=True, text=True, encoding="utf-8", check=False, **options
    )
    if "--json" in arguments and completed.stdout:
        (name,) = (name for name in COMMANDS if name in arguments)
        printed.check(name, json.loads(completed.stdout))
    return completed


def done(*arguments: str | os.PathLike[str], **options: Any) -> subprocess.CompletedProcess[str]:
    """Run detpyc; it must succeed and print no message."""
    completed = detpyc(*arguments, **options)
    assert (completed.returncode, completed.stderr) == (0, "")
    return completed


def snapshot(directory: Path) -> dict[str, tuple[bytes, int, int]]:
    """Return the content, the mtime and the mode of every file in a directory and below."""
    files = (path for path in directory.rglob("*") if path.is_file())
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_mode) for path in files}


@contextmanager
def unchanged(directory: Path) -> Iterator[None]:
    """Assert that the body does not change, create or remove any file in a directory."""
    before = snapshot(directory)
    yield
    assert snapshot(directory) == before
