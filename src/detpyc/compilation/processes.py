"""Other programs: how they are started, and how they end with all that they have started."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping, Sequence


def environment() -> Mapping[str, str]:
    """Return the environment for an interpreter that must not be influenced by ours."""
    return {name: value for name, value in os.environ.items() if not name.upper().startswith("PYTHON")}


def run(
    arguments: Sequence[str], variables: Mapping[str, str], *, merged: bool = False, limit: float | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run a program to its end, and if that is not waited for, end it and what it has started.

    Args:
        arguments: the program and its arguments.
        variables: its environment.
        merged: whether standard error goes where standard output does.
        limit: seconds; by default none.

    Raises:
        OSError: if it cannot be run.
        subprocess.TimeoutExpired: if it takes longer.

    """
    import subprocess  # noqa: PLC0415 - most runs search for no interpreter

    process = subprocess.Popen(
        arguments,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if merged else subprocess.PIPE,
        env=variables,
        start_new_session=True,
    )
    try:
        output, complaints = process.communicate(timeout=limit)
    except BaseException:
        kill(process)
        process.communicate()
        raise
    return subprocess.CompletedProcess(arguments, process.returncode, output, complaints)


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a process that leads a session, and those it has started: behind a shell script, a child does the work."""
    if process.returncode is not None:  # its number may be another's by now
        return
    if sys.platform == "win32":
        process.kill()
    else:
        with suppress(ProcessLookupError, PermissionError):  # the latter is what macOS says if all have ended
            os.killpg(process.pid, signal.SIGKILL)


def indented(stream: bytes, lines: int = 10) -> str:
    """Return the end of what a failed process wrote, set off for an error message."""
    tail = stream.decode(errors="replace").strip().splitlines()[-lines:]
    return "".join(f"\n    {line}" for line in tail)
