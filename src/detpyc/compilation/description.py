"""What an interpreter is, as it describes itself.

What another interpreter needs is imported when there is one: most runs use the running one alone.
"""

from __future__ import annotations

import functools
import os
import re
import sys
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from detpyc.bytecode.header import MAGIC_NUMBERS, SUPPORTED
from detpyc.compilation import worker
from detpyc.compilation.processes import environment, indented, run
from detpyc.errors import InterpreterError

if TYPE_CHECKING:
    from detpyc.explain.instructions import Opcode

__all__ = ["Interpreter", "current", "describe", "opcodes", "supported"]

# Seconds for an interpreter to describe itself: enough for a cold disk, and a shim that hangs is killed.
START_LIMIT = 60.0

_MINOR = re.compile(r"3\.\d+\Z")


class Interpreter(NamedTuple):
    """A Python interpreter, as it describes itself.

    Attributes:
        path: of its executable.
        implementation: ``sys.implementation.name``, e.g. ``cpython``.
        release: e.g. ``3.12.1``; with a suffix for a pre-release.
        cache_tag: e.g. ``cpython-312``.
        magic_number: of its pycs, e.g. 3531.
        build: what its code depends on besides the release, as `detpyc.compilation.worker.describe_build` says.

    """

    path: str
    implementation: str
    release: str
    cache_tag: str
    magic_number: int
    build: tuple[bytes, ...] = ()

    @property
    def version(self) -> tuple[int, int]:
        """The release without its patch number, e.g. ``(3, 12)``."""
        major, minor = self.release.split(".")[:2]
        return int(major), int(minor)

    @property
    def problem(self) -> str | None:
        """Why detpyc cannot byte-compile with it; None if it can."""
        if self.implementation != "cpython":
            return f"it is {self.implementation}, not CPython, and its bytecode has another format"
        if MAGIC_NUMBERS.get(self.magic_number) != self.version:
            found = f"CPython {self.release} with magic number {self.magic_number}"
            return f"it is {found}; {SUPPORTED} are supported, final releases only"
        return None

    def same_release(self, other: Interpreter) -> bool:
        """Return whether another interpreter is the same but for its build."""
        return self._replace(build=()) == other._replace(build=())

    def satisfies(self, release: str) -> bool:
        """Return whether it is of a release: ``3.12`` means any ``3.12.*``, ``3.12.1`` only itself."""
        return self.release == release or (bool(_MINOR.match(release)) and self.release.startswith(f"{release}."))


def command(path: str) -> list[str]:
    """Return the command that starts the worker under an interpreter, isolated and writing no bytecode."""
    return [*_isolated(path), worker.__file__]


def _isolated(path: str) -> list[str]:
    return [path, "-I", "-S", "-B"]


def current() -> Interpreter:
    """Return the interpreter that runs this code.

    Raises:
        InterpreterError: if it does not know its own executable, as when Python is embedded.

    """
    if not sys.executable:
        raise InterpreterError(
            "the running Python does not know its own executable; name an interpreter to compile with"
        )
    return parse_description(sys.executable, worker.describe())


def describe(path: str | os.PathLike[str]) -> Interpreter:
    """Run an interpreter, and return its description of itself.

    Args:
        path: of its executable.

    Raises:
        InterpreterError: if it does not run, or is not a Python that the worker can run under.

    """
    import subprocess  # noqa: PLC0415 - as in the module's docstring

    path = os.fspath(path)
    try:
        fields = worker.read_frame(BytesIO(_output(command(path))))
        if fields is None:
            raise EOFError
        return parse_description(path, fields)
    except subprocess.TimeoutExpired as error:
        raise InterpreterError(f"did not start within {START_LIMIT:.0f} seconds", path=path) from error
    except subprocess.CalledProcessError as error:
        raise InterpreterError(
            f"not a usable Python interpreter; {SUPPORTED} are supported. It ended with status {error.returncode}"
            + indented(error.stderr),
            path=path,
        ) from error
    except OSError as error:
        raise InterpreterError(f"cannot be run: {error.strerror}", path=path) from error
    except (EOFError, ValueError) as error:
        raise InterpreterError("not a Python interpreter: it sent an invalid reply", path=path) from error


def parse_description(path: str, fields: list[bytes]) -> Interpreter:
    """Return the interpreter at a path, given its description of itself (`worker.describe`).

    Raises:
        ValueError: if the description is malformed.

    """
    implementation, release, cache_tag, magic_number, *build = fields
    number = int.from_bytes(magic_number, "little")
    return Interpreter(path, implementation.decode(), release.decode(), cache_tag.decode(), number, tuple(build))


def supported(interpreter: Interpreter) -> Interpreter:
    """Return the interpreter if detpyc can byte-compile with it.

    Raises:
        InterpreterError: if it cannot; the message says why.

    """
    if interpreter.problem is not None:
        raise InterpreterError(interpreter.problem, path=interpreter.path)
    return interpreter


@functools.cache
def opcodes(interpreter: Interpreter) -> dict[int, Opcode]:
    """Return an interpreter's opcodes by number.

    Raises:
        InterpreterError: if it does not run.

    """
    import subprocess  # noqa: PLC0415 - as in the module's docstring

    from detpyc.explain.instructions import Opcode  # noqa: PLC0415

    script = Path(__file__).with_name("opcodes.py")
    try:
        output = _output([*_isolated(interpreter.path), str(script)])
    except (OSError, subprocess.SubprocessError) as error:
        raise InterpreterError(f"cannot be run: {error}", path=interpreter.path) from error
    found = {}
    for line in output.decode().splitlines():
        number, name, has_argument, caches, refers, shift = line.split()
        found[int(number)] = Opcode(name, has_argument == "1", int(caches), refers.strip("-"), int(shift))
    return found


def _output(arguments: list[str]) -> bytes:
    """Run an interpreter, and return its standard output.

    Raises:
        OSError: if it cannot be run.
        subprocess.SubprocessError: if it fails, or takes longer than `START_LIMIT`.

    """
    completed = run(arguments, environment(), limit=START_LIMIT)
    completed.check_returncode()
    return completed.stdout
