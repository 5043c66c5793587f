"""What the commands have in common."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from detpyc.errors import DetpycError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from detpyc.settings import Settings

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - there is no public name for it

DONE = 0
FOUND = 1
FAILED = 2

# The options that are not called like their settings.
_OPTIONS = {"interpreters": "interpreter", "provenance": "no-provenance"}


def fail(message: str) -> int:
    """Say on standard error why something could not be done; return the exit status for it."""
    if sys.stderr is not None:  # as it is where it was closed, and `print` would take standard output for it
        with suppress(OSError):  # there is nowhere to say that nothing can be said; the status tells it
            print("detpyc:", "\n".join(map(printable, message.split("\n"))), file=sys.stderr)
    return FAILED


def printable(text: object) -> str:
    """Return a text with its control characters escaped: names in a file nobody vouches for may hold a terminal's."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in str(text))


def print_json(document: Mapping[str, object]) -> None:
    """Print one JSON object on standard output; its format is 1 as long as keys are only added."""
    import json  # noqa: PLC0415 - it is seldom needed

    print(json.dumps({"format": 1, **document}, indent=2, sort_keys=True))


def add_command(
    commands: Commands, name: str, run: Callable[[argparse.Namespace], int], summary: str, description: str
) -> argparse.ArgumentParser:
    """Add a command with the options that all have."""
    parser = commands.add_parser(name, help=summary, description=description, allow_abbrev=False)
    parser.set_defaults(run=run)
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    amount = parser.add_mutually_exclusive_group()
    amount.add_argument("-q", "--quiet", action="store_true", help="print nothing but errors")
    amount.add_argument("-v", "--verbose", action="store_true", help="print more")
    return parser


def add_jobs(parser: argparse.ArgumentParser) -> None:
    """Add the option for the number of workers."""
    parser.add_argument("-j", "--jobs", type=_jobs, metavar="N", help="how many workers (default: one per processor)")


def jobs(options: argparse.Namespace) -> int | None:
    """Return how many workers the option asks for, or the environment where it does not.

    Raises:
        SettingsError: if the environment's number is none.

    """
    from detpyc import settings  # noqa: PLC0415 - it is not needed for --help

    number: int | None = options.jobs
    return settings.jobs(os.environ) if number is None else number


def _jobs(text: str) -> int:
    from argparse import ArgumentTypeError  # noqa: PLC0415 - it takes long, and --version does without

    from detpyc.settings import positive  # noqa: PLC0415 - likewise

    try:
        return positive(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from error


def read_path(text: str) -> Path:
    """Read a path from the command line; none is empty, as an unset variable's, which would mean all that is here."""
    from argparse import ArgumentTypeError  # noqa: PLC0415 - as in `_jobs`
    from pathlib import Path  # noqa: PLC0415 - likewise

    if not text:
        raise ArgumentTypeError('is empty; write "." for the current directory')
    return Path(text)


def add_settings(parser: argparse.ArgumentParser, modes: Sequence[str]) -> None:
    """Add the options that stand for settings."""
    from detpyc.settings import OPTIMIZATION_LEVELS  # noqa: PLC0415 - --version does without

    parser.add_argument(
        "-i",
        "--interpreter",
        action="append",
        metavar="PYTHON",
        help="compile with this Python: 3.12, a pinned 3.12.1, or a path; may be given several times (default: the one"
        " that runs detpyc)",
    )
    parser.add_argument(
        "--optimize",
        action="append",
        type=int,
        choices=OPTIMIZATION_LEVELS,
        help="optimization level; may be given several times (default: 0)",
    )
    parser.add_argument(
        "--invalidation-mode",
        choices=modes,
        help="what a pyc's header holds (default: checked-hash)",
    )
    parser.add_argument(
        "--include", action="append", metavar="PATTERN", help="only sources that match (gitignore pattern)"
    )
    parser.add_argument(
        "--exclude", action="append", metavar="PATTERN", help="no sources that match (gitignore pattern)"
    )
    parser.add_argument(
        "--on-syntax-error",
        choices=("fail", "skip"),
        help="what to do with sources that do not compile (default: fail for wheels, skip for directories)",
    )


def settings_table(options: argparse.Namespace) -> dict[str, object]:
    """Return the settings that options give, as a table."""
    table = {
        "interpreters": options.interpreter,
        "optimize": options.optimize,
        "invalidation-mode": options.invalidation_mode,
        "include": options.include,
        "exclude": options.exclude,
        "on-syntax-error": options.on_syntax_error,
    }
    return {key: value for key, value in table.items() if value is not None}


def option(key: str) -> str:
    """Return the option for a setting, as it is typed."""
    return f"--{_OPTIONS.get(key, key)}"


def read_settings(table: dict[str, object], modes: Sequence[str]) -> Settings:
    """Return the settings of options, and of the environment where options do not say.

    Raises:
        SettingsError: if something is wrong with them.

    """
    from detpyc.settings import Settings, variable  # noqa: PLC0415 - it is not needed for --help

    environment = {name: value for name, value in os.environ.items() if name not in set(map(variable, table))}
    names = {key: option(key) for key in table}
    return Settings.from_table(table, "options", modes=modes, environment=environment, names=names)


def each_path(paths: Iterable[Path], run: Callable[[Path], int]) -> int:
    """Run a command for each path, whatever becomes of the others; return the gravest status."""
    status = DONE
    for path in paths:
        try:
            status = max(status, run(path))
        except DetpycError as error:
            status = fail(str(error))
    return status
