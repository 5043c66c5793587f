"""Byte-compile what the requests of rules_python's ``PyCompile`` actions name.

Needs nothing but the standard library, so that Bazel need only provide detpyc itself.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, NoReturn

from detpyc.bytecode.header import InvalidationMode, PycHeader
from detpyc.compilation.outcomes import Compiled, Failed, Refused, Source
from detpyc.compilation.pool import Pool
from detpyc.errors import CompilationError, DetpycError, InterpreterError, SettingsError
from detpyc.files import read_file
from detpyc.replacement import replace_file

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Sequence

    from typing_extensions import Self

    from detpyc.compilation.description import Interpreter
    from detpyc.compilation.outcomes import Outcome

__all__ = ["Parser", "Precompiler", "add_request", "parse_request"]

_LEVELS = (-1, 0, 1, 2)
_MODES = {mode.replace("-", "_"): mode for mode in (InvalidationMode.CHECKED_HASH, InvalidationMode.UNCHECKED_HASH)}
_PYC_MODE = 0o644
_ATTEMPTS = 2  # a worker that dies may have been killed by somebody; a source that kills it does so again


class Parser(argparse.ArgumentParser):
    """A parser that raises its errors: a wrong request must not end a persistent worker."""

    def error(self, message: str) -> NoReturn:
        """Raise the error.

        Raises:
            SettingsError: always.

        """
        raise SettingsError(message)


def add_request(parser: Parser) -> None:
    """Add the arguments of a request, which are those of rules_python's own precompiler."""
    parser.add_argument("--src", action="append", default=[], dest="sources", metavar="FILE", help="a source")
    parser.add_argument(
        "--src_name", action="append", default=[], dest="names", metavar="PATH", help="the path that its pyc records"
    )
    parser.add_argument("--pyc", action="append", default=[], dest="pycs", metavar="FILE", help="the pyc to write")
    parser.add_argument(
        "--optimize",
        type=int,
        choices=_LEVELS,
        default=-1,
        help="optimization level; -1 is that of the Python that runs this (default: -1)",
    )
    parser.add_argument(
        "--invalidation_mode",
        type=str.lower,
        choices=_MODES,
        default="checked_hash",
        help="how Python checks a pyc against its source; a timestamp is not a function of the inputs",
    )
    parser.add_argument("--python_version", metavar="VERSION", help="of the Python that loads the pycs, e.g. 3.12")


def parse_request(arguments: Sequence[str]) -> Namespace:
    """Parse the arguments of a request, in which a parameter file has been expanded.

    Raises:
        SettingsError: if they are wrong.

    """
    parser = Parser(prog="detpyc", add_help=False, allow_abbrev=False)
    add_request(parser)
    return parser.parse_args(arguments)


class Precompiler:
    """Byte-compiles sources in workers that are kept from one request to the next.

    A context manager. Requests may come from several threads.

    Args:
        interpreters: those that compile. None is searched for: what is found would differ from machine to machine.

    """

    def __init__(self, interpreters: Sequence[Interpreter]) -> None:
        self.interpreters = interpreters
        self.lock = threading.Lock()
        self.pools: dict[Interpreter, Pool] = {}
        self.stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """Kill the workers. The requests that are under way fail."""
        self.stack.close()

    def run(self, options: Namespace, directory: str = "", commit: Callable[[], bool] = lambda: True) -> None:
        """Byte-compile the sources of one request.

        The pycs are written when all sources have been compiled.

        Args:
            options: of the request, as `parse_request` returns them.
            directory: which the paths of files are relative to; by default the current one.
            commit: called before the pycs are written; they are not if it returns False.

        Raises:
            SettingsError: if the options do not go together.
            CompilationError: if a source does not compile.
            DetpycError: if no interpreter fits, or a file cannot be read, compiled or written.

        """
        if not len(options.sources) == len(options.names) == len(options.pycs) > 0:
            raise SettingsError("--src, --src_name and --pyc must be given equally often, and at least once")
        interpreter = self._interpreter(options.python_version)
        sources = [
            Source(name, read_file(os.path.join(directory, path)))  # noqa: PTH118 - strings throughout
            for path, name in zip(options.sources, options.names, strict=True)
        ]
        level = sys.flags.optimize if options.optimize < 0 else options.optimize
        outcomes = self._byte_compile(interpreter, sources, level)
        mode = _MODES[options.invalidation_mode]
        pycs = [_pyc(interpreter, mode, *pair) for pair in zip(sources, outcomes, strict=True)]
        if commit():
            for path, pyc in zip(options.pycs, pycs, strict=True):
                replace_file(os.path.join(directory, path), pyc, _PYC_MODE, durable=False)  # noqa: PTH118

    def _interpreter(self, version: str | None) -> Interpreter:
        """Return the interpreter for a version, or the first one if there is no version."""
        for interpreter in self.interpreters:
            if version is None or interpreter.satisfies(version):
                return interpreter
        found = ", ".join(f"{interpreter.release} ({interpreter.path})" for interpreter in self.interpreters)
        raise InterpreterError(
            f"no interpreter for --python_version {version}; found: {found}. Start the precompiler under that"
            " Python, or give its path with --interpreter"
        )

    def _byte_compile(self, interpreter: Interpreter, sources: Sequence[Source], level: int) -> list[Outcome]:
        """Compile sources; those on which a worker failed again, in another one."""
        outcomes: dict[int, Outcome] = {}
        numbers = [*range(len(sources))]
        for _ in range(_ATTEMPTS):
            found = self._compile_once(interpreter, [sources[number] for number in numbers], level)
            outcomes.update(zip(numbers, found, strict=True))
            numbers = [number for number in numbers if isinstance(outcomes[number], Failed)]
        return [outcomes[number] for number in range(len(sources))]

    def _compile_once(self, interpreter: Interpreter, sources: Sequence[Source], level: int) -> list[Outcome]:
        with self.lock:
            pool = self.pools.get(interpreter)
            if pool is None:
                pool = self.pools[interpreter] = self.stack.enter_context(Pool(interpreter))
        try:
            outcomes = pool.byte_compile(sources, [level], lambda _, outcome: outcome)
        except DetpycError:  # which ends the pool
            self._forget(interpreter, pool)
            raise
        if len(outcomes) < len(sources):
            raise InterpreterError("was ended before the source was compiled", path=interpreter.path)
        return outcomes

    def _forget(self, interpreter: Interpreter, pool: Pool) -> None:
        """Make the next request start another pool."""
        with self.lock:
            if self.pools.get(interpreter) is pool:
                del self.pools[interpreter]


def _pyc(interpreter: Interpreter, mode: str, source: Source, outcome: Outcome) -> bytes:
    """Return the pyc of a source.

    Raises:
        CompilationError: if it does not compile.
        DetpycError: if it could not be compiled.

    """
    if isinstance(outcome, Compiled):
        header = PycHeader(interpreter.magic_number, mode, source_hash=outcome.source_hash)
        return header.to_bytes() + outcome.payloads[0]
    failure = CompilationError if isinstance(outcome, Refused) else DetpycError
    raise failure(f"cannot be compiled by CPython {interpreter.release}: {outcome.reason}", path=source.path)
