"""The command line. The only package that prints.

A command is imported when it is named, and what it needs when it runs, so that no command waits for the imports of
others.
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

_ENDINGS: dict[type[BaseException], str] = {
    KeyboardInterrupt: "interrupted; unfinished files are unchanged",
    Terminated: "terminated; unfinished files are unchanged",
    MemoryError: "there is not enough memory; unfinished files are unchanged",
}

# The modules of the commands, in the order of the help.
_COMMANDS = ("wheel", "verify", "compile", "normalize", "diff", "inspect", "reproduce", "interpreters")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: of the command line; by default those of this process.

    Returns:
        The exit status: 0 if it is done or the check passed, 1 if a check found something, 2 if it could not be done.

    """
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # not every terminal can show every name
    try:
        with terminable():
            options = _parse(sys.argv[1:] if arguments is None else arguments)
            status: int = options.run(options)
            if sys.stdout is not None:  # None if it is closed: `detpyc ... >&-`
                sys.stdout.flush()
    except DetpycError as error:
        return fail(str(error))
    except (KeyboardInterrupt, Terminated, MemoryError) as error:
        return fail(_ENDINGS[type(error)])
    except BrokenPipeError:
        # The reader of the output is gone; the interpreter's flush at exit must not fail again.
        sys.stdout = None
        return FAILED
    except OSError as error:
        sys.stdout = None
        return fail(f"the output cannot be written: {error.strerror}")
    except Exception:  # noqa: BLE001 - a bug; Python would exit with 1, which means that a check found something
        return _show_traceback()
    return status


def _show_traceback() -> int:
    if sys.stderr is not None:
        import traceback  # noqa: PLC0415 - rarely needed

        traceback.print_exc()
    return FAILED


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse the command line; exit if it is wrong, or asks for help or the version."""
    version = f"detpyc {__version__}"
    if [*arguments] == ["--version"]:
        print(version, flush=True)
        sys.exit(DONE)
    import argparse  # noqa: PLC0415 - takes as long as everything else for --version
    from importlib import import_module  # noqa: PLC0415

    parser = argparse.ArgumentParser(prog="detpyc", description="Deterministic, canonical bytecode for wheels.")
    parser.add_argument("--version", action="version", version=version)
    # Not required, since argparse would demand a command before it reports an unknown option.
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=False)
    named = next((argument for argument in arguments if not argument.startswith("-")), None)
    for command in [named] if named in _COMMANDS else _COMMANDS:
        import_module(f"{__name__}.{command}").add(commands)
    options = parser.parse_args(arguments)
    if "run" not in options:
        parser.error("the following arguments are required: COMMAND")
    return options
