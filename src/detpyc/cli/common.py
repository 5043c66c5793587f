"""What the commands have in common."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from detpyc.errors import DetpycError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from detpyc.cli.documents import PathError
    from detpyc.pyproject import Table
    from detpyc.settings import Settings

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - there is no public name for it

T = TypeVar("T")

FORMAT = 1  # of the documents; it stays the same as long as keys are only added

DONE = 0
FOUND = 1
FAILED = 2

_COLUMNS = 80  # of what is not a terminal

# The options with other names than their settings.
_OPTIONS = {"interpreters": "interpreter", "provenance": "no-provenance"}


def fail(message: str) -> int:
    """Print on standard error why something could not be done; return the exit status for it."""
    _print_error(message)
    return FAILED


def warn(message: str, options: argparse.Namespace) -> None:
    """Print a warning on standard error, unless nothing but errors is printed."""
    if not options.quiet:
        _print_error(f"warning: {message}")


def note(message: str, options: argparse.Namespace) -> None:
    """Print what a user may not know on standard error, unless nothing but errors is printed."""
    if not options.quiet:
        _print_error(f"note: {message}")


def _print_error(message: str) -> None:
    if sys.stderr is not None:  # None if it is closed, and `print` would use standard output instead
        with suppress(OSError):  # there is nowhere to report it; the exit status remains
            print("detpyc:", "\n".join(map(printable, message.split("\n"))), file=sys.stderr)


def printable(text: object) -> str:
    """Return a string with its control characters escaped: names in untrusted files may contain those of a terminal."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in str(text))


def print_json(document: Mapping[str, object]) -> None:
    """Print one JSON object on standard output."""
    import json  # noqa: PLC0415 - rarely needed

    print(json.dumps({"format": FORMAT, **document}, indent=2, sort_keys=True))


def add_command(
    commands: Commands, name: str, run: Callable[[argparse.Namespace], int], summary: str, description: str
) -> argparse.ArgumentParser:
    """Add a command, with the options that all commands have."""
    parser = commands.add_parser(
        name, help=summary, description=description, formatter_class=help_formatter, allow_abbrev=False
    )
    parser.set_defaults(run=run)
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    amount = parser.add_mutually_exclusive_group()
    amount.add_argument("-q", "--quiet", action="store_true", help="print nothing but errors")
    amount.add_argument("-v", "--verbose", action="store_true", help="print more")
    return parser


def help_formatter(prog: str) -> argparse.HelpFormatter:
    """Return a formatter as wide as the terminal.

    argparse makes one to check each option, and would import shutil to ask for the width.
    """
    from argparse import HelpFormatter  # noqa: PLC0415 - as in `_jobs`

    return HelpFormatter(prog, width=_columns() - 2)


def _columns() -> int:
    """Return the width of the terminal, as `shutil.get_terminal_size` does."""
    with suppress(ValueError):
        columns = int(os.environ.get("COLUMNS", ""))
        if columns > 0:
            return columns
    with suppress(AttributeError, ValueError, OSError):  # standard output is closed, or not a terminal
        return os.get_terminal_size(sys.__stdout__.fileno()).columns or _COLUMNS  # type: ignore[union-attr]
    return _COLUMNS


def add_jobs(parser: argparse.ArgumentParser) -> None:
    """Add the option for the number of workers."""
    parser.add_argument(
        "-j", "--jobs", type=_jobs, metavar="N", help="the maximum number of workers (default: one per processor)"
    )


def jobs(options: argparse.Namespace) -> int | None:
    """Return the number of workers from the option, or else from the environment.

    Raises:
        SettingsError: if that of the environment is not a positive number.

    """
    from detpyc import settings  # noqa: PLC0415 - not needed for --help

    number: int | None = options.jobs
    return settings.jobs(os.environ) if number is None else number


