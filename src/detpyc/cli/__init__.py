"""The command line. The only package that prints.

A command is imported when it is named, and what it needs when it runs, so that no command waits for the imports of
others.
"""

from __future__ import annotations

import gc
import sys
from io import TextIOWrapper
from typing import TYPE_CHECKING

from detpyc import __version__
from detpyc.cli.common import DONE, FAILED, fail, help_formatter
from detpyc.errors import DetpycError
from detpyc.termination import Terminated, terminable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from detpyc.cli.common import Commands

_ENDINGS: dict[type[BaseException], str] = {
    KeyboardInterrupt: "interrupted; unfinished files are unchanged",
    Terminated: "terminated; unfinished files are unchanged",
    MemoryError: "there is not enough memory; unfinished files are unchanged",
}

# The modules of the commands, in the order of the help.
COMMANDS = (
    "wheel",
    "verify",
    "compile",
    "strip",
    "normalize",
    "canonicalize",
    "diff",
    "inspect",
    "reproduce",
    "brp",
    "interpreters",
    "cache",
    "completion",
)

_VERSION = f"detpyc {__version__}"


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
    if arguments is None:
        gc.freeze()  # the process ends, and needs no last search for cycles in all that was imported, which takes 9 ms
    return status


def _show_traceback() -> int:
    if sys.stderr is not None:
        import traceback  # noqa: PLC0415 - rarely needed

        traceback.print_exc()
    return FAILED


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse the command line; exit if it is wrong, or asks for help or the version."""
    if [*arguments] == ["--version"]:
        print(_VERSION, flush=True)
        sys.exit(DONE)
    named = next((argument for argument in arguments if not argument.startswith("-")), None)
    parser, commands = make_parser([named] if named in COMMANDS else COMMANDS)
    if named is not None and named not in COMMANDS and not {"-h", "--help", "--version"}.intersection(arguments):
        parser.error(f"unknown command {named!r}{_meant(named, COMMANDS) or '; choose from ' + ', '.join(COMMANDS)}")
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        known = (parser if named is None else commands.choices[named])._option_string_actions  # noqa: SLF001 - no public name
        wrong = [argument.partition("=")[0] for argument in unknown if argument.startswith("-")]
        meant = next(filter(None, (_meant(name, known) for name in wrong)), "")
        parser.error(f"unrecognized arguments: {' '.join(unknown)}{meant}")
    if "run" not in options:
        parser.error("the following arguments are required: COMMAND")
    if sys.platform == "win32":
        _expand(options)
    return options


def make_parser(names: Iterable[str]) -> tuple[argparse.ArgumentParser, Commands]:
    """Return the parser of the command line, and what has the parsers of the commands that are named."""
    import argparse  # noqa: PLC0415 - takes as long as everything else for --version
    from importlib import import_module  # noqa: PLC0415

    about = "Deterministic, canonical bytecode for wheels and directory trees."
    parser = argparse.ArgumentParser(prog="detpyc", description=about, formatter_class=help_formatter)
    parser.add_argument("--version", action="version", version=_VERSION)
    # Not required, since argparse would demand a command before it reports an unknown option.
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=False)
    for name in names:
        import_module(f"{__name__}.{name}").add(commands)
    return parser, commands


def _meant(word: str, known: Iterable[str]) -> str:
    """Return a question for the known word that is meant, or nothing if none is near."""
    from difflib import get_close_matches  # noqa: PLC0415 - only for mistakes

    by_name = {name.lstrip("-"): name for name in known}
    near = get_close_matches(word.lstrip("-"), by_name, n=1) if len(word.lstrip("-")) > 1 else []
    return f"; did you mean {by_name[near[0]]}?" if near else ""


def _expand(options: argparse.Namespace) -> None:
    """Replace patterns such as ``*.whl`` by the paths that match, which the shells of Windows leave to programs."""
    for name in ("paths", "wheels"):
        if name in options:
            setattr(options, name, [found for path in getattr(options, name) for found in _matching(path)])


def _matching(path: Path) -> list[Path]:
    """Return the paths that a pattern matches, or the path itself if it is not one or nothing matches."""
    from glob import glob, has_magic  # noqa: PLC0415 - likewise

    if path.exists() or not has_magic(str(path)):
        return [path]
    found = glob(str(path))  # noqa: PTH207 - Path.glob takes no absolute pattern
    return [type(path)(name) for name in sorted(found)] or [path]
