"""``detpyc cache``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from detpyc.cli.common import DONE, add_command, print_json, printable
from detpyc.errors import DetpycError

if TYPE_CHECKING:
    import argparse

    from detpyc.cli.common import Commands
    from detpyc.cli.documents import CacheDocument
    from detpyc.compilation.store import Files


def add(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "cache",
        run,
        "show, shrink or empty the compile cache",
        "Show what the compile cache contains, remove what was used least recently, or remove everything.",
    )
    parser.add_argument(
        "action",
        choices=("info", "prune", "clear"),
        help="info: show where it is and how large; prune: remove what was used least recently, down to the largest"
        " size; clear: remove everything",
    )
    parser.add_argument(
        "--max-size",
        type=_size,
        metavar="SIZE",
        help="the largest size, such as 500M (default: DETPYC_CACHE_SIZE, or 1G)",
    )


def _size(text: str) -> int:
    from argparse import ArgumentTypeError  # noqa: PLC0415 - as in the package's docstring

    from detpyc.compilation.cache_location import read_size  # noqa: PLC0415

    try:
        return read_size(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from error


def run(options: argparse.Namespace) -> int:
    """Run it."""
    from detpyc.compilation.cache_location import cache_directory, size_limit  # noqa: PLC0415
    from detpyc.compilation.store import Files, Store  # noqa: PLC0415

    directory = cache_directory()
    limit = size_limit() if options.max_size is None else options.max_size
    problem = None
    removed = found = Files()
    try:
        if os.path.lexists(directory):
            store = Store(directory)
            if options.action == "prune":
                removed = store.prune(limit)
            elif options.action == "clear":
                removed = store.clear()
            found = store.files()
    except DetpycError as error:
        if options.action != "info":
            raise
        problem = error.reason
    document: CacheDocument = {
        "directory": str(directory),
        "problem": problem,
        "files": found.number,
        "size": found.size,
        "limit": limit,
        "removed": removed.number,
        "freed": removed.size,
    }
    if options.json:
        print_json(document)
    elif not options.quiet:
        _print(document, removed, options.action)
    return DONE


def _print(document: CacheDocument, removed: Files, action: str) -> None:
    from detpyc.wording import counted  # noqa: PLC0415

    what = f"{counted(document['files'], 'file')}, {document['size']:,} of {document['limit']:,} bytes"
    if action != "info":
        what = f"{counted(removed.number, 'file')} removed, {removed.size:,} bytes; left: {what}"
    print(f"{printable(document['directory'])}: {document['problem'] or what}")
