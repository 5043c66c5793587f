"""Run other programs, and end them together with the processes that they started."""

from __future__ import annotations

import errno
import os
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from detpyc.errors import DetpycError

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping, Sequence


def environment() -> Mapping[str, str]:
    """Return the environment for an interpreter: ours without the variables that change what Python does."""
    return {name: value for name, value in os.environ.items() if not name.upper().startswith("PYTHON")}


def run(
    arguments: Sequence[str], variables: Mapping[str, str], *, merged: bool = False, limit: float | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run a program to its end. If waiting is interrupted, kill it and the processes that it started.

    Args:
        arguments: the program and its arguments.
        variables: its environment.
        merged: whether standard error goes where standard output does.
        limit: in seconds; by default there is none.

    Raises:
        OSError: if it cannot be run.
        DetpycError: if no more processes can be started.
        subprocess.TimeoutExpired: if it takes longer.

    """
    import subprocess  # noqa: PLC0415 - most runs do not search for interpreters

    process = start_process(
        arguments,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if merged else subprocess.PIPE,
        env=variables,
    )
    try:
        output, errors = process.communicate(timeout=limit)
    except BaseException:
        kill(process)
        process.communicate()
        raise
    return subprocess.CompletedProcess(arguments, process.returncode, output, errors)


def start_process(
    arguments: Sequence[str], *, stdin: int, stdout: int, stderr: int, env: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own.

    Raises:
        OSError: if it cannot be run.
        DetpycError: if no more processes can be started.

    """
    import subprocess  # noqa: PLC0415 - as above

    try:
        return subprocess.Popen(arguments, stdin=stdin, stdout=stdout, stderr=stderr, env=env, start_new_session=True)
    except OSError as error:
        if error.errno in {errno.EAGAIN, errno.ENOMEM}:
            raise DetpycError(
                f"cannot start a process: {error.strerror}; allow more processes or memory (ulimit -u, ulimit -v)"
            ) from error
        raise


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a process that leads a session, and those that it started: a shell script runs a child."""
    if process.returncode is not None:  # another process may have its number by now
        return
    if sys.platform == "win32":
        process.kill()
    else:
        with suppress(ProcessLookupError, PermissionError):  # macOS raises the latter if all have ended
            os.killpg(process.pid, signal.SIGKILL)


def indented(stream: bytes, lines: int = 10) -> str:
    """Return the last lines that a failed process wrote, indented for an error message."""
    tail = stream.decode(errors="replace").strip().splitlines()[-lines:]
    return "".join(f"\n    {line}" for line in tail)
