"""``detpyc interpreters``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detpyc.cli.common import DONE, add_command, print_json

if TYPE_CHECKING:
    import argparse

    from detpyc.cli.common import Commands


def add(commands: Commands) -> None:
    """Add the command."""
    add_command(
        commands,
        "interpreters",
        run,
        "list the interpreters that are found",
        "List the Python interpreters that are found, the newest first, and say which can byte-compile for detpyc.",
    )


def run(options: argparse.Namespace) -> int:
    """Run it."""
    from detpyc.compilation.interpreters import find_interpreters  # noqa: PLC0415 - as in the package's docstring

    found = find_interpreters()
    if options.json:
        listed = [
            {
                "release": each.release,
                "implementation": each.implementation,
                "cache-tag": each.cache_tag,
                "magic-number": each.magic_number,
                "path": each.path,
                "supported": each.problem is None,
                "problem": each.problem,
            }
            for each in found
        ]
        print_json({"interpreters": listed})
        return DONE
    if options.quiet:
        return DONE
    rows = [
        (
            each.release,
            each.cache_tag,
            str(each.magic_number),
            each.path,
            "" if each.problem is None else f"not supported: {each.problem}" if options.verbose else "not supported",
        )
        for each in found
    ]
    heads = ("RELEASE", "CACHE TAG", "MAGIC", "PATH", "")
    widths = [max(len(row[column]) for row in (heads, *rows)) for column in range(len(heads))]
    for row in (heads, *rows):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    return DONE
