"""The command line. The only package that prints.

A command is imported when it is named, and what it needs when it runs, so that none waits for what only others need.
"""

from __future__ import annotations

import sys
from io import TextIOWrapper
from typing import TYPE_CHECKING

from detpyc import __version__
from detpyc.cli.common import DONE, FAILED, fail
from detpyc.errors import DetpycError
from detpyc.termination import Terminated, terminable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

# Each is a module of this package, and in this order in the help.
_COMMANDS = ("wheel", "verify", "compile", "normalize", "diff", "inspect", "reproduce", "interpreters")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: those of the command line; by default the process's own.

    Returns:
        The exit status: 0 if it is done or holds, 1 if a check found something, 2 if it could not be done.

    """
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # not every terminal can show every name
    try:
        with terminable():
            options = _parse(sys.argv[1:] if arguments is None else arguments)
            status: int = options.run(options)
            if sys.stdout is not None:  # as it is where it was closed: `detpyc ... >&-`
                sys.stdout.flush()
    except DetpycError as error:
        return fail(str(error))
    except KeyboardInterrupt:
        return fail("interrupted; what was not finished is as it was")
    except Terminated:
        return fail("terminated; what was not finished is as it was")
    except BrokenPipeError:
        # Whoever read our output has gone; the interpreter's own flush at exit must not complain again.
        sys.stdout = None
        return FAILED
    except OSError as error:
        sys.stdout = None
        return fail(f"the output cannot be written: {error.strerror}")
    return status


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line; end the process if it is wrong, or asks for help or the version."""
    version = f"detpyc {__version__}"
    if [*arguments] == ["--version"]:
        print(version, flush=True)
        sys.exit(DONE)
    import argparse  # noqa: PLC0415 - it takes as long as all the rest of --version
    from importlib import import_module  # noqa: PLC0415

    parser = argparse.ArgumentParser(prog="detpyc", description="Deterministic, canonical bytecode for wheels.")
    parser.add_argument("--version", action="version", version=version)
    # Not required, or argparse would ask for a command before it says that an option is unknown.
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=False)
    named = next((each for each in arguments if not each.startswith("-")), None)
    for command in [named] if named in _COMMANDS else _COMMANDS:
        import_module(f"{__name__}.{command}").add(commands)
    options = parser.parse_args(arguments)
    if "run" not in options:
        parser.error("the following arguments are required: COMMAND")
    return options
