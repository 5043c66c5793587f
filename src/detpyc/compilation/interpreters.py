"""Find the CPython that a request names, and those that are installed.

What only a search needs is imported when there is one: most runs use the running interpreter alone.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from detpyc.compilation import worker
from detpyc.compilation.description import Interpreter, current, describe, opcodes, parse_description, supported
from detpyc.errors import InterpreterError, MissingInterpreterError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = [
    "Chosen",
    "Interpreter",
    "choose",
    "current",
    "describe",
    "find_interpreter",
    "find_interpreters",
    "find_releases",
    "opcodes",
]

_INSTALL = "--install-interpreters has uv install it."
_REQUEST = re.compile(r"(?:cpython|python)?-?(?P<release>3\.\d+(?:\.\d+\w*)?)", re.IGNORECASE)


class Chosen(NamedTuple):
    """The interpreters that compile.

    Attributes:
        interpreters: in the order of their versions.
        missing: the releases that were requested, not found, and skipped.

    """

    interpreters: tuple[Interpreter, ...]
    missing: tuple[str, ...] = ()


def find_interpreter(request: str | os.PathLike[str], *, exactly: bool = False, install: bool = False) -> Interpreter:
    """Find the interpreter for a request.

    The running interpreter is taken if it fits; otherwise the newest release on ``PATH`` and where version managers
    and installers put interpreters.

    Args:
        request: ``3.12``, a pinned ``3.12.1``, the same with ``cpython`` or ``python`` before it, or the path of an
            executable.
        exactly: whether nothing else will do, so that the message for a missing one does not suggest it.
        install: have uv install a release that is missing.

    Returns:
        The interpreter, which is supported.

    Raises:
        MissingInterpreterError: if there is none; the message lists the interpreters that were found.
        InterpreterError: if it is not supported or cannot be run, or uv cannot install it.

    """
    name = os.fspath(request)
    if not isinstance(request, str) or {os.sep, os.altsep or os.sep} & {*name}:
        return supported(parse_description(name, worker.describe()) if _is_running(name) else describe(name))
    match = _REQUEST.fullmatch(name)
    if match is None:
        raise InterpreterError(f'invalid interpreter "{name}"; write "3.12", "3.12.1", "cpython3.12" or a path')
    release = match["release"]
    found = _find_release(release)
    if found is not None:
        return found
    if install:
        from detpyc.compilation.installation import install_interpreter  # noqa: PLC0415 - as in the module's docstring

        return install_interpreter(release)
    advice = f"{_advice(release)} {_INSTALL}" if exactly else _all_advice(release)
    raise MissingInterpreterError(f'no interpreter for "{name}"; found:{_listing()}\n{advice}', release)


def _find_release(release: str) -> Interpreter | None:
    """Return the running interpreter if it is of a release, otherwise the newest one found that is."""
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
    return None


def choose(requests: Iterable[str], on_missing: str = "fail") -> Chosen:
    """Find the interpreter for each request; the running one if there are no requests.

    Args:
        requests: as `find_interpreter` takes them.
        on_missing: what to do about a release that is not found: ``fail``, ``skip``, or ``install``.

    Raises:
        InterpreterError: if one is missing or not supported, or if two would write pycs of the same names.

    """
    missing: list[str] = []
    found: list[Interpreter] = []
    for request in requests:
        try:
            found.append(find_interpreter(request, install=on_missing == "install"))
        except MissingInterpreterError as error:
            if on_missing != "skip":
                raise
            missing.append(error.release)
    if not found and not missing:
        found = [supported(current())]
    return Chosen(_one_for_each_tag(found), tuple(dict.fromkeys(missing)))


def _one_for_each_tag(found: Iterable[Interpreter]) -> tuple[Interpreter, ...]:
    """Return the interpreters without repetitions, in the order of their versions.

    Raises:
        InterpreterError: if two would write pycs of the same names.

    """
    by_tag: dict[str, Interpreter] = {}
    for interpreter in found:
        other = by_tag.setdefault(interpreter.cache_tag, interpreter)
        if other.release != interpreter.release:
            raise InterpreterError(
                f"CPython {other.release} and {interpreter.release} both write {other.cache_tag} pycs; choose one"
            )
    return tuple(sorted(by_tag.values(), key=lambda interpreter: interpreter.version))


def find_releases(version: tuple[int, int]) -> list[Interpreter]:
    """Return a supported interpreter for each release of a version that is found, the running one first.

    Args:
        version: e.g. ``(3, 12)``.

    """
    from packaging.version import Version  # noqa: PLC0415 - as in the module's docstring

    running = [current()] if sys.executable else []
    minor = "{}.{}".format(*version)
    found = [interpreter for candidates in _candidates(minor) for interpreter in _describe_all(candidates)]
    found.sort(key=lambda interpreter: Version(interpreter.release), reverse=True)
    by_release: dict[str, Interpreter] = {}
    for interpreter in (*running, *found):
        if interpreter.problem is None and interpreter.version == version:
            by_release.setdefault(interpreter.release, interpreter)
    return list(by_release.values())


def find_interpreters() -> list[Interpreter]:
    """Return every Python that is found, the newest release first; the running one is among them."""
    from packaging.version import Version  # noqa: PLC0415 - as in the module's docstring

    found = {interpreter.path: interpreter for interpreter in _describe_all(_executables().values())}
    if sys.executable:
        running = current()
        if os.path.realpath(running.path) not in {os.path.realpath(path) for path in found}:
            found[running.path] = running
    return sorted(
        found.values(), key=lambda interpreter: (Version(interpreter.release), interpreter.path), reverse=True
    )


def _is_running(path: str) -> bool:
    """Return whether an executable is that of the running interpreter, which need not be run to be described."""
    try:
        return bool(sys.executable) and os.path.samefile(path, sys.executable)  # noqa: PTH121 - there may be no path
    except OSError:
        return False


def _advice(release: str) -> str:
    if not _is_pinned(release):
        return f"Install CPython {release}, put it on PATH, or give the path of its executable."
    return (
        f"Install CPython {release} exactly (its bytecode differs from other patch releases'), for example with"
        f" `uv python install {release}` or `pyenv install {release}`."
    )


def _is_pinned(release: str) -> bool:
    return release.count(".") > 1


def _all_advice(release: str) -> str:
    version = release.rpartition(".")[0]
    another = f" If any patch release will do, request {version} instead." if _is_pinned(release) else ""
    return (
        f"{_advice(release)}{another}\n"
        'Or set on-missing-interpreter to "install" (--install-interpreters) to have uv install it, or to "skip" to'
        " omit its bytecode. In a build, DETPYC_DISABLE=1 omits all bytecode."
    )


def _candidates(minor: str) -> Iterator[list[str]]:
    """Yield the executables to try for a minor version: first those whose name has it, then those named ``python3``."""
    versioned = re.compile(rf"python{re.escape(minor)}[a-z]*(?:\.exe)?", re.IGNORECASE)
    unversioned = re.compile(r"python3?(?:\.exe)?", re.IGNORECASE)
    executables = _executables()
    yield [
        path for real, path in executables.items() if any(versioned.fullmatch(Path(name).name) for name in (real, path))
    ]
    yield [path for real, path in executables.items() if unversioned.fullmatch(Path(real).name)]


def _executables() -> dict[str, str]:
    """List the Python executables of this machine without running any: by real path, the path where it was found.

    The shims of pyenv and asdf are left out: they take ten times as long to start as the Pythons that they run, and
    those are listed themselves.
    """
    from findpython.providers import ALL_PROVIDERS  # noqa: PLC0415 - most builds do not search

    # `create` returns None for a provider of another platform.
    providers = [*filter(None, (provider_class.create() for provider_class in ALL_PROVIDERS.values()))]
    shims = {os.path.realpath(provider.root / "shims") for provider in providers if hasattr(provider, "root")}
    found: dict[str, str] = {}
    for provider in providers:
        for python in provider.find_pythons():
            real = os.path.realpath(python.executable)
            if os.path.dirname(real) not in shims:  # noqa: PTH120 - `realpath` returns a string
                found.setdefault(real, str(python.executable))
    return found


def _describe_all(paths: Iterable[str]) -> list[Interpreter]:
    """Describe those that run; a version manager's shim for a Python that is not installed does not."""
    from detpyc.executor import Executor  # noqa: PLC0415 - as in the module's docstring

    def describe_or_none(path: str) -> Interpreter | None:
        try:
            return describe(path)
        except InterpreterError:
            return None

    with Executor() as executor:
        return [found for found in executor.map(describe_or_none, paths) if found is not None]


def _listing() -> str:
    found = find_interpreters()
    width = max((len(interpreter.release) for interpreter in found), default=0)
    return "".join(f"\n    {interpreter.release:<{width}}  {interpreter.path}" for interpreter in found) or "\n    none"
