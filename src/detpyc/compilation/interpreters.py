"""Find the CPython that a request names, and tell what an interpreter is.

What only a search or another interpreter needs is imported when there is one: most runs use the running one alone.
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
    from collections.abc import Iterable, Iterator

    from detpyc.explain.instructions import Opcode

# Seconds for an interpreter to say what it is: enough for a cold disk, and a shim that hangs is not waited for.
START_LIMIT = 60.0

_REQUEST = re.compile(r"(?:cpython|python)?-?(?P<release>3\.\d+(?:\.\d+\w*)?)", re.IGNORECASE)
_MINOR = re.compile(r"3\.\d+\Z")


class Interpreter(NamedTuple):
    """A Python interpreter, as it describes itself.

    Attributes:
        path: of its executable.
        implementation: ``sys.implementation.name``, e.g. ``cpython``.
        release: e.g. ``3.12.1``; with a suffix for a pre-release.
        cache_tag: e.g. ``cpython-312``.
        magic_number: of its pycs, e.g. 3531.

    """

    path: str
    implementation: str
    release: str
    cache_tag: str
    magic_number: int

    @property
    def version(self) -> tuple[int, int]:
        """The release without its patch number, e.g. ``(3, 12)``."""
        major, minor = self.release.split(".")[:2]
        return int(major), int(minor)

    @property
    def problem(self) -> str | None:
        """Why it cannot byte-compile for us; None if it can."""
        if self.implementation != "cpython":
            return f"it is {self.implementation}, not CPython, and its bytecode has another format"
        if MAGIC_NUMBERS.get(self.magic_number) != self.version:
            found = f"CPython {self.release} with magic number {self.magic_number}"
            return f"it is {found}; {SUPPORTED} are supported, final releases only"
        return None

    def satisfies(self, release: str) -> bool:
        """Tell whether it is of a release: ``3.12`` means any ``3.12.*``, ``3.12.1`` only itself."""
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
    return described(sys.executable, worker.describe())


def describe(path: str | os.PathLike[str]) -> Interpreter:
    """Run an interpreter and let it say what it is.

    Args:
        path: of its executable.

    Raises:
        InterpreterError: if it does not run, or is no Python that the worker can run under.

    """
    import subprocess  # noqa: PLC0415 - as in the module's docstring

    path = os.fspath(path)
    try:
        fields = worker.read_frame(BytesIO(_output(command(path))))
        if fields is None:
            raise EOFError
        return described(path, fields)
    except subprocess.TimeoutExpired as error:
        raise InterpreterError(f"{path}: did not start within {START_LIMIT:.0f} seconds") from error
    except subprocess.CalledProcessError as error:
        raise InterpreterError(
            f"{path}: is no Python that can be used; {SUPPORTED} are supported. It ended with status {error.returncode}"
            + indented(error.stderr)
        ) from error
    except OSError as error:
        raise InterpreterError(f"{path}: cannot be run: {error.strerror}") from error
    except (EOFError, ValueError) as error:
        raise InterpreterError(f"{path}: is no Python: it did not answer as one") from error


def _output(arguments: list[str]) -> bytes:
    """Run an interpreter and return what it writes.

    Raises:
        OSError: if it cannot be run.
        subprocess.SubprocessError: if it fails, or takes longer than `START_LIMIT`.

    """
    completed = run(arguments, environment(), limit=START_LIMIT)
    completed.check_returncode()
    return completed.stdout


def described(path: str, fields: list[bytes]) -> Interpreter:
    """Return the interpreter at a path, given how it described itself (`worker.describe`)."""
    implementation, release, cache_tag, magic_number = fields
    return Interpreter(
        path, implementation.decode(), release.decode(), cache_tag.decode(), int.from_bytes(magic_number, "little")
    )


def find_interpreter(request: str, *, exactly: bool = False) -> Interpreter:
    """Find the interpreter for a request.

    The running interpreter is taken if it fits; then the newest release that is found on ``PATH`` and where version
    managers and installers put interpreters.

    Args:
        request: ``3.12``, a pinned ``3.12.1``, the same with ``cpython`` or ``python`` before it, or the path of an
            executable.
        exactly: whether the user cannot ask for another, which the message for a missing one says otherwise.

    Returns:
        The interpreter, which is supported.

    Raises:
        InterpreterError: if there is none, or it is not supported; it lists what was found.

    """
    if {os.sep, os.altsep or os.sep} & {*request}:
        return supported(described(request, worker.describe()) if _is_running(request) else describe(request))
    match = _REQUEST.fullmatch(request)
    if match is None:
        raise InterpreterError(f'"{request}" names no interpreter; write "3.12", "3.12.1", "cpython3.12" or a path')
    release = match["release"]
    running = current()
    if running.problem is None and running.satisfies(release):
        return running
    from packaging.version import Version  # noqa: PLC0415 - as in the module's docstring

    minor = ".".join(release.split(".")[:2])
    for candidates in _candidates(minor):
        fitting = [
            found
            for found in _describe_all(candidates)
            if found.implementation == "cpython" and found.satisfies(release)
        ]
        if fitting:
            return supported(max(fitting, key=lambda found: (found.problem is None, Version(found.release))))
    raise InterpreterError(
        f'no interpreter for "{request}"; found are:{_listing()}\n{_way_out(release, exactly=exactly)}'
    )


def choose(requests: Iterable[str]) -> tuple[Interpreter, ...]:
    """Find the interpreter for each request; the running one for none.

    Raises:
        InterpreterError: if one is missing or not supported, or if two would write pycs of the same names.

    """
    chosen = [find_interpreter(request) for request in requests] or [supported(current())]
    by_tag: dict[str, Interpreter] = {}
    for each in chosen:
        other = by_tag.setdefault(each.cache_tag, each)
        if other.release != each.release:
            raise InterpreterError(
                f"CPython {other.release} and {each.release} both write {each.cache_tag} pycs; choose one"
            )
    return tuple(sorted(by_tag.values(), key=lambda each: each.version))


def find_releases(version: tuple[int, int]) -> list[Interpreter]:
    """Return a supported interpreter for each release of a version that is found, the running one first.

    Args:
        version: e.g. ``(3, 12)``.

    """
    from packaging.version import Version  # noqa: PLC0415 - as in the module's docstring

    running = [current()] if sys.executable else []
    minor = "{}.{}".format(*version)
    found = [each for candidates in _candidates(minor) for each in _describe_all(candidates)]
    found.sort(key=lambda each: Version(each.release), reverse=True)
    by_release: dict[str, Interpreter] = {}
    for each in (*running, *found):
        if each.problem is None and each.version == version:
            by_release.setdefault(each.release, each)
    return list(by_release.values())


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
        raise InterpreterError(f"{interpreter.path}: cannot be run: {error}") from error
    found = {}
    for line in output.decode().splitlines():
        number, name, has_argument, caches, refers, shift = line.split()
        found[int(number)] = Opcode(name, has_argument == "1", int(caches), refers.strip("-"), int(shift))
    return found


def _is_running(path: str) -> bool:
    """Tell whether the executable at a path is that of the running interpreter, which need not be asked what it is."""
    try:
        return bool(sys.executable) and os.path.samefile(path, sys.executable)  # noqa: PTH121 - there may be no path
    except OSError:
        return False


def _way_out(release: str, *, exactly: bool) -> str:
    if _MINOR.match(release):
        return f"Install CPython {release}, put it on PATH, or give the path of its executable."
    advice = (
        f"Install CPython {release} exactly (its bytecode differs from other patch releases'), for example with"
        f" `uv python install {release}` or `pyenv install {release}`"
    )
    return f"{advice}." if exactly else f"{advice}; or, where another release will do, ask for that."


def supported(interpreter: Interpreter) -> Interpreter:
    """Return the interpreter if it is one that can byte-compile for us.

    Raises:
        InterpreterError: if it is not; it says why.

    """
    if interpreter.problem is not None:
        raise InterpreterError(f"{interpreter.path}: {interpreter.problem}")
    return interpreter


def find_interpreters() -> list[Interpreter]:
    """Return every Python that is found here, the newest release first; the running one is among them."""
    from packaging.version import Version  # noqa: PLC0415 - as in the module's docstring

    found = {interpreter.path: interpreter for interpreter in _describe_all(_executables().values())}
    if sys.executable:
        running = current()
        if os.path.realpath(running.path) not in {os.path.realpath(path) for path in found}:
            found[running.path] = running
    return sorted(found.values(), key=lambda each: (Version(each.release), each.path), reverse=True)


def _candidates(minor: str) -> Iterator[list[str]]:
    """Give the executables to try for a minor version: first those whose name tells it, then those with a mute name."""
    telling = re.compile(rf"python{re.escape(minor)}[a-z]*(?:\.exe)?", re.IGNORECASE)
    mute = re.compile(r"python3?(?:\.exe)?", re.IGNORECASE)
    executables = _executables()
    yield [
        path for real, path in executables.items() if any(telling.fullmatch(Path(name).name) for name in (real, path))
    ]
    yield [path for real, path in executables.items() if mute.fullmatch(Path(real).name)]


def _executables() -> dict[str, str]:
    """List the Python executables of this machine without running any: each real path, and where it was found.

    The shims of pyenv and asdf are left out: they take ten times as long to start as the Pythons that they stand for,
    and those are listed themselves.
    """
    from findpython.providers import ALL_PROVIDERS  # noqa: PLC0415 - most builds search for none

    providers = [*filter(None, (each.create() for each in ALL_PROVIDERS.values()))]  # None is for another platform
    shims = {os.path.realpath(each.root / "shims") for each in providers if hasattr(each, "root")}
    found: dict[str, str] = {}
    for provider in providers:
        for python in provider.find_pythons():
            real = os.path.realpath(python.executable)
            if os.path.dirname(real) not in shims:  # noqa: PTH120 - as `realpath` gives it
                found.setdefault(real, str(python.executable))
    return found


def _describe_all(paths: Iterable[str]) -> list[Interpreter]:
    """Describe those that run; a version manager's shim for a Python that is not installed does not."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - as in the module's docstring

    def describe_or_none(path: str) -> Interpreter | None:
        try:
            return describe(path)
        except InterpreterError:
            return None

    with ThreadPoolExecutor() as pool:
        return [found for found in pool.map(describe_or_none, paths) if found is not None]


def _listing() -> str:
    found = find_interpreters()
    width = max((len(each.release) for each in found), default=0)
    return "".join(f"\n    {each.release:<{width}}  {each.path}" for each in found) or "\n    none"
