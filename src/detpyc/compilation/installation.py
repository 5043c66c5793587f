"""Install an interpreter that is missing: uv downloads it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

from packaging.version import Version

from detpyc.compilation.description import describe, supported
from detpyc.compilation.processes import environment, indented, run
from detpyc.errors import InterpreterError
from detpyc.limits import MAX_INSTALLED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detpyc.compilation.description import Interpreter

__all__ = ["install_interpreter", "installable_releases"]

# Seconds for one run of uv. It has shorter limits of its own for a network that does not answer.
_TIME_LIMIT = 1800.0

# The first uv with --managed-python.
_OLDEST_UV = "0.6.8"

# uv adds a link in ~/.local/bin, and on Windows an entry in the registry; a build must not change what `python` means.
# As variables and not as options, since older versions of uv ignore variables that they do not know.
_VARIABLES = {"UV_PYTHON_INSTALL_BIN": "0", "UV_PYTHON_INSTALL_REGISTRY": "0"}

# What uv prints when it fails, and what to do about it; the first that matches is used. uv has no codes for them.
_ADVICE = {
    "unexpected argument|unrecognized subcommand": (
        f"this uv is too old; update it to {_OLDEST_UV} or later, for example with `uv self update` or"
        " `pip install --upgrade uv`"
    ),
    "No download found": (
        "this uv has no CPython {release} for this system; `uv python list --all-versions --only-downloads` lists those"
        " that it has, and a later uv may have it"
    ),
    "Hash mismatch": (
        "the download does not have the checksum that uv expects, and was not installed; try again, and if that does"
        " not help, check the mirror that uv downloads from"
    ),
    "Network connectivity is disabled": (
        "uv is offline (UV_OFFLINE), and has not downloaded it before; run `uv python install {release}` once with a"
        " network, or install CPython {release} in another way"
    ),
    "Failed to download|Request failed|error sending request": (
        "uv cannot download it; check the network, or set UV_PYTHON_INSTALL_MIRROR to a mirror that can be reached"
    ),
    "downloads are not allowed": ("the configuration of uv forbids it; set UV_PYTHON_DOWNLOADS=manual to allow it"),
}


def install_interpreter(release: str) -> Interpreter:
    """Install a CPython by uv, unless uv has installed it before.

    uv decides where: in the directory for its interpreters, or in ``UV_PYTHON_INSTALL_DIR``. Its configuration applies,
    such as a mirror.

    Args:
        release: e.g. ``3.12.1``; for ``3.12``, the newest release that uv has.

    Returns:
        The interpreter.

    Raises:
        InterpreterError: if there is no uv, or it fails, or what it installs is not that release.

    """
    uv = _find_uv(release)
    _run([uv, "python", "install", "--managed-python", release], release)
    # Not one of the virtual environments around, and whatever the project in the current directory requires.
    found = _run([uv, "python", "find", "--managed-python", "--system", "--no-project", release], release)
    interpreter = supported(describe(found.decode().strip()))
    if not interpreter.satisfies(release):
        raise InterpreterError(f"uv installed CPython {interpreter.release} for {release}", path=interpreter.path)
    return interpreter


def installable_releases(version: tuple[int, int]) -> tuple[str, ...]:
    """Return the releases of a version that uv can install on this system, the newest first.

    uv knows them without a network.

    Args:
        version: e.g. ``(3, 12)``.

    Raises:
        InterpreterError: if there is no uv, or it fails.

    """
    minor = "{}.{}".format(*version)
    uv = _find_uv(minor)
    options = ["--all-versions", "--only-downloads", "--output-format", "json"]
    entries = json.loads(_run([uv, "python", "list", *options, minor], minor))
    releases = {Version(entry["version"]) for entry in entries if entry["implementation"] == "cpython"}
    final = sorted((release for release in releases if not release.is_prerelease), reverse=True)
    return tuple(str(release) for release in final[:MAX_INSTALLED])


def _find_uv(release: str) -> str:
    """Return the path of uv: the one on ``PATH``, or the one that the Python package ``uv`` brings."""
    found = shutil.which("uv")
    if found is not None:
        return found
    try:
        from uv import find_uv_bin  # noqa: PLC0415 - it need not be installed

        return find_uv_bin()
    except (ImportError, FileNotFoundError) as error:
        raise InterpreterError(
            f"CPython {release} cannot be installed: there is no uv, which would download it; install uv and put it on"
            " PATH, or install the Python package uv beside detpyc"
        ) from error


def _run(command: Sequence[str], release: str) -> bytes:
    """Run uv and return its output.

    Raises:
        InterpreterError: if it fails; the message has what uv printed.

    """
    try:
        completed = run(command, {**environment(), **_VARIABLES}, limit=_TIME_LIMIT)
    except OSError as error:
        raise InterpreterError(
            f"CPython {release} cannot be installed: uv cannot be run: {error.strerror}", path=command[0]
        ) from error
    except subprocess.TimeoutExpired as error:
        raise InterpreterError(
            f"CPython {release} cannot be installed: uv was not done within {_TIME_LIMIT:.0f} seconds"
        ) from error
    if completed.returncode:
        printed = completed.stderr.decode(errors="replace")
        advice = next((advice for pattern, advice in _ADVICE.items() if re.search(pattern, printed)), "uv failed")
        raise InterpreterError(
            f"CPython {release} cannot be installed: {advice.format(release=release)}. uv printed:"
            f"{indented(completed.stderr)}"
        )
    return completed.stdout
