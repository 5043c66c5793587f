"""``detpyc completion``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detpyc.cli.common import DONE, add_command, print_json, read_path
from detpyc.errors import DetpycError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from detpyc.cli.common import Commands
    from detpyc.cli.documents import CompletionDocument

SHELLS = ("bash", "zsh", "fish")


def add(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "completion",
        run,
        "print a shell completion script",
        'Print a script that completes the commands and options of detpyc, for example with eval "$(detpyc completion'
        ' bash)". It needs the extra detpyc[completion].',
    )
    parser.add_argument("shell", choices=SHELLS, metavar="SHELL", help=", ".join(SHELLS))


def run(options: argparse.Namespace) -> int:
    """Run it."""
    from detpyc.cli import COMMANDS, make_parser  # noqa: PLC0415 - it imports every command

    try:
        import shtab  # noqa: PLC0415 - it is an extra
    except ImportError as error:
        raise DetpycError(
            "the package shtab, which writes completion scripts, is not installed; run: pip install"
            ' "detpyc[completion]"'
        ) from error
    parser, commands = make_parser(COMMANDS)
    for action in _path_arguments(commands):
        action.complete = shtab.FILE  # type: ignore[attr-defined]
    script = shtab.complete(parser, options.shell)
    if options.json:
        document: CompletionDocument = {"shell": options.shell, "script": script}
        print_json(document)
    elif not options.quiet:
        print(script)
    return DONE


def _path_arguments(commands: Commands) -> Iterator[argparse.Action]:
    for parser in commands.choices.values():
        for action in parser._actions:  # noqa: SLF001 - shtab reads them as well; there is no public name
            if action.type is read_path:
                yield action
