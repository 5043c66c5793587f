"""``detpyc interpreters``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detpyc.cli.common import DONE, add_command, print_json

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from detpyc.cli.common import Commands
    from detpyc.cli.documents import FoundInterpreter, InterpretersDocument
    from detpyc.compilation.interpreters import Interpreter


def add(commands: Commands) -> None:
    """Add the command."""
    add_command(
        commands,
        "interpreters",
        run,
        "list the Python interpreters of this machine",
        "List the Python interpreters of this machine, the newest first, and whether detpyc supports them.",
    )


def run(options: argparse.Namespace) -> int:
    """Run it."""
    from detpyc.compilation.interpreters import find_interpreters  # noqa: PLC0415 - as in the package's docstring

    found = find_interpreters()
    if options.json:
        document: InterpretersDocument = {"interpreters": [_document(interpreter) for interpreter in found]}
        print_json(document)
    elif not options.quiet:
        _print(found, verbose=options.verbose)
    return DONE


def _document(interpreter: Interpreter) -> FoundInterpreter:
    return {
        "release": interpreter.release,
        "implementation": interpreter.implementation,
        "cache-tag": interpreter.cache_tag,
        "magic-number": interpreter.magic_number,
        "path": interpreter.path,
        "supported": interpreter.problem is None,
        "problem": interpreter.problem,
    }


def _print(found: Sequence[Interpreter], *, verbose: bool) -> None:
    rows = [("RELEASE", "CACHE TAG", "MAGIC", "PATH", "")]
    for interpreter in found:
        note = "" if interpreter.problem is None else "not supported"
        if note and verbose:
            note += f": {interpreter.problem}"
        rows.append((interpreter.release, interpreter.cache_tag, str(interpreter.magic_number), interpreter.path, note))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