def _jobs(text: str) -> int:
    from argparse import ArgumentTypeError  # noqa: PLC0415 - slow to import, and not needed for --version

    from detpyc.settings import positive  # noqa: PLC0415 - likewise

    try:
        return positive(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from error


def read_path(text: str) -> Path:
    """Read a path from the command line. An empty one, as from an unset variable, would mean the current directory."""
    from argparse import ArgumentTypeError  # noqa: PLC0415 - as in `_jobs`
    from pathlib import Path  # noqa: PLC0415 - likewise

    if not text:
        raise ArgumentTypeError('is empty; write "." for the current directory')
    return Path(text)


def add_settings(parser: argparse.ArgumentParser, modes: Sequence[str]) -> None:
    """Add the options for settings."""
    from detpyc.settings import OPTIMIZATION_LEVELS  # noqa: PLC0415 - not needed for --version

    parser.add_argument(
        "-i",
        "--interpreter",
        action="append",
        metavar="PYTHON",
        help="compile with this Python: 3.12, a pinned 3.12.1, or a path; may be repeated (default: the one that runs"
        " detpyc)",
    )
    parser.add_argument(
        "--optimize",
        action="append",
        type=int,
        choices=OPTIMIZATION_LEVELS,
        help="optimization level; may be repeated (default: 0)",
    )
    parser.add_argument(
        "--invalidation-mode",
        choices=modes,
        help="how Python checks a pyc against its source (default: checked-hash)",
    )
    parser.add_argument(
        "--include", action="append", metavar="PATTERN", help="gitignore pattern: compile only sources that match"
    )
    parser.add_argument(
        "--exclude", action="append", metavar="PATTERN", help="gitignore pattern: do not compile sources that match"
    )
    parser.add_argument(
        "--on-syntax-error",
        choices=("fail", "skip"),
        help="what to do about sources that do not compile (default: fail for wheels, skip for directories)",
    )
    _add_on_missing(parser)
    add_cache(parser)


def add_cache(parser: argparse.ArgumentParser) -> None:
    """Add the options for the compile cache."""
    from argparse import BooleanOptionalAction  # noqa: PLC0415 - as in `_jobs`

    parser.add_argument(
        "--cache",
        action=BooleanOptionalAction,
        help="use the compile cache, which does not change the result; `compile` does by default",
    )


def _add_on_missing(parser: argparse.ArgumentParser) -> None:
    """Add the options for interpreters that are missing."""
    from detpyc.settings import ON_MISSING  # noqa: PLC0415 - as above

    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--on-missing-interpreter",
        choices=ON_MISSING,
        help="what to do about a release of CPython that is not found (default: fail)",
    )
    add_install(group)


def add_install(parser: argparse._ActionsContainer) -> None:
    """Add the option that has missing interpreters installed."""
    parser.add_argument(
        "--install-interpreters", action="store_true", help="have uv install the releases of CPython that are missing"
    )


def settings_table(options: argparse.Namespace) -> dict[str, object]:
    """Return the settings from the options, as a table."""
    from detpyc.settings import INSTALL  # noqa: PLC0415 - not needed for --help

    table = {
        "interpreters": options.interpreter,
        "optimize": options.optimize,
        "invalidation-mode": options.invalidation_mode,
        "include": options.include,
        "exclude": options.exclude,
        "on-syntax-error": options.on_syntax_error,
        "on-missing-interpreter": INSTALL if options.install_interpreters else options.on_missing_interpreter,
        "cache": options.cache,
    }
    return {key: value for key, value in table.items() if value is not None}


def option(key: str) -> str:
    """Return the option for a setting, e.g. ``--interpreter``."""
    return f"--{_OPTIONS.get(key, key)}"


def read_settings(table: dict[str, object], modes: Sequence[str], project: Table | None = None) -> Settings:
    """Return the settings from the options, or else from the environment, or else from a project.

    Args:
        table: the settings from the options.
        modes: the invalidation modes to allow.
        project: the table of the project; None for the defaults.

    Raises:
        SettingsError: if there is a mistake in them.

    """
    from detpyc.settings import Settings, variable  # noqa: PLC0415 - not needed for --help

    environment = {name: value for name, value in os.environ.items() if name not in set(map(variable, table))}
    names = {key: option(key) for key in table}
    if project is None:
        return Settings.from_table(table, "options", modes=modes, environment=environment, names=names)
    merged = {**project.settings, **table}
    return Settings.from_table(merged, project.location, modes=modes, environment=environment, names=names)


def each_path(paths: Iterable[Path], run: Callable[[Path], int], documents: list[T | PathError]) -> int:
    """Run a command for each path, even if it fails for others.

    Args:
        paths: from the command line.
        run: returns the exit status for a path.
        documents: the objects for --json; gains one for each path that fails.

    Returns:
        The highest status.

    """
    status = DONE
    for path in paths:
        try:
            status = max(status, run(path))
        except DetpycError as error:
            failure: PathError = {"path": str(path), "error": str(error)}
            documents.append(failure)
            status = fail(str(error))
    return status


def print_changes(options: argparse.Namespace, lines: Iterable[str], failures: Iterable[str], *, changed: bool) -> int:
    """Print what a command that takes --check did to a path.

    Args:
        options: from the command line.
        lines: what is printed unless --json or --quiet is given.
        failures: what could not be done, one message each.
        changed: whether anything changed; with --check, whether it would.

    Returns:
        The exit status.

    """
    if not options.json and not options.quiet:
        for line in lines:
            print(line)
    status = FOUND if options.check and changed else DONE
    for failure in failures:
        status = fail(failure)
    return status
